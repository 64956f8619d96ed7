"""The race: whole processes, from a cold start to the goal."""

import json
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from experiments.benchmark import cold
from experiments.benchmark.peers.programs import PROGRAMS
from experiments.common import script, tables
from experiments.common.choices import ChoiceError, check_rate, refused


class Entrant(NamedTuple):
    """Who races, and how."""

    program: str
    batch_size: int
    rate: float


def entrant(text: str) -> Entrant:
    """PROGRAM:BATCH_SIZE:RATE. Raises ChoiceError, naming it, where it is not."""
    try:
        name, size, rate = text.split(":")
        found = Entrant(name, int(size), float(rate))
    except ValueError:
        raise ChoiceError(f"race {text} is not PROGRAM:BATCH_SIZE:RATE, such as jaxnet:32:2") from None
    if name not in PROGRAMS or name == "pytorch_compiled" or found.batch_size < 1:
        raise ChoiceError(f"race {text} names no program that races with at least 1 example a step")
    with refused(f"race {text}: "):
        check_rate(found.rate)
    return found


def measure(
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
                command = (
                    f"-m experiments.benchmark.peers.racer {row['program']} --batch-size {row['batch_size']}".split()
                )
                command += [*f"--rate {row['rate']} --seed {seed} --goal {goal} --hidden".split(), *map(str, hidden)]
                started = time.perf_counter()
                row |= json.loads(cold.output(command, folder if row["kept"] else None))
                row["seconds"].append(time.perf_counter() - started)
    for row in rows:
        row["seconds"] = tables.middle(row["seconds"])
    return rows
