"""Published numbers and ours: a table, a line for every row, all single numbers and all curves in pictures."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

HOW = {
    "mean": "compared is the mean over the networks",
    "best of three": "compared is the best of three networks, on average over all threes",
    "curve": "compared is the curve of means, by its mean distance from the published one",
}


def print_tables(record: script.Record) -> None:
    """The table, and what was found where a row does not reproduce."""
    rows = record["results"]["rows"]
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
    for what, of_shapes in (("published numbers and curves", False), ("published shapes", True)):
        good = [row["verdict"] == "reproduced" for row in rows if (row["unit"] == "halvings") == of_shapes]
        if good:
            print(f"\n{sum(good)} of {len(good)} {what} reproduced.")


def numbers(row: script.Record) -> list[str]:
    """Published, ours, all our networks, how far apart the first two are, and how far they may be."""
    curve = row["statistic"] == "curve"
    last = -1 if curve else ...
    published, ours, values = (np.asarray(row[name], float)[last] for name in ("published", "ours", "values"))
    difference = np.array(row["difference"], float)
    digits = "{:.3f}".format if row["unit"] == "cost" else "{:.2f}".format
    apart = digits(difference) if curve else f"{difference:+.2f}"
    return [digits(published), digits(ours), tables.spread(values, digits), apart, digits(row["tolerance"])]


def figures(record: script.Record, folder: Path) -> list[Path]:
    """All single numbers in one picture, all curves in another."""
    rows = record["results"]["rows"]
    curves = [row for row in rows if row["statistic"] == "curve"]
    single = [row for row in rows if row["statistic"] != "curve" and row["unit"] in ("accuracy", "error")]
    drawn = [draw_numbers(single, folder / "published.png")] if single else []
    return [*drawn, draw_curves(curves, folder / "curves.png")] if curves else drawn


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
