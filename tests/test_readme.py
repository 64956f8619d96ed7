import doctest
import re
from pathlib import Path

import jax

README = Path(__file__).parent.parent / "README.md"


def test_the_examples_of_the_readme_give_what_they_show():
    with jax.numpy_dtype_promotion("standard"):  # as everybody runs it; optax.adam mixes integers and floats
        result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


def test_every_file_and_picture_that_the_readme_names_is_there():
    names = re.findall(r"\]\((?!http)([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(names) > 10
    for name in names:
        assert (README.parent / name).is_file(), name
