"""The fifth scene: what one image wants, what many want on average, and steps that do it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import __main__ as explorer
from tests.experiments.commands import main
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import flat, rows, saved

pytestmark = pytest.mark.long

WEIGHTS = [(0, 3, 300), (0, 3, None), (1, 4, 2), (2, 7, 4), (2, 0, None)]

VOTE = """(weights) => {
  const { trained, examples, opinions, vote, whatIsLeft } = explorer;
  const all = opinions(trained, examples);
  return {
    votes: weights.map(([layer, neuron, source]) => all.map((one) => vote(one, { layer, neuron, source }))),
    left: whatIsLeft(all),
  };
}"""


def in_double(params: jaxnet.Params, data: jaxnet.Dataset, number: int) -> tuple[jaxnet.Params, np.ndarray, np.ndarray]:
    """The network and the page's images, which are bytes there, as the page computes with them."""
    images = np.round(255 * np.asarray(data.images[:number], float)) / 255
    double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    return double, images, np.eye(len(params[-1].biases))[np.asarray(data.labels[:number])]


def assert_votes_agree(opened: Opened, params: jaxnet.Params, test: jaxnet.Dataset) -> None:
    number = opened.ask("explorer.examples.length")
    found = opened.ask(VOTE, WEIGHTS)
    with jax.enable_x64(True):
        double, images, targets = in_double(params, test, number)
        gradients = jax.jit(jax.vmap(jax.grad(lambda p, x, y: jnp.sum((jaxnet.forward(p, x) - y) ** 2)), (None, 0, 0)))
        each = jax.device_get(gradients(double, images, targets))
    for votes, (layer, neuron, source) in zip(found["votes"], WEIGHTS, strict=True):
        slopes = each[layer].biases[:, neuron] if source is None else each[layer].weights[:, neuron, source]
        np.testing.assert_allclose(votes, -slopes, rtol=1e-9, atol=1e-15)
    whole = rows(each)
    lengths, count = np.linalg.norm(whole, axis=1), np.arange(1, number + 1)
    left = np.linalg.norm(np.cumsum(whole, axis=0), axis=1) / np.cumsum(lengths)
    unrelated = np.sqrt(np.cumsum(lengths**2)) / np.cumsum(lengths)
    assert [one["number"] for one in found["left"]] == list(count)
    np.testing.assert_allclose([one["left"] for one in found["left"]], left, rtol=1e-9)
    np.testing.assert_allclose([one["unrelated"] for one in found["left"]], unrelated, rtol=1e-9)
    assert left[0] == pytest.approx(1)
    assert np.all(unrelated >= 1 / np.sqrt(count) - 1e-9)


