"""Do the published numbers of this network come out again?

    python -m experiments.reproduce --quick --devices cpu:2

A table of published results, each one configuration of the same pure functions, trained from several starts at once:
published, ours, how near is near enough, and the verdict. --quick takes the rows of up to a minute each on two cores,
four minutes in all; --only names rows, those for an accelerator too; without either all others run, in three quarters
of an hour.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from tqdm import tqdm

from experiments.common import networks, recipes, script
from experiments.common.steps_to_goal import Search, doublings, fewest_steps
from experiments.published.rows import RECIPES, ROWS, SHALLUE, Row, best_of_three, curves
from experiments.reports import reproduce as report
from jaxnet import Dataset, History


@dataclass(frozen=True)
class Config:
    """The choices."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW ...")] = ()
    """Only these rows; a name that does not exist lists them all."""
    quick: bool = False
    """Only the rows of up to a minute each on two cores."""
    seeds: int | None = None
    """Networks of each row; by default 6, and 3 of those with more than 300 neurons in a layer."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    limit: int | None = None
    """Only the first so many training and test images; not for Shallue's rows."""


def chosen(config: Config) -> list[Row]:
    """The rows to run. Raises ValueError where there is no such row."""
    names = [row.name for row in ROWS]
    for name in config.only:
        if name not in names:
            raise ValueError(f"there is no row {name}; there are {', '.join(names)}")
    if config.only:
        return [row for row in ROWS if row.name in config.only]
    times = ("quick",) if config.quick else ("quick", "minutes")
    return [row for row in ROWS if row.time in times]


def run(config: Config, _folder: Path) -> script.Record:
    """Trains every recipe that a row asks for, once, and compares."""
    script.check_at_least(config, seeds=1)
    rows = chosen(config)
    for row in rows:
        if row.recipe == SHALLUE and config.limit is not None:
            raise ValueError(f"limit is {config.limit}; row {row.name} takes 12,000 images: leave out one of the two")
    train, test, _ = script.load("mnist", config.limit)
    key = jax.random.key(config.seed)
    found: list[script.Record] = []
    for name in dict.fromkeys(row.recipe for row in rows):
        seeds = config.seeds or (3 if name == SHALLUE or max(RECIPES[name].hidden) > 300 else 6)
        started = time.perf_counter()
        outcome = shallue(key, seeds, train) if name == SHALLUE else history(name, key, seeds, train, test)
        seconds = time.perf_counter() - started
        recipe = None if name == SHALLUE else RECIPES[name].facts()
        for row in rows:
            if row.recipe == name:
                found.append(compare(row, outcome) | {"recipe": recipe, "seconds": seconds, "seeds": seeds})
                tqdm.write(f"{row.name}: {found[-1]['verdict']} ({seconds:.0f} s)")
    return {"rows": found}


def history(name: str, key: jax.Array, seeds: int, train: Dataset, test: Dataset) -> History:
    """That of so many networks that follow the recipe of this name."""
    recipe = RECIPES[name]
    start, order = jax.random.split(key)
    rates = np.full(seeds, recipe.rate, np.float32)
    with script.progress(name, recipe.epochs) as show:
        return recipes.descend(recipe, order, recipe.starts(start, seeds), rates, *recipe.data(train, test), show)[1]


def shallue(key: jax.Array, seeds: int, train: Dataset) -> list[script.Record]:
    """The fewest steps of so many of the lecture's networks at each batch size, with the choices of steps_to_target."""
    start, order = jax.random.split(key)
    params = networks.initial(start, (784, 16, 16, 10), seeds)
    search = Search(goal=85.0, rate=0.25, factor=2.0, max_steps=20_000, max_epochs=500)
    learnt, held_out = recipes.part(train, 0, 10_000), recipes.part(train, 10_000, 12_000)
    return fewest_steps(search, doublings(10_000), params, learnt, held_out, order)


def compare(row: Row, outcome: Any) -> script.Record:
    """One row's numbers: published, ours with their spread, how far apart, and the verdict."""
    values = np.asarray(row.measure(outcome), float)
    if row.statistic == "curve":
        published: Any = curves()[str(row.published)]
        ours = values.mean(axis=1)
        difference = float(np.mean(np.abs(ours - published)))
    else:
        published = float(row.published)
        ours = best_of_three(values) if row.statistic == "best of three" else float(values.mean())
        difference = ours - published
    near, better, finding = abs(difference) <= row.tolerance, "", row.finding
    if not np.isfinite(difference):
        finding = "Some of the networks have no such number: their cost was not finite, or they did not reach the goal."
    elif row.unit in ("accuracy", "error") and row.statistic != "curve":
        better = ", better" if (difference > 0) == (row.unit == "accuracy") else ", worse"
    named = {name: getattr(row, name) for name in ("name", "source", "claim", "tolerance", "why", "statistic", "unit")}
    return named | {
        "published": published,
        "ours": ours,
        "values": values,
        "difference": difference,
        "verdict": "reproduced" if near else f"not reproduced{better}",
        "finding": "" if near else finding,
    }


def main() -> None:
    """The command line."""
    script.main("reproduce", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
