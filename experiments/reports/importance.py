"""The ranking and its proof: four tables, three sentences, three pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_tables(record: script.Record) -> None:
    """The ranking, and the proof."""
    print_importance(record["results"])
    print_proof(record["results"])


def print_importance(results: script.Record) -> None:
    """The most and the least important weights and biases, and the layers."""
    listed, sizes, zeros = results["listed"], results["sizes"], results["zeros"]
    first = abs(listed[0]["slope"])
    print("\nThe most and the least important weights and biases, all counted from 0\n")
    tables.table(
        ["", "rank", "dC/dw", "over the median", "times less than the first", "images that light the pixel"],
        [
            [
                tables.place(row, sizes),
                f"{row['rank']:,}",
                f"{row['slope']:+.3g}",
                f"{abs(row['slope']) / results['median']:.3g}",
                f"{first / abs(row['slope']):.3g}",
                "" if row["lit"] is None else f"{row['lit']:,}",
            ]
            for row in listed
        ],
    )
    if zeros["number"]:
        print(
            f"\n{zeros['number']:,} more have a derivative of exactly zero: {zeros['explained']:,} of them lead from"
            f" the {zeros['pixels_never_lit']} pixels that no training image lights, so nothing ever goes through them."
            " The median is that of all others."
        )
    print("\nEach layer per weight (root mean square: comparable) and as a whole (length: grows with their number)\n")
    rows = []
    for layer, (rms, length) in enumerate(zip(results["rms"], results["length"], strict=True), start=1):
        cells = [tables.layer_name(layer, sizes)]
        for kind, number in (("weights", sizes[layer - 1] * sizes[layer]), ("biases", sizes[layer])):
            cells += [f"{number:,}", f"{float(rms[kind]):.3g}", f"{float(length[kind]):.3g}"]
        rows.append(cells)
    tables.table(["", "weights", "rms dC/dw", "length", "biases", "rms dC/db", "length"], rows)
    per_weight, whole = (
        float(results[measure][-1]["weights"] / results[measure][0]["weights"]) for measure in ("rms", "length")
    )
    print(
        f"\nA weight of the last layer matters {per_weight:.3g} times as much as one of the first, while the lengths of"
        f" the two layers' gradients differ by a factor of {whole:.3g}."
    )


def print_proof(results: script.Record) -> None:
    """Predicted beside measured at the nudge where they agree best, and the disagreement at all of them."""
    listed, sizes, nudges, best = (results[name] for name in ("listed", "sizes", "nudges", "best"))
    print(f"\nChange of the cost when one of them is nudged by {nudges[best]:g}, all others held constant\n")
    tables.table(
        ["", "predicted: slope times nudge", "measured", "disagreement"],
        [
            [
                tables.place(row, sizes),
                f"{row['predicted'][best]:+.6e}",
                f"{row['measured'][best]:+.6e}",
                f"{100 * row['error'][best]:.2g} %",
            ]
            for row in listed
        ],
    )
    print("\nDisagreement in percent: the smaller the nudge the truer the prediction, until float64 rounds\n")
    tables.table(
        ["nudge", *(f"{nudge:g}" for nudge in nudges)],
        [[tables.place(row, sizes), *(f"{float(f'{100 * error:.2g}'):g}" for error in row["error"])] for row in listed],
    )
    print("\n" + conclusion(results))


def conclusion(results: script.Record) -> str:
    """One sentence, computed from the numbers."""
    listed, sizes, best = (results[name] for name in ("listed", "sizes", "best"))
    first, other = listed[0], next((row for row in listed if row["role"] == "lesser"), listed[-1])
    predicted, measured = (abs(first[change][best] / other[change][best]) for change in ("predicted", "measured"))
    return (
        f"By its slope, {tables.place(first, sizes)} matters {predicted:.4g} times as much as"
        f" {tables.place(other, sizes)};"
        f" nudged by {results['nudges'][best]:g}, it changes the cost {measured:.4g} times as much."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws the sizes layer by layer, the first layer on the pixels, and the proof."""
    results = record["results"]
    return [
        draw_ranking(results, folder / "ranking.png"),
        draw_pixels(results, folder / "pixels.png"),
        draw_proof(results, folder / "proof.png"),
    ]


