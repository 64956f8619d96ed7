"""Scenes 5 to 7 of the explorer's page in a real browser, headless Chromium, against jaxnet."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import __main__ as explorer
from jaxnet import chain_rule
from tests.experiments.commands import main
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import saved


@pytest.mark.long
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_the_three_factors_and_all_nudges_are_those_of_jaxnet(
    browser: Any,
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
):
    path = saved(tmp_path / "some.safetensors", (784, 16, 16, 10), output=output)
    main(explorer, monkeypatch, "--from", str(path), "--limit", "300", "--out", str(tmp_path))
    weights = [(0, 3, 300), (0, 3, None), (1, 5, 2), (2, 7, 15), (2, 0, None)]
    with Opened(browser, tmp_path / "explorer.html") as opened:
        found = opened.ask(
            """(weights) => {
              const { trained, examples: [, { image, target }], factors, nudges } = explorer;
              return {
                factors: weights.map((weight) => factors(trained, image, target, ...weight)),
                activations: nudges(trained, image, target).activations.map((row) => Array.from(row)),
              };
            }""",
            weights,
        )
    with jax.enable_x64(True):
        params, image = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64), (jaxnet.load_params(path)[0], mnist[1].images[1])
        )
        target = jaxnet.one_hot(mnist[1].labels[1:2], 10)[0].astype(jnp.float64)
        for ours, weight in zip(found["factors"], weights, strict=True):
            expected = chain_rule.factors(params, image, target, *weight)
            assert ours["dz_dw"] == pytest.approx(float(expected.dz_dw), rel=1e-6)
            np.testing.assert_allclose(ours["da_dz"], expected.da_dz, rtol=1e-6)
            np.testing.assert_allclose(ours["dC_da"], expected.dc_da, rtol=1e-6)
            assert ours["product"] == pytest.approx(float(chain_rule.product(expected)), rel=1e-6, abs=1e-12)
        wishes = jaxnet.nudges(params, image, target).activations
    for ours, expected in zip(found["activations"], wishes, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("field", "value", "button", "note", "said"),
    [
        ("#teach-rate", "-1", "#teach-step", "#teach-note", "rate is -1; it must be a number between 0 and 1000"),
        ("#teach-rate", "", "#teach-step", "#teach-note", "rate is not a number"),
        ("#teach-batch", "301", "#teach-again", "#teach-note", "batch size is 301; it must be a whole number between"),
    ],
)
def test_a_wrong_number_is_refused_in_words_and_moves_nothing(
    opened: Opened, field: str, value: str, button: str, note: str, said: str
):
    if field == "#teach-batch":
        opened.page.check('input[name="what"][value="batch"]')
    opened.page.fill(field, value)
    opened.page.click(button)
    opened.page.wait_for_timeout(50)
    assert said in opened.text(note)
    assert said in opened.text("#said")
    assert opened.ask("explorer.state.steps") == 0
    opened.page.fill("#number", "300")
    opened.page.fill("#source", "-1")
    assert opened.ask("[explorer.state.shown, explorer.state.selected.source]") == [0, None]


def test_a_decimal_comma_is_one_and_a_field_that_is_not_used_does_not_count(opened: Opened):
    opened.page.fill("#teach-batch", "")
    opened.page.fill("#teach-rate", "0,5")
    opened.page.click("#teach-step")
    assert "1 step away" in opened.text("#teach-note")
    moved, predicted = opened.ask(
        """() => {
          const { state, trained, examples: [example], flat, backprop, distance } = explorer;
          const gradient = flat({ layers: backprop(trained, example.image, example.target) });
          const length = Math.hypot(...gradient);
          return [distance(flat(state.network), flat(trained)) / length, -0.5 * length ** 2];
        }"""
    )
    assert moved == pytest.approx(0.5)
    foretold = opened.text("#teach-note").split("foretold a change of ")[1].split(",")[0]
    front, *power = foretold.replace("−", "-").split("·10")
    exponent = int(power[0].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if power else 0
    assert float(front) * 10**exponent == pytest.approx(predicted, rel=0.01)


@pytest.mark.long
def test_what_one_points_at_stays_while_it_changes(browser: Any, folder: Path):
    with Opened(browser, folder / "explorer.html") as opened:
        page, ask = opened.page, opened.ask
        page.click("#wrong")
        for box in ("weights", "biases"):
            for index in range(5):
                page.locator(f"#wish-{box} button").nth(index).focus()
                page.keyboard.press("Enter")
                assert ask(f"document.activeElement === document.querySelectorAll('#wish-{box} button')[{index}]")
                if box == "weights":  # the line that it names is drawn, however faint
                    assert page.locator("#stage .chosen").count() == 3
                    drawn = "Array.from(document.querySelectorAll('#stage .chosen'), (path) => path.getAttribute('d'))"
                    assert any(ask(drawn))
        page.click("#teach-again")
        page.locator("#wish-biases button").first.click(delay=80)
        assert ask("explorer.state.selected.source") is None
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 700, "height": 800})
        page.wait_for_function("() => explorer.state.steps > 5")
        page.click("#teach-again")
