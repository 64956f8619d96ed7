"""The pad, and how a drawing becomes an image, against independent NumPy and a hand with mouse, finger and keys."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxnet
from tests.experiments.explorer.drawn import DIGITS, draw, strokes_on
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import RADII, centred, ink

pytestmark = pytest.mark.long


def test_a_drawing_becomes_the_image_of_the_numpy_reference_and_the_page_says_what_jaxnet_says(
    opened: Opened, small: Path
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    for digit in (2, 4):
        draw(opened, DIGITS[digit])
        drawn = strokes_on(opened)
        assert [len(stroke) > 1 for stroke in drawn] == [True] * len(DIGITS[digit])
        image = centred(ink(drawn))
        found = np.array(opened.ask("Array.from(explorer.state.image)")).reshape(28, 28)
        np.testing.assert_allclose(found, image, atol=1e-9)
        said = jaxnet.classify(params, image.ravel().astype(np.float32))
        assert opened.text("#guess") == str(int(said))


def test_drawn_digits_become_the_images_of_the_numpy_reference_and_are_read(trained: Opened):
    right = 0
    for digit, strokes in enumerate(DIGITS):
        draw(trained, strokes)
        drawn = strokes_on(trained)
        for stroke, corners in zip(drawn, strokes, strict=True):
            # The screen has whole pixels, and the sheet is drawn on in even ones.
            np.testing.assert_allclose(stroke[-1], corners[-1], atol=2.5)
        image = np.array(trained.ask("Array.from(explorer.state.image)")).reshape(28, 28)
        np.testing.assert_allclose(image, centred(ink(drawn)), atol=1e-9)
        right += trained.text("#guess") == str(digit)
    print(f"{right} of 10 drawn digits are read right")
    assert right >= 8


def test_a_finger_draws_and_the_page_stays_where_it_is(browser: Any, folder: Path):
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, folder / "explorer.html", "#network", **phone) as opened:
        opened.page.locator("#pad").scroll_into_view_if_needed()
        box = opened.page.locator("#pad").bounding_box()
        assert box is not None
        top = opened.ask("scrollY")
        finger = opened.context.new_cdp_session(opened.page)
        (stroke,) = DIGITS[1]
        for kind, (x, y) in [("touchStart", stroke[0]), *(("touchMove", place) for place in stroke[1:])]:
            place = {"x": box["x"] + x * box["width"] / 280, "y": box["y"] + y * box["height"] / 280}
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        arrived = """([x, y]) => {
          const at = explorer.state.strokes[0]?.at(-1);
          return at && Math.hypot(at.x - x, at.y - y) < 2.5;
        }"""
        opened.page.wait_for_function(arrived, arg=stroke[-1])
        opened.page.wait_for_function("() => document.getElementById('guess').textContent === '1'")
        assert opened.ask("scrollY") == top


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
def test_odd_drawings_are_centred_as_the_reference_does_with_every_pen(opened: Opened, strokes: list):
    assert opened.ask("explorer.PENS") == RADII
    points = [[{"x": x, "y": y} for x, y in stroke] for stroke in strokes]
    for radius in RADII.values():
        image = opened.ask(
            "([strokes, radius]) => [...explorer.centred(explorer.ink(strokes, radius))]", [points, radius]
        )
        np.testing.assert_allclose(np.array(image).reshape(28, 28), centred(ink(strokes, radius)), atol=1e-9)


def test_the_last_stroke_is_undone_and_the_pen_is_changed_for_the_whole_drawing(opened: Opened):
    page, ask = opened.page, opened.ask
    assert page.is_disabled("#undo")
    draw(opened, DIGITS[4])
    whole = strokes_on(opened)
    for pen, radius in RADII.items():
        page.check(f'input[name="pen"][value="{pen}"]')
        assert strokes_on(opened) == whole
        image = np.array(ask("Array.from(explorer.state.image)")).reshape(28, 28)
        np.testing.assert_allclose(image, centred(ink(whole, radius)), atol=1e-9)
    page.click("#undo")
    assert strokes_on(opened) == whole[:1]
    image = np.array(ask("Array.from(explorer.state.image)")).reshape(28, 28)
    np.testing.assert_allclose(image, centred(ink(whole[:1], RADII["thick"])), atol=1e-9)
    page.click("#undo")
    assert strokes_on(opened) == []
    assert page.is_disabled("#undo")
    assert "Nothing is drawn" in opened.text("#shown")


def test_noise_is_784_independent_even_numbers_and_the_same_for_the_same_seed(opened: Opened):
    opened.page.click("#noise")
    seed, first = opened.ask("[explorer.state.noise, Array.from(explorer.state.image)]")
    assert opened.ask("explorer.state.label") is None
    opened.page.click("#noise")
    other, second = opened.ask("[explorer.state.noise, Array.from(explorer.state.image)]")
    assert seed != other
    for image in (first, second):
        assert 0 <= min(image) < max(image) < 1
        assert len(set(image)) == 784
        assert np.mean(image) == pytest.approx(0.5, abs=0.05)
        assert np.std(image) == pytest.approx(12**-0.5, abs=0.03)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
    assert opened.ask("(seed) => { explorer.lesson.showNoise(seed); return [...explorer.state.image]; }", seed) == first


def test_the_pad_draws_by_keyboard(opened: Opened):
    page = opened.page
    page.focus("#pad")
    page.keyboard.press("ArrowRight")
    assert strokes_on(opened) == []  # the pen is up
    page.keyboard.press("Space")
    for _ in range(15):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.getElementById('said').textContent.includes('Your drawing')")
    assert strokes_on(opened) == [[(150, 70 + 10 * i) for i in range(16)]]


def test_only_one_pointer_draws_and_clearing_lifts_it(browser: Any, folder: Path):
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True, "is_mobile": True}
    with Opened(browser, folder / "explorer.html", **phone) as opened:
        opened.page.locator("#pad").scroll_into_view_if_needed()
        box = opened.page.locator("#pad").bounding_box()
        assert box is not None
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
        opened.page.wait_for_function("() => explorer.state.strokes[0]?.at(-1).x > 75")
        strokes = opened.ask("explorer.state.strokes")
        assert len(strokes) == 1
        assert max(place["x"] for place in strokes[0]) < 85

    with Opened(browser, folder / "explorer.html") as opened:
        opened.page.locator("#pad").scroll_into_view_if_needed()
        box = opened.page.locator("#pad").bounding_box()
        assert box is not None
        opened.page.mouse.move(box["x"] + 50, box["y"] + 50)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + 90, box["y"] + 90)
        opened.page.focus("#clear")
        opened.page.keyboard.press("Enter")
        opened.page.mouse.move(box["x"] + 120, box["y"] + 60)
        opened.page.mouse.up()
        opened.page.wait_for_timeout(50)
        assert opened.ask("explorer.state.strokes") == []
