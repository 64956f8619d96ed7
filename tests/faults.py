"""Kills a training run at random moments, again and again, and sees whether anything is lost.

    python tests/faults.py --kills 50

One run is left alone. Another, which saves a checkpoint after every epoch, is killed (SIGKILL) at a random moment,
resumed, killed again; then it may finish. Its parameters must be those of the first, bit for bit.
"""

import argparse
import json
import random
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
    """So many kills and a last run to the end; returns how many of the kills found a checkpoint already there.

    Raises AssertionError where a run cannot be resumed, or ends with other parameters than one that was left alone.
    """
    chance = random.Random(seed)  # noqa: S311
    alone, killed = folder / "alone", folder / "killed"
    started = time.perf_counter()
    subprocess.run(command(alone, epochs), check=True, capture_output=True)
    whole = time.perf_counter() - started
    saved = 0
    for kill in range(kills):
        process = subprocess.Popen(
            command(killed, epochs, "--resume"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            _, said = process.communicate(timeout=chance.uniform(0.1, 0.6) * whole)
            assert process.returncode == 0, f"kill {kill}: {said}"
            if (killed / PARAMETERS).exists():
                check_same(alone, killed)
                (killed / PARAMETERS).unlink()  # it was done before it was killed: from the beginning
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        saved += any((killed / "checkpoints").glob("*/SHA256SUMS"))
    subprocess.run(command(killed, epochs, "--resume"), check=True, capture_output=True)
    check_same(alone, killed)
    return saved


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
    parser.add_argument("--epochs", type=int, default=150, help="of the run; with more, fewer are done before a kill")
    parser.add_argument("--seed", type=int, default=0, help="decides when")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        saved = kill_and_resume(choices.kills, choices.epochs, choices.seed, Path(folder))
    print(f"{choices.kills} kills, after {saved} of them a checkpoint to go on from; the parameters are the same")


if __name__ == "__main__":
    main()
