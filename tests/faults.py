"""Kills a training run at random moments, again and again, and sees whether anything is lost.

    python tests/faults.py --kills 50

One run is left alone. Another, which saves a checkpoint after every epoch, is killed (SIGKILL) at a random moment,
resumed, killed again; then it may finish. Its parameters must be those of the first, bit for bit.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.numpy import load_file

PARAMETERS = "parameters.safetensors"


def command(folder: Path, epochs: int, *more: str) -> list[str]:
    """A run of the lecture's network on some images, in batches of 10, with Adam, whose state must be kept as well."""
    choices = f"--limit 2000 --epochs {epochs} --optimizer adam --rate 0.001 --save-seconds 0 --out {folder}"
    return [sys.executable, "-m", "experiments.train_digits", *choices.split(), *more]


def kill_and_resume(kills: int, epochs: int, seed: int, folder: Path) -> int:
    """So many kills and a last run to the end; returns how many of the kills left a checkpoint to go on from.

    Every fifth kill comes while the run is starting, the others within a third of a second after one of its next ten
    epochs, at the end of which it is writing. Raises AssertionError where a run cannot be resumed, or ends with other
    parameters than the one that was left alone.
    """
    chance = random.Random(seed)  # noqa: S311
    alone, killed = folder / "alone", folder / "killed"
    run(command(alone, epochs))
    saved = 0
    for kill in range(kills):
        process = subprocess.Popen(
            command(killed, epochs, "--resume"), env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        rows = chance.randrange(3, 13) if kill % 5 < 4 else 0
        printed = []
        while rows and (line := process.stdout.readline()):
            printed.append(line)
            rows -= line[:5].strip().isdecimal()
        time.sleep(chance.uniform(0, 0.3) if kill % 5 < 4 else chance.uniform(0, 5))
        process.kill()
        printed.append(process.communicate()[0])
        if process.returncode == 0:  # it was done before; from the beginning
            check_same(alone, killed)
        else:
            assert process.returncode == -signal.SIGKILL, "".join(printed)
        saved += any((killed / "checkpoints").glob("*/SHA256SUMS"))
    run(command(killed, epochs, "--resume"))
    check_same(alone, killed)
    return saved


def run(command: list[str]) -> None:
    """To its end. Raises AssertionError with what it said where that is not a good one."""
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def check_same(alone: Path, killed: Path) -> None:
    """Weights and biases bit for bit, and the history but for its seconds."""
    one, other = (load_file(folder / PARAMETERS) for folder in (alone, killed))
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }
    one, other = (json.loads((folder / "record.json").read_text())["results"]["history"] for folder in (alone, killed))
    clocks = {"seconds", "compile_seconds"}
    assert {name: one[name] for name in one.keys() - clocks} == {name: other[name] for name in other.keys() - clocks}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=60, help="of the run; with more, fewer are done before a kill")
    parser.add_argument("--seed", type=int, default=0, help="decides when")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        saved = kill_and_resume(choices.kills, choices.epochs, choices.seed, Path(folder))
    print(f"{choices.kills} kills, after {saved} of them a checkpoint to go on from; the parameters are the same")


if __name__ == "__main__":
    main()
