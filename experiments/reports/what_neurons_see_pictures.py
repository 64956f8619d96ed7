"""Pictures of weights, of the images that excite neurons, of answers to noise, of learning by heart."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from experiments.common import drawing, script
from experiments.common.drawing import plt


def draw_patterns(weights: script.Record, path: Path) -> Path:
    """Each neuron before training and below it after training, each with its bias."""
    number = len(weights["after"]["biases"])
    columns = min(8, number)
    times = [when for when in ("before", "after") if when in weights]
    step = len(times)
    rows = step * -(-number // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.35 * columns + 0.4, 1.75 * rows + 1.0), layout="constrained", squeeze=False
    )
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
        each.spines[:].set_visible(False)
    part = -(-columns // step)
    for offset, when in enumerate(times):
        scale = drawing.strongest(weights[when]["weights"])
        image: Any = None
        for neuron, (w, b) in enumerate(zip(weights[when]["weights"], weights[when]["biases"], strict=True)):
            each = axes[neuron // columns * step + offset, neuron % columns]
            image = drawing.pattern(each, w, scale)
            name = "" if offset else f"neuron {neuron}\n"
            each.set_title(name + f"bias {b:.2f}".replace("-", "−"), fontsize=9)
            if neuron % columns == 0:
                each.set_ylabel(f"{when} training", fontsize=9)
        under = axes[:, -part:] if offset else axes[:, :part]
        bar = figure.colorbar(image, ax=under, location="bottom", shrink=0.8, aspect=30, extend="both")
        bar.set_label(f"weight {when} training")
        bar.ax.locator_params(nbins=5)
    figure.suptitle("First layer: blue pixels excite the neuron, red ones silence it")
    return drawing.save_figure(figure, path)


def draw_exciting(name: str, layer: script.Record, weights: Any, path: Path) -> Path:
    """A row for each neuron: its weights if they are given, the images, and its mean activation for each digit."""
    neurons = layer["neurons"]
    images = [[tile(drawing.picture(pixels) / 255, "gray_r") for pixels in neuron["pixels"]] for neuron in neurons]
    height, width, _ = images[0][0].shape
    if weights is not None:
        scale = drawing.strongest(weights)
        for row, numbers in zip(images, weights, strict=True):
            pattern = drawing.picture(numbers) / scale
            row.insert(0, tile((pattern.mean(axis=2) if pattern.ndim == 3 else pattern) / 2 + 0.5, "RdBu"))
    first, columns = int(weights is not None), len(images[0])
    means = np.array([neuron["mean_of_digits"] for neuron in neurons])
    colours = ScalarMappable(Normalize(min(0, means.min()), max(1, means.max())), "cividis")
    cell = width // 2
    cells = colours.to_rgba(means)[:, :, :3].repeat(height, axis=0).repeat(cell, axis=1)
    mosaic = np.hstack([np.vstack([np.hstack(row) for row in images]), np.ones((len(cells), cell, 3)), cells])

    figure, axes = plt.subplots(figsize=(10, 0.9 + 7.7 * mosaic.shape[0] / mosaic.shape[1]), layout="constrained")
    axes.imshow(mosaic, extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    for row, neuron in enumerate(neurons):
        for column, label in enumerate(neuron["labels"], start=first):
            corner = (column * width + 2, row * height + 2)
            axes.text(*corner, str(label), color="#d55e00", fontsize=9, weight="bold", va="top")
    ticks = {first * width / 2: "weights"} if first else {}
    ticks[(first + columns) * width / 2] = "test images that excite it most, with labels"
    ticks |= {columns * width + (i + 1.5) * cell: str(digit) for i, digit in enumerate(layer["digits"])}
    axes.xaxis.tick_top()
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_yticks((np.arange(len(neurons)) + 0.5) * height, [f"neuron {i}" for i in range(len(neurons))])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(colours, ax=axes, shrink=0.5, aspect=30, label="mean activation over all test images of a digit")
    figure.suptitle(f"What excites the neurons of the {name} hidden layer")
    return drawing.save_figure(figure, path)


def tile(values: np.ndarray, colours: str) -> np.ndarray:
    """A picture in colour with a white margin, from numbers between 0 and 1."""
    rgb = values if values.ndim == 3 else colormaps[colours](values)[:, :, :3]
    return np.pad(rgb, ((2, 2), (2, 2), (0, 0)), constant_values=1)


def draw_answers(noise: dict[str, script.Record], sure: float, path: Path) -> Path:
    """A row for each kind of image: some of them, what the network says, how bright its brightest output is."""
    figure = plt.figure(figsize=(12, 2 * len(noise) + 0.8), layout="constrained")
    examples = max(len(found["examples"]) for found in noise.values())
    grid = figure.add_gridspec(len(noise), examples + 2, width_ratios=[*[1] * examples, 2.4, 2.4])
    highest = 110 * max(max(found["said"]) for found in noise.values())
    for row, (kind, found) in enumerate(noise.items()):
        colour, _ = drawing.STYLES[(3, 1, 2)[row]]
        for column, example in enumerate(found["examples"]):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(drawing.picture(example["pixels"]), cmap="gray_r", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"says {example['said']} ({example['activation']:.2f})", fontsize=10)
            if column == 0:
                axes.set_ylabel(kind, fontsize=11)
        said, brightest = (figure.add_subplot(grid[row, examples + i]) for i in range(2))
        said.bar(range(len(found["said"])), 100 * np.array(found["said"]), color=colour)
        said.set(xticks=range(len(found["said"])), ylim=(0, highest), ylabel="images (%)")
        brightest.stairs(100 * np.array(found["histogram"]), found["edges"], fill=True, color=colour)
        brightest.set(ylabel="images (%)", xlim=(found["edges"][0], found["edges"][-1]))
        note = f"mean {found['brightest']:.2f}\nabove {sure:g}: {100 * found['sure']:.0f} %"
        brightest.text(0.03, 0.94, note, transform=brightest.transAxes, va="top")
        brightest.margins(y=0.25)
        if row == 0:
            said.set_title("What it says")
            brightest.set_title("Activation of its brightest output")
        if row == len(noise) - 1:
            said.set_xlabel("digit")
            brightest.set_xlabel("activation")
    figure.suptitle("The network has an answer to noise as well (in brackets: activation of its brightest output)")
    return drawing.save_figure(figure, path)


def draw_memory(memory: list[script.Record], path: Path) -> Path:
    """Accuracy over time for the most images, and at the end for each number of images.

    Mean over the networks as a line, the lowest and highest of them as a band or as error bars.
    """
    most, numbers = memory[-1], [row["images"] for row in memory]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained", sharey=True)
    for labels, (colour, line) in (("true", drawing.STYLES[1]), ("shuffled", drawing.STYLES[3])):
        curves = np.array(most[labels]["train_accuracy"])
        drawing.band(left, most[labels]["epochs"], curves, line, color=colour, label=f"{labels} labels")
        ends = np.array([row[labels]["train_accuracy"][-1] for row in memory])
        tests = np.array([row[labels]["test_accuracy"] for row in memory])
        for values, marker, images in ((ends, "o", "these images"), (tests, "s", "test images")):
            right.errorbar(
                numbers,
                values.mean(axis=1),
                [values.mean(axis=1) - values.min(axis=1), values.max(axis=1) - values.mean(axis=1)],
                fmt=marker + line,
                color=colour,
                markerfacecolor=colour if marker == "o" else "white",
                capsize=3,
                label=f"{labels} labels, {images}",
            )
    left.set(
        xlabel="epochs",
        ylabel="accuracy (%)",
        ylim=(0, 102),
        title=f"{most['images']:,} images being learnt by {curves.shape[1]} networks",
    )
    right.set(
        xscale="log", xlabel="number of images that were learnt", title=f"After {most['true']['epochs'][-1]:g} epochs"
    )
    right.set_xticks(numbers, [f"{number:,}" for number in numbers])
    right.set_xticks([], minor=True)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle("Shuffled labels can only be learnt by heart: more slowly, and of no use for new images")
    return drawing.save_figure(figure, path)
