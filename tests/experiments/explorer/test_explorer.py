"""The explorer's page in a real browser, headless Chromium, and its script: against jaxnet and independent NumPy.

The short tests share one page of a small network; the long ones share the page that the script writes by default.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import jaxnet
from experiments.explorer import __main__ as explorer
from experiments.explorer import report
from jaxnet import chain_rule
from tests.experiments.commands import main, refused
from tests.experiments.explorer.conftest import EVIL
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import centred, flat, ink, numbers, random, rows, saved

LIMIT = 1_500_000

# The digits 0 to 9 as a hand draws them on a sheet of 280 x 280, corner after corner; the pen is lifted at each slash.
DIGITS = [
    [[(int(x), int(y)) for x, y in (corner.split(",") for corner in stroke.split())] for stroke in digit.split("/")]
    for digit in """
150,50 115,70 95,115 92,165 110,210 145,225 180,205 195,160 190,105 172,62 150,50
158,45 150,105 140,165 130,230
92,95 105,62 140,50 172,65 178,100 155,145 118,190 85,222 135,215 195,222
95,62 140,48 178,70 172,108 130,130 175,145 190,185 160,220 115,228 82,210
100,55 88,105 90,140 130,148 180,138 / 188,50 180,110 172,170 168,232
185,52 120,55 110,95 105,125 145,118 180,140 182,185 150,220 105,225 82,205
165,45 130,85 105,135 95,185 115,222 155,225 180,195 165,160 130,160 102,188
88,75 130,65 188,60 170,110 148,165 130,232
180,70 145,48 108,65 110,100 150,130 182,165 178,210 140,230 105,210 110,170 150,132 185,95 180,70
180,80 150,52 112,65 98,105 120,135 160,125 182,85 180,130 172,180 160,232
""".strip().splitlines()
]


# Everything of some images, as text, for a list of millions of numbers is slow to hand over.
CALCULATE = """(number) => {
  const { trained, examples, forward, squaredError, backprop, averageGradient, accuracy, cost, step, flat } = explorer;
  const some = examples.slice(0, number);
  const text = (numbers) => {
    const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
    let all = "";
    for (let i = 0; i < bytes.length; i += 30000) all += String.fromCharCode(...bytes.subarray(i, i + 30000));
    return btoa(all);
  };
  const gradient = averageGradient(trained, some);
  return {
    outputs: text(some.flatMap(({ image }) => forward(trained, image))),
    costs: text(some.map(({ image, target }) => squaredError(forward(trained, image), target))),
    gradients: some.map(({ image, target }) => text(flat({ layers: backprop(trained, image, target) }))),
    cost: cost(trained, some),
    accuracy: accuracy(trained, some),
    gradient: text(flat({ layers: gradient })),
    stepped: text(flat(step(trained, gradient, 0.5))),
    next: cost(step(trained, gradient, 0.5), some),
  };
}"""


@jax.jit
def by_jaxnet(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> dict[str, Any]:
    gradient = jax.grad(jaxnet.cost)(params, images, targets)
    stepped = jax.tree.map(lambda leaf, slope: leaf - 0.5 * slope, params, gradient)
    return {
        "outputs": jax.vmap(lambda image: jaxnet.forward(params, image))(images),
        "gradients": jax.vmap(lambda image, target: jaxnet.backprop(params, image, target))(images, targets),
        "gradient": gradient,
        "stepped": stepped,
        "cost": jaxnet.cost(params, images, targets),
        "next": jaxnet.cost(stepped, images, targets),
    }


def assert_agrees_in_double_precision(found: dict[str, Any], params: jaxnet.Params, test: jaxnet.Dataset) -> None:
    """As far as the single precision of `numbers` tells."""
    images, labels = np.asarray(test.images), np.asarray(test.labels)
    targets = np.eye(10)[labels]
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
        exact = jax.device_get(by_jaxnet(double, np.round(255 * images.astype(float)) / 255, targets))
    np.testing.assert_allclose(numbers(found["outputs"]).reshape(-1, 10), exact["outputs"], rtol=1e-6)
    costs = np.sum((exact["outputs"] - targets) ** 2, axis=1)
    np.testing.assert_allclose(numbers(found["costs"]), costs, rtol=1e-6)
    each = np.stack([numbers(one) for one in found["gradients"]])
    np.testing.assert_allclose(each, rows(exact["gradients"]), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(numbers(found["gradient"]), flat(exact["gradient"]), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(numbers(found["stepped"]), flat(exact["stepped"]), rtol=1e-6, atol=1e-12)
    assert found["cost"] == pytest.approx(exact["cost"], rel=1e-9)
    assert found["next"] == pytest.approx(exact["next"], rel=1e-9)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(exact["outputs"], axis=1) == labels))


def some(test: jaxnet.Dataset, number: int) -> jaxnet.Dataset:
    return jaxnet.Dataset(test.images[:number], test.labels[:number])


def test_the_page_of_a_small_network_agrees_with_jaxnet_on_some_images(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    assert_agrees_in_double_precision(opened.ask(CALCULATE, 20), params, some(mnist[1], 20))


def test_the_page_knows_every_activation_function_of_jaxnet(opened: Opened):
    """Those that a file may name: one with an unknown name is refused before it gets here."""
    ours = {value.name for value in vars(jaxnet).values() if isinstance(value, jaxnet.Activation)}
    assert set(opened.ask("Object.keys(explorer.ACTIVATIONS)")) == ours


@pytest.mark.long
@pytest.mark.parametrize(
    ("sizes", "activation", "output"),
    [
        ((784, 16, 16, 10), "sigmoid", "sigmoid"),
        ((784, 12, 20, 8, 10), "scaled_tanh", "tanh"),
        ((784, 30, 10), "relu", "softmax"),
    ],
)
def test_forward_cost_gradient_and_step_agree_with_jaxnet_on_200_images(
    browser: Any,
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, ...],
    activation: str,
    output: str,
):
    path = saved(tmp_path / "some.safetensors", sizes, activation, output)
    main(explorer, monkeypatch, "--from", str(path), "--limit", "300", "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        found = opened.ask(CALCULATE, 200)
    params, test = jaxnet.load_params(path)[0], some(mnist[1], 200)
    assert_agrees_in_double_precision(found, params, test)

    # In single precision, as everybody runs it.
    single = jax.device_get(by_jaxnet(params, jnp.asarray(test.images), jaxnet.one_hot(test.labels, 10)))
    np.testing.assert_allclose(numbers(found["outputs"]).reshape(-1, 10), single["outputs"], atol=1e-5)
    each = np.stack([numbers(one) for one in found["gradients"]])
    np.testing.assert_allclose(each, rows(single["gradients"]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers(found["stepped"]), flat(single["stepped"]), rtol=1e-5, atol=1e-5)
    assert found["cost"] == pytest.approx(float(single["cost"]), rel=1e-5)


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


def draw(opened: Opened, strokes: list[list[tuple[int, int]]]) -> None:
    """With the mouse, on the pad as it lies on the screen."""
    opened.page.click("#clear")
    opened.page.locator("#pad").scroll_into_view_if_needed()
    box = opened.page.locator("#pad").bounding_box()
    mouse = opened.page.mouse
    for stroke in strokes:
        places = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in stroke]
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place, steps=2)
        mouse.up()
    opened.ask("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def test_a_drawing_becomes_the_image_of_the_numpy_reference_and_the_page_says_what_jaxnet_says(
    opened: Opened, small: Path
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    for digit in (2, 4):
        draw(opened, DIGITS[digit])
        drawn = [[(p["x"], p["y"]) for p in stroke] for stroke in opened.ask("explorer.state.strokes")]
        assert [len(stroke) > 1 for stroke in drawn] == [True] * len(DIGITS[digit])
        image = centred(ink(drawn))
        found = np.array(opened.ask("Array.from(explorer.state.image)")).reshape(28, 28)
        np.testing.assert_allclose(found, image, atol=1e-9)
        said = jaxnet.classify(params, image.ravel().astype(np.float32))
        assert opened.text("#guess") == str(int(said))


@pytest.mark.long
def test_drawn_digits_become_the_images_of_the_numpy_reference_and_are_read(trained: Opened):
    right = 0
    for digit, strokes in enumerate(DIGITS):
        draw(trained, strokes)
        drawn = [[(p["x"], p["y"]) for p in stroke] for stroke in trained.ask("explorer.state.strokes")]
        for stroke, corners in zip(drawn, strokes, strict=True):
            np.testing.assert_allclose(stroke[-1], corners[-1], atol=1.5)  # whole pixels of the screen
        image = np.array(trained.ask("Array.from(explorer.state.image)")).reshape(28, 28)
        np.testing.assert_allclose(image, centred(ink(drawn)), atol=1e-9)
        right += trained.text("#guess") == str(digit)
    print(f"{right} of 10 drawn digits are read right")
    assert right >= 8


@pytest.mark.long
def test_a_finger_draws_and_the_page_stays_where_it_is(browser: Any, folder: Path):
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, folder / "explorer.html", **phone) as opened:
        box = opened.page.locator("#pad").bounding_box()
        finger = opened.context.new_cdp_session(opened.page)
        (stroke,) = DIGITS[1]
        for kind, (x, y) in [("touchStart", stroke[0]), *(("touchMove", place) for place in stroke[1:])]:
            place = {"x": box["x"] + x * box["width"] / 280, "y": box["y"] + y * box["height"] / 280}
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        arrived = """([x, y]) => {
          const at = explorer.state.strokes[0]?.at(-1);
          return at && Math.hypot(at.x - x, at.y - y) < 1.5;
        }"""
        opened.page.wait_for_function(arrived, arg=stroke[-1])
        opened.page.wait_for_function("document.getElementById('guess').textContent === '1'")
        assert opened.ask("scrollY") == 0


def test_centring_leaves_the_images_of_mnist_where_they_are(
    opened: Opened, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    images = np.asarray(mnist[1].images[:30], float).reshape(-1, 28, 28)
    for image in images:
        np.testing.assert_allclose(centred(np.kron(image, np.ones((10, 10)))), image, atol=1e-9)
    found = opened.ask(
        """() => explorer.examples.slice(0, 30).map(({ image }) => Array.from(explorer.centred(
          Float64Array.from({ length: 280 * 280 }, (_, i) => {
            const [row, column] = [Math.floor(i / 2800), Math.floor((i % 280) / 10)];
            return image[28 * row + column];
          }))))"""
    )
    np.testing.assert_allclose(np.array(found).reshape(images.shape), images, atol=1e-6)


@pytest.mark.parametrize(
    "strokes",
    [[], [[(140, 140)]], [[(0, 0), (280, 280)]], [[(20, 270), (260, 270)]], [[(140, 10), (140, 200)], [(30, 30)]]],
    ids=["nothing", "a dot", "from corner to corner", "level at the edge", "a line and a dot far off"],
)
def test_odd_drawings_are_centred_as_the_reference_does(opened: Opened, strokes: list):
    points = [[{"x": x, "y": y} for x, y in stroke] for stroke in strokes]
    image = opened.ask("(strokes) => Array.from(explorer.centred(explorer.ink(strokes)))", points)
    np.testing.assert_allclose(np.array(image).reshape(28, 28), centred(ink(strokes)), atol=1e-9)


LISTEN = """() => {
  window.used = new Set();
  for (const name of ["click", "input", "change", "keydown", "pointerdown"]) {
    addEventListener(name, ({ target }) => used.add(target.id), true);
  }
  window.heights = {};
  const measure = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const name = target.getAttribute("aria-labelledby");
      heights[name] = [...(heights[name] ?? []), target.offsetHeight];
    }
  });
  for (const section of document.querySelectorAll("section")) measure.observe(section);
}"""
EVERY = """() => Array.from(document.querySelectorAll("button[id], input[id], select, canvas[id]"), ({ id }) => id)"""
SHIFTED = """() => new Promise((done) => {
  new PerformanceObserver((list) => done(list.getEntries().flatMap(({ sources }) =>
    sources.map(({ node, previousRect: from, currentRect: to }) =>
      `${node?.id || node?.className || node?.nodeName}: ${from.y} ${from.height} to ${to.y} ${to.height}`))))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done([]), 300);
})"""


@pytest.mark.long
@pytest.mark.parametrize(
    "context",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 375, "height": 800}, "has_touch": True}],
    ids=["light", "dark", "phone"],
)
def test_every_control_does_what_it_says_and_nothing_jumps(browser: Any, folder: Path, context: dict):
    with Opened(browser, folder / "explorer.html", **context) as opened:
        page, text, ask = opened.page, opened.text, opened.ask
        ask(LISTEN)

        page.fill("#number", "8")
        assert "Test image 8, a 5" in text("#shown")
        assert ask("explorer.state.label") == 5
        page.click("#random")
        page.click("#wrong")
        shown, label = ask("[explorer.state.shown, explorer.state.label]")
        assert str(label) != text("#guess")
        assert f"Test image {shown}, a {label}." in text("#shown")
        for control in ("#lines", "#arrows"):
            before = page.inner_html("#stage")
            page.select_option(control, "weights") if control == "#lines" else page.uncheck(control)
            assert page.inner_html("#stage") != before
        page.check("#arrows")

        # Neurons, lines, one weight.
        page.locator(".neuron").nth(16 + 3).click()
        assert text("#neuron-title") == "Neuron 3 of hidden layer 2"
        z, a, w = ask(
            """() => {
              const { weightedSums, activations } = explorer.trace(explorer.state.network, explorer.state.image);
              return [weightedSums[1][3], activations[2][3], explorer.state.network.layers[1].weights[3][2]];
            }"""
        )
        assert three_digits(z) in text("#formula")
        assert three_digits(a) in text("#formula")
        page.fill("#source", "2")
        assert "The weight from neuron 2 of hidden layer 1 to neuron 3 of hidden layer 2" in text("#line-title")
        assert f"w = {three_digits(w)}" in text("#chain")
        page.locator(".neuron").nth(5).click()
        page.click("#pattern", position={"x": 8 * 14 + 4, "y": 8 * 10 + 4})
        assert "from pixel 294 (row 10, column 14) to neuron 5 of hidden layer 1" in text("#line-title")
        page.locator("#stage").scroll_into_view_if_needed()
        line = ask("explorer.stage.lines().findLast(({ layer }) => layer === 2)")
        box = page.locator("#stage").bounding_box()
        x, y = (0.3 * line[f"{axis}1"] + 0.7 * line[f"{axis}2"] for axis in "xy")
        page.mouse.click(box["x"] + x, box["y"] + y)
        assert ask("explorer.state.selected.layer") == 2
        assert ask("explorer.state.selected.source") is not None
        assert "∂C/∂w" in text("#chain")

        # Teaching.
        answer = (label + 1) % 10
        page.check(f'input[name="answer"][value="{answer}"]')
        assert f"How lousy, if it should have been {answer}?" in text("#teach-note")
        page.fill("#teach-rate", "0.5")
        page.click("#teach-step")
        assert "1 step away" in text("#teach-note")
        assert ask("explorer.state.network !== explorer.trained")
        change = """() => {
          const { state, trained, examples, flat, backprop, oneHot } = explorer;
          const gradient = flat({ layers: backprop(trained, state.image, oneHot(state.label, 10)) });
          const [now, then] = [flat(state.network), flat(trained)];
          return Math.max(...now.map((value, i) => Math.abs(value - then[i] + 0.5 * gradient[i])));
        }"""
        assert ask(change) < 1e-15
        page.check(f'input[name="answer"][value="{label}"]')
        page.click("#teach-again")
        taught = "label => explorer.state.steps > 3 && document.getElementById('guess').textContent === String(label)"
        page.wait_for_function(taught, arg=label)
        page.click("#teach-again")
        steps = ask("explorer.state.steps")
        page.check('input[name="what"][value="batch"]')
        page.fill("#teach-batch", "20")
        page.click("#teach-step")
        assert ask("explorer.state.steps") == steps + 1
        page.locator("#wish-weights button").nth(1).click()
        page.locator("#wish-biases button").nth(1).click()
        assert ask("explorer.state.selected.source") is None
        page.click("#teach-back")
        assert ask("explorer.state.network === explorer.trained")

        # A drawing has no right answer until somebody says it.
        draw(opened, DIGITS[4])
        assert "which digit it should be" in text("#chain")
        page.check('input[name="what"][value="one"]')
        page.click("#teach-step")
        assert "Choose first which digit" in text("#teach-note")
        assert "∂z/∂w" not in text("#chain")
        page.click("#clear")
        assert "Nothing is drawn" in text("#shown")

        # Downhill.
        start = ask("explorer.cost(explorer.downhill.descents().full.at.network, explorer.examples)")
        for field, value in (("#full-rate", "0.7"), ("#mini-rate", "0.3"), ("#mini-batch", "25")):
            page.fill(field, value)
        page.click("#downhill-step")
        descents = ask("Object.values(explorer.downhill.descents()).map(({ at }) => [at.steps, at.seen])")
        assert descents == [[1, 300], [1, 25]]
        assert "300" in text("#descended")
        page.click("#downhill-run")
        page.wait_for_timeout(500)
        page.click("#downhill-run")
        (full, full_seen), (mini, mini_seen) = ask(
            "Object.values(explorer.downhill.descents()).map(({ at }) => [at.steps, at.seen])"
        )
        assert full > 1
        assert mini > full
        assert abs(full_seen - mini_seen) <= 300
        page.select_option("#against", "steps")
        assert "steps" in page.locator("#curves").text_content()
        page.select_option("#above", "close")
        assert "The last 40 steps" in text("#above-note")
        page.click("#downhill-again")
        assert ask("explorer.downhill.descents().mini.at.steps") == 0
        costs = ask("Object.values(explorer.downhill.descents()).map(({ judged }) => judged.cost)")
        assert costs == [pytest.approx(start)] * 2
        page.click("#downhill-other")
        assert ask("explorer.downhill.descents().mini.judged.cost") != pytest.approx(start)

        assert set(ask(EVERY)) <= set(ask("Array.from(used)"))
        assert ask("document.documentElement.scrollWidth <= innerWidth")
        assert "; ".join(ask(SHIFTED)) == ""
        assert {name: set(heights) for name, heights in ask("heights").items() if len(set(heights)) > 1} == {}


def three_digits(value: float) -> str:
    """As the page writes a number of middling size."""
    size = abs(value)
    assert 0.001 <= size < 1000
    return ("−" if value < 0 else "") + f"{size:#.3g}".rstrip(".")


@pytest.mark.long
def test_the_keyboard_alone_is_enough(browser: Any, folder: Path):
    with Opened(browser, folder / "explorer.html", reduced_motion="reduce") as opened:
        page, text, ask = opened.page, opened.text, opened.ask
        focused = "document.activeElement.id || document.activeElement.getAttribute('aria-label')"
        page.keyboard.press("Tab")
        assert ask(focused) == "pad"
        page.keyboard.press("Space")
        for _ in range(15):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.wait_for_timeout(100)
        assert text("#guess") == "1"
        assert "It says 1" in text("#said")
        assert ask("explorer.state.strokes.length") == 1
        for expected in ("clear", "number", "random", "wrong"):
            page.keyboard.press("Tab")
            assert ask(focused) == expected
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert "of hidden layer 1, activation" in ask(focused)
        for key, expected in (
            ("ArrowRight", "of hidden layer 2, activation"),
            ("ArrowRight", "output "),
            ("ArrowDown", "output "),
            ("ArrowLeft", "of hidden layer 2, activation"),
        ):
            page.keyboard.press(key)
            assert expected in ask(focused)
        assert text("#neuron-title").lower() in ask(focused).lower()
        page.focus('input[name="answer"]:checked')
        before = ask("explorer.state.label")
        page.keyboard.press("ArrowRight")
        assert ask("explorer.state.label") == (before + 1) % 10
        page.focus("#teach-again")
        page.keyboard.press("Enter")
        page.wait_for_timeout(1200)
        page.keyboard.press("Enter")
        assert 1 <= ask("explorer.state.steps") <= 3  # two a second for whoever wants little motion
        nameless = ask(
            """() => Array.from(document.querySelectorAll("button, input, select, [role=button], canvas[tabindex]"))
              .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()
                || element.closest("label")?.textContent.trim()))
              .map((element) => element.outerHTML)"""
        )
        assert nameless == []


@pytest.mark.parametrize(
    ("field", "value", "button", "note", "said"),
    [
        ("#teach-rate", "-1", "#teach-step", "#teach-note", "rate is -1; it must be a number between 0 and 1000"),
        ("#teach-rate", "", "#teach-step", "#teach-note", "rate is not a number"),
        ("#teach-batch", "301", "#teach-again", "#teach-note", "batch size is 301; it must be a whole number between"),
        ("#mini-batch", "2.5", "#downhill-run", "#downhill-note", "images is 2.5; it must be a whole number"),
        ("#mini-batch", "0", "#downhill-step", "#downhill-note", "images is 0; it must be a whole number between 1"),
        (
            "#full-rate",
            "1e9",
            "#downhill-step",
            "#downhill-note",
            "full batch rate is 1e9; it must be a number between",
        ),
        ("#mini-rate", "fast", "#downhill-run", "#downhill-note", "mini-batch rate is fast; it must be a number"),
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
    assert opened.ask("explorer.state.steps + explorer.downhill.descents().full.at.steps") == 0
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
def test_steps_on_one_line_lie_on_the_first_axis_and_lengths_are_kept(trained: Opened):
    page, ask = trained.page, trained.ask
    for _ in range(8):  # a single step is straight
        page.click("#downhill-other")
        page.click("#downhill-step")
        for kind in ("full", "mini"):
            places = f"explorer.downhill.descents().{kind}.at.recent"
            end = ask(f"explorer.closePlane({places})({places}.at(-1))")
            assert end == {"x": pytest.approx(1), "y": pytest.approx(0, abs=1e-6)}
    # Mini-batches of all images at the same rate are full batches in another order.
    for field, value in (("#full-rate", "4"), ("#mini-rate", "4"), ("#mini-batch", "300")):
        page.fill(field, value)
    page.click("#downhill-again")
    for _ in range(4):
        page.click("#downhill-step")
    end, length = ask(
        """() => {
          const { full, mini } = explorer.downhill.descents();
          const [start, one, other] = [full.at.path.points[0], mini.at.recent.at(-1), full.at.recent.at(-1)];
          return [explorer.plane(start, one, other)(other), explorer.distance(start, other)];
        }"""
    )
    assert end == {"x": pytest.approx(length), "y": pytest.approx(0, abs=1e-6)}


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
        page.wait_for_function("explorer.state.steps > 5")
        page.click("#teach-again")


@pytest.mark.long
def test_only_one_pointer_draws_and_clearing_lifts_it(browser: Any, folder: Path):
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, folder / "explorer.html", **phone) as opened:
        box = opened.page.locator("#pad").bounding_box()
        hand = opened.context.new_cdp_session(opened.page)

        def touch(kind: str, *places: tuple[int, int]) -> None:
            points = [
                {"id": i, "x": box["x"] + x * box["width"] / 280, "y": box["y"] + y * box["height"] / 280}
                for i, (x, y) in enumerate(places)
            ]
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (50, 50))
        touch("touchMove", (60, 60))
        touch("touchStart", (60, 60), (220, 220))
        touch("touchMove", (70, 70), (230, 230))
        touch("touchMove", (80, 80), (240, 240))
        touch("touchEnd")
        opened.page.wait_for_function("explorer.state.strokes[0]?.at(-1).x > 75")
        strokes = opened.ask("explorer.state.strokes")
        assert len(strokes) == 1
        assert max(place["x"] for place in strokes[0]) < 85

    with Opened(browser, folder / "explorer.html") as opened:
        box = opened.page.locator("#pad").bounding_box()
        opened.page.mouse.move(box["x"] + 50, box["y"] + 50)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + 90, box["y"] + 90)
        opened.page.focus("#clear")
        opened.page.keyboard.press("Enter")
        opened.page.mouse.move(box["x"] + 120, box["y"] + 60)
        opened.page.mouse.up()
        opened.page.wait_for_timeout(50)
        assert opened.ask("explorer.state.strokes") == []


@pytest.mark.long
def test_fewer_images_than_a_batch(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path / "relu.safetensors", (784, 16, 10), activation="relu")
    main(explorer, monkeypatch, "--from", str(path), "--limit", "50", "--images", "5", "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        assert opened.ask("[...document.querySelectorAll('.number')].every((field) => explorer.chosen(field) !== null)")
        opened.page.click("#downhill-step")
        assert "One step of each" in opened.text("#downhill-note")


@pytest.mark.long
def test_the_page_is_one_small_file_that_starts_at_once(browser: Any, folder: Path):
    path = folder / "explorer.html"
    assert path.stat().st_size < LIMIT
    with Opened(browser, path) as opened:
        milliseconds = opened.ask("performance.getEntriesByType('navigation')[0].loadEventEnd")
        print(f"{path.stat().st_size:,} bytes; loaded after {milliseconds:.0f} ms")
        assert milliseconds < 5000  # under one second on a machine at rest
        assert "784-16-16-10, sigmoid: 13,002 weights and biases" in opened.text("#about")
        assert "Trained for 30 epochs on 60,000 images, seed 0." in opened.text("#about")
    before = path.read_bytes()
    record = json.loads((folder / "record.json").read_text())
    assert f"{100 * record['results']['test_accuracy']:.2f} % of 10,000 test images" in record["results"]["about"]
    assert report.page(record["results"]).encode() == before


def test_text_from_files_never_becomes_markup(opened: Opened, small: Path):
    (file,) = small.parent.glob("*.safetensors")
    page = small.read_text()
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert f"From {file}. It was trained on {EVIL};" in opened.text("#about")
    assert "784-7-5-10, scaled_tanh and sigmoid: 5,595 weights and biases" in opened.text("#about")
    assert opened.ask("document.images.length") == 0


def test_the_page_is_made_of_the_record_alone(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shutil.copy(small.parent / "record.json", tmp_path)
    monkeypatch.setattr(explorer, "run", None)
    record = main(explorer, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert (tmp_path / "explorer.html").read_bytes() == small.read_bytes()
    assert record["results"]["about"] in capsys.readouterr().out
    assert small.stat().st_size < LIMIT


@pytest.mark.long
def test_a_deep_network_with_values_far_out_works(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    params = random((784, 40, 3, 25, 10), jaxnet.tanh, jaxnet.softmax)
    jaxnet.save_params(tmp_path / "far.safetensors", jax.tree.map(lambda leaf: 1e4 * leaf, params))
    main(
        explorer, monkeypatch, "--from", str(tmp_path / "far.safetensors"), "--limit", "50", "--images", "50",
        "--out", str(tmp_path),
    )  # fmt: skip
    with Opened(browser, tmp_path / "explorer.html", viewport={"width": 375, "height": 800}) as opened:
        assert opened.page.locator(".neuron").count() == 78
        opened.page.locator(".neuron").nth(77).click()
        opened.page.click("#teach-step")
        opened.page.click("#downhill-step")
        for odd in ("NaN", "not a number", "∞", "undefined"):
            assert odd not in opened.text("body")
        assert opened.ask("document.documentElement.scrollWidth <= innerWidth")


def test_parameters_that_do_not_fit_the_page_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arrays = {f"x_{part}": np.zeros((50, 28, 28), np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(50) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
    nan = random((784, 3, 10), jaxnet.sigmoid, jaxnet.sigmoid)
    jaxnet.save_params(tmp_path / "nan.safetensors", nan)
    damaged = load_file(tmp_path / "nan.safetensors")
    save_file(damaged | {"layers.1.biases": np.full(10, np.nan, np.float32)}, tmp_path / "nan.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    saved(tmp_path / "small.safetensors", (100, 16, 10))
    saved(tmp_path / "flat.safetensors", (784, 10))
    saved(tmp_path / "large.safetensors", (784, 800, 10))
    saved(tmp_path / "many.safetensors", (784, 16, 100))
    odd = jaxnet.Activation(jnp.sin, name="<b>")
    jaxnet.save_params(tmp_path / "odd.safetensors", random((784, 16, 10), odd, jaxnet.sigmoid))
    for name, message in (
        ("nan", "layer 1 has values that are not finite"),
        ("junk", "is damaged or no safetensors file"),
        ("small", "has sizes 100-16-10; the page needs 784 pixels"),
        ("flat", "has sizes 784-10; the page needs"),
        ("large", "the page would be"),
        ("many", "has sizes 784-16-100"),
        ("odd", "has the activation '<b>'; known are sigmoid, relu"),
        ("absent", "does not exist"),
    ):
        path = tmp_path / f"{name}.safetensors"
        options = ("--from", str(path), "--data", str(tmp_path / "own.npz"), "--images", "50")
        said = refused(explorer, monkeypatch, *options, "--out", str(tmp_path / "out"))
        assert message in said
        assert "\n" not in said
    for options, message in (
        (("--images", "0"), "images is 0; it must be at least 1"),
        (("--images", "51"), "images is 51; it must be between 1 and 50"),
        (("--hidden", "400"), "weights and biases and 50 images; expected at most 1,500,000"),
    ):
        choices = ("--data", str(tmp_path / "own.npz"), "--images", "50", "--epochs", "0", *options)
        assert message in refused(explorer, monkeypatch, *choices, "--out", str(tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())
