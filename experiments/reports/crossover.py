"""When the full batch wins: tables for both ends, a map of all machines with the line where the winner changes."""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

COLOURS = ("#d55e00", "#e69f00", "#cc79a7", "#0072b2", "#56b4e9", "#009e73", "#f0e442", "#999999")
"""Of Okabe and Ito, whom the colour-blind can tell apart: warm ones first, for small batches."""


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
    rows, here = results["rows"], results["here"]["parallelism"]
    names = {row["way"]: row["name"] for row in rows}
    full = {row["way"] for row in rows if row["full"]}
    order = [*(way for way in names if way not in full), *(way for way in names if way in full)]
    warm, cold = COLOURS[:3], COLOURS[3:]
    colours = {
        way: (cold if way in full else warm)[i % 3]
        for group in (set(names) - full, full)
        for i, way in enumerate(sorted(group))
    }
    parallelism = np.array(results["maps"]["parallelism"], float)
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.4), layout="constrained", sharey=True)
    for each, goal in zip(axes, ("cost", "accuracy"), strict=True):
        columns = results["maps"][goal]
        sizes = np.array([column["size"] for column in columns], float)
        edges = np.sqrt(sizes[1:] * sizes[:-1]) if len(sizes) > 1 else np.array([])
        outer = (
            [sizes[0] ** 1.5 / edges[0] ** 0.5, sizes[-1] ** 1.5 / edges[-1] ** 0.5]
            if len(edges)
            else [sizes[0] / 2, sizes[0] * 2]
        )
        edges = np.concatenate([outer[:1], edges, outer[1:]])
        for index, column in enumerate(columns):
            for way in [None, *order]:
                inside = np.array([first == way for first in column["first"]])
                if inside.any():
                    choice = (
                        {"color": "white", "hatch": "//", "edgecolor": "0.7"}
                        if way is None
                        else {"color": colours[way]}
                    )
                    each.fill_betweenx(
                        parallelism, edges[index], edges[index + 1], where=inside, linewidth=0, step="mid", **choice
                    )
        line = [np.nan if column["turns"] is None else max(column["turns"], parallelism[0]) for column in columns]
        each.plot(sizes, line, "o-", color="black", markersize=5, markeredgecolor="white", linewidth=2)
        each.axhline(here, color="black", linestyle="--", linewidth=1)
        each.annotate("this machine", (edges[-1], here), (-4, 4), textcoords="offset points", ha="right", fontsize=9)
        each.set(xscale="log", yscale="log", xlim=(edges[0], edges[-1]), ylim=(parallelism[0], parallelism[-1]))
        each.set(xlabel="training images", title=f"First to {goal_in_words(results, goal)}")
        each.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        each.set_xticks([], minor=True)
    axes[0].set_ylabel(
        "P: examples taken in the time of a pass over one\n← none in parallel            any number at once →"
    )
    handles = [Patch(color=colours[way]) for way in order]
    labels = [names[way] for way in order]
    handles += [
        Line2D([], [], color="black", marker="o", markeredgecolor="white", linewidth=2),
        Patch(facecolor="white", hatch="//", edgecolor="0.7"),
    ]
    labels += ["above it the full batch wins", "nobody gets there"]
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return [drawing.save_figure(figure, folder / "crossover.png")]
