"""What one image wants and what is left in the average: four tables, three sentences, four pictures."""

import math
from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt
from experiments.reports.nudges_of_one_image import draw_first_layer, draw_one


def print_tables(record: script.Record) -> None:
    """What one image wants, and what is left of it in the average."""
    results = record["results"]
    print(f"\nTest image {record['config']['image']} is a {results['label']}; the network says {results['said']}.\n")
    print_outputs(results)
    print_strongest(results)
    print_bright(results)
    print_batch(results)


def print_outputs(results: script.Record) -> None:
    """A row for each output."""
    outputs = zip(results["activations"][-1], results["target"], results["one"]["activations"][-1], strict=True)
    tables.table(
        ["output", "activation", "target", "the cost wants it", "-dC/da"],
        [
            [str(digit), f"{a:.3f}", f"{y:.0f}", "↑ up" if nudge > 0 else "↓ down", f"{nudge:+.3f}"]
            for digit, (a, y, nudge) in enumerate(outputs)
        ],
    )


def print_strongest(results: script.Record) -> None:
    """The strongest nudges of weights, biases and hidden activations, beside the average of the same."""
    sizes, images = results["sizes"], results["disagreement"]["images"]
    for kind, rows in results["strongest"].items():
        if not rows:
            continue
        print(f"\nIts strongest nudges of {kind}, and the average over {images:,} training images of the same\n")
        places = [
            tables.place(row, sizes) if "source" in row else tables.named(row["layer"], row["neuron"], sizes)
            for row in rows
        ]
        tables.table(
            ["", "this image", "average"],
            [
                [place, f"{row['nudge']:+.4f}", f"{row['average']:+.4f}"]
                for place, row in zip(places, rows, strict=True)
            ],
        )


def print_bright(results: script.Record) -> None:
    """Weights are nudged in proportion to the activation that they carry."""
    sizes, last = results["sizes"], results["one"]["params"][-1]
    output = int(np.argmax(np.abs(last["biases"])))
    before, nudges = np.abs(results["activations"][-2]), np.abs(last["weights"][output])
    bright, dark = int(np.argmax(before)), int(np.argmin(np.where(before > 0, before, np.inf)))
    names = [f"{tables.named(len(sizes) - 2, neuron, sizes)} ({before[neuron]:.2g})" for neuron in (bright, dark)]
    print(
        f"\nBright neurons first: the weight from {names[0]} to output {output} is nudged"
        f" {tables.number(nudges[bright] / nudges[dark])} times as much as that from {names[1]}, for its activation is"
        f" {tables.number(before[bright] / before[dark])} times as large."
        f" {results['activations'][0].count(0)} of the {sizes[0]} pixels are zero;"
        " no weight from them is nudged at all."
    )


