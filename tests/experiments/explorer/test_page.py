"""The page as a whole: contents, addresses, frames, presentation, print, sizes, keys; all is used and nothing jumps."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.explorer.report import PAGE, SCENES
from tests.experiments.explorer.drawn import DIGITS, draw
from tests.experiments.explorer.layout import wrong
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.using import use_and_watch, use_everything

pytestmark = pytest.mark.long

MARKED = """Array.from(document.querySelectorAll("#contents [aria-current]"), ({ hash }) => hash.slice(1))"""
SEEN = """Array.from(document.querySelectorAll(".scene"), (scene) => [scene.id, scene.checkVisibility()])
  .filter(([, seen]) => seen).map(([id]) => id)"""


def settled(opened: Opened) -> str:
    """The fragment of the address, once it is written: 300 ms after the last change, by the page's own clock."""
    return opened.ask("() => new Promise((done) => setTimeout(() => done(location.hash), 400))")


def test_the_contents_mark_where_one_is_by_scrolling_by_a_link_by_keyboard_and_by_the_address(opened: Opened):
    page, ask = opened.page, opened.ask
    assert ask(MARKED) == ["neuron"]
    assert settled(opened) == ""  # an address that nobody has touched stays as it is
    for scene in (*SCENES, *reversed(SCENES)):
        ask("(id) => scrollTo(0, document.getElementById(id).offsetTop - 0.2 * innerHeight)", scene)
        page.wait_for_function(f"() => ({MARKED})[0] === '{scene}'")
        assert ask(MARKED) == [scene]
    for scene in SCENES:
        page.click(f"#contents a[href='#{scene}']")
        assert settled(opened).split("?")[0] == f"#{scene}"
        assert ask(MARKED) == [scene]
        assert ask("document.activeElement.id") == scene
    page.focus("#contents a[href='#chain']")
    page.keyboard.press("Enter")
    assert settled(opened).split("?")[0] == "#chain"
    assert ask(MARKED) == ["chain"]
    opened.show("#lousy")
    page.wait_for_function(f"() => ({MARKED})[0] === 'lousy'")
    title, contents = (page.locator(each).bounding_box() for each in ("#lousy-title", "#contents"))
    assert title["y"] >= contents["y"] + contents["height"]


def test_what_an_address_asks_for_in_vain_is_named(opened: Opened):
    for fragment, names in (
        ("#nowhere", "nowhere"),
        ("#network?colour=red&image=3", "colour"),
        ("#network?image=1e9&pen=broad&noise=-1&label=x", "image, noise, pen, label"),
        ("#walk?speed=fast", "speed"),
        ("#toString", "toString"),
        ("#<img src=x>?<b>=1", "%3Cimg%20src=x%3E"),
    ):
        opened.page.goto("about:blank")
        opened.page.goto(opened.address + fragment)
        notice = opened.page.locator("#notice")
        assert notice.is_visible()
        said = notice.inner_text()
        assert said == opened.text("#said")
        said = said.removesuffix(". Shown is what could be shown.").split(": ")[1]
        assert sorted(said.split(", ")) == sorted(names.split(", "))
        box = notice.bounding_box()
        assert box is not None
        assert 0 < box["y"] < 900  # on the screen
    opened.show("#network?image=2")
    opened.page.wait_for_function("() => document.getElementById('notice').hidden")
    assert opened.ask("explorer.state.shown") == 2


# All that a scene shows: its words, what its fields hold, its pictures. A brush is a tool, and shows nothing.
SHOWN = """(scene) => {
  const section = document.getElementById(scene);
  const fields = Array.from(section.querySelectorAll("input:not([name=brush]), select, textarea"), (field) =>
    [field.name || field.id, field.type === "radio" || field.type === "checkbox" ? field.checked : field.value]);
  const pictures = Array.from(section.querySelectorAll("canvas"), (canvas) => canvas.toDataURL());
  const drawings = Array.from(section.querySelectorAll("svg"), (svg) => svg.innerHTML);
  return { words: section.innerText, fields, pictures, drawings };
}"""


