"""The short form of `python -m tests.attacks.mutants`."""

import ast

import pytest

from tests.attacks.mutants import MUTANTS, Mutant, broken, caught_by


def test_what_is_to_be_broken_stands_in_its_module_once_and_leaves_a_program():
    for mutant in MUTANTS.values():
        assert ast.parse(broken(mutant)).body
    with pytest.raises(ValueError, match=r"MUTANTS is stale: 'step' stands \d+ times in descent"):
        broken(Mutant("descent", "step", "leap"))


@pytest.mark.long
@pytest.mark.parametrize("name", ["slant before stretch"])
def test_a_broken_line_is_noticed_by_the_tests_of_its_module(name: str):
    found = caught_by(MUTANTS[name], others=False)
    assert found is not None
    assert MUTANTS[name].module in found


@pytest.mark.long
def test_what_breaks_nothing_is_noticed_by_none():
    assert caught_by(Mutant("history", "curve >= level", "level <= curve"), others=False) is None
