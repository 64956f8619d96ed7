"""The page, put together from the files in page/ and what a record says."""

import base64
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from experiments.common import script
from experiments.explorer import modules, words
from jaxnet.files import write_whole

PAGE = Path(__file__).parent / "page"
GALLERY = Path(__file__).parents[1] / "gallery" / "explorer.html"
DATA = '<script type="application/json" id="data">'
SCENES = ("neuron", "network", "lousy", "downhill", "example", "chain", "walk")


def print_tables(record: script.Record) -> None:
    """The line about the network."""
    print(words.sentences(record["results"]["about"], words.english()))


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Writes the page."""
    return [write_whole(folder / "explorer.html", page(record["results"]).encode())]


def page(results: script.Record) -> str:
    """The whole page as text; nothing in it asks for anything outside of it.

    The modules are joined to one script. The policy allows that one and no other; what comes from files is text in
    JSON, never markup.
    """
    code = {f"page/{path.relative_to(PAGE).as_posix()}": read(path) for path in sorted(PAGE.rglob("*.js"))}
    styles = [PAGE / "style.css", *(PAGE / "scenes" / f"{scene}.css" for scene in SCENES)]
    parts = {
        "style": Markup("\n".join(read(path) for path in styles)),  # noqa: S704 (ours, not a user's)
        "code": Markup(modules.joined(code)),  # noqa: S704
    }
    hashes = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for name, text in parts.items()
    }
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {hashes['code']}",
            f"style-src {hashes['style']}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    data = {name: results[name] for name in ("networks", "snapshots", "images", "labels", "about")}
    said = words.english()
    if results.get("words"):
        said = results["words"]
        words.check("the record's translation", said)
    environment = Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").render(
        **parts,
        policy=policy,
        data=data | {"drawings": json.loads(read(PAGE / "drawings.json"))},
        words=said,
        text=named(said),
        scenes=SCENES,
        classes=results["networks"][0]["sizes"][-1],
        about=words.sentences(results["about"], said),
    )


def in_gallery() -> dict[str, Any]:
    """What the page of the gallery was made of."""
    text = read(GALLERY)
    begin = text.index(DATA) + len(DATA)
    return json.loads(text[begin : text.index("</script>", begin)])


def named(said: dict | list | str) -> SimpleNamespace | list | str:
    """The same words, to be found by attributes, of which a dict has some of its own."""
    if isinstance(said, dict):
        return SimpleNamespace(**{name: named(part) for name, part in said.items()})
    return said


def read(path: Path) -> str:
    """A file of the page."""
    return path.read_text(encoding="utf-8")
