"""Every experiment with its defaults, one after the other, in the order of the lecture.

    python -m experiments

Results go to results/NAME/ as if each script had been started by hand. Some nine minutes on two cores. Benchmark and
scaling are not among them: they want the machine for themselves; nor are crossover, luck, ninety_six, reproduce
and deep_big_simple, which take their time.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Annotated

import tyro

from experiments.common import tables

ORDER = (
    "train_digits",
    "what_neurons_see",
    "gradient_field",
    "importance",
    "nudges",
    "chain_rule",
    "full_batch_vs_sgd",
    "drunk_walk",
    "steps_to_target",
    "edge_of_stability",
    "explorer",
)


@dataclass(frozen=True)
class Config:
    """The choices."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ORDER
    """Only these."""


def main() -> None:
    """Runs each in a process of its own; exit status 1 where one of them failed."""
    config = tyro.cli(Config, prog="python -m experiments", description=__doc__)
    if not config.only:
        sys.exit(f"error: only is empty; name at least one of {', '.join(ORDER)}, or leave the option out")
    for name in config.only:
        if name not in ORDER:
            sys.exit(f"error: there is no experiment {name}; there are {', '.join(ORDER)}")
    rows = []
    for name in config.only:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        status = subprocess.run([sys.executable, "-m", f"experiments.{name}"], check=False).returncode  # noqa: S603
        seconds = time.perf_counter() - started
        rows.append([name, f"{seconds:.0f} s", "done" if status == 0 else "failed"])
    print()
    tables.table(["", "time", ""], rows)
    if any(row[-1] == "failed" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
