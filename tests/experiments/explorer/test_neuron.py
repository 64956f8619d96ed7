"""The first scene, one neuron: what is painted and what it makes of the digits, against NumPy and jaxnet."""

import itertools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import __main__ as explorer
from experiments.explorer import report
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import random

pytestmark = pytest.mark.long

FULL = 0.2
COLOURS = {"blue": 8, "red": -8, "eraser": 0}
CURRENT = """() => {
  const { weights, bias, full, readings } = explorer.scenes.neuron.current();
  return { weights: Array.from(weights), bias, full, readings: readings.map(({ image, ...rest }) => rest) };
}"""
CARDS = """() => Array.from(document.querySelectorAll('#neuron-ten .card'), (card) => {
  const said = (name) => [name, card.querySelector(`.value-${name} > :last-child`).innerText];
  const { opacity } = card.querySelector('.lamp i').style;
  return { ...Object.fromEntries(['sum', 'z', 'a', 'all'].map(said)), light: opacity };
})"""
PLACES = """() => {
  const still = ':not(svg *, .lamp *, .share *, #neuron-empty, option, optgroup, #neuron-note *, .card p *)';
  const sides = ['offsetLeft', 'offsetTop', 'offsetWidth', 'offsetHeight'];
  const all = document.querySelectorAll('#neuron, #neuron .play *' + still);
  return Array.from(all, (each) => [each.localName, each.id, ...sides.map((side) => each[side] ?? 0)].join(" "));
}"""
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

Points = Sequence[tuple[float, float]]


def edge() -> np.ndarray:
    """The neuron that the scene begins with."""
    weights = np.zeros((28, 28))
    weights[4:13, 8:20] = -FULL
    weights[7:10, 8:20] = FULL
    return weights.ravel()


def brushed(weights: np.ndarray, points: Points, colour: int, full: float = FULL) -> np.ndarray:
    """One stroke: full within a pixel of its line, less and less up to two; in steps of an eighth of full colour."""
    x, y = np.meshgrid(np.arange(28) + 0.5, np.arange(28) + 0.5)
    part = np.zeros((28, 28))
    for (x0, y0), (x1, y1) in itertools.pairwise([points[0], *points]):
        squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / (squared or 1), 0, 1)
        part = np.maximum(part, np.clip(2 - np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)), 0, 1))
    part, level = part.ravel(), np.clip(8 * weights / full, -8, 8)
    return np.where(part > 0, np.floor(level + part * (colour - level) + 0.5) * full / 8, weights)


def paint(opened: Opened, points: Points, colour: str) -> Points:
    """With the mouse, through whole pixels of the screen as near as may be to these points; where it has been."""
    opened.page.locator(f'input[name="brush"][value="{colour}"]').check()
    opened.page.locator("#neuron-weights").scroll_into_view_if_needed()
    box, mouse = opened.page.locator("#neuron-weights").bounding_box(), opened.page.mouse
    places = [(round(box["x"] + x * box["width"] / 28), round(box["y"] + y * box["height"] / 28)) for x, y in points]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place)
    mouse.up()
    return [((x - box["x"]) / box["width"] * 28, (y - box["y"]) / box["height"] * 28) for x, y in places]


def ring(across: float, down: float) -> Points:
    """Around the middle of the image."""
    angles = np.linspace(0, 2 * math.pi, 21)
    return [(14 + across * math.cos(angle), 14.5 + down * math.sin(angle)) for angle in angles]


def shown(text: str) -> float:
    return float(text.replace("−", "-"))


def pixels(images: Any) -> np.ndarray:
    """As the page has them: bytes, in double precision."""
    return np.round(255 * np.asarray(images, float)) / 255


