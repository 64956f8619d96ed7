"""The seventh scene: full batch and mini-batch downhill, against jaxnet and NumPy; and how smoothly the page works."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import __main__ as explorer
from experiments.explorer import report
from tests.experiments.commands import main
from tests.experiments.explorer import rolling
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import saved

pytestmark = pytest.mark.long

README = Path(__file__).parents[3] / "README.md"
STEPS = "Object.values(explorer.scenes.walk.descents()).map(({ at }) => at.steps)"
SEEN = "Object.values(explorer.scenes.walk.descents()).map(({ at }) => at.seen)"

DESCENDED = """({ size, rate, steps }) => {
  const { trained, examples, init, normal, uniform, descentFrom, nextStep, accuracy } = explorer;
  let descent = descentFrom(init(trained, normal(uniform(1))), uniform(1));
  while (descent.steps < steps) descent = nextStep(descent, examples, size, rate);
  return accuracy(descent.network, examples);
}"""


def roll(opened: Opened) -> None:
    """Until it comes to rest by itself."""
    opened.page.click("#walk-run")
    opened.page.wait_for_selector("#walk-run:not(.running)", timeout=300_000)


def test_the_ratio_with_60_000_images_is_that_of_the_readme():
    said = json.loads((report.PAGE / "english.json").read_text(encoding="utf-8"))["walk"]["measured"]
    readme = " ".join(README.read_text(encoding="utf-8").split())
    found = re.search(r"Batches of 10 reach (\d+) % after (\d+) times fewer examples \((\d+) to (\d+) over", readme)
    assert found is not None
    goal, times, least, most = found.groups()
    assert f"{times} times ({least} to {most} over five networks)" in said
    assert f"to {goal} %" in said
    assert "batches of 10" in said
    assert "all 60,000 images needs 6,000 times as much arithmetic as a step with ten" in readme


def test_skipping_black_pixels_changes_no_bit(opened: Opened):
    found = opened.ask(
        """() => {
          const { trained, examples, trace, averageGradient, errors } = explorer;
          const { image, target } = examples[3];
          const traced = trace(trained, image);
          return {
            image: Array.from(image),
            weights: Array.from(trained.layers[0].weights[2]),
            bias: trained.layers[0].biases[2],
            z: traced.weightedSums[0][2],
            delta: errors(trained, traced, target).deltas[0][2],
            gradient: Array.from(averageGradient(trained, [examples[3]])[0].weights[2]),
          };
        }"""
    )
    image, weights = np.array(found["image"]), np.array(found["weights"])
    assert np.mean(image == 0) > 0.5
    assert found["z"] == np.cumsum(weights * image)[-1] + found["bias"]  # in the same order, the black ones included
    np.testing.assert_array_equal(found["gradient"], found["delta"] * image)


def test_full_batch_steps_are_those_of_jaxnet_and_mini_batches_show_every_example_once(
    opened: Opened, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    flat = (
        "({ layers }) => layers.map(({ weights, biases }) => [weights.map((w) => Array.from(w)), Array.from(biases)])"
    )
    full = "explorer.scenes.walk.descents().full.at.network"
    start = opened.ask(f"({flat})({full})")
    opened.page.fill("#full-rate", "0.7")
    for _ in range(5):
        opened.page.click("#walk-step")
    found = opened.ask(f"({flat})({full})")
    with jax.enable_x64(True):
        functions = [jaxnet.scaled_tanh, jaxnet.scaled_tanh, jaxnet.sigmoid]
        params = tuple(
            jaxnet.Layer(jnp.asarray(w), jnp.asarray(b), f) for (w, b), f in zip(start, functions, strict=True)
        )
        images = np.round(255 * np.asarray(mnist[1].images[:100], float)) / 255
        targets = np.eye(10)[np.asarray(mnist[1].labels[:100])]
        slope = jax.jit(jax.grad(jaxnet.cost))
        for _ in range(5):
            params = jax.tree.map(lambda leaf, one: leaf - 0.7 * one, params, slope(params, images, targets))
    for (weights, biases), layer in zip(found, params, strict=True):
        np.testing.assert_allclose(weights, layer.weights, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(biases, layer.biases, rtol=1e-6, atol=1e-9)

    shown = opened.ask(
        """() => {
          const { descentFrom, nextStep, trained, uniform, examples } = explorer;
          let descent = descentFrom(trained, uniform(4));
          const shown = [];
          for (let i = 0; i < 8; i += 1) { // of 30 of 100 images: 30, 30, 30 and 10, twice
            const before = descent;
            descent = nextStep(descent, examples, 30, 0);
            const order = before.waiting.length ? before.waiting : [...descent.waiting];
            shown.push({ seen: descent.seen, waiting: descent.waiting.map((each) => examples.indexOf(each)) });
          }
          return shown;
        }"""
    )
    assert [each["seen"] for each in shown] == [30, 60, 90, 100, 130, 160, 190, 200]
    assert [len(set(each["waiting"])) for each in shown] == [70, 40, 10, 0] * 2
    for one, other in itertools.pairwise(shown):
        if one["waiting"]:
            assert one["waiting"][30:] == other["waiting"]
    assert shown[0]["waiting"] != shown[4]["waiting"]


def test_rolling_answers_the_question_with_what_the_curves_show(trained: Opened):
    page, ask = trained.page, trained.ask
    page.select_option("#walk-goal", "60")
    page.fill("#mini-rate", "1")
    page.click("#walk-again")
    assert "Roll" in trained.text("#walk-found")
    assert trained.text("#walk-more") == ""
    roll(trained)
    (full, full_seen), (mini, mini_seen) = zip(ask(STEPS), ask(SEEN), strict=True)
    assert abs(full_seen - mini_seen) <= 300
    assert (full_seen, mini_seen) == (300 * full, 10 * mini)
    curves = ask("Object.values(explorer.scenes.walk.descents()).map(({ curve }) => curve)")
    there = ask("Object.values(explorer.scenes.walk.descents()).map(({ reached }) => reached[60])")
    for each, curve, size, rate in zip(there, curves, (300, 10), (4, 1), strict=True):
        assert all(one["accuracy"] < 0.6 for one in curve if one["seen"] < each["seen"])
        assert ask(DESCENDED, {"size": size, "rate": rate, "steps": each["steps"]}) == each["accuracy"] >= 0.6
    said = trained.text("#walk-found")
    assert f"the full batch looked at {there[0]['seen']:,} images, the mini-batch at {there[1]['seen']:,}" in said
    ratio = there[0]["seen"] / there[1]["seen"]
    assert ratio > 2
    assert f": {ratio:.1f} times fewer." in said or f": {round(ratio)} times fewer." in said
    assert said in trained.text("#said")
    more = trained.text("#walk-more")
    assert f"the full batch took {there[0]['steps']:,} steps, the mini-batch {there[1]['steps']:,}." in more
    assert ("there the full batch would be first" in more) == (there[0]["steps"] < there[1]["steps"])
    assert "costs as much as 30 small ones" in more
    assert page.locator("#walk-right .reached").count() == 2
    # The curves are those of the network that is there now; who looks on the way does not change the order.
    judged = "explorer.judge(explorer.scenes.walk.descents().mini.at.network, explorer.examples)"
    assert ask(f"{judged}.cost") == curves[1][-1]["cost"]
    for curve in curves:
        seen = [each["seen"] for each in curve]
        assert seen == sorted(set(seen))
        assert np.all(np.diff([each["seconds"] for each in curve]) >= 0)
    # With another goal it says so at once, or goes on.
    page.select_option("#walk-goal", "90")
    assert "is still on its way" in trained.text("#walk-found") or "Neither" in trained.text("#walk-found")


def test_a_link_leads_to_the_same_place_and_what_it_cannot_show_is_named(opened: Opened):
    page, ask = opened.page, opened.ask
    page.fill("#mini-rate", "0,5")
    page.fill("#mini-batch", "20")
    page.click("#walk-other")
    for _ in range(3):
        page.click("#walk-step")
    page.check('input[name="against"][value="seconds"]')
    choices = "explorer.scenes.walk.choices()"
    expected = {"full": None, "mini": "0.5", "batch": "20", "goal": None, "against": "seconds", "above": None}
    assert ask(choices) == expected | {"start": 2, "steps": "3.3"}
    there = "Object.values(explorer.scenes.walk.descents()).map(({ at }) => Array.from(explorer.flat(at.network)))"
    places = ask(there)
    page.click("#walk-again")
    page.fill("#mini-rate", "3")
    restored = "(asked) => explorer.scenes.walk.restore(new Map(Object.entries(asked)))"
    assert ask(restored, {"mini": "0.5", "batch": "20", "start": "2", "steps": "3.3", "goal": "70"}) == []
    page.wait_for_selector("#walk-run:not(.running)")
    assert ask(there) == places
    assert ask(choices) == expected | {"start": 2, "steps": "3.3", "goal": 70, "against": None}
    wrong = {"full": "x", "mini": "-1", "batch": "0", "goal": "75", "against": "time", "above": "there", "start": "0"}
    assert ask(restored, wrong | {"steps": "many"}) == [*wrong, "steps"]
    assert ask(choices) == dict.fromkeys([*expected, "start", "steps"])
    # No address leads where rates were changed on the way.
    page.click("#walk-step")
    page.fill("#full-rate", "1")
    assert ask(choices)["steps"] is None


@pytest.mark.parametrize(
    ("field", "value", "button", "said"),
    [
        ("#mini-batch", "2.5", "#walk-run", "images is 2.5; it must be a whole number between 1 and 100"),
        ("#full-rate", "1e9", "#walk-step", "full batch rate is 1e9; it must be a number between 0 and 1000"),
        ("#mini-rate", "fast", "#walk-run", "mini-batch rate is fast; it must be a number"),
    ],
)
def test_a_wrong_number_is_refused_in_words_and_moves_nothing(
    opened: Opened, field: str, value: str, button: str, said: str
):
    opened.page.fill(field, value)
    opened.page.click(button)
    opened.page.wait_for_timeout(50)
    assert said in opened.text("#walk-note")
    assert said in opened.text("#said")
    assert opened.ask(STEPS) == [0, 0]


def test_a_descent_that_flies_away_says_so_and_stops(trained: Opened):
    trained.page.fill("#full-rate", "1000")
    trained.page.fill("#mini-rate", "1000")
    for _ in range(3):
        trained.page.click("#walk-step")
    said = trained.text("#walk-note")
    assert "One step of each" in said or "Start again with a smaller rate" in said
    for odd in ("NaN", "undefined", "not a number"):
        assert odd not in trained.text("#walk")


def test_steps_on_one_line_lie_on_the_first_axis_and_lengths_are_kept(trained: Opened):
    page, ask = trained.page, trained.ask
    for _ in range(8):  # a single step is straight
        page.click("#walk-other")
        page.click("#walk-step")
        for kind in ("full", "mini"):
            places = f"explorer.scenes.walk.descents().{kind}.at.recent"
            end = ask(f"explorer.closePlane({places})({places}.at(-1))")
            assert end == {"x": pytest.approx(1), "y": pytest.approx(0, abs=1e-6)}
    # Mini-batches of all images at the same rate are full batches in another order.
    for field, value in (("#full-rate", "4"), ("#mini-rate", "4"), ("#mini-batch", "300")):
        page.fill(field, value)
    page.click("#walk-again")
    for _ in range(4):
        page.click("#walk-step")
    end, length = ask(
        """() => {
          const { full, mini } = explorer.scenes.walk.descents();
          const [start, one, other] = [full.at.path[0].place, mini.at.recent.at(-1), full.at.recent.at(-1)];
          return [explorer.plane(start, one, other)(other), explorer.distance(start, other)];
        }"""
    )
    assert end == {"x": pytest.approx(length), "y": pytest.approx(0, abs=1e-6)}


def test_a_plane_keeps_the_distances_of_the_three_places_that_it_goes_through(opened: Opened):
    places = np.random.default_rng(1).normal(size=(4, 50))
    found = opened.ask(
        "(rows) => { const [a, b, c, d] = rows.map((row) => Float64Array.from(row));"
        " return [a, b, c, d].map(explorer.plane(a, b, c)); }",
        places.tolist(),
    )
    seen = np.array([[each["x"], each["y"]] for each in found])
    basis, _ = np.linalg.qr((places[1:3] - places[0]).T)
    expected = (places - places[0]) @ basis
    np.testing.assert_allclose(np.abs(seen), np.abs(expected), atol=1e-9)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(seen[i] - seen[j]) == pytest.approx(np.linalg.norm(places[i] - places[j]))


def test_a_long_path_keeps_few_places_about_equally_far_apart(opened: Opened):
    path = opened.ask(
        """() => {
          const { descentFrom, nextStep, trained, uniform, examples } = explorer;
          let descent = descentFrom(trained, uniform(1));
          for (let i = 0; i < 1000; i += 1) descent = nextStep(descent, examples, 1, 0.1);
          return { steps: descent.path.map(({ steps }) => steps), recent: descent.recent.length };
        }"""
    )
    assert path["recent"] == 41
    assert path["steps"][0] == 0
    assert path["steps"][-1] == 1000
    assert 40 <= len(path["steps"]) <= 60
    assert max(np.diff(path["steps"])) <= 4 * 1000 / len(path["steps"])


def test_fewer_images_than_a_batch(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path / "relu.safetensors", (784, 16, 10), activation="relu")
    main(explorer, monkeypatch, "--from", str(path), "--limit", "50", "--images", "5", "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        fields = "[...document.querySelectorAll('#walk .number, #example .number')]"
        assert opened.ask(f"{fields}.every((field) => explorer.chosen(field) !== null)")
        opened.page.click("#walk-step")
        assert "One step of each" in opened.text("#walk-note")


def test_the_walk_rolls_smoothly_on_a_slow_machine_and_needs_no_more_memory_as_it_goes_on(browser: Any, folder: Path):
    """At rest it is over 30 frames a second; other tests run beside this one."""
    with Opened(browser, folder / "explorer.html") as opened:
        session = rolling.slowed(opened)
        frames = rolling.frames_while_rolling(opened, 3)
        print(f"{1000 * len(frames) / sum(frames):.0f} frames a second")
        assert 1000 * len(frames) / sum(frames) > 5
        rolling.slowed(opened, 1)
        rolling.roll_for(opened, 8)
        early = rolling.heap(opened, session)
        rolling.roll_for(opened, 10)
        late = rolling.heap(opened, session)
        print(f"{early:.1f} MB, then {late:.1f} MB")
        assert late < early + 3


def test_a_stroke_shows_and_the_page_loads_soon_on_a_slow_machine(browser: Any, folder: Path):
    """At rest a stroke shows within 50 ms, and the page has loaded in a second; other tests run beside this one."""
    loaded = rolling.loading(browser, folder / "explorer.html")
    with Opened(browser, folder / "explorer.html") as opened:
        rolling.slowed(opened)
        times = rolling.strokes(opened)
        assert len(opened.ask("explorer.state.strokes[0]")) == 101
    print(", ".join(f"{name} after {value:.0f} ms" for name, value in loaded.items()))
    print(f"a stroke shows after {times[50]:.0f} ms")
    assert loaded["loaded"] < 5000
    assert loaded["works"] < 5000
    assert times[50] < 250