def draw_ranking(results: script.Record, path: Path) -> Path:
    """All sizes, sorted within their layer; weights on the left, biases on the right."""
    sizes = results["sizes"]
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained", sharey=True, width_ratios=(3, 2))
    for each, kind in zip(axes, ("weights", "biases"), strict=True):
        for layer, (gradient, rms) in enumerate(zip(results["gradient"], results["rms"], strict=True), start=1):
            slopes = np.sort(np.abs(np.array(gradient[kind], float)), axis=None)[::-1]
            share = 100 * (np.arange(len(slopes)) + 0.5) / len(slopes)
            colour, style = drawing.STYLES[layer % len(drawing.STYLES)]
            each.plot(
                share[slopes > 0],
                slopes[slopes > 0],
                style,
                color=colour,
                marker="o" if len(slopes) <= 50 else "",
                markersize=4,
                label=f"{tables.layer_name(layer, sizes)}: {len(slopes):,} {kind}, rms {rms[kind]:.2g}",
            )
            each.axhline(rms[kind], color=colour, linestyle=style, linewidth=0.7, alpha=0.6)
        each.set(yscale="log", ylabel=f"|dC/d{kind[0]}|", xlabel=f"share of the layer's {kind}, largest first (%)")
        each.legend(loc="lower left", fontsize=9)
        each.grid(alpha=0.3)
    ratio = results["rms"][-1]["weights"] / results["rms"][0]["weights"]
    zero = 100 * results["zeros"]["pixels_never_lit"] / sizes[0]
    if zero:
        axes[0].axvspan(100 - zero, 100, color="0.85")
        note = f"{zero:.1f} % of {tables.layer_name(1, sizes)}\nare exactly zero: their\npixels are never lit"
        axes[0].text(97 - zero, 0.35, note, transform=axes[0].get_xaxis_transform(), ha="right", fontsize=9)
    figure.suptitle(
        f"Weight for weight, the outputs matter {ratio:.3g} times as much as the first layer (thin lines: rms)"
    )
    return drawing.save_figure(figure, path)


def draw_pixels(results: script.Record, path: Path, most: int = 16) -> Path:
    """The first layer on the pixels: the root mean square over its neurons, and the gradient of each neuron."""
    gradient = np.array(results["gradient"][0]["weights"], float)
    figure = plt.figure(figsize=(12, 6), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    left, right = halves
    axes = left.subplots()
    rms = drawing.picture(np.sqrt(np.mean(gradient**2, axis=0)))
    rms = rms.mean(axis=2) if rms.ndim == 3 else rms
    high = rms.max()
    image = axes.imshow(np.where(rms > 0, rms, np.nan), cmap="cividis", norm=LogNorm(1e-4 * high, high))
    axes.set_facecolor("0.85")
    axes.set(xlabel="column", ylabel="row")
    axes.set_title("Which pixels' weights matter (grey: no image is ever lit there)", fontsize=11)
    label = f"root mean square of dC/dw over the {len(gradient)} neurons"
    left.colorbar(image, ax=axes, location="bottom", shrink=0.8, aspect=40, label=label, extend="min")
    number = min(len(gradient), most)
    columns = min(4, number)
    tiles = right.subplots(-(-number // columns), columns, squeeze=False)
    scale = drawing.strongest(gradient[:number])
    for neuron, each in enumerate(tiles.flat):
        each.axis("off")
        if neuron < number:
            image = drawing.pattern(each, gradient[neuron], scale)
            each.set_title(f"neuron {neuron}", fontsize=9)
    right.suptitle("dC/dw, neuron by neuron", fontsize=11)
    right.colorbar(
        image,
        ax=tiles,
        location="bottom",
        shrink=0.8,
        aspect=40,
        label="dC/dw: where blue, a larger weight costs more; where red, less",
        extend="both",
        ticks=(-scale, 0, scale),
        format="{x:.2g}",
    )
    return drawing.save_figure(figure, path)


def draw_proof(results: script.Record, path: Path) -> Path:
    """The disagreement of prediction and measurement against the nudge, one line for each weight and bias."""
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    order = np.argsort(results["nudges"])
    nudges = np.array(results["nudges"])[order]
    errors = 100 * np.array([row["error"] for row in results["listed"]], float)[:, order]
    looks = {"most": ("#d55e00", "-", "o"), "lesser": ("#000000", "--", "s"), "least": ("#0072b2", "-.", "^")}
    names = {
        "most": "most important",
        "lesser": f"{results['times']} times less than the first",
        "least": "least important",
    }
    for row, error in zip(results["listed"], errors, strict=True):
        colour, style, marker = looks[row["role"]]
        axes.plot(nudges, error, style, color=colour, marker=marker, markersize=4, label=names.pop(row["role"], None))
    guide = 0.4 * errors[:, -1].min() * nudges / nudges[-1]
    axes.plot(nudges, guide, ":", color="grey", label="error in proportion to the nudge")
    rising = errors[errors[:, 0] > errors[:, min(1, len(nudges) - 1)], 0]
    if rising.size:
        axes.annotate("float64 rounds", (nudges[0], rising.max()), (-4, 8), textcoords="offset points", fontsize=9)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="nudge to one weight or bias")
    axes.set(ylabel="disagreement of predicted and measured (%)")
    axes.set_title("Slope times nudge predicts the change of cost: a tenth of the nudge, a tenth of the error")
    axes.grid(alpha=0.3)
    axes.legend()
    return drawing.save_figure(figure, path)
