"""The sweep towards the goal: a table for each departure, one of all, every point and what was chosen in a picture."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_departures(record: script.Record) -> None:
    """What a run prints as it goes along."""
    for row in record["results"]["departures"]:
        print_departure(row)


def print_departure(row: script.Record) -> None:
    """The sweep of one departure, best first, and what the test images say."""
    points = sorted(row["points"], key=lambda point: -np.mean(point["held_out"]))
    print(f"\nDeparture from the lecture: {row['departure']}\n")
    tables.table(
        ["", "rate", "gain", "training images", "held-out images"],
        [
            [
                point["recipe"],
                f"{point['rate']:g}",
                f"{point['gain']:g}",
                *map(tables.percent, (point["train"], point["held_out"])),
            ]
            for point in points[:5]
        ],
    )
    read = f"{len(row['test'])} new networks read {tables.percent(row['test'])} % of the test images"
    print(f"{len(points)} points; with the best of them {read}", flush=True)
    for name in row["at_an_end"]:
        print(f"The best {name} is the least or greatest that was tried.", flush=True)


def print_tables(record: script.Record) -> None:
    """All departures, and which cross the goal."""
    results = record["results"]
    print("\nTest images (%), mean ± standard deviation over networks that learnt from all training images\n")
    rows = []
    for row in results["departures"]:
        best = row["points"][row["best"]]
        crossed = "yes" if np.mean(row["test"]) >= results["goal"] else "no"
        choice = f"{best['recipe']}, rate {best['rate']:g}, gain {best['gain']:g}"
        rows.append([row["departure"], choice, tables.percent(best["held_out"]), tables.percent(row["test"]), crossed])
    tables.table(["departure", "chosen", "held out", "test", f"{results['goal']:g} %?"], rows)


def figures(record: script.Record, folder: Path) -> list[Path]:
    """To the left every point of the sweeps, to the right what the chosen ones read."""
    results = record["results"]
    departures = results["departures"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    markers = "os^Dv<>ph*"
    # What loses a digit lies far to the left, and would press all others together.
    least = max(min(np.min(row["test"]) for row in departures) - 0.2, results["goal"] - 2.5)
    for index, row in enumerate(departures):
        colour, marker = f"C{index}", markers[index % len(markers)]
        means = np.array([[np.mean(point[name]) for name in ("train", "held_out")] for point in row["points"]])
        left.plot(*means.T, marker, color=colour, markersize=5, alpha=0.8, label=row["departure"])
        test = np.array(row["test"])
        right.plot(test, np.full(len(test), index), ".", color=colour, alpha=0.5)
        deviation = test.std(ddof=1) if len(test) > 1 else 0.0
        right.errorbar(test.mean(), index, xerr=deviation, fmt=marker, color=colour, capsize=4)
        if (test < least).any():
            words = f"◂ {np.sum(test < least)} of {len(test)} below, mean {test.mean():.2f}"
            right.annotate(words, (least, index), (4, 6), textcoords="offset points", color=colour, fontsize=8)
    best, learnt = (
        max(np.mean(point[name]) for row in departures for point in row["points"]) for name in ("held_out", "train")
    )
    left.set(
        xlabel="accuracy on the images learnt from (%)",
        ylabel="accuracy on the images held out (%)",
        title="Every point of the sweeps (mean over its networks)",
        ylim=(best - 2.5, best + 0.2),
    )
    left.set_xlim(best - 2.5, learnt + 0.2)
    left.legend(fontsize=8, loc="upper left")
    right.axvline(results["goal"], color="black", linestyle="--", linewidth=1)
    right.set_xlim(least, max(results["goal"], *(np.max(row["test"]) for row in departures)) + 0.2)
    right.set_yticks(range(len(departures)), [row["departure"] for row in departures])
    right.invert_yaxis()
    right.set(xlabel="test images (%)", title=f"What was chosen, on the test images ({results['goal']:g} % dashed)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return [drawing.save_figure(figure, folder / "ninety_six.png")]