def print_batch(results: script.Record) -> None:
    """The average is the negative gradient; the images disagree, and their nudges cancel."""
    found = results["disagreement"]
    images, whole, mean = found["images"], found["length_of_average"], found["length"]["mean"]
    print(
        f"\nThe average over {images:,} training images is the negative gradient of their cost:"
        f" relative difference {results['difference']:.1e}.\n"
    )
    tables.table(
        ["nudges of weights and biases, image by image", "mean", "standard deviation", "lowest", "highest"],
        [
            [name, *(f"{value:.3f}" for value in found[key].values())]
            for name, key in (("cosine with the average", "cosine"), ("length", "length"))
        ],
    )
    print(
        f"\nThe average has length {whole:.3f}, {100 * whole / mean:.0f} % of the mean length: the rest cancels."
        f" {found['against']:,} of the {images:,} images pull against it (cosine below zero): a small step that is best"
        " for all makes their own cost larger."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws the nudges of one image, the first layer of it and of the average, the classes, and the disagreement."""
    results, config = record["results"], record["config"]
    return [
        draw_one(results, config, folder / "one_image.png"),
        draw_first_layer(results, folder / "first_layer.png"),
        draw_classes(results, folder / "classes.png"),
        draw_disagreement(results, folder / "disagreement.png"),
    ]


def draw_classes(results: script.Record, path: Path) -> Path:
    """What the images of each class want, column by column, and the average: biases of the outputs, some weights."""
    classes, sizes = results["classes"], results["sizes"]
    numbers = np.array([row["nudges"] for row in classes["rows"]], float)
    layers = np.array([row["layer"] + (row["source"] == -1) for row in classes["rows"]])
    number = numbers.shape[1] - 1
    blocks = [np.flatnonzero(layers == layer) for layer in np.unique(layers)[::-1]]
    figure, axes = plt.subplots(
        len(blocks),
        1,
        figsize=(12, 2.2 + 0.33 * len(numbers)),
        layout="constrained",
        squeeze=False,
        height_ratios=[len(rows) for rows in blocks],
    )
    for each, rows in zip(axes.flat, blocks, strict=True):
        scale = np.nanmax(np.abs(numbers[rows])) or 1.0
        drawn = each.imshow(numbers[rows], cmap="RdBu", vmin=-scale, vmax=scale, aspect="auto")
        digits = max(3, 1 - math.floor(math.log10(scale)))
        for (row, column), nudge in np.ndenumerate(numbers[rows]):
            if np.isfinite(nudge):
                text = f"{nudge:+.{digits}f}" if round(nudge, digits) else "0"
                colour = "white" if abs(nudge) > 0.55 * scale else "black"
                each.text(column, row, text, ha="center", va="center", color=colour, fontsize=9.5)
        each.axvline(number - 0.5, color="black", linewidth=3)
        each.set_yticks(range(len(rows)), [tables.place(classes["rows"][row], sizes) for row in rows], fontsize=9.5)
        each.set_xticks([])
        figure.colorbar(drawn, ax=each, ticks=(-scale, 0, scale), format="{x:.2g}", pad=0.01, aspect=3 * len(rows))
    top, tall = axes.flat[0], 2 / len(blocks[0])  # in heights of the first block
    for column, (mean, count) in enumerate(zip(classes["pictures"], classes["counts"], strict=True)):
        inset = top.inset_axes((column / (number + 1), 1.02, 1 / (number + 1), tall))
        inset.axis("off")
        inset.set_title(f"{count:,.0f}", fontsize=9.5)
        if count:
            inset.imshow(drawing.picture(mean), cmap="gray_r", vmin=0)
        inset.text(-0.2, 1.04, "" if column else "images", transform=inset.transAxes, ha="right", fontsize=9.5)
    top.text(number, -0.7, "average\nof all", ha="center", va="bottom")
    figure.suptitle(
        "What the images of each digit want of some biases and weights (-dC/db, -dC/dw), and what is left of it"
    )
    return drawing.save_figure(figure, path)


def draw_disagreement(results: script.Record, path: Path) -> Path:
    """Nudges of weights in proportion to the activation; cosines of each image's nudges with the average."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    sizes, a, last = results["sizes"], np.array(results["activations"][-2]), results["one"]["params"][-1]
    for rank, output in enumerate(np.argsort(-np.abs(last["biases"]))[:4]):
        colour, style = drawing.STYLES[rank]
        left.axline((0, 0), slope=last["biases"][output], color=colour, linestyle=style, linewidth=0.8)
        left.plot(a, last["weights"][output], "o^sD"[rank], color=colour, markersize=5, label=f"to output {output}")
    left.set(xlabel=f"activation that the weight carries ({tables.layer_name(len(sizes) - 2, sizes)})", ylabel="-dC/dw")
    left.set_title("One image: weights from bright neurons are nudged most", fontsize=10)
    left.legend()
    found, edges = results["disagreement"], np.linspace(-1, 1, 41)
    right.stairs(found["histogram"], edges, fill=True, color="#0072b2")
    right.axvline(found["cosine"]["mean"], color="#d55e00", linestyle="--", label=f"mean {found['cosine']['mean']:.2g}")
    right.set(xlabel="cosine of one image's nudges with the average", ylabel="training images", xlim=(-1, 1))
    lengths = f"{found['length']['mean']:.2g} average to one of {found['length_of_average']:.2g}"
    right.set_title(f"{found['images']:,} images: nudges of mean length {lengths}", fontsize=10)
    right.legend()
    for each in (left, right):
        each.grid(alpha=0.3)
    return drawing.save_figure(figure, path)
