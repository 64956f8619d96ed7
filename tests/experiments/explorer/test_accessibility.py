"""What axe-core finds: no violation of WCAG 2.2 A and AA, nor of its best practices, in any scene and state."""

from pathlib import Path
from typing import Any

import pytest

from experiments.explorer.report import SCENES
from tests.experiments.explorer.drawn import DIGITS, draw
from tests.experiments.explorer.npm import installed
from tests.experiments.explorer.opened import Opened

pytestmark = pytest.mark.long

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  const { violations } = await axe.run(document, {
    runOnly: tags,
    rules: { "label-content-name-mismatch": { enabled: true } },
    resultTypes: ["violations"],
  });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id}: ${target}: ${failureSummary.replaceAll(/\\s+/g, " ")}`));
}"""
PHONE = {"viewport": {"width": 375, "height": 800}}


@pytest.fixture(scope="session")
def axe() -> str:
    return (installed("axe-core", "4.14.1") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_nothing_in_any_state(browser: Any, folder: Path, axe: str, context: dict):
    with Opened(browser, folder / "explorer.html", reduced_motion="reduce", **context) as opened:
        page, ask = opened.page, opened.ask
        ask(f"() => {{ {axe} }}")
        found = {}

        def look(state: str) -> None:
            for each in ask(RUN, RULES):
                found.setdefault(each, state)

        page.wait_for_timeout(500)
        look("just opened")
        ask("() => { for (const each of document.querySelectorAll('details')) each.open = true; }")
        draw(opened, DIGITS[3])
        look("a drawing, details open")
        page.click("#noise")
        for field in page.query_selector_all(".number"):
            field.fill("-1")
        for button in page.query_selector_all("button.main"):
            button.click()
        look("wrong numbers, refused")
        opened.show("#nowhere?odd=1")
        look("an address that is not understood")
        page.click("#present")
        for _ in SCENES:
            look(f"presentation {ask('location.hash')}")
            page.keyboard.press("PageDown")
        page.keyboard.press("Escape")
        for scene in SCENES:
            opened.show(f"#{scene}?embed")
            page.wait_for_function(
                f"() => [...document.querySelectorAll('.scene:not([hidden])')].at(-1).id === '{scene}'"
            )
            look(f"a frame with {scene}")
    assert not found, "\n".join(f"{state}: {each}" for each, state in found.items())
