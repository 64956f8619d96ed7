"""A browser, and the two pages that the tests share: of a small random network, and the one of the gallery."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiments.explorer import __main__ as explorer
from experiments.explorer import report
from tests.experiments.commands import main
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import saved

EVIL = "<img src=x onerror=alert(1)>&lt;b&gt;<!--</script><script>alert(2)<"


@contextmanager
def chromium(playwright: Any) -> Iterator[Any]:
    """Debian's Chromium, or whatever Chromium is on the path; None where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        yield None
        return
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    launched = playwright.chromium.launch(executable_path=found, args=sandbox)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here: pip install playwright")
    with playwright.sync_playwright() as running, chromium(running) as launched:
        if launched is None:
            pytest.skip("no Chromium here: apt-get install chromium")
        yield launched


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small random network, from a file with an evil name that says evil things."""
    folder = tmp_path_factory.mktemp("small")
    file = saved(folder / "<img src=x onerror=alert(1)>.safetensors", (784, 7, 5, 10), "scaled_tanh", loss=EVIL)
    with pytest.MonkeyPatch.context() as patch:
        main(explorer, patch, "--from", str(file), "--limit", "300", "--images", "100", "--out", str(folder))
    return folder / "explorer.html"


@pytest.fixture(scope="session")
def small_page(browser: Any, small: Path) -> Iterator[Opened]:
    with Opened(browser, small) as opened:
        yield opened


@pytest.fixture
def opened(small_page: Opened) -> Iterator[Opened]:
    """The page of the small network, just opened; a test ends without a word on the console."""
    yield small_page.again()
    assert small_page.trouble == []


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that the script writes by default: the data of the gallery's page, put together by the code of today."""
    folder = tmp_path_factory.mktemp("explorer")
    (folder / "explorer.html").write_text(report.page(report.in_gallery()), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def trained_page(browser: Any, folder: Path) -> Iterator[Opened]:
    with Opened(browser, folder / "explorer.html") as opened:
        yield opened


@pytest.fixture
def trained(trained_page: Opened) -> Iterator[Opened]:
    """The page that the script writes by default, just opened; a test ends without a word on the console."""
    yield trained_page.again()
    assert trained_page.trouble == []
