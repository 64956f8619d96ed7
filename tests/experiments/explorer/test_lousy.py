"""The third scene: the network at moments of its training."""

import base64
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import report
from tests.experiments.explorer.drawn import DIGITS, draw
from tests.experiments.explorer.layout import wrong
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import flat, networks_of

# All that the page knows of every moment, once it has looked at all of them, and of a few images one by one.

pytestmark = pytest.mark.long

KNOWN = """async (images) => {
  const { examples, forward, terms, flat } = explorer;
  const { moments, surveys } = explorer.scenes.lousy;
  document.getElementById("lousy").scrollIntoView();
  while (surveys.left()) await new Promise((done) => setTimeout(done, 20));
  return moments.map(({ steps, network }, at) => ({
    steps,
    ...surveys.of(at),
    parameters: steps === 0 || steps === null ? Array.from(flat(network)) : null,
    outputs: images.map((i) => Array.from(forward(network, examples[i].image))),
    terms: images.map((i) => terms(forward(network, examples[i].image), examples[i].target)),
  }));
}"""
SOME = [0, 8, 61]


def snapshots_of(data: dict[str, Any]) -> list[jaxnet.Params]:
    """The first network at each moment, its halves read by NumPy."""
    first = data["networks"][0]
    found = []
    for snapshot in data["snapshots"]:
        values = first["parameters"]
        if snapshot["parameters"] is not None:
            halves = np.frombuffer(base64.b64decode(snapshot["parameters"]), "<f2")
            values = base64.b64encode(halves.astype("<f4").tobytes()).decode()
        found += networks_of({"networks": [first | {"parameters": values}]})
    return found