def test_every_vote_and_what_is_left_after_averaging_are_those_of_autodiff(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    assert_votes_agree(opened, jaxnet.load_params(file)[0], mnist[1])


@pytest.mark.parametrize(("activation", "output"), [("sigmoid", "sigmoid"), ("scaled_tanh", "softmax")])
def test_votes_agree_with_autodiff_for_sigmoid_and_for_softmax(
    browser: Any,
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    activation: str,
    output: str,
):
    path = saved(tmp_path / "some.safetensors", (784, 16, 16, 10), activation, output)
    main(explorer, monkeypatch, "--from", str(path), "--limit", "300", "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        assert_votes_agree(opened, jaxnet.load_params(path)[0], mnist[1])


def test_the_caption_counts_the_votes_and_tells_their_average(opened: Opened):
    opened.page.goto(f"{opened.address}#example?weight=1.4.2&voters=60&order=size")
    opened.page.wait_for_function("() => document.querySelectorAll('#votes .vote').length === 60")
    votes = np.array(opened.ask(VOTE, [(1, 4, 2)])["votes"][0][:60])
    assert f"{np.sum(votes > 0)} want it up, {np.sum(votes < 0)} want it down" in opened.text("#votes-note")
    assert value(opened.text("#votes-note").split("they want ")[1]) == pytest.approx(votes.mean(), rel=0.05)
    assert "the weight from neuron 2 of hidden layer 1 to neuron 4 of hidden layer 2" in opened.text("#vote-on")
    bars = opened.ask(
        """() => Array.from(document.querySelectorAll("#votes .vote"), (bar) =>
          Number(bar.getAttribute("height")) * (bar.classList.contains("up") ? 1 : -1))"""
    )
    assert bars == sorted(bars, reverse=True)
    np.testing.assert_allclose(np.array(bars) / np.max(np.abs(bars)), np.sort(votes)[::-1] / np.max(np.abs(votes)))
    opened.page.select_option("#vote-order", "digit")
    labels = opened.ask("Array.from(document.querySelectorAll('#votes .digit'), (each) => each.textContent)")
    assert labels == sorted(labels)


def test_marks_on_the_picture_point_where_the_activations_should_go(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    opened.page.goto(f"{opened.address}#example?image=3")
    target = jaxnet.one_hot(mnist[1].labels[3:4], 10)[0]
    wishes = np.concatenate(jaxnet.nudges(params, jnp.asarray(mnist[1].images[3]), target).activations[1:])
    marks = """() => Array.from(document.querySelectorAll("#example-stage .mark"), (mark) =>
      mark.getAttribute("d") === "" ? 0 : mark.classList.contains("up") ? 1 : -1)"""
    shown = np.array(opened.ask(marks))
    sure = np.abs(wishes) > 0.05 * np.abs(wishes).max()  # the smallest marks are left out
    np.testing.assert_array_equal(shown[sure], np.sign(wishes[sure]))
    assert np.all(np.sign(wishes)[shown != 0] == shown[shown != 0])
    opened.page.check('input[name="back"][value="0"]')
    assert not np.any(np.array(opened.ask(marks))[:-10])
    assert np.all(np.array(opened.ask(marks))[-10:][sure[-10:]] != 0)


def test_the_list_has_the_strongest_wish_of_each_layer(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    opened.page.goto(f"{opened.address}#example?image=5")
    target = jaxnet.one_hot(mnist[1].labels[5:6], 10)[0]
    wanted = jaxnet.nudges(params, jnp.asarray(mnist[1].images[5]), target).params
    said = opened.page.locator("#wishes button").all_inner_texts()
    assert len(said) == 6
    for layer, (weight, bias) in enumerate(zip(said[-2::-2], said[::-2], strict=True)):
        for text, wishes in ((weight, wanted[layer].weights), (bias, wanted[layer].biases)):
            most = np.asarray(wishes).ravel()[np.argmax(np.abs(wishes))]
            assert value(text) == pytest.approx(most, rel=0.06)


def value(text: str) -> float:
    """A number as the page writes it, after ▲ or ▼."""
    front, *power = text.split("▲")[-1].split("▼")[-1].strip(" .").replace("−", "-").split("·10")
    exponent = int(power[0].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if power else 0
    return float(front) * 10**exponent


def test_a_step_for_the_voters_is_a_step_down_their_mean_gradient(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    opened.page.goto(f"{opened.address}#example?voters=30&on=vote&rate=0.5")
    opened.page.click("#teach-step")
    moved = opened.ask(
        """() => {
          const [now, then] = [explorer.flat(explorer.state.network), explorer.flat(explorer.trained)];
          return Array.from(now, (one, i) => one - then[i]);
        }"""
    )
    images, targets = jnp.asarray(mnist[1].images[:30]), jaxnet.one_hot(mnist[1].labels[:30], 10)
    gradient = flat(jax.grad(jaxnet.cost)(params, images, targets))
    np.testing.assert_allclose(moved, -0.5 * gradient, atol=1e-6)


def test_a_decimal_comma_is_one_and_a_field_that_is_not_used_does_not_count(opened: Opened):
    opened.page.goto(f"{opened.address}#example")
    opened.page.fill("#voters", "")
    opened.page.fill("#teach-rate", "0,5")
    opened.page.click("#teach-step")
    assert "1 step was taken" in opened.text("#teach-note")
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
    assert value(foretold) == pytest.approx(predicted, rel=0.01)


@pytest.mark.parametrize(
    ("field", "wrong", "note", "said"),
    [
        ("#teach-rate", "-1", "#teach-note", "rate is -1; it must be a number between 0 and 1000"),
        ("#teach-rate", "", "#teach-note", "rate is not a number"),
        ("#voters", "101", "#voters-note", "number of voters is 101; it must be a whole number between 1 and 100"),
        ("#voters", "2.5", "#voters-note", "number of voters is 2.5; it must be a whole number"),
    ],
)
def test_a_wrong_number_is_refused_in_words_and_moves_nothing(
    opened: Opened, field: str, wrong: str, note: str, said: str
):
    opened.page.goto(f"{opened.address}#example?on=vote")
    opened.page.fill(field, wrong)
    opened.page.click("#teach-step")
    assert said in opened.text(note)
    assert said in opened.text("#said")
    assert opened.ask("explorer.state.steps") == 0
    opened.page.click("#teach-again")
    opened.page.wait_for_timeout(50)
    assert opened.ask("explorer.state.steps") == 0
    assert opened.page.locator("#teach-again.running").count() == 0


def test_a_link_shows_again_what_was_shown(opened: Opened):
    page = opened.page
    page.goto(f"{opened.address}#example?image=4")
    page.check('input[name="example-answer"][value="2"]')
    page.locator("#wishes button").nth(2).click()
    page.fill("#voters", "40")
    page.click("#voters-other")
    page.select_option("#vote-order", "size")
    page.check('input[name="back"][value="1"]')
    page.check('input[name="what"][value="vote"]')
    page.fill("#teach-rate", "0.1")
    for _ in range(3):
        page.click("#teach-step")
    page.wait_for_function("() => location.hash.includes('taken=3')")
    parts = ("#votes-note", "#left-note", "#judged", "#wishes", "#vote-on")
    texts = """(parts) => [...parts.map((part) => document.querySelector(part).innerText),
      Array.from(explorer.flat(explorer.state.network)), document.querySelector("#example-stage .lines").innerHTML]"""
    ready = "() => explorer.scenes.example.asked().network === explorer.state.network"
    page.wait_for_function(ready)
    before, address = opened.ask(texts, parts), page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_function(ready)
    after = opened.ask(texts, parts)
    assert after == before


@pytest.mark.parametrize(
    "wrong",
    ["weight=9.0.0", "weight=0.0", "weight=0.0.784", "voters=0", "voters=101", "draw=x", "order=up", "back=7", "on=all",
     "rate=fast", "rate=-1", "taken=1000", "after=77"],
)  # fmt: skip
def test_an_address_that_asks_for_what_is_not_there_is_told_so_and_changes_nothing(opened: Opened, wrong: str):
    usual = opened.ask("explorer.scenes.example.choices()")
    opened.page.goto(f"{opened.address}#example?{wrong}")
    assert f"not here: {wrong.split('=')[0]}." in opened.text("#notice")
    assert opened.ask("explorer.scenes.example.choices()") == usual


def test_one_image_alone_spoils_others_and_the_average_helps(trained: Opened):
    """The observation of the scene, at its usual rate, late in learning, for every image that is read wrong."""
    found = trained.ask(
        """() => explorer.lesson.snapshots.slice(-2).map(({ network }) => {
          const { examples, backprop, averageGradient, step, cost, classify } = explorer;
          const ten = (gradient) => {
            let one = network;
            for (let i = 0; i < 10; i += 1) one = step(one, gradient(one), 0.25);
            return one;
          };
          const before = cost(network, examples);
          const wrong = examples.filter(({ image, label }) => classify(network, image) !== label);
          const alone = wrong.map((each) => ten((one) => backprop(one, each.image, each.target)));
          return {
            before,
            own: wrong.map((each, i) => cost(alone[i], [each]) - cost(network, [each])),
            alone: alone.map((one) => cost(one, examples) - before),
            average: cost(ten((one) => averageGradient(one, examples.slice(0, 100))), examples) - before,
          };
        })"""
    )
    for each in found:
        assert len(each["own"]) >= 5
        assert max(each["own"]) < 0
        assert np.mean(np.array(each["alone"]) > 0) > 0.8
        assert each["average"] < 0


def test_at_the_random_start_nearly_all_is_left_and_later_little(trained: Opened):
    left = trained.ask(
        """() => explorer.lesson.snapshots.map(({ network }) =>
          explorer.whatIsLeft(explorer.opinions(network, explorer.examples)).at(-1).left)"""
    )
    assert left[0] > 0.7
    assert max(left[2:]) < 0.3


def test_the_moment_of_learning_can_be_chosen(trained: Opened):
    page = trained.page
    page.goto(f"{trained.address}#example")
    page.select_option("#example-after", label="at the random start")
    assert trained.ask("explorer.state.network === explorer.lesson.snapshots[0].network")
    page.click("#teach-step")
    page.click("#teach-back")
    assert trained.ask("explorer.state.network === explorer.lesson.snapshots[0].network")
    page.wait_for_function("() => location.hash.includes('after=0')")
    page.goto("about:blank")
    page.goto(f"{trained.address}#example?after=100")
    assert trained.ask("explorer.state.network === explorer.lesson.snapshots[2].network")
    trained.ask("explorer.lesson.choose(1)")
    assert page.input_value("#example-after") == ""


def test_what_one_points_at_stays_while_it_changes(browser: Any, folder: Path):
    with Opened(browser, folder / "explorer.html") as opened:
        page, ask = opened.page, opened.ask
        page.goto(f"{opened.address}#example")
        page.click("#example-wrong")
        for index in range(6):
            page.locator("#wishes button").nth(index).focus()
            page.keyboard.press("Enter")
            assert ask(f"document.activeElement === document.querySelectorAll('#wishes button')[{index}]")
            assert page.locator("#wishes button").nth(index).get_attribute("aria-pressed") == "true"
            # The line that it names is drawn, however faint; a bias has none.
            drawn = "Array.from(document.querySelectorAll('#example-stage .chosen'), (path) => path.getAttribute('d'))"
            assert any(ask(drawn)) == (index % 2 == 0)
        page.click("#teach-again")
        page.locator("#wishes button").first.click(delay=80)
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 700, "height": 800})
        page.wait_for_function("() => explorer.state.steps > 5")
        page.click("#teach-again")
        steps = ask("explorer.state.steps")
        page.wait_for_timeout(100)
        assert ask("explorer.state.steps") == steps


def test_few_images_of_two_classes_vote_too(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arrays = {f"x_{part}": np.full((50, 28, 28), 9, np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(50) % 2 for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
    path = saved(tmp_path / "relu.safetensors", (784, 16, 2), "relu", "softmax")
    options = ("--from", str(path), "--data", str(tmp_path / "own.npz"), "--images", "5")
    main(explorer, monkeypatch, *options, "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        opened.page.goto(f"{opened.address}#example?on=vote")
        opened.page.wait_for_function("() => document.querySelectorAll('#votes .vote').length === 5")
        assert opened.page.locator("#example-answers input").count() == 2
        opened.page.click("#teach-step")
        assert "1 step was taken" in opened.text("#teach-note")
        for odd in ("NaN", "not a number", "undefined"):
            assert odd not in opened.text("#example")
