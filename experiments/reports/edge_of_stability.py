"""The sharpness against the edge of stability: two tables, a sentence, the curves."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_tables(record: script.Record) -> None:
    """Where each rate's sharpness began and settled; then the verdict."""
    results = record["results"]
    seeds = len(results["arms"][0]["cost"][0][0])
    for arm in results["arms"]:
        steps, sharpness, cost = (np.array(arm[key]) for key in ("steps", "sharpness", "cost"))
        half = f"steps {steps[len(steps) // 2]} to {steps[-1]}"
        name = tables.batch_name(arm["batch_size"], results["n"])
        print(f"\nSharpness, {name}, mean ± standard deviation over {seeds} networks\n")
        rows = []
        for index, rate in enumerate(results["rates"]):
            share = np.array(arm["settled"][index])
            rows.append(
                [
                    f"rate {rate:g}",
                    f"{2 / rate:.3f}",
                    tables.spread(sharpness[0, index], "{:.3f}".format),
                    tables.spread(share * 2 / rate, "{:.3f}".format),
                    ", ".join(f"{100 * each:.0f}" for each in share),
                    tables.spread(cost[-1, index], "{:.3f}".format),
                ]
            )
        worst = 100 * np.max(np.array(arm["error"])) / np.max(sharpness)
        tables.table(["", "2/rate", "at the start", f"mean of {half}", "in % of 2/rate, each", "cost at the end"], rows)
        print(f"Each is as close to an eigenvalue of the Hessian as {worst:.1f} % of the largest sharpness here.")
    print("\n" + conclusion(results))


def conclusion(results: script.Record, within: float = 0.15) -> str:
    """One sentence, computed from the numbers: which rates settled at the edge."""
    rates = results["rates"]
    full, mini = (np.array(arm["settled"]) for arm in results["arms"])
    at_edge = [f"{rate:g}" for rate, each in zip(rates, full, strict=True) if np.all(abs(each - 1) <= within)]
    below = 100 * (1 - np.mean(mini) / np.mean(full))
    name = tables.batch_name(results["arms"][1]["batch_size"], results["n"])
    return (
        f"With full batches the sharpness of every network settled within {100 * within:.0f} % of 2/rate at"
        f" {len(at_edge)} of {len(rates)} rates{': ' * bool(at_edge)}{' and '.join(at_edge)};"
        f" with {name} it was {abs(below):.0f} % {'lower' if below > 0 else 'higher'}."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Sharpness and cost against steps, one column for each rate."""
    results = record["results"]
    if "rates" not in results:
        return []
    rates = results["rates"]
    figure, axes = plt.subplots(
        2,
        len(rates),
        figsize=(3.6 * len(rates) + 0.6, 6.4),
        layout="constrained",
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    tops = []
    for index, rate in enumerate(rates):
        for arm, (colour, style) in zip(results["arms"], (("#0072b2", "-"), ("#d55e00", "-.")), strict=True):
            for row, key in enumerate(("sharpness", "cost")):
                curves = np.array(arm[key], float)[:, index]
                name = tables.batch_name(arm["batch_size"], results["n"])
                drawing.band(axes[row, index], arm["steps"], curves, style, color=colour, label=name)
            tops.append(np.array(arm["sharpness"], float)[1:, index].max())
        axes[0, index].axhline(2 / rate, color="black", linewidth=1.2, linestyle="--", label="2/rate: the edge")
        axes[0, index].set_title(f"rate {rate:g}: the edge is at {2 / rate:.3g}", fontsize=11)
        axes[1, index].set(xlabel="steps", yscale="log")
    axes[0, 0].set(ylabel="sharpness (largest eigenvalue\nof the Hessian of the cost)")
    axes[0, 0].set_ylim(0, 1.15 * max(*tops, 2 / min(rates)))
    axes[1, 0].set(ylabel="cost on the training images")
    for each in axes.flat:
        each.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    seeds = len(results["arms"][0]["cost"][0][0])
    figure.suptitle(
        f"Sharpness against the edge of stability (line: mean of {seeds} networks, band: lowest to highest)"
    )
    return [drawing.save_figure(figure, folder / "sharpness.png")]
