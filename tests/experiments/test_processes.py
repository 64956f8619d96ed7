"""Of several processes none waits for ever for one that is gone, and each says why it ends."""

import subprocess
import sys
from pathlib import Path

import jax
import pytest

from experiments.common import last_words, saving
from experiments.common.processes import is_of_others, most_silent
from tests.attacks.processes import ATTACKS, attacked, faults


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name in ATTACKS if name not in ("the first one stopped", "the last one missing")]
)
def test_all_end_and_say_why(name: str, tmp_path: Path):
    """The short form of `python -m tests.attacks.processes`: two processes that have little patience."""
    assert faults(ATTACKS[name], 2, attacked(ATTACKS[name], 2, tmp_path, patience=6), patience=6) == []


def passed_on(text: bytes) -> str:
    program = [sys.executable, "-I", last_words.__file__]
    return subprocess.run(program, input=text, stderr=subprocess.PIPE, check=True).stderr.decode()


def test_the_last_words_take_the_place_of_pages():
    prepared = b"\x00process 0 is gone\n\x00process 0 has ended\n"
    assert passed_on(b"a warning\n" + prepared + b"another\n") == "a warning\nanother\n"
    pages = b"E1125 coordination_service_agent.cc:288] Polled an error\n*** Check failure\n @ 0x7f\n"
    assert passed_on(b"a warning\n" + prepared + pages) == "a warning\nerror: process 0 has ended\n"


def test_the_newest_checkpoint_is_the_one_after_most_steps(tmp_path: Path):
    assert saving.newest(tmp_path) == f"nothing is kept in {tmp_path}"
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/lecture.part").touch()
    assert saving.newest(tmp_path) == f"{tmp_path}/parts has lecture: go on with --resume"
    for steps in (60, 120, 900):
        (tmp_path / "checkpoints" / str(steps)).mkdir(parents=True)
    for steps in (60, 120):  # the other one was not complete
        (tmp_path / "checkpoints" / str(steps) / "SHA256SUMS").touch()
    assert saving.newest(tmp_path) == f"the newest checkpoint is {tmp_path}/checkpoints/120: go on with --resume"


def test_it_is_process_0_that_is_silent_where_its_store_cannot_be_read():
    heard = {0: 10.0, 1: 9.2, 3: 10.4}
    assert most_silent(heard, read_at=10.5, now=25.1) == (0, pytest.approx(15.1))
    assert most_silent(heard | {0: 24.9}, read_at=25.0, now=25.1) == (1, pytest.approx(15.8))
    assert most_silent({1: float("inf"), 2: 20.0}, read_at=25.0, now=25.1) == (2, pytest.approx(5.0))


def test_an_error_that_was_made_of_one_of_jax_is_known():
    def made_of(first: Exception) -> BaseException | None:
        try:
            try:
                raise first
            finally:
                raise OSError("no checkpoint could be written")
        except OSError as error:
            return error

    assert is_of_others(jax.errors.JaxRuntimeError("connection reset"))
    assert is_of_others(made_of(jax.errors.JaxRuntimeError("connection reset")))
    assert is_of_others(made_of(ValueError("UNKNOWN: Gloo AllGather failed: Connection closed by peer")))
    assert not is_of_others(made_of(ValueError("no such folder")))