def test_after_painting_sum_z_and_activation_of_all_ten_digits_are_those_of_numpy_and_of_jaxnet(
    opened: Opened, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    weights = edge()
    for points, colour in ((ring(5.5, 7), "blue"), ([(14, 9), (14, 20)], "red"), ([(6, 14), (15, 14.3)], "eraser")):
        weights = brushed(weights, paint(opened, points, colour), COLOURS[colour])
    opened.page.focus("#neuron-bias")
    for _ in range(13):
        opened.page.keyboard.press("ArrowLeft")
    found = opened.ask(CURRENT)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-12)
    assert len(np.unique(np.abs(weights))) > 5  # it is a soft brush
    assert found["bias"] == -1.3

    images, labels = pixels(mnist[1].images[:100]), np.asarray(mnist[1].labels[:100])
    layer = jaxnet.Layer(jnp.asarray(weights[None], jnp.float32), jnp.asarray([-1.3], jnp.float32), jaxnet.sigmoid)
    cards = opened.ask(CARDS)
    assert len(cards) == len(found["readings"]) == 10
    for digit, (card, reading) in enumerate(zip(cards, found["readings"], strict=True)):
        image = images[np.flatnonzero(labels == digit)[0]]
        z = weights @ image - 1.3
        assert reading["sum"] == pytest.approx(weights @ image, abs=1e-9)
        assert reading["z"] == pytest.approx(z, abs=1e-9)
        assert reading["a"] == pytest.approx(1 / (1 + np.exp(-z)), abs=1e-9)
        (a,) = jaxnet.forward((layer,), jnp.asarray(image, jnp.float32))
        assert reading["a"] == pytest.approx(float(a), abs=1e-5)
        assert [shown(card[name]) for name in ("sum", "z")] == pytest.approx([weights @ image, z], abs=0.051)
        assert [shown(card[name]) for name in ("a", "light")] == pytest.approx([float(a)] * 2, abs=0.0051)
        lit = np.sum(images[labels == digit] @ weights - 1.3 > 0)
        assert card["all"] == f"{lit}/{np.sum(labels == digit)}"


