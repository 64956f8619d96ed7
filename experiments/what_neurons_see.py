"""What do hidden neurons see, and what does a network make of noise and of labels without sense?

    python -m experiments.what_neurons_see

Shows the first layer's weights as pictures, with their biases, before and after training; the test images that excite
each hidden neuron most; what the network says to noise; and how networks of this size learn images with shuffled labels
next to true ones. Some 40 seconds on two cores. Training makes the weights of neighbouring pixels alike, with a
correlation of 0.66 instead of 0.00. Random pixels are mostly an 8 or a 5 to this network, for 5 % of them with an
activation above 0.9; over --seed 0 to 4 that is 4 to 92 %, and 88 % for real digits. Shuffled labels of 1,000 images
are learnt by heart to 84 % within 300 epochs, half of them after 51 epochs instead of 4, and are of no use: 11 % of the
test images instead of 84 % (means of five networks).
"""

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

import jaxnet
from experiments import drawing, networks, script, tables
from experiments.full_batch_vs_sgd import first_reach


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=lambda: networks.Source(epochs=30))
    """The network that is looked at."""
    shown: int = 8
    """Images to show of those that excite a neuron most."""
    noise: int = 10_000
    """Images of random pixels."""
    memorise: tuple[int, ...] = (100, 300, 1_000)
    """Numbers of training images to learn by heart, with their true labels and with shuffled ones."""
    memory_epochs: int = 300
    """How long they are learnt, in batches of 10."""
    memory_rate: float = 1.0
    """Learning rate for it."""
    seeds: int = 5
    """Initial networks that learn by heart."""


TOP = 100
"""So many images make the statistic of what excites a neuron."""
NEURONS = 16
"""Of each layer at most so many are looked at."""
SURE, UNSURE = 0.9, 0.5
"""The network is sure where its brightest output is above the one, unsure where it is below the other."""
EXAMPLES = 4
"""Images of each kind in the picture of noise."""
HALF = 50.0
"""Learning speed is the number of epochs to this training accuracy in percent."""
LAYERS = ("first", "second")


def run(config: Config, _folder: Path) -> script.Record:
    """Looks at the first weights, at what excites each neuron, at answers to noise, and at learning by heart."""
    script.check_at_least(config, shown=1, noise=1, memory_epochs=1, seeds=1)
    if config.noise > 1_000_000:
        raise ValueError(
            f"noise is {config.noise:,}, some {config.noise * 3e-6:,.0f} GB of pixels; take up to 1,000,000"
        )
    script.check_rate(config.memory_rate)
    subject, before = networks.get(replace(config.network, epochs=0)), None
    n = len(subject.train.images)
    for number in config.memorise:
        if not 1 <= number <= n:
            raise ValueError(f"memorise has {number}; each must be between 1 and {n}, the number of training images")
    if config.network.epochs and config.network.from_file is None:
        subject, before = networks.get(config.network), subject.params
    noise, memory = jax.random.split(jax.random.fold_in(jax.random.key(config.network.seed), 1))

    results: script.Record = {
        "weights": first_weights(subject, before),
        "layers": exciting(subject, config.shown),
        "noise": answers(subject, config.noise, noise),
        "memory": [memorise(config, number, subject, memory) for number in sorted(set(config.memorise))],
    }
    print_findings(results)
    return results


def first_weights(subject: networks.Subject, before: jaxnet.Params | None) -> script.Record:
    """Weights and biases of the first layer, before training where that is known, and after it.

    A pixel that is dark in every training image gives its weights a gradient of exactly zero.
    """
    dark = np.max(subject.train.images, axis=0) == 0
    found: script.Record = {}
    for name, params in (("before", before), ("after", subject.params)):
        if params is not None:
            w, b = (np.asarray(leaf, float) for leaf in params[0])
            found[name] = {
                "weights": np.round(w[:NEURONS], 4),
                "biases": b[:NEURONS],
                "likeness": likeness(w),
            }
    if before is not None:
        kept = np.asarray(before[0].weights == subject.params[0].weights)[:, dark]
        found |= {"dark_pixels": int(dark.sum()), "dark_weights": kept.size, "dark_kept": int(kept.sum())}
    return found


