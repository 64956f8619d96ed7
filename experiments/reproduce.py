"""Do the published numbers of this network come out again?

    python -m experiments.reproduce --quick --devices cpu:2

A table of published results, each one configuration of the same pure functions, trained from several starts at once:
published, ours, how near is near enough, and the verdict. --quick takes the rows of up to a minute each on two cores,
four minutes in all; --only names rows, those for an accelerator too; without either all others run, in three quarters
of an hour. Stopped by Ctrl-C, it goes on with --resume.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from tqdm import tqdm

from experiments.common import networks, recipes, script
from experiments.common.choices import ChoiceError, check_at_least, random_key
from experiments.common.saving import Resuming, parts_of
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
    saving: Resuming = field(default_factory=Resuming)


def chosen(config: Config) -> list[Row]:
    """The rows to run. Raises ChoiceError where there is no such row."""
    names = [row.name for row in ROWS]
    for name in config.only:
        if name not in names:
            raise ChoiceError(f"there is no row {name}; there are {', '.join(names)}")
    if config.only:
        return [row for row in ROWS if row.name in config.only]
    times = ("quick",) if config.quick else ("quick", "minutes")
    return [row for row in ROWS if row.time in times]


def run(config: Config, folder: Path) -> script.Record:
    """Trains every recipe that a row asks for, once, and compares."""
    check_at_least(config, seeds=1)
    rows = chosen(config)
    for row in rows:
        if row.recipe == SHALLUE and config.limit is not None:
            raise ChoiceError(f"limit is {config.limit}; row {row.name} takes 12,000 images: leave out one of the two")
    train, test, _ = script.load("mnist", config.limit)
    key, parts = random_key(config.seed), parts_of(folder, config)
    found: list[script.Record] = []
    for name in dict.fromkeys(row.recipe for row in rows):
        seeds = config.seeds or (3 if name == SHALLUE or max(RECIPES[name].hidden) > 300 else 6)
        outcome, seconds = parts(name, timed, name, key, seeds, train, test)
        outcome = outcome if name == SHALLUE else History(**outcome)
        recipe = None if name == SHALLUE else RECIPES[name].facts()
        for row in rows:
            if row.recipe == name:
                found.append(compare(row, outcome) | {"recipe": recipe, "seconds": seconds, "seeds": seeds})
                tqdm.write(f"{row.name}: {found[-1]['verdict']} ({seconds:.0f} s)")
    return {"rows": found}


def timed(name: str, key: jax.Array, seeds: int, train: Dataset, test: Dataset) -> tuple[Any, float]:
    """What is found by the recipe of this name, and how many seconds it took."""
    started = time.perf_counter()
    if name == SHALLUE:
        outcome: Any = shallue(key, seeds, train)
    else:
        outcome = history(name, key, seeds, train, test)._asdict()
    return outcome, time.perf_counter() - started


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
    return fewest_steps(search, doublings(10_000), params, learnt, held_out, order, at_once)


def at_once(_name: str, compute: Callable[..., Any], *arguments: Any) -> Any:
    """Keeps nothing: the whole search is one part."""
    return compute(*arguments)


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