MEASURED = "() => !explorer.scenes.lousy.surveys.left() && !document.querySelector('#lousy-play.running')"


@pytest.mark.parametrize("scene", SCENES)
def test_a_link_shows_in_a_fresh_page_what_was_shown(browser: Any, folder: Path, scene: str):
    with Opened(browser, folder / "explorer.html", f"#{scene}") as first:
        use_everything(first, f"#{scene}")
        first.ask("document.activeElement.blur()")
        if scene == "network":
            first.wait_until_the_drawings_are_read()
        if scene == "lousy":
            first.page.wait_for_function(MEASURED)
        first.ask("(id) => document.getElementById(id).scrollIntoView()", scene)
        first.page.mouse.move(0, 0)
        first.page.wait_for_function(f"() => ({MARKED})[0] === '{scene}'")
        first.page.wait_for_timeout(300)  # what has come into sight is drawn
        # To copy the link writes the address at once, so that it is that of what is shown.
        copied = f"(scene) => {{ document.getElementById('copy').click(); return [location.hash, ({SHOWN})(scene)]; }}"
        fragment, shown = first.ask(copied, scene)
    print(fragment)
    with Opened(browser, folder / "explorer.html", fragment) as second:
        assert second.page.locator("#notice").is_hidden()
        assert settled(second) == fragment
        again = second.ask(SHOWN, scene)
        for _ in range(200):  # what takes long to compute is shown later
            if again["words"] == shown["words"]:
                break
            second.page.wait_for_timeout(100)
            again = second.ask(SHOWN, scene)
    assert again["words"] == shown["words"]
    assert again["fields"] == shown["fields"]
    assert again == shown


def test_a_drawing_is_in_the_address(opened: Opened):
    draw(opened, DIGITS[4])
    opened.page.check('input[name="pen"][value="thick"]')
    fragment = settled(opened)
    image, strokes = opened.ask("[[...explorer.state.image], explorer.state.strokes]")
    opened.page.goto("about:blank")
    opened.page.goto(opened.address + fragment)
    assert opened.ask("[[...explorer.state.image], explorer.state.strokes]") == [image, strokes]
    assert opened.ask("explorer.state.pen") == "thick"


def test_the_link_is_copied(browser: Any, small: Path):
    with Opened(browser, small, "#network?image=7") as opened:
        opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.page.click("#random")
        opened.page.click("#copy")
        opened.page.wait_for_function("() => document.getElementById('said').textContent.includes('copied')")
        copied = opened.ask("navigator.clipboard.readText()")
        assert copied == opened.ask("location.href")
        assert f"image={opened.ask('explorer.state.shown')}" in copied


def test_a_frame_holds_one_scene_alone(browser: Any, small: Path):
    with Opened(browser, small) as opened:
        for scene in SCENES:
            opened.page.goto("about:blank")
            opened.page.goto(f"{opened.address}#{scene}?embed")
            assert opened.ask(SEEN) == [scene]
            for other in ("#about", "#contents", "footer", "#slides", ".skip"):
                assert opened.page.locator(other).is_hidden()
            assert opened.page.locator("h1").is_visible()  # for who cannot see it
        opened.show("#network")  # a link of the scene does not lead out of the frame
        opened.page.wait_for_timeout(50)
        assert opened.ask(SEEN) == ["network"]
        assert opened.page.locator("#about").is_hidden()
        opened.page.click("#random")
        assert settled(opened).endswith("embed")


