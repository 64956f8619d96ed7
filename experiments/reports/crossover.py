"""When the full batch wins: tables for both ends, a map of all machines with the line where the winner changes."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

WARM, COLD = ("#d55e00", "#e69f00", "#cc79a7", "#f0e442"), ("#0072b2", "#56b4e9", "#009e73", "#999999")
"""Of Okabe and Ito, whom the colour-blind can tell apart: for small batches, and for the full batch."""
LINE: dict[str, Any] = {"color": "black", "marker": "o", "markeredgecolor": "white", "markersize": 5, "linewidth": 2}
NOBODY: dict[str, Any] = {"facecolor": "white", "hatch": "//", "edgecolor": "0.7"}


def goal_in_words(results: script.Record, goal: str) -> str:
    """What is to be reached."""
    cost, accuracy = (
        f"cost {results['cost']:g} on the images learnt from",
        f"{results['goal']:g} % of the images held out",
    )
    return cost if goal == "cost" else accuracy


def print_tables(record: script.Record) -> None:
    """Both goals: passes and examples of every way, where the winner changes, and a sentence."""
    results = record["results"]
    for goal in ("cost", "accuracy"):
        for measure in ("passes", "examples"):
            end = "unlimited parallel arithmetic" if measure == "passes" else "none"
            print(
                f"\n{measure.capitalize()} to {goal_in_words(results, goal)}: what counts with {end}; * comes first\n"
            )
            print_measure(results, goal, measure)
    here = results["here"]
    print(
        f"\nOn this machine a pass takes {1e6 * here['fixed']:.1f} µs and {1e6 * here['each']:.3f} µs for each example"
        f" (one network, plain steps): P = {tables.number(here['parallelism'])}."
    )
    for goal in ("cost", "accuracy"):
        print(f"\n{conclusion(results, goal)}")


def print_measure(results: script.Record, goal: str, measure: str) -> None:
    """The fewest of any trial, mean and spread over the networks, for every way and number of images."""
    rows = results["rows"]
    sizes, ways = (list(dict.fromkeys(row[name] for row in rows)) for name in ("size", "way"))
    cells = {(row["size"], row["way"]): fewest(row, goal, measure) for row in rows}
    first = {size: min((np.mean(cells[size, way]), way) for way in ways if (size, way) in cells)[1] for size in sizes}

    def cell(size: int, way: int) -> str:
        if (size, way) not in cells:
            return ""
        star = " *" if first[size] == way and np.isfinite(cells[size, way]).all() else ""
        return tables.spread(cells[size, way], none="not reached") + star

    names = {row["way"]: row["name"] for row in rows}
    tables.table(["images", *(names[way] for way in ways)], [[f"{s:,}", *(cell(s, w) for w in ways)] for s in sizes])


def fewest(row: script.Record, goal: str, measure: str) -> np.ndarray:
    """Of all networks, with the trial that needs fewest in the mean; infinite where none takes all of them there."""
    found = np.array(row[goal][measure], float)
    means = np.where(np.isfinite(found).all(axis=1), found.mean(axis=1), np.inf)
    best = int(means.argmin())
    return found[best] if np.isfinite(means[best]) else np.full(found.shape[1], np.inf)


def conclusion(results: script.Record, goal: str) -> str:
    """For which numbers of images the full batch is first: on this machine, and from which P on."""
    here, rows = results["here"]["parallelism"], results["maps"][goal]
    reached = [row for row in rows if any(way is not None for way in row["first"])]
    if not reached:
        return f"No way came to {goal_in_words(results, goal)}, with any number of images."
    won = [row["size"] for row in reached if row["turns"] is not None and row["turns"] <= here]
    lines = [
        f"{row['size']:,} images: never"
        if row["turns"] is None
        else f"{row['size']:,} images: "
        + ("always" if row["turns"] == 0 else f"from P = {tables.number(row['turns'])} on")
        for row in reached
    ]
    on_this = f"with {', '.join(f'{size:,}' for size in won)} images" if won else "with no number of images"
    return (
        f"To {goal_in_words(results, goal)} the full batch is first, with {'; with '.join(lines)}. On this machine"
        f" (P = {tables.number(here)}) that is {on_this}."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Who comes first, for every number of images and every machine."""
    results = record["results"]
    names = {row["way"]: row["name"] for row in results["rows"]}
    colours = colours_of(results["rows"])
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.4), layout="constrained", sharey=True)
    for each, goal in zip(axes, ("cost", "accuracy"), strict=True):
        draw_map(each, results, goal, colours)
    axes[0].set_ylabel(
        "P: examples taken in the time of a pass over one\n← none in parallel            any number at once →"
    )
    handles = [*(Patch(color=colours[way]) for way in colours), Line2D([], [], **LINE), Patch(**NOBODY)]
    labels = [*(names[way] for way in colours), "above it the full batch wins", "nobody gets there"]
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return [drawing.save_figure(figure, folder / "crossover.png")]


def colours_of(rows: list[script.Record]) -> dict[int, str]:
    """Warm colours for small batches, cold ones for the full batch, in this order."""
    full = dict.fromkeys(row["way"] for row in rows if row["full"])
    small = dict.fromkeys(row["way"] for row in rows if not row["full"])
    return {way: colour for ways, group in ((small, WARM), (full, COLD)) for way, colour in zip(ways, group)}  # noqa: B905


def edges_of(numbers: np.ndarray) -> np.ndarray:
    """The edges of cells around these numbers, halfway between them on a logarithmic axis."""
    logs = np.log(numbers)
    between = (logs[1:] + logs[:-1]) / 2
    if len(between) == 0:
        return np.exp([logs[0] - 1, logs[0] + 1])
    return np.exp([2 * logs[0] - between[0], *between, 2 * logs[-1] - between[-1]])


def draw_map(axes: Axes, results: script.Record, goal: str, colours: dict[int, str]) -> None:
    """Columns of who comes first from the bottom, no parallel arithmetic, to the top, and the line where it changes."""
    here, columns = results["here"]["parallelism"], results["maps"][goal]
    parallelism = np.array(results["maps"]["parallelism"], float)
    sizes = np.array([column["size"] for column in columns], float)
    edges = edges_of(sizes)
    places = {way: place for place, way in enumerate(colours)}
    first = np.array([[places.get(way, -1) for way in column["first"]] for column in columns]).T
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, **NOBODY))
    axes.pcolormesh(
        edges,
        edges_of(parallelism),
        np.ma.masked_less(first, 0),
        cmap=ListedColormap(list(colours.values())),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
    )
    line = [np.nan if column["turns"] is None else max(column["turns"], parallelism[0]) for column in columns]
    axes.plot(sizes, line, **LINE)
    axes.axhline(here, color="black", linestyle="--", linewidth=1)
    axes.annotate("this machine", (edges[-1], here), (-4, 4), textcoords="offset points", ha="right", fontsize=9)
    axes.set(xscale="log", yscale="log", xlim=(edges[0], edges[-1]), ylim=(parallelism[0], parallelism[-1]))
    axes.set(xlabel="training images", title=f"First to {goal_in_words(results, goal)}")
    axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    axes.set_xticks([], minor=True)