def test_every_starting_point_is_the_neuron_that_it_says(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    images, labels = pixels(mnist[1].images[:100]), np.asarray(mnist[1].labels[:100])
    own, others = images[labels == 7].mean(0), images[labels != 7].mean(0)
    seven = FULL * (own - others) / np.abs(own - others).max()
    (file,) = small.parent.glob("*.safetensors")
    (first, *_), _ = jaxnet.load_params(file)
    expected = {
        "edge": (edge(), 0),
        "blank": (np.zeros(784), -3),
        "mean7": (seven, -round(float(seven @ (own + others) / 2), 1)),
        "neuron6": (np.asarray(first.weights[6]), float(first.biases[6])),
    }
    assert opened.page.locator("#neuron-start option").count() == 2 + 10 + 7
    for name, (weights, bias) in expected.items():
        opened.page.select_option("#neuron-start", name)
        found = opened.ask(CURRENT)
        np.testing.assert_allclose(found["weights"], weights, atol=1e-12)
        assert found["bias"] == pytest.approx(bias, abs=1e-12)
    opened.page.click("#neuron-undo")
    np.testing.assert_allclose(opened.ask(CURRENT)["weights"], seven, atol=1e-12)
    assert opened.ask(CURRENT)["bias"] == pytest.approx(expected["mean7"][1])


def test_it_notices_when_the_neuron_lights_up_for_one_digit_alone_and_counts_all_images(
    opened: Opened, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    images, labels = pixels(mnist[1].images[:100]), np.asarray(mnist[1].labels[:100])
    opened.page.click("#neuron-clear")
    assert opened.text("#neuron-note").startswith("It lights up for none of these 10.")
    weights = brushed(np.zeros(784), paint(opened, ring(5.5, 7), "blue"), 8)
    weights = brushed(weights, paint(opened, [(14, 10), (14, 19)], "red"), -8)
    sums = [weights @ images[np.flatnonzero(labels == digit)[0]] for digit in range(10)]
    assert opened.text("#neuron-note").startswith(f"It lights up for {np.sum(np.array(sums) > 0)} of these 10: 0, ")
    bar = math.ceil(10 * max(sums[1:])) / 10
    assert sums[0] > bar
    opened.page.locator("#neuron-bias").fill(str(-bar))
    lit = images @ weights > bar
    assert opened.text("#neuron-note") == (
        "✓ Of these 10 it lights up for the 0 alone. Of all 100 images on this page, it lights up for"
        f" {lit[labels == 0].sum()} of the {np.sum(labels == 0)} with a 0,"
        f" and for {lit[labels != 0].sum()} of the {np.sum(labels != 0)} others."
    )
    assert opened.text("#neuron-bias-is") == f"b = −{bar:.2f}: the sum must be above {bar:.2f}."
    opened.page.click("#neuron-others")
    numbers = [reading["number"] for reading in opened.ask(CURRENT)["readings"]]
    assert numbers == [int(np.flatnonzero(labels == digit)[1]) for digit in range(10)]


def test_a_link_shows_the_same_neuron_and_a_wrong_one_changes_nothing(opened: Opened):
    for _ in range(2):
        opened.page.select_option("#neuron-start", "neuron3")
        paint(opened, ring(3, 9), "blue")
        paint(opened, ring(9, 2), "eraser")
        opened.page.locator("#neuron-bias").fill("4.2")
    opened.page.click("#neuron-others")
    opened.page.locator("#neuron-ten .tile").nth(4).click()
    before = opened.ask(CURRENT)
    opened.page.wait_for_url(re.compile("under=4"))
    link = opened.page.url
    assert len(link) < 1500
    opened.again()
    opened.page.goto(link)
    assert opened.ask(CURRENT) == before
    assert (
        opened.page.locator('#neuron-ten [aria-pressed="true"]').get_attribute("aria-label").startswith("Trace this 4")
    )
    opened.page.goto(f"{opened.address}#neuron")
    assert opened.ask(CURRENT) == before  # an address that names nothing leaves everything as it is
    wrong = "start=nose&paint=AAAA&bias=999&set=-1&under=x&brush=green"
    opened.page.goto(f"{opened.address}#neuron?{wrong}")
    assert opened.ask(CURRENT) == before
    for name in ("start", "paint", "bias", "set", "under", "brush"):
        assert name in opened.text("#notice")


def test_it_is_painted_by_keyboard_alone_and_each_stroke_undone(opened: Opened):
    page, press = opened.page, opened.page.keyboard.press
    page.focus("#neuron-clear")
    press("Enter")
    page.focus('input[name="brush"]:checked')
    press("ArrowRight")
    page.focus("#neuron-weights")
    for key in (*["ArrowUp"] * 3, "Space", *["ArrowLeft"] * 4, "ArrowDown", "Space", "ArrowLeft"):
        press(key)
    opened.ask(FRAMES)
    assert opened.ask(
        "document.getElementById('neuron-over').getContext('2d').getImageData(0, 0, 560, 560).data.some(Boolean)"
    )
    stroke = [(14.5 - step, 11.5) for step in range(5)] + [(10.5, 12.5)]
    expected = brushed(np.zeros(784), stroke, -8)
    np.testing.assert_allclose(opened.ask(CURRENT)["weights"], expected, atol=1e-12)
    for key in (*["ArrowUp"] * 40, *["ArrowRight"] * 40, "Space", "Tab"):  # to the corner, and away with the brush down
        press(key)
    corner = brushed(expected, [(27.5, 0.5)], -8)
    np.testing.assert_allclose(opened.ask(CURRENT)["weights"], corner, atol=1e-12)
    press("Control+z")
    np.testing.assert_allclose(opened.ask(CURRENT)["weights"], expected, atol=1e-12)
    for before in (np.zeros(784), edge()):
        page.click("#neuron-undo")
        np.testing.assert_allclose(opened.ask(CURRENT)["weights"], before, atol=1e-12)
    assert page.is_disabled("#neuron-undo")


def test_names_on_the_curve_never_overlap_and_stay_in_order_and_near(opened: Opened):
    code = "([wanted, ...rest]) => explorer.spread(wanted, ...rest)"
    rng = np.random.default_rng(0)
    for wanted in (np.zeros(10), np.full(10, 100.0), np.sort(rng.uniform(0, 100, 10)), np.arange(0.0, 100, 10)):
        places = np.array(opened.ask(code, [wanted.tolist(), 8, 0, 100]))
        assert np.diff(places).min() > 8 - 1e-9
        assert places.min() > -1e-9
        assert places.max() < 100 + 1e-9
        if np.diff(wanted).min() >= 8:
            np.testing.assert_allclose(places, wanted)
    np.testing.assert_allclose(opened.ask(code, [[50, 50, 50], 8, 0, 100]), [42, 50, 58])


@pytest.mark.parametrize("width", [1280, 768, 375, 320])
def test_nothing_moves_whatever_is_painted_and_all_fits_the_width(browser: Any, folder: Path, width: int):
    with Opened(browser, folder / "explorer.html", viewport={"width": width, "height": 900}) as opened:
        opened.page.click("#neuron-clear")
        paint(opened, [(3, 3), (25, 25)], "blue")
        before = opened.ask(PLACES)
        for start in opened.ask("Array.from(document.querySelectorAll('#neuron-start option'), ({ value }) => value)"):
            if start == "blank":
                continue
            opened.page.select_option("#neuron-start", start)
            for bias in ("20", "0.1", "-1.5", "-20"):
                opened.page.locator("#neuron-bias").fill(bias)
                assert opened.ask(PLACES) == before, (start, bias)
        for _ in range(5):
            opened.page.click("#neuron-others")
            opened.page.locator("#neuron-ten .tile").nth(3).click()
            assert opened.ask(PLACES) == before
        opened.page.locator('input[name="brush"][value="eraser"]').check()
        assert opened.ask(PLACES) == before
        rightmost = """() => Math.max(
          ...Array.from(document.querySelectorAll('#neuron *'), (each) => each.getBoundingClientRect().right))"""
        assert opened.ask(rightmost) <= opened.ask("document.documentElement.clientWidth")
        overflowing = """() => Array.from(document.querySelectorAll('#neuron .card p > span:last-child'))
          .filter((each) => each.scrollWidth > each.closest('.card').clientWidth + 1).length"""
        assert opened.ask(overflowing) == 0


def test_a_finger_paints_and_the_page_stays_where_it_is(browser: Any, folder: Path):
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, folder / "explorer.html", **phone) as opened:
        opened.page.locator("#neuron-weights").scroll_into_view_if_needed()
        before = opened.ask("scrollY")
        box = opened.page.locator("#neuron-weights").bounding_box()
        finger = opened.context.new_cdp_session(opened.page)
        at = [{"x": round(box["x"] + 60), "y": round(box["y"] + y)} for y in (60, 120, 180)]
        for kind, place in zip(("touchStart", "touchMove", "touchMove"), at, strict=True):
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        opened.ask(FRAMES)
        points = [
            ((each["x"] - box["x"]) / box["width"] * 28, (each["y"] - box["y"]) / box["height"] * 28) for each in at
        ]
        np.testing.assert_allclose(opened.ask(CURRENT)["weights"], brushed(edge(), points, 8), atol=1e-12)
        assert opened.ask("scrollY") == before


@pytest.mark.parametrize("classes", [2, 10])
def test_a_network_of_other_functions_and_classes_has_its_neuron_too(
    browser: Any, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset], tmp_path: Path, classes: int
):
    """With 12 outputs for 10 digits, two of them have no image on the page."""
    images, labels = (np.asarray(part[:100]) for part in mnist[1])
    test = jaxnet.Dataset(images[labels < classes], labels[labels < classes])
    params = random((784, 30, 2 if classes == 2 else 12), jaxnet.relu, jaxnet.softmax)
    results = json.loads((small.parent / "record.json").read_text())["results"] | {
        "networks": [explorer.network("own", params, test)],
        "images": explorer.in_base64(np.round(255 * test.images).astype(np.uint8)),
        "labels": test.labels.tolist(),
    }
    (tmp_path / "explorer.html").write_text(report.page(results), encoding="utf-8")
    with Opened(browser, tmp_path / "explorer.html") as opened:
        assert opened.page.locator("#neuron-ten .card").count() == classes
        assert "relu" in opened.text("#neuron-function")
        opened.page.select_option("#neuron-start", "neuron29")
        found = opened.ask(CURRENT)
        np.testing.assert_allclose(found["weights"], params[0].weights[29], atol=1e-12)
        one = pixels(test.images[np.flatnonzero(test.labels == 1)[0]])
        z = np.asarray(params[0].weights[29], float) @ one + float(params[0].biases[29])
        assert found["readings"][1]["z"] == pytest.approx(z, abs=1e-9)
