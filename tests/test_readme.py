import doctest
import re
from pathlib import Path

import jax
import pytest

import jaxnet
from experiments.__main__ import ORDER

pytestmark = pytest.mark.long

README = Path(__file__).parent.parent / "README.md"
GALLERY = README.parent / "experiments" / "README.md"


def test_the_examples_of_the_readme_give_what_they_show():
    with jax.numpy_dtype_promotion("standard"):  # as everybody runs it; optax.adam mixes integers and floats
        result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


@pytest.mark.parametrize("page", [README, GALLERY], ids=["README", "gallery"])
def test_every_file_picture_and_heading_that_a_page_names_is_there(page: Path):
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"\]\((?!http)([^)]+)\)", text)
    assert len(names) > 10
    for name in names:
        there = f"\n## {name[1:]}\n" in text if name.startswith("#") else (page.parent / name).is_file()
        assert there, name


def test_every_script_stands_in_the_gallery_and_in_the_table_of_chapters():
    for name in (*ORDER, "benchmark", "scaling"):
        assert f"\n## {name}\n" in GALLERY.read_text(encoding="utf-8")
        assert re.search(rf"`{name}`|experiments\.{name}`", README.read_text(encoding="utf-8"))


def test_every_picture_of_the_gallery_is_shown_somewhere():
    shown = README.read_text(encoding="utf-8") + GALLERY.read_text(encoding="utf-8")
    for picture in (GALLERY.parent / "gallery").iterdir():
        assert f"gallery/{picture.name})" in shown


def test_the_functions_that_the_table_of_chapters_names_are_public():
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.count("|") == 4]
    table = rows[rows.index("| the lecture | functions | script |") + 2 :]
    for row in table[:12]:
        for name in re.findall(r"`([a-z_]+)", row.split("|")[2]):
            assert hasattr(jaxnet, name) or name == "Layer", name