def test_a_presentation_shows_one_scene_a_screen_and_goes_on_and_back(browser: Any, small: Path):
    with Opened(browser, small, "#network") as opened:
        page, ask = opened.page, opened.ask
        before = ask("parseFloat(getComputedStyle(document.documentElement).fontSize)")
        page.click("#present")
        assert ask(SEEN) == ["network"]
        assert "of 7" in opened.text("#slides")
        assert ask("parseFloat(getComputedStyle(document.documentElement).fontSize)") > before
        assert "arrow keys" in opened.text("#said")
        for key, expected in (
            ("PageDown", "lousy"),
            ("ArrowRight", "downhill"),
            ("PageUp", "lousy"),
            ("ArrowLeft", "network"),
        ):
            page.keyboard.press(key)
            assert ask(SEEN) == [expected]
            assert ask("document.activeElement.id") == expected
        # Controls keep their own arrow keys.
        page.focus("#pad")
        page.keyboard.press("ArrowRight")
        page.focus("#number")
        page.keyboard.press("ArrowLeft")
        page.locator("#stage .neuron[tabindex='0']").focus()
        page.keyboard.press("ArrowRight")
        page.focus("#lines")
        page.keyboard.press("ArrowRight")
        assert ask(SEEN) == ["network"]
        assert settled(opened).endswith("present")
        page.click("#slide-back")
        assert ask(SEEN) == ["neuron"]
        assert page.is_disabled("#slide-back")
        page.keyboard.press("PageUp")
        assert ask(SEEN) == ["neuron"]
        opened.show("#example")
        page.wait_for_timeout(50)
        assert ask(SEEN) == ["example"]
        for _ in range(3):
            page.keyboard.press("PageDown")
        assert ask(SEEN) == ["walk"]
        assert page.is_disabled("#slide-on")
        fragment = settled(opened)
        page.keyboard.press("Escape")
        assert ask(SEEN) == list(SCENES)
        assert ask("document.activeElement.id") == "present"
        assert page.locator("#slides").is_hidden()
        assert settled(opened) == fragment.replace("?present", "").replace("&present", "")
        page.goto("about:blank")
        page.goto(opened.address + fragment)
        assert ask(SEEN) == ["walk"]
        page.click("#slide-end")
        assert ask(SEEN) == list(SCENES)


def test_all_is_printed_but_what_can_only_be_touched(browser: Any, small: Path):
    with Opened(browser, small, color_scheme="dark") as opened:
        page, ask = opened.page, opened.ask
        ask("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert ask(SEEN) == list(SCENES)
        assert ask("[...document.querySelectorAll('details')].every(({ open }) => open)")
        seen = """[...document.querySelectorAll("button:not(.go, .tile), input, select, #contents, footer, .skip")]
          .filter((each) => each.checkVisibility()).map((each) => each.outerHTML)"""
        assert ask(seen) == []
        assert ask("getComputedStyle(document.body).color") == "rgb(30, 33, 38)"  # dark on white, whatever the screen
        page.set_viewport_size({"width": 718, "height": 1046})  # A4
        page.wait_for_timeout(200)
        assert wrong(opened) == []
        page.emulate_media(media="screen")
        ask("dispatchEvent(new Event('afterprint'))")
        assert ask("document.querySelectorAll('details.observed[open]').length") == 0
        pages = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "10mm"))
        assert pages.startswith(b"%PDF")
        assert len(SCENES) <= pages.count(b"/Type /Page\n") <= 20


def test_every_control_can_be_used_on_a_phone_and_nothing_jumps(browser: Any, folder: Path):
    """On a larger screen: test_words.py, in another language."""
    phone = {"viewport": {"width": 375, "height": 800}, "has_touch": True}
    with Opened(browser, folder / "explorer.html", **phone) as opened:
        use_and_watch(opened)


OPEN = "() => { for (const each of document.querySelectorAll('details')) each.open = true; }"
SIZES = [(320, 640), (375, 800), (640, 450), (768, 1000), (1280, 900), (1920, 1080), (2560, 1440)]
"""In pixels of the page: 640 x 450 is a window of 1280 x 900 at 200 %."""


