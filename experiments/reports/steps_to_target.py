"""Steps to a goal against the batch size: a table, the conclusion, the curves."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_tables(record: script.Record) -> None:
    """A table, a line for every batch size that did not get there, and the conclusion."""
    results = record["results"]
    rows, perfect = results["rows"], results.get("curve", {}).get("examples", math.nan)
    seeds = len(rows[0]["steps"])
    print(f"To {results['goal']:g} % of the held-out images, mean ± standard deviation over {seeds} networks\n")
    tables.table(
        ["batch size", "best rate", "steps", "times perfect scaling", "examples"],
        [
            [
                f"{row['batch_size']:,}",
                f"{row['rate']:g}",
                tables.spread(steps),
                tables.spread([steps.mean() * row["batch_size"] / perfect], none=""),
                tables.spread(row["batch_size"] * steps),
            ]
            for row in rows
            for steps in [np.array(row["steps"], float)]
        ],
    )
    print()
    for row in rows:
        name = tables.batch_name(row["batch_size"], results["n"]).capitalize()
        if None in row["steps"]:
            print(
                f"{name}: no rate from {row['rates'][0]:g} to {row['rates'][-1]:g} took every network to the goal in"
                f" {row['max_steps']:,} steps; closest was {row['rate']:g}, to a mean of {row['accuracy']:.2f} %."
            )
        elif row["at_end"]:
            print(f"{name}: the best rate, {row['rate']:g}, lies at the end of those tried: start from another --rate.")
    print(conclusion(results))


def conclusion(results: script.Record) -> str:
    """Where the bend and the plateau lie, and what the largest batch is good for, from the numbers."""
    rows = [row for row in results["rows"] if None not in row["steps"]]
    if "curve" not in results:
        return (
            f"{len(rows)} of {len(results['rows'])} batch sizes reached the goal; a curve needs two:"
            " lower --goal or name more --batch-sizes."
        )
    bend, plateau = results["curve"]["bend"], results["curve"]["plateau"]
    small, large = rows[0], rows[-1]
    steps = [np.mean(row["steps"]) for row in (small, large)]
    names = [tables.batch_name(row["batch_size"], results["n"]) for row in (small, large)]
    if bend is None:
        parts = ["No bend shows among these batch sizes."]
    else:
        bends = [each for each in results["bends"] if each is not None] or [bend]
        parts = [
            f"The bend, where steps are {results['departure']:g} times those of perfect scaling, lies at batches of"
            f" {bend:.0f} ({min(bends):.0f} to {max(bends):.0f} over the networks)."
        ]
    parts.append(
        "No plateau shows among these batch sizes."
        if plateau is None
        else f"The plateau begins at batches of {plateau['from']:,}: from there on no doubling saves more than"
        f" {100 * results['saved']:g} % of the steps, some {tables.number(plateau['steps'])} remain."
    )
    parts.append(
        f"{names[1].capitalize()} instead of {names[0]} takes {tables.number(steps[0] / steps[1])} times fewer steps"
        f" and {tables.number(large['batch_size'] * steps[1] / small['batch_size'] / steps[0])} times the examples."
    )
    return " ".join(parts)


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws steps, examples and best rates against the batch size."""
    results = record["results"]
    return [draw_steps(results, folder / "steps.png")] if "curve" in results else []


def draw_steps(results: script.Record, path: Path) -> Path:
    """Steps on the left; on the right the same as examples, and the rates."""
    rows = [row for row in results["rows"] if None not in row["steps"]]
    sizes = np.array([row["batch_size"] for row in rows], float)
    steps = np.array([row["steps"] for row in rows])
    perfect, bend, plateau = (results["curve"][name] for name in ("examples", "bend", "plateau"))
    ends = sizes[[0, -1]]
    figure, axes = plt.subplot_mosaic("aab;aac", figsize=(11.5, 6.5), layout="constrained")
    left, above, below = (axes[name] for name in "abc")

    measured = f"measured, each batch size at its best rate\n(mean and deviation of {steps.shape[1]} networks)"
    draw_spread(left, sizes, steps, label=measured)
    draw_spread(above, sizes, sizes[:, None] * steps)
    left.plot(ends, perfect / ends, "--", color="#0072b2", label=f"perfect scaling: {perfect:,.0f} examples")
    above.axhline(perfect, linestyle="--", color="#0072b2")
    if plateau is not None:
        label = f"plateau: {plateau['steps']:.0f} steps, from batches of {plateau['from']:,} on"
        left.axhline(plateau["steps"], linestyle="-.", color="#009e73", label=label)
        above.plot(ends, plateau["steps"] * ends, "-.", color="#009e73")
    if bend is not None:
        height = np.exp(np.interp(np.log(bend), np.log(sizes), np.log(steps.mean(axis=1))))
        ring = {"markersize": 14, "markeredgewidth": 2.5, "markerfacecolor": "none", "color": "#d55e00"}
        left.plot(
            bend,
            height,
            "o",
            label=f"bend at {bend:.0f}: {results['departure']:g} times the steps of perfect scaling",
            **ring,
        )
        above.plot(bend, bend * height, "o", **ring)
    left.set_ylim(0.5 * steps.min(), 2 * steps.max())
    left.set(ylabel=f"steps to {results['goal']:g} % accuracy on held-out images", title="Steps")
    left.legend(loc="upper right")
    above.set_ylim(0.5 * perfect, 2 * (sizes[:, None] * steps).max())
    above.set(ylabel="examples seen", title="The same, counted in examples")

    tried = [(row["batch_size"], rate) for row in rows for rate in row["rates"]]
    below.plot(*zip(*tried, strict=True), ".", color="grey", markersize=4, label="tried")
    rates = np.array([row["rate"] for row in rows])
    below.plot(sizes, rates, "o-", color="black", markersize=5, label="best")
    below.plot(ends, rates[0] / ends[0] * ends, "--", color="#0072b2", label="in proportion to the batch")
    below.set_ylim(0.6 * min(rate for _, rate in tried), 1.6 * max(rate for _, rate in tried))
    below.set(ylabel="learning rate", title="The best learning rate")
    below.legend(loc="lower right", fontsize=8)
    for each in axes.values():
        each.set(xscale="log", yscale="log", xlabel="batch size (images a step)")
        for axis in (each.xaxis, each.yaxis):
            axis.set_major_formatter(lambda value, _: tables.number(value))
        each.grid(alpha=0.3)
    figure.suptitle("Larger batches save steps up to a point; beyond it they only cost more examples")
    return drawing.save_figure(figure, path)


def draw_spread(axes: Axes, along: np.ndarray, values: np.ndarray, label: str | None = None) -> None:
    """Mean over the networks, with their standard deviation as error bars."""
    deviation = values.std(axis=1, ddof=1) if values.shape[1] > 1 else None
    axes.errorbar(along, values.mean(axis=1), deviation, fmt="o-", color="black", markersize=5, capsize=3, label=label)
