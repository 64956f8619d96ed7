"""From a cold process: seconds to a goal, and seconds to compile, with nothing kept from before and with all of it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments import script, tables
from experiments.peers.programs import PROGRAMS


class Entrant(NamedTuple):
    """Who races, and how."""

    program: str
    batch_size: int
    rate: float


def entrant(text: str) -> Entrant:
    """PROGRAM:BATCH_SIZE:RATE. Raises ValueError, naming it, where it is not."""
    try:
        name, size, rate = text.split(":")
        found = Entrant(name, int(size), float(rate))
    except ValueError:
        raise ValueError(f"race {text} is not PROGRAM:BATCH_SIZE:RATE, such as jaxnet:32:2") from None
    if name not in PROGRAMS or name == "pytorch_compiled" or found.batch_size < 1:
        raise ValueError(f"race {text} names no program that races with at least 1 example a step")
    script.check_rate(found.rate)
    return found


def race(
    entrants: Sequence[Entrant], *, goal: float, hidden: Sequence[int], seed: int, repeats: int
) -> list[script.Record]:
    """Whole processes, from their start to the goal, each in turn; jaxnet with and without what it compiled before."""
    rows: list[script.Record] = []
    for each in entrants:
        for kept in (False, True) if each.program == "jaxnet" else (False,):
            rows.append(each._asdict() | {"kept": kept, "seconds": []})
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for row in rows:
                command = f"-m experiments.peers.race {row['program']} --batch-size {row['batch_size']}".split()
                command += [*f"--rate {row['rate']} --seed {seed} --goal {goal} --hidden".split(), *map(str, hidden)]
                started = time.perf_counter()
                row |= json.loads(_output(command, folder if row["kept"] else None))
                row["seconds"].append(time.perf_counter() - started)
    for row in rows:
        row["seconds"] = tables.middle(row["seconds"])
    _print_race(rows, goal)
    return rows


def _print_race(rows: list[script.Record], goal: float) -> None:
    print(f"\nSeconds from the start of a process to {goal:g} % of the test images, least to most.\n")
    best: dict[tuple[str, bool], float] = {}
    lines = []
    for row in rows:
        median, least, most = row["seconds"]
        reached = row["accuracy"] >= goal
        if reached:
            key = row["program"], row["kept"]
            best[key] = min(best.get(key, np.inf), median)
        lines.append(
            [
                PROGRAMS[row["program"]].label + (", compiled before" if row["kept"] else ""),
                f"{row['batch_size']:,}",
                f"{row['rate']:g}",
                f"{row['epochs']}" if reached else "not reached",
                f"{median:.2f} ({least:.2f} to {most:.2f})",
            ]
        )
    tables.table(["program", "batch", "rate", "epochs", "seconds"], lines)
    for (name, _), seconds in best.items():
        if name != "jaxnet" and ("jaxnet", False) in best:
            print(
                f"{PROGRAMS[name].label} takes {seconds / best['jaxnet', False]:.2f} times as long as jaxnet,"
                f" {seconds / best['jaxnet', True]:.2f} times as long as jaxnet that was compiled before"
            )


_COMPILE = """
import jax, optax, jaxnet
train, test = jaxnet.load()
start, order = jax.random.split(jax.random.key(0))
params = jaxnet.init(start)
rate = optax.cosine_decay_schedule(0.25, 30 * 6000)
print(jaxnet.train(order, params, train, optax.sgd(rate), batch_size=10, epochs=1, test=test)[1].compile_seconds)
"""


def compile_times(repeats: int) -> script.Record:
    """Seconds that `train` spends on compiling the default network, in new processes, nothing kept and all kept."""
    found: dict[str, list[float]] = {"new": [], "kept": []}
    with tempfile.TemporaryDirectory() as folder:
        _output(["-c", _COMPILE], folder)
        for _ in range(repeats):
            found["new"].append(float(_output(["-c", _COMPILE], None)))
            found["kept"].append(float(_output(["-c", _COMPILE], folder)))
    seconds = {name: tables.middle(values) for name, values in found.items()}
    print(
        "\nCompiling the default network: {new[0]:.2f} s ({new[1]:.2f} to {new[2]:.2f}); {kept[0]:.2f} s ({kept[1]:.2f}"
        " to {kept[2]:.2f}) where an earlier run has kept what it compiled.".format(**seconds)
    )
    return seconds


def _output(arguments: list[str], kept: str | None) -> str:
    """What a new Python prints that keeps what JAX compiles in this folder, or keeps nothing."""
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "true" if kept else "false"}
    if kept:
        environment |= {"JAX_COMPILATION_CACHE_DIR": kept, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, *arguments]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {found.stderr.strip()[-500:]}")
    return found.stdout