@pytest.mark.parametrize("form", ["page", "large text", "presentation", "frame"])
def test_nothing_is_cut_or_overlaps_from_320_to_2560_pixels(browser: Any, folder: Path, form: str):
    alone = {"presentation": "present", "frame": "embed"}.get(form)  # where one scene at a time is shown
    with Opened(browser, folder / "explorer.html", f"#{SCENES[0]}?{alone}" if alone else "") as opened:
        opened.ask(OPEN)
        if form == "large text":
            opened.ask("document.documentElement.style.fontSize = '200%'")
        found = []
        for width, height in SIZES if form != "large text" else SIZES[4:]:
            opened.page.set_viewport_size({"width": width, "height": height})
            for scene in SCENES if alone else SCENES[:1]:
                if alone:
                    opened.show(f"#{scene}?{alone}")
                    opened.page.wait_for_function(f"() => String({SEEN}) === '{scene}'")
                opened.page.wait_for_timeout(150)
                found += [f"{width}: {each}" for each in wrong(opened)]
    assert found == []


# What a control is called in the two lists that are compared: a group of radio buttons, or the cells of a table, alike.
NAME = """
  const name = (each) => each.type === "radio" ? each.name
    : each.id || each.closest("table")?.id || each.textContent.trim().slice(0, 40);
"""
FOCUSED = (
    f"() => {{ {NAME}"
    + """
  const here = document.activeElement;
  if (here === document.body) return null;
  const box = here.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(here);
  const next = here.nextElementSibling && getComputedStyle(here.nextElementSibling);
  const drawn = (style) => style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const scene = here.closest(".scene");
  const contents = document.getElementById("contents");
  const covered = scene !== null && box.bottom <= contents.getBoundingClientRect().bottom;
  return {
    name: name(here),
    scene: scene?.id ?? null,
    hidden: covered || box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth,
    ring: drawn({ outlineStyle, outlineWidth }) || drawn(next) || here.matches("[role=application], .scene"),
  };
}"""
)
# What Tab should lead to, in the page's order: of a group of radio buttons one.
REACHABLE = (
    f"() => {{ {NAME}"
    + """
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  const groups = new Set();
  return Array.from(all)
    .filter((each) => each.checkVisibility() && !each.disabled && each.tabIndex >= 0)
    .filter((each) => {
      if (each.type !== "radio") return true;
      const first = !groups.has(each.name);
      groups.add(each.name);
      return first;
    })
    .map(name);
}"""
)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 640)])
def test_tab_leads_to_every_control_in_order_and_one_sees_where_one_is(
    browser: Any, folder: Path, width: int, height: int
):
    with Opened(browser, folder / "explorer.html", viewport={"width": width, "height": height}) as opened:
        opened.ask(OPEN)
        expected = opened.ask(REACHABLE)
        found = []
        for _ in range(len(expected) + 20):
            opened.page.keyboard.press("Tab")
            here = opened.ask(FOCUSED)
            if here is None:
                break
            found.append(here)
        names = [each["name"] for each in found]
        assert names == expected
        assert [each for each in found if each["hidden"]] == []
        assert [each["name"] for each in found if not each["ring"]] == []
        scenes = [each["scene"] for each in found if each["scene"]]
        assert scenes == sorted(scenes, key=SCENES.index)


def test_the_first_thing_that_tab_leads_to_skips_the_contents(opened: Opened):
    opened.page.keyboard.press("Tab")
    assert opened.page.locator(".skip").evaluate("(link) => link === document.activeElement")
    box = opened.page.locator(".skip").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_function("() => document.activeElement.id === 'neuron'")
    opened.page.keyboard.press("Tab")
    assert opened.ask("document.activeElement.closest('.scene') !== null")


def test_the_page_says_its_title_and_language(opened: Opened):
    words = json.loads((PAGE / "english.json").read_text())
    assert opened.page.title() == words["page"]["title"] == opened.text("h1")
    assert opened.ask("document.documentElement.lang") == "en"
