"""The page as a whole: contents, addresses, presentation, print, sizes; every control used; nothing jumps."""

from pathlib import Path
from typing import Any

import pytest

from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.using import CONTROLS, UNUSED, use_everything, watch


@pytest.mark.long
@pytest.mark.parametrize(
    "context",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 375, "height": 800}, "has_touch": True}],
    ids=["light", "dark", "phone"],
)
def test_every_control_can_be_used_and_nothing_jumps(browser: Any, folder: Path, context: dict):
    with Opened(browser, folder / "explorer.html", **context) as opened:
        watch(opened)
        use_everything(opened)
        assert opened.ask(UNUSED, CONTROLS) == []
        opened.page.wait_for_timeout(300)
        assert opened.ask("jumped") == []
        heights = opened.ask("Object.entries(heights).map(([name, all]) => [name, [...all]])")
        assert [(name, every) for name, every in heights if len(every) > 1] == []
        assert opened.ask("document.documentElement.scrollWidth <= innerWidth")
