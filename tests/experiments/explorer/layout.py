"""What is wrong with where things are on the page: text that leaves its box, or is cut, or lies over other text."""

from pathlib import Path

from tests.experiments.explorer.opened import Opened

SCRIPT = Path(__file__).with_name("layout.js").read_text()


def wrong(opened: Opened) -> list[str]:
    return opened.ask(SCRIPT)