def likeness(weights: np.ndarray) -> float:
    """The correlation between the weight of a pixel and that of its neighbour to the right: zero for noise."""
    pictures = np.stack([drawing.picture(row) for row in weights])
    return float(np.corrcoef(pictures[:, :, :-1].ravel(), pictures[:, :, 1:].ravel())[0, 1])


@functools.partial(jax.jit, static_argnames=("activation", "output"))
def traces(
    params: jaxnet.Params, images: jax.Array, *, activation: jaxnet.Activation, output: jaxnet.Activation
) -> jaxnet.Trace:
    """What every layer holds for each of many images, some of them at a time."""
    look = functools.partial(jaxnet.trace, params, activation=activation, output=output)
    return jax.lax.map(look, images, batch_size=2_000)


def exciting(subject: networks.Subject, shown: int) -> list[script.Record]:
    """For each neuron of the first two hidden layers: the test images that excite it most, and which digits they are.

    The order is that of the weighted sums, for many activations are one when rounded.
    """
    seen = traces(subject.params, jnp.asarray(subject.test.images), **subject.functions)
    labels = np.asarray(subject.test.labels)
    digits = np.unique(labels)
    layers = []
    for z, a in list(zip(seen.weighted_sums, seen.activations, strict=True))[:-1][:2]:
        z, a = np.asarray(z)[:, :NEURONS], np.asarray(a)[:, :NEURONS]
        layer: script.Record = {"neurons": [], "digits": digits}
        for neuron, order in enumerate(np.argsort(-z, axis=0, kind="stable").T):
            first = order[:shown]
            layer["neurons"].append(
                {
                    "mean": a[:, neuron].mean(),
                    "mean_of_digits": [a[labels == digit, neuron].mean() for digit in digits],
                    "top_digits": [np.mean(labels[order[:TOP]] == digit) for digit in digits],
                    "indices": first,
                    "labels": labels[first],
                    "activations": a[first, neuron],
                    "pixels": in_bytes(subject.test.images[first]),
                }
            )
        layers.append(layer)
    return layers


def in_bytes(images: Any) -> np.ndarray:
    """Pixels from 0 to 255, which take less room in the record."""
    return np.round(255 * np.asarray(images)).astype(int)


def answers(subject: networks.Subject, number: int, key: jax.Array) -> dict[str, script.Record]:
    """What the network says, and how sure it is: to random pixels, real digits with shuffled pixels, real digits."""
    random, shuffle = jax.random.split(key)
    real = jnp.asarray(subject.test.images)
    kinds = {
        "random pixels": jax.random.uniform(random, (number, real.shape[1]), real.dtype),
        "shuffled pixels": jax.random.permutation(shuffle, real, axis=1, independent=True),
        "real digits": real,
    }
    found = {}
    for kind, images in kinds.items():
        outputs = np.asarray(traces(subject.params, images, **subject.functions).activations[-1])
        said, brightest = outputs.argmax(axis=1), outputs.max(axis=1)
        counts, edges = np.histogram(brightest, bins=20, range=(min(0, brightest.min()), max(1, brightest.max())))
        found[kind] = {
            "said": np.bincount(said, minlength=outputs.shape[1]) / len(said),
            "brightest": brightest.mean(),
            "deviation": brightest.std(),
            "sure": np.mean(brightest > SURE),
            "unsure": np.mean(brightest < UNSURE),
            "histogram": counts / len(said),
            "edges": edges,
            "examples": [
                {"said": said[i], "activation": brightest[i], "pixels": in_bytes(images[i])}
                for i in range(min(EXAMPLES, len(images)))
            ],
        }
    return found


