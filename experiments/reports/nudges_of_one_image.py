"""Two pictures of what one image wants: of pixels, neurons and the last weights, and of the first layer's weights."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

UP, DOWN = "#2166ac", "#b2182b"  # the blue and the red of signed numbers


def draw_one(results: script.Record, config: script.Record, path: Path) -> Path:
    """From left to right: the image and its nudges, the neurons with theirs, the weights of the last layer."""
    sizes, one = results["sizes"], results["one"]
    figure = plt.figure(figsize=(12, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 3.1, 1.7))
    image, nudges = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    image.imshow(drawing.picture(results["activations"][0]), cmap="gray", vmin=0, vmax=1)
    image.axis("off")
    image.set_title(f"the image, a {results['label']}", fontsize=10)
    bar = signed(nudges, one["activations"][0], drawing.strongest(one["activations"][0]))
    nudges.set_title("what it wants of the pixels", fontsize=10)
    figure.colorbar(ax=nudges, location="bottom", label="-dC/da", **bar)
    draw_neurons(figure.add_subplot(grid[:, 1]), results)
    last = figure.add_subplot(grid[:, 2])
    weights = np.array(one["params"][-1]["weights"], float)
    scale = np.abs(weights).max() or 1.0
    drawn = last.imshow(weights, cmap="RdBu", vmin=-scale, vmax=scale, aspect="auto")
    rows, columns = weights.shape
    last.set(yticks=range(rows), xticks=range(0, columns, -(-columns // 8)), ylabel="to output")
    last.set_xlabel("from pixel" if len(sizes) == 2 else f"from neuron of {tables.layer_name(len(sizes) - 2, sizes)}")
    last.set_title("what it wants of the last weights", fontsize=10)
    figure.colorbar(drawn, ax=last, label="-dC/dw", shrink=0.7)
    figure.suptitle(
        f"Test image {config['image']} is a {results['label']}, the network says {results['said']}: what its cost"
        " wants changed (blue: up, red: down)"
    )
    return drawing.save_figure(figure, path)


def signed(axes: Axes, numbers: Any, scale: float) -> dict[str, Any]:
    """Draws one number for each pixel; returns what a colour bar needs."""
    axes.set(xticks=[], yticks=[])
    drawn = drawing.pattern(axes, numbers, scale)
    return {"mappable": drawn, "extend": "both", "ticks": (-scale, 0, scale), "format": "{x:.2g}"}


def draw_neurons(axes: Axes, results: script.Record) -> None:
    """Neurons as bright as they are, an arrow for the nudge of each, and a line for the nudge of each weight."""
    sizes, activations, one = results["sizes"], results["activations"], results["one"]
    heights = [1 - (np.arange(size) + 0.5) / size for size in sizes]
    for layer in range(1, len(sizes)):
        height, a, nudge = heights[layer], np.array(activations[layer]), np.array(one["activations"][layer])
        x, size, longest = np.full(len(a), layer), min(220, 5e4 / len(a) ** 2), np.abs(nudge).max() or 1.0
        low, high = min(0, a.min()), max(1, a.max())
        axes.scatter(x, height, size, a, cmap="gray", vmin=low, vmax=high, edgecolors="0.3", zorder=3)
        reach = 0.065 * nudge / longest
        colours = np.where(nudge > 0, UP, DOWN).tolist()
        in_data_units: Any = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
        axes.quiver(x + 0.11, height - reach / 2, 0 * x, reach, color=colours, zorder=4, **in_data_units)
        label = f"{tables.layer_name(layer, sizes)}\nlongest arrow {longest:.2g}"
        axes.text(layer, 1.01, label, ha="center", va="bottom", fontsize=10)
        if layer > 1:
            weights = np.array(one["params"][layer - 1]["weights"]).ravel()
            share = np.abs(weights) / (np.abs(weights).max() or 1.0)
            ends = np.stack(np.meshgrid(heights[layer - 1], height), axis=-1).reshape(-1, 2)
            lines = [[(layer - 1, start), (layer, end)] for start, end in ends]
            colours = np.where(weights > 0, UP, DOWN).tolist()
            axes.add_collection(LineCollection(lines, colors=colours, linewidths=2.5 * share, alpha=share, zorder=1))
    for digit, (a, y) in enumerate(zip(activations[-1], results["target"], strict=True)):
        weight = "bold" if digit in (results["label"], results["said"]) else "normal"
        text = f"{digit}: {a:.2f} → {y:.0f}"
        axes.text(len(sizes) - 0.8, heights[-1][digit], text, va="center", fontsize=10, weight=weight)
    axes.set(xlim=(0.8, len(sizes) - 0.15), ylim=(0, 1))
    axes.axis("off")


def draw_first_layer(results: script.Record, path: Path, most: int = 16) -> Path:
    """The nudges of the first layer's weights on the pixels: those of one image, and the average."""
    figure = plt.figure(figsize=(12, 6.6), layout="constrained")
    halves: Any = figure.subfigures(1, 2, wspace=0.05)
    titles = {
        "one": f"One image, a {results['label']}: each neuron is to see\nthe image itself, more of it or less",
        "average": f"Average over {results['disagreement']['images']:,} training images:\nwhat is left for each neuron",
    }
    for half, (who, title) in zip(halves, titles.items(), strict=True):
        weights = np.array(results[who]["params"][0]["weights"], float)[:most]
        columns = min(4, len(weights))
        tiles = half.subplots(-(-len(weights) // columns), columns, squeeze=False)
        scale = drawing.strongest(weights)
        bars = [signed(each, row, scale) for each, row in zip(tiles.flat, weights, strict=False)]
        for neuron, each in enumerate(tiles.flat):
            each.axis("off")
            each.set_title(f"neuron {neuron}" if neuron < len(weights) else "", fontsize=9)
        half.suptitle(title, fontsize=11)
        label = "-dC/dw of the first layer (blue: up, red: down)"
        half.colorbar(ax=tiles, location="bottom", shrink=0.8, aspect=40, label=label, **bars[0])
    return drawing.save_figure(figure, path)
