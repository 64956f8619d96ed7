"""Does what has been written about this network come out again?

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
import matplotlib.pyplot as plt
import numpy as np
import tyro
from tqdm import tqdm

from experiments import drawing, recipes, script, steps_to_target, tables
from experiments.published import RECIPES, ROWS, SHALLUE, Row, best_of_three, curves
from jaxnet import Dataset


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
    data = script.load("mnist", config.limit)[:2]
    found: list[script.Record] = []
    for name in dict.fromkeys(row.recipe for row in rows):
        of_recipe = [row for row in rows if row.recipe == name]
        seeds = config.seeds or (3 if name == SHALLUE or max(RECIPES[name].hidden) > 300 else 6)
        started = time.perf_counter()
        outcome = descend(name, seeds, config, *data)
        seconds = time.perf_counter() - started
        recipe = None if name == SHALLUE else RECIPES[name].facts()
        for row in of_recipe:
            found.append(compare(row, outcome) | {"recipe": recipe, "seconds": seconds, "seeds": seeds})
            tqdm.write(f"{row.name}: {found[-1]['verdict']} ({seconds:.0f} s)")
    print_rows(found)
    return {"rows": found}


def descend(name: str, seeds: int, config: Config, train: Dataset, test: Dataset) -> Any:
    """The history of so many networks that follow the recipe of this name, or the results of Shallue's script."""
    if name == SHALLUE:
        return steps_to_target.run(steps_to_target.Config(seeds=seeds, seed=config.seed), Path())
    recipe = RECIPES[name]
    start, order = jax.random.split(jax.random.key(config.seed))
    rates = np.full(seeds, recipe.rate, np.float32)
    with script.progress(name, recipe.epochs) as show:
        return recipes.descend(recipe, order, recipe.starts(start, seeds), rates, *recipe.data(train, test), show)[1]


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


def print_rows(rows: list[script.Record]) -> None:
    """The table, and what was found where a row does not reproduce."""
    print(
        "\nPublished and ours; all networks: mean ± standard deviation over initial weights (order of the examples and"
        " distortions are the same for all). Of curves the last point is shown, and their mean distance.\n"
    )
    tables.table(
        ["row", "claim", "published", "ours", "all networks", "apart", "allowed", "verdict"],
        [[row["name"], row["claim"], *numbers(row), row["verdict"]] for row in rows],
    )
    print()
    for row in rows:
        print(
            f"{row['name']} ({row['source']}): {HOW[row['statistic']]}; allowed is {row['tolerance']:g}: {row['why']}."
        )
        if row["verdict"] != "reproduced":
            print(f"    {row['verdict']}. {row['finding']}")
    for what, some in (
        ("published numbers and curves", [row for row in rows if row["unit"] != "halvings"]),
        ("published shapes", [row for row in rows if row["unit"] == "halvings"]),
    ):
        if some:
            good = sum(row["verdict"] == "reproduced" for row in some)
            print(f"\n{good} of {len(some)} {what} reproduced.")


HOW = {
    "mean": "compared is the mean over the networks",
    "best of three": "compared is the best of three networks, on average over all threes",
    "curve": "compared is the curve of means, by its mean distance from the published one",
}


def numbers(row: script.Record) -> list[str]:
    """Published, ours, all our networks, how far apart the first two are, and how far they may be."""
    curve = row["statistic"] == "curve"
    last = -1 if curve else ...
    published, ours, values = (np.asarray(row[name], float)[last] for name in ("published", "ours", "values"))
    digits = "{:.3f}".format if row["unit"] == "cost" else "{:.2f}".format
    apart = digits(row["difference"]) if curve else f"{row['difference']:+.2f}"
    return [digits(published), digits(ours), tables.spread(values, digits), apart, digits(row["tolerance"])]


def figures(record: script.Record, folder: Path) -> list[Path]:
    """All single numbers in one picture, all curves in another."""
    rows = record["results"]["rows"]
    single = [row for row in rows if row["statistic"] != "curve" and row["unit"] in ("accuracy", "error")]
    drawn_curves = [row for row in rows if row["statistic"] == "curve"]
    drawn = []
    if single:
        drawn.append(draw_numbers(single, folder / "published.png"))
    if drawn_curves:
        drawn.append(draw_curves(drawn_curves, folder / "curves.png"))
    return drawn


def draw_numbers(rows: list[script.Record], path: Path) -> Path:
    """Errors, the published one and those of our networks, row below row."""
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.42 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        accuracy = row["unit"] == "accuracy"
        values = np.array(row["values"], float)
        published, ours = np.array([row["published"], row["ours"]], float)
        if accuracy:
            published, ours, values = 100 - published, 100 - ours, 100 - values
        good = row["verdict"] == "reproduced"
        colour = "#009e73" if good else "#d55e00"
        low, high = (max(0.01, published + sign * row["tolerance"]) for sign in (-1, 1))
        axes.plot([low, high], [place, place], color="#bbbbbb", linewidth=9, solid_capstyle="butt", zorder=0)
        axes.plot(values, np.full(len(values), place), ".", color=colour, alpha=0.4, zorder=2)
        error = values.std(ddof=1) if len(values) > 1 else 0.0
        axes.errorbar(values.mean(), place, xerr=error, fmt="none", color=colour, capsize=3, zorder=3)
        axes.plot(ours, place, "o" if good else "D", color=colour, zorder=3)
        axes.plot(published, place, "x", color="black", markersize=9, markeredgewidth=2, zorder=4)
    axes.plot([], [], "x", color="black", markersize=9, markeredgewidth=2, label="published")
    axes.plot([], [], color="#bbbbbb", linewidth=9, label="near enough")
    axes.plot([], [], "o", color="#009e73", label="ours, reproduced")
    axes.plot([], [], "D", color="#d55e00", label="ours, not reproduced")
    axes.errorbar(
        [], [], xerr=[], fmt="none", color="#777777", capsize=3, label="all our networks, ± standard deviation"
    )
    axes.set(xscale="log", xlabel="error (%)", title="Published and reproduced")
    ticks = [
        tick for tick in (0.3, 0.5, 1, 2, 3, 5, 10, 20, 50, 90) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]
    ]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [f"{row['claim']} ({row['source'].split(',')[0]})" for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="best", fontsize=8)
    return drawing.save_figure(figure, path)


def draw_curves(rows: list[script.Record], path: Path) -> Path:
    """Epoch by epoch, one picture for each curve."""
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(4.2 * columns, 3.1 * lines), layout="constrained", squeeze=False
    )
    for axes, row in zip(grid.flat, rows, strict=False):
        published, values = np.array(row["published"], float), np.array(row["values"], float)
        epochs = np.arange(1, len(published) + 1)
        axes.plot(epochs, published, "--", color="black", label="published")
        drawing.band(axes, epochs, values, "-", color="#0072b2", label="ours, mean and range")
        good = row["verdict"] == "reproduced"
        axes.set_title(f"{row['claim']}\n{row['verdict']}", fontsize=9, color="black" if good else "#d55e00")
        axes.set(xlabel="epoch", ylabel=row["unit"] + (" (%)" if row["unit"] == "accuracy" else ""))
        axes.grid(alpha=0.3)
    for axes in grid.flat[len(rows) :]:
        axes.axis("off")
    grid[0, 0].legend(fontsize=8)
    return drawing.save_figure(figure, path)


def main() -> None:
    """The command line."""
    script.main("reproduce", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
