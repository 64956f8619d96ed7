"""Wrong command lines: the short form of `python -m tests.attacks.commands`."""

import subprocess
import sys

import pytest

from tests.attacks import commands
from tests.experiments.test_script import SCRIPTS


def test_every_script_is_attacked_with_fifteen_wrong_command_lines_at_least():
    assert sorted(commands.SCRIPTS) == sorted((*SCRIPTS, "to_pytorch", "__main__"))
    for name in commands.SCRIPTS:
        found = commands.lines(name)
        assert len(set(found)) == len(found) >= 15


@pytest.mark.parametrize(
    ("code", "said", "written", "wrong"),
    [
        ("error: rate is nan; it must be finite", "", [], None),
        (2, "Argument --rate: invalid value", [], None),
        ("it was not refused", "", [], "exit status"),
        (0, "--rate", [], "exit status"),
        (130, "--rate", [], "exit status"),
        ("error: rate\nis nan", "", [], "more than one line"),
        ("error: that cannot be", "", [], "names neither"),
        ("error: rate is nan", "", ["out/x"], "out/x was written"),
    ],
)
def test_what_is_not_refused_in_words_is_found_out(code: str | int, said: str, written: list[str], wrong: str | None):
    found = commands.judged(["--rate", "nan"], code, code if isinstance(code, str) else said, written)
    assert (found is None) == (wrong is None)
    assert wrong is None or (found is not None and wrong in found)


@pytest.mark.long
@pytest.mark.parametrize("name", ["gradient_field", "full_batch_vs_sgd", "__main__"])
def test_wrong_command_lines_are_refused_in_words(name: str):
    command = [sys.executable, "-m", "tests.attacks.commands", "--only", name]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