def images_of(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.frombuffer(base64.b64decode(data["images"]), np.uint8)
    return pixels.reshape(-1, 784).astype(np.float32) / 255, np.array(data["labels"])


def assert_is_what_jaxnet_says(
    known: dict[str, Any], params: jaxnet.Params, images: np.ndarray, labels: np.ndarray
) -> None:
    targets = jaxnet.one_hot(labels, 10)
    outputs = np.asarray(jax.vmap(lambda image: jaxnet.forward(params, image))(images))
    np.testing.assert_allclose(known["outputs"], outputs[SOME], atol=1e-5)
    for terms, index in zip(known["terms"], SOME, strict=True):
        np.testing.assert_allclose(terms, (outputs[index] - np.eye(10)[labels[index]]) ** 2, atol=1e-5)
        assert sum(terms) == pytest.approx(
            float(jaxnet.cost(params, images[index, None], targets[index, None])), abs=1e-5
        )
    means = [outputs[labels == digit].mean(axis=0) for digit in range(10)]
    np.testing.assert_allclose(known["means"], means, atol=1e-5)
    assert known["cost"] == pytest.approx(float(jaxnet.cost(params, images, targets)), abs=1e-5)
    assert known["accuracy"] == pytest.approx(float(jaxnet.accuracy(params, images, labels)), abs=1e-6)


def test_outputs_costs_means_and_accuracy_of_every_moment_are_those_of_jaxnet(trained: Opened):
    data = report.in_gallery()
    every = trained.ask(KNOWN, SOME)
    assert [known["steps"] for known in every] == [0, 10, 100, 1_000, 6_000, 30_000, 180_000]
    for known, params in zip(every, snapshots_of(data), strict=True):
        assert_is_what_jaxnet_says(known, params, *images_of(data))


def test_before_a_network_from_a_file_stands_a_random_one_of_its_shape(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    start, end = opened.ask(KNOWN, SOME)
    assert [start["steps"], end["steps"]] == [0, None]
    np.testing.assert_array_equal(np.float32(end["parameters"]), flat(params))
    images, labels = (np.asarray(part[:100]) for part in mnist[1])
    assert_is_what_jaxnet_says(end, params, images, labels)

    values, shaped = np.array(start["parameters"], np.float32), []
    for shape in (np.shape(leaf) for leaf in jax.tree.leaves(params)):
        size = int(np.prod(shape))
        shaped.append(jnp.asarray(values[:size].reshape(shape)))
        values = values[size:]
    assert values.size == 0
    assert np.std(shaped[0]) == pytest.approx(784**-0.5, rel=0.05)
    assert_is_what_jaxnet_says(start, jax.tree.unflatten(jax.tree.structure(params), shaped), images, labels)
    assert "another random network of the same shape" in opened.text("#lousy-origin")


def test_a_survey_is_taken_in_pieces_of_one_image_at_least(opened: Opened):
    """So nothing waits long for it, however slow the machine; and the moment that is looked at comes first."""
    found = opened.ask(
        """() => {
          const { examples, createSurveys, scenes: { lousy: { moments } } } = explorer;
          const surveys = createSurveys(moments, examples);
          let pieces = 1;
          while (!surveys.goOn(1, performance.now() - 1)) pieces += 1;
          const first = [pieces, surveys.of(0), surveys.of(1) !== null, surveys.left()];
          surveys.goOn(1, Infinity);
          return [...first, surveys.left()];
        }"""
    )
    assert found == [101, None, True, True, False]  # 100 images, and the end


def test_zero_everywhere_costs_exactly_one(opened: Opened):
    terms = opened.ask("explorer.terms(Array(10).fill(0), explorer.oneHot(3, 10))")
    assert terms == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_0_10_and_100_steps_are_evenly_spaced(opened: Opened):
    places = opened.ask("[0, 5, 10, 100, 1000, 6000, 1e6].map(explorer.decade)")
    assert places == pytest.approx([0, 0.5, 1, 2, 3, np.log10(6000), 6])


def test_the_gallery_shows_what_the_observation_says(trained: Opened):
    start, ten, hundred, *_, six, _, end = trained.ask(KNOWN, SOME)
    assert start["cost"] > ten["cost"] > 1 > hundred["cost"]
    means = np.array(hundred["means"])
    assert np.ptp(means, axis=0).max() < 0.01  # all rows are alike
    assert hundred["accuracy"] < 0.15
    for known in (six, end):
        assert all(np.argmax(known["means"], axis=1) == np.arange(10))
    assert np.diag(end["means"]).min() > 0.9


def seen(opened: Opened) -> dict[str, Any]:
    """What stands there: the sum, the fields, the costs."""
    return opened.ask(
        """() => {
          const cells = (rows) => Array.from(rows, (row) => Array.from(row.cells, (cell) => cell.textContent));
          const find = (id) => document.getElementById(id);
          return {
            now: find("lousy-now").textContent,
            terms: cells(find("lousy-terms").tBodies[0].rows),
            sum: cells(find("lousy-terms").tFoot.rows)[0],
            means: cells(find("lousy-means").tBodies[0].rows),
            cost: find("lousy-cost").textContent,
            share: find("lousy-share").textContent,
            curves: find("lousy-curves").getAttribute("aria-label"),
          };
        }"""
    )


def test_each_moment_is_shown_with_its_numbers(trained: Opened):
    known = trained.ask(KNOWN, SOME)
    trained.ask("explorer.lesson.showExample(8)")
    labels = report.in_gallery()["labels"]
    trained.page.focus("#lousy-moment")
    trained.page.keyboard.press("Home")
    for at, moment in enumerate(known):
        if at:
            trained.page.keyboard.press("ArrowRight")
        shown = seen(trained)
        assert shown["now"] == ("at its random start" if at == 0 else f"after {moment['steps']:,} steps of training")
        assert trained.page.get_attribute("#lousy-moment", "aria-valuetext") == shown["now"]
        for j, (name, _, difference, _, term) in enumerate(shown["terms"]):
            assert name == str(j)
            assert difference == f"({moment['outputs'][1][j]:.2f} − {int(j == labels[8])})²"
            assert term.removeprefix("+ ") == f"{moment['terms'][1][j]:.3f}"
        assert shown["sum"][1] == f"= {sum(moment['terms'][1]):.3f}"
        assert [row[1:] for row in shown["means"]] == [[f"{mean:.2f}" for mean in row] for row in moment["means"]]
        assert float(shown["cost"]) == pytest.approx(moment["cost"], rel=0.005)
        assert shown["share"] == f"{100 * moment['accuracy']:.1f} %"
        assert f"cost {shown['cost']}, {shown['share']} read right" in shown["curves"]
        said = trained.text("#said")
        assert f"costs {sum(moment['terms'][1]):.3f}, all images on average {shown['cost']}" in said or at == 0


def test_a_drawing_has_no_cost_before_somebody_says_what_it_should_be(opened: Opened):
    draw(opened, DIGITS[4])
    opened.page.locator("#lousy-terms").scroll_into_view_if_needed()
    opened.page.wait_for_timeout(100)
    shown = seen(opened)
    assert "no cost yet" in shown["sum"][0]
    assert {row[4] for row in shown["terms"]} == {""}
    opened.page.check('input[name="lousy-answer"][value="4"]', force=True)
    assert opened.ask("explorer.state.label") == 4
    outputs = np.array(
        opened.ask("Array.from(explorer.forward(explorer.scenes.lousy.moments[0].network, explorer.state.image))")
    )
    assert seen(opened)["sum"][1] == f"= {np.sum((outputs - np.eye(10)[4]) ** 2):.3f}"
    assert opened.page.is_checked('input[name="lousy-answer"][value="4"]')


def test_a_link_shows_the_moment_and_the_image_again(opened: Opened):
    page = opened.page
    page.focus("#lousy-moment")
    page.keyboard.press("End")
    opened.ask("explorer.lesson.showExample(3)")
    page.locator("#lousy-means tbody td").nth(47).click()
    page.wait_for_function("() => location.hash === '#lousy?steps=end&field=4.7&image=3'")
    page.wait_for_function("() => !explorer.scenes.lousy.surveys.left()")
    before = seen(opened)
    page.goto("about:blank")
    page.goto(f"{opened.address}#lousy?steps=end&field=4.7&image=3")
    page.wait_for_function("() => !explorer.scenes.lousy.surveys.left()")
    assert seen(opened) == before
    assert page.input_value("#lousy-moment") == "1"
    assert "digit 4: output 7 is" in opened.text("#lousy-mean")
    page.goto(f"{opened.address}#lousy?field=4.70")
    page.wait_for_selector("#notice:not([hidden])")
    assert "field" in opened.text("#notice")
    assert "digit 4: output 7 is" in opened.text("#lousy-mean")


def test_an_address_that_asks_for_another_moment_is_told_so_and_changes_nothing(opened: Opened):
    for asked in ("7", "", "-1", "end%00", "1e3"):
        opened.page.goto(f"{opened.address}#lousy?steps=end")
        opened.page.wait_for_function(
            "() => document.getElementById('notice').hidden && document.getElementById('lousy-moment').value === '1'"
        )
        opened.page.goto(f"{opened.address}#lousy?steps={asked}")
        opened.page.wait_for_selector("#notice:not([hidden])")
        assert "steps" in opened.text("#notice")
        assert opened.page.input_value("#lousy-moment") == "1"


def test_the_fields_say_their_numbers_by_keyboard_and_by_touch(opened: Opened):
    opened.ask(KNOWN, SOME)
    means = opened.ask("explorer.scenes.lousy.surveys.of(0).means")
    page = opened.page
    fields = page.locator("#lousy-means tbody td")

    def assert_says(digit: int, output: int) -> None:
        number = f"{means[digit][output]:.2f}".replace("-", "−")
        said = opened.text("#lousy-mean")
        assert said == f"Images of the digit {digit}: output {output} is {number} on average."
        assert opened.ask("document.activeElement.cellIndex") == output + 1
        assert page.locator("#lousy-means tbody td[tabindex='0']").count() == 1

    fields.nth(0).focus()
    for key in ("ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        assert_says(0, 0)
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert_says(2, 1)
    fields.nth(47).click()
    assert_says(4, 7)
    place = opened.ask("scrollY")
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    assert opened.ask("scrollY") == place
    page.hover("#lousy-means tbody tr:nth-child(9) td:nth-child(4)")
    assert "Images of the digit 8: output 2" in opened.text("#lousy-mean")
    page.hover("#lousy-all")
    assert_says(4, 7)


def test_a_touch_on_the_curves_goes_to_the_nearest_moment(opened: Opened):
    opened.page.locator("#lousy-curves").scroll_into_view_if_needed()
    box = opened.page.locator("#lousy-curves").bounding_box()
    assert box is not None
    for part, moment in ((0.9, "1"), (0.2, "0")):
        opened.page.mouse.click(box["x"] + part * box["width"], box["y"] + 0.4 * box["height"])
        assert opened.page.input_value("#lousy-moment") == moment


def test_play_goes_from_the_start_to_the_end_and_rests(trained: Opened):
    page = trained.page
    trained.ask(KNOWN, SOME)
    trained.ask(
        """() => {
          window.passed = [];
          const note = () => passed.push([performance.now(), document.getElementById("lousy-now").textContent]);
          new MutationObserver(note).observe(document.getElementById("lousy-now"), { childList: true });
        }"""
    )
    page.click("#lousy-play")
    assert trained.text("#lousy-play") == "Pause"
    page.wait_for_function("() => document.getElementById('lousy-play').textContent === 'Play'", timeout=15_000)
    times, names = zip(*trained.ask("passed"), strict=True)
    assert len(names) == 6
    assert "180,000" in names[-1]
    assert np.diff(times).min() > 500  # two a second at most
    assert "180,000" in trained.text("#said")
    page.click("#lousy-play")  # from the end to the start
    assert page.input_value("#lousy-moment") == "0"
    page.focus("#lousy-moment")
    page.keyboard.press("ArrowRight")  # a hand stops it
    assert trained.text("#lousy-play") == "Play"


def test_for_little_motion_a_press_is_one_moment(browser: Any, folder: Path):
    with Opened(browser, folder / "explorer.html", reduced_motion="reduce") as opened:
        assert opened.text("#lousy-play") == "Next moment"
        opened.page.click("#lousy-play")
        opened.page.wait_for_timeout(1500)
        assert opened.page.input_value("#lousy-moment") == "1"
        assert opened.text("#lousy-play") == "Next moment"


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 2560])
def test_nothing_is_cut_or_moves_in_any_moment(browser: Any, folder: Path, width: int):
    with Opened(browser, folder / "explorer.html", viewport={"width": width, "height": 900}) as opened:
        opened.page.goto(f"{opened.address}#lousy?embed")
        heights, found = set(), set()
        for at in range(7):
            opened.page.fill("#lousy-moment", str(at))
            opened.page.wait_for_function("() => !explorer.scenes.lousy.surveys.left()")
            for look in ("showExample(1)", "showDrawing([], null)", "showDrawn(59)"):
                opened.ask(f"explorer.lesson.{look}")
                heights.add(opened.ask("document.getElementById('lousy').offsetHeight"))
            opened.page.locator("#lousy-means td[tabindex='0']").focus()
            found |= set(wrong(opened))
        assert found == set()
        assert len(heights) == 1


def test_paper_shows_all_moments(browser: Any, folder: Path):
    with Opened(browser, folder / "explorer.html") as opened:
        assert opened.ask("explorer.scenes.lousy.surveys.left()")
        opened.ask("dispatchEvent(new Event('beforeprint'))")
        assert "180,000: cost" in seen(opened)["curves"]
