"""The documents: their examples, what they name, and how long they are."""

import doctest
import re
from functools import reduce
from pathlib import Path

import jax
import pytest

import jaxnet
from tests.attacks import commands
from tests.experiments.test_script import SCRIPTS

README = Path(__file__).parent.parent / "README.md"
LIBRARY = README.parent / "jaxnet" / "README.md"
GALLERY = README.parent / "experiments" / "README.md"
PAGES = [README, LIBRARY, GALLERY]


@pytest.mark.long
@pytest.mark.parametrize(("page", "least"), [(README, 20), (LIBRARY, 45)], ids=["README", "library"])
def test_the_examples_give_what_they_show(page: Path, least: int):
    with jax.numpy_dtype_promotion("standard"):  # as everybody runs it; optax.adam mixes integers and floats
        result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted >= least
    assert result.failed == 0


def test_the_front_page_is_read_in_three_minutes():
    text = README.read_text(encoding="utf-8")
    assert len(text) <= 8_000
    assert len(text.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=["README", "library", "gallery"])
def test_lines_of_prose_are_short(page: Path):
    for line in page.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 120 or line.startswith(("|", "!")), line


@pytest.mark.parametrize("page", PAGES, ids=["README", "library", "gallery"])
def test_every_file_picture_and_heading_that_a_page_names_is_there(page: Path):
    names = re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(names) > 3
    for name in names:
        path, _, heading = name.partition("#")
        other = page.parent / path if path else page
        assert other.is_file(), name
        assert not heading or f"\n## {heading}\n" in other.read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_stands_in_the_gallery_and_its_help_tells_the_same_figures(name: str):
    _, found, section = GALLERY.read_text(encoding="utf-8").partition(f"\n## {name}\n")
    assert found
    section = section.partition("\n## ")[0]
    for figure in re.findall(r"\d[\d.,]*(?= %| to [\d.]+ %)|\d+\.\d+", str(commands.module(name).__doc__)):
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?!\d)", section), figure


def test_every_module_stands_in_the_table_of_modules():
    text = LIBRARY.read_text(encoding="utf-8")
    for module in LIBRARY.parent.glob("[a-z]*.py"):
        assert f"[`{module.name}`]({module.name})" in text


def test_every_picture_of_the_gallery_is_shown_somewhere():
    shown = README.read_text(encoding="utf-8") + GALLERY.read_text(encoding="utf-8")
    for picture in (GALLERY.parent / "gallery").iterdir():
        assert f"gallery/{picture.name})" in shown


def test_the_functions_that_the_table_of_chapters_names_are_there():
    lines = GALLERY.read_text(encoding="utf-8").splitlines()
    start = lines.index("| the lecture | functions of `jaxnet` | script |") + 2
    rows = lines[start : lines.index("", start)]
    assert len(rows) == 11
    for row in rows:
        for name in re.findall(r"`([A-Za-z_.]+)`", row.split("|")[2]):
            reduce(getattr, name.split("."), jaxnet)


def test_every_dependency_is_explained():
    project = (README.parent / "pyproject.toml").read_text(encoding="utf-8")
    table = LIBRARY.read_text(encoding="utf-8").split("## Dependencies")[1].split("## Changes")[0]
    for name in set(re.findall(r'"([a-z-]+)(?:\[[a-z]+\])?>=', project)) - {"hatchling"}:
        assert name in table, name