def memorise(config: Config, number: int, subject: networks.Subject, key: jax.Array) -> script.Record:
    """The first training images learnt twice by the same initial networks: with their true labels and shuffled ones.

    Zhang et al. 2017 (arXiv 1611.03530) and Arpit et al. 2017 (arXiv 1706.05394) did so with large networks.
    """
    start, order, shuffle = jax.random.split(key, 3)
    images, labels = (jnp.asarray(part[:number]) for part in subject.train)
    params = networks.initial(start, jaxnet.sizes_of(subject.params), config.seeds)
    found: script.Record = {"images": number}
    for name, answers in (("true", labels), ("shuffled", jax.random.permutation(shuffle, labels))):
        with script.progress(f"{number} images, {name} labels", config.memory_epochs) as show:
            learnt, history = jaxnet.train_population(
                order,
                params,
                jaxnet.Dataset(images, answers),
                optax.sgd,
                np.full(config.seeds, config.memory_rate, np.float32),
                batch_size=min(10, number),
                epochs=config.memory_epochs,
                progress=show,
            )
        curves = 100 * history.train_accuracy
        found[name] = {
            "epochs": history.epochs,
            "train_accuracy": curves,
            "test_accuracy": 100 * _accuracies(learnt, subject.test),
            "epochs_to_half": [first_reach(history.epochs, curve, HALF) for curve in curves.T],
        }
    return found


@jax.jit
def _accuracies(params: jaxnet.Params, data: jaxnet.Dataset) -> jax.Array:
    return jax.vmap(lambda one: jaxnet.accuracy(one, *data))(params)


def print_findings(results: script.Record) -> None:
    """Tables and sentences, in the order of the pictures."""
    print(about_weights(results["weights"]))
    for name, layer in zip(LAYERS, results["layers"], strict=False):
        print(f"\nThe {name} hidden layer: mean activation, and what the {TOP} test images show that excite it most\n")
        tables.table(
            ["neuron", "mean", "digits (share)"],
            [[f"{i}", f"{neuron['mean']:.2f}", favourites(neuron, layer)] for i, neuron in enumerate(layer["neurons"])],
        )
        purest = 100 * np.mean([max(neuron["top_digits"]) for neuron in layer["neurons"]])
        print(f"\nOn average {purest:.0f} % of a neuron's favourites show the same digit.")
    print("\nWhat the network says (% of the images), and how bright its brightest output is\n")
    digits = [str(digit) for digit in range(len(results["noise"]["real digits"]["said"]))]
    tables.table(
        ["", *digits, "brightest", f"above {SURE:g}", f"below {UNSURE:g}"],
        [
            [
                kind,
                *(f"{100 * share:.1f}" for share in found["said"]),
                f"{found['brightest']:.2f} ± {found['deviation']:.2f}",
                f"{100 * found['sure']:.1f} %",
                f"{100 * found['unsure']:.1f} %",
            ]
            for kind, found in results["noise"].items()
        ],
    )
    if not results["memory"]:
        return
    last = results["memory"][0]["true"]["epochs"][-1]
    looks = sorted({epoch for epoch in (1, 10, 100) if epoch < last} | {int(last)})
    print("\nAccuracy (%), mean ± standard deviation over the networks, on the images that were learnt, after epochs\n")
    tables.table(
        ["images, labels", *map(str, looks), f"epochs to {HALF:g} %", "test images at the end"],
        [
            [
                f"{row['images']:,} {labels}",
                *(tables.percent(row[labels]["train_accuracy"][epoch]) for epoch in looks),
                tables.spread(row[labels]["epochs_to_half"]),
                tables.percent(row[labels]["test_accuracy"]),
            ]
            for row in results["memory"]
            for labels in ("true", "shuffled")
        ],
    )


