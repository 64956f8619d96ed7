"""Kills runs at random moments, again and again, and sees whether anything is lost.

    python -m tests.attacks.kills --kills 200

Each run is left alone once. Another time it is killed (SIGKILL) at a random moment, resumed, killed again; then it may
finish. Its parameters and its record, seconds aside, must be those of the first, bit for bit. The runs: one network, a
population, `reproduce`, whose parts are kept, and two processes that train one network together.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import optax

import jaxnet
from tests.attacks.processes import free_port
from tests.experiments.commands import timeless

Commands = Callable[[Path, bool, int], list[list[str]]]
"""Of the output folder, whether to resume, and epochs: the commands of the processes of a run."""

ADAM = "--limit 2000 --optimizer adam --rate 0.001 --save-seconds 0 --epochs"


def one_network(folder: Path, resume: bool, epochs: int) -> list[list[str]]:
    """The lecture's network in batches of 10, with Adam, whose state must be kept as well."""
    return [script("train_digits", folder, resume, *ADAM.split(), str(epochs))]


def a_population(folder: Path, _resume: bool, epochs: int) -> list[list[str]]:
    """Three networks with momentum, by `train` of the library."""
    return [[sys.executable, "-m", "tests.attacks.kills", "--population", str(folder), str(epochs)]]


def reproduced(folder: Path, resume: bool, _epochs: int) -> list[list[str]]:
    """Some rows of `reproduce`, each recipe of which is a part."""
    rows = "lecture nielsen-30 nielsen-30-fast rate-0.025 rate-0.25 rate-2.5 weights-scaled weights-normal all-images"
    return [script("reproduce", folder, resume, "--limit", "300", "--seeds", "2", "--only", *rows.split())]


def two_processes(folder: Path, resume: bool, epochs: int) -> list[list[str]]:
    """One network, its batches shared out among two processes."""
    common = f"{ADAM} {epochs} --batch-size 100 --distributed --coordinator 127.0.0.1:{free_port()} --num-processes 2"
    return [script("train_digits", folder, resume, *common.split(), "--process-id", str(each)) for each in range(2)]


RUNS: dict[str, Commands] = {
    "one network": one_network,
    "a population": a_population,
    "reproduce": reproduced,
    "two processes": two_processes,
}


def script(name: str, folder: Path, resume: bool, *choices: str) -> list[str]:
    """A command."""
    more = ["--resume"] if resume else []
    return [sys.executable, "-m", f"experiments.{name}", *choices, "--out", str(folder), *more]


def train_population(folder: Path, epochs: int) -> None:
    """From where it was killed, or from the beginning; then its parameters and its history are in the folder."""
    start, order = jax.random.split(jax.random.key(0))
    data = jaxnet.load()[0]
    few = jaxnet.Dataset(data.images[:2000], data.labels[:2000])
    kept = jaxnet.Checkpoints(folder / "checkpoints", seconds=0, resume=True)
    params, history = jaxnet.train(
        order, jax.vmap(jaxnet.init)(jax.random.split(start, 3)), few, lambda rate: optax.sgd(rate, momentum=0.9),
        rates=[0.1, 0.3, 1.0], batch_size=10, epochs=epochs, test=few, checkpoints=kept,
    )  # fmt: skip
    for index in range(3):
        one = jax.tree.map(lambda leaf, index=index: leaf[index], params)
        jaxnet.save_params(folder / f"{index}.safetensors", one)
    record = {name: np.asarray(value).tolist() for name, value in history._asdict().items()}
    (folder / "record.json").write_text(json.dumps(record))


def kill_and_resume(commands: Commands, kills: int, seed: int, folder: Path, epochs: int) -> int:
    """So many kills and a last run to the end; returns how many of the kills left something to go on from.

    Every fifth kill comes while the run is starting, the others within a third of a second after it has kept something,
    the first to the tenth time. Raises AssertionError where a run cannot be resumed, or ends with other files than the
    one that was left alone.
    """
    chance = random.Random(seed)  # noqa: S311
    alone, killed = folder / "alone", folder / "killed"
    finish(commands(alone, False, epochs))
    saved = 0
    for kill in range(kills):
        before, running = set(kept(killed)), [start(command) for command in commands(killed, True, epochs)]
        if kill % 5 == 4:
            time.sleep(chance.uniform(0, 5))
        else:
            more, seen = chance.randrange(1, 11), before
            while len(seen - before) < more and all(each.poll() is None for each in running):
                seen = seen | set(kept(killed))
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
        chance.shuffle(running)
        for process in running:  # of two, the second one sees for a moment that the first one is gone
            process.kill()
            time.sleep(chance.uniform(0, 0.5) if len(running) > 1 else 0)
        said = [process.communicate()[0] for process in running]
        if all(process.returncode == 0 for process in running):  # it was done before; from the beginning
            check_same(alone, killed)
            shutil.rmtree(killed)
        else:
            assert running[0].returncode in (0, -signal.SIGKILL), "\n".join(said)
        saved += bool(kept(killed))
    finish(commands(killed, True, epochs))
    check_same(alone, killed)
    return saved


def kept(folder: Path) -> list[Path]:
    """What there is to go on from."""
    return [*folder.glob("checkpoints/*/SHA256SUMS"), *folder.glob("parts/*.part")]


def start(command: list[str]) -> subprocess.Popen[str]:
    """A process whose output is kept."""
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(commands: list[list[str]]) -> None:
    """Runs to the end. Raises AssertionError with what it said where that is not a good one."""
    running = [start(command) for command in commands]
    said = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running), "\n".join(said)


def check_same(alone: Path, killed: Path) -> None:
    """The same files, byte for byte; of records all but seconds."""
    names = sorted(path.name for path in alone.iterdir() if path.suffix in (".json", ".safetensors"))
    assert "record.json" in names
    for name in names:
        one, other = ((folder / name).read_bytes() for folder in (alone, killed))
        if name == "record.json":
            one, other = timeless(json.loads(one)), timeless(json.loads(other))
        assert one == other, f"{killed / name} is not {alone / name}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="shared out among the runs")
    parser.add_argument("--seed", type=int, default=0, help="decides when")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS), metavar="RUN")
    parser.add_argument("--epochs", type=int, default=60, help="of a run; with more, fewer are done before a kill")
    parser.add_argument("--population", nargs=2, help=argparse.SUPPRESS)
    choices = parser.parse_args()
    if choices.population is not None:
        train_population(Path(choices.population[0]), int(choices.population[1]))
        return
    for name in choices.only:
        kills = choices.kills // len(choices.only)
        with tempfile.TemporaryDirectory() as folder:
            saved = kill_and_resume(RUNS[name], kills, choices.seed, Path(folder), choices.epochs)
        print(f"{name}: {kills} kills, after {saved} of them something to go on from; the files are the same")


if __name__ == "__main__":
    main()
