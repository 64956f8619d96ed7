"""A page opened in a browser."""

from pathlib import Path
from typing import Any


class Opened:
    """A page that was opened from the disk, with all it complained of and asked for."""

    def __init__(self, browser: Any, path: Path, fragment: str = "", **context: Any):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.trouble.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self._asked(request.url, path))
        self.address = path.as_uri()
        self._open(fragment)

    def _open(self, fragment: str = "") -> None:
        self.page.goto(self.address + fragment)
        self.page.evaluate("Object.values(explorer.scenes).length")  # scenes are made when they are asked for

    def _asked(self, url: str, path: Path) -> None:
        if url.split("#")[0] != path.as_uri() and not url.startswith("data:"):
            self.trouble.append(f"request: {url}")

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *raised: object) -> None:
        self.context.close()
        if raised[0] is None:
            assert self.trouble == []

    def again(self) -> "Opened":
        """As if it had just been opened."""
        self.trouble.clear()
        self._open()
        return self

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def ask(self, code: str, argument: Any = None) -> Any:
        return self.page.evaluate(code, argument)

    def show(self, fragment: str) -> None:
        """Goes to another address of the page, as by a link."""
        self.ask("(fragment) => (location.hash = fragment)", fragment)

    def wait_until_the_drawings_are_read(self) -> None:
        self.page.wait_for_function("() => document.querySelectorAll('#networks .small')[1].textContent.includes('60')")