def about_weights(weights: script.Record) -> str:
    """What training did to the first layer, in words."""
    before, after = (
        f"{round(weights[look]['likeness'], 2) + 0:.2f}" if look in weights else None for look in ("before", "after")
    )
    if before is None:
        return f"First layer: neighbouring pixels have weights that correlate by {after}."
    return (
        f"First layer: weights of neighbouring pixels correlate by {before} before training"
        f" and by {after} after it. {weights['dark_pixels']} pixels are dark in every training image:"
        f" {weights['dark_kept']:,} of their {weights['dark_weights']:,} weights are still what they were."
    )


def favourites(neuron: script.Record, layer: script.Record) -> str:
    """The most frequent digits among the images that excite a neuron most."""
    shares = np.array(neuron["top_digits"])
    return ", ".join(
        f"{layer['digits'][digit]} ({100 * shares[digit]:.0f} %)"
        for digit in np.argsort(-shares, kind="stable")[:3]
        if shares[digit] > 0
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws weights, the images that excite the neurons of each hidden layer, answers to noise, learning by heart."""
    results = record["results"]
    drawn = [draw_patterns(results["weights"], folder / "patterns.png")]
    for number, (name, layer) in enumerate(zip(LAYERS, results["layers"], strict=False), start=1):
        weights = results["weights"]["after"]["weights"] if number == 1 else None
        drawn.append(draw_exciting(name, layer, weights, folder / f"excite_{number}.png"))
    drawn.append(draw_answers(results["noise"], folder / "noise.png"))
    if results["memory"]:
        drawn.append(draw_memory(results["memory"], folder / "shuffled_labels.png"))
    return drawn


def draw_patterns(weights: script.Record, path: Path) -> Path:
    """Each neuron before training and below it after training, each with its bias."""
    looks = [look for look in ("before", "after") if look in weights]
    number = len(weights["after"]["biases"])
    columns = min(8, number)
    rows = len(looks) * -(-number // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.35 * columns + 0.4, 1.75 * rows + 1.0), layout="constrained", squeeze=False
    )
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
        each.spines[:].set_visible(False)
    part = -(-columns // len(looks))
    for offset, look in enumerate(looks):
        scale = drawing.strongest(weights[look]["weights"])
        image: Any = None
        for neuron, (w, b) in enumerate(zip(weights[look]["weights"], weights[look]["biases"], strict=True)):
            each = axes[neuron // columns * len(looks) + offset, neuron % columns]
            image = drawing.pattern(each, w, scale)
            name = "" if offset else f"neuron {neuron}\n"
            each.set_title(name + f"bias {b:.2f}".replace("-", "−"), fontsize=9)
            if neuron % columns == 0:
                each.set_ylabel(f"{look} training", fontsize=9)
        under = axes[:, -part:] if offset else axes[:, :part]
        bar = figure.colorbar(image, ax=under, location="bottom", shrink=0.8, aspect=30, extend="both")
        bar.set_label(f"weight {look} training")
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


def draw_answers(noise: dict[str, script.Record], path: Path) -> Path:
    """A row for each kind of image: some of them, what the network says, how bright its brightest output is."""
    figure = plt.figure(figsize=(12, 2 * len(noise) + 0.8), layout="constrained")
    grid = figure.add_gridspec(len(noise), EXAMPLES + 2, width_ratios=[*[1] * EXAMPLES, 2.4, 2.4])
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
        said, brightest = (figure.add_subplot(grid[row, EXAMPLES + i]) for i in range(2))
        said.bar(range(len(found["said"])), 100 * np.array(found["said"]), color=colour)
        said.set(xticks=range(len(found["said"])), ylim=(0, highest), ylabel="images (%)")
        brightest.stairs(100 * np.array(found["histogram"]), found["edges"], fill=True, color=colour)
        brightest.set(ylabel="images (%)", xlim=(found["edges"][0], found["edges"][-1]))
        note = f"mean {found['brightest']:.2f}\nabove {SURE:g}: {100 * found['sure']:.0f} %"
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


def main() -> None:
    """The command line."""
    script.main("what_neurons_see", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
