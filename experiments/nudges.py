"""What does one image want of every weight, bias and activation, and what is left when many images have their say?

    python -m experiments.nudges

Shows one test image, a 2 that a briefly trained network takes for a 3, and asks what its cost wants: of every output,
and hence of the weights, the biases and the activations before. Then all 60,000 training images are asked the same, and
their wishes averaged. Some fifteen seconds on two cores.

The average is the negative gradient of the cost: they differ by 2e-16 of its length. It is 3 % as long as the wishes
are on average, for the rest cancels, and 26 to 44 % of the images pull against it. With untrained networks, --epochs 0,
78 to 85 % is left and no image pulls against it: all want most outputs darker. (Five seeds each.)
"""

import functools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

import jaxnet
from experiments import drawing, networks, script, tables
from jaxnet.cost import Mean

CHUNK = 500  # images at a time: every one of them has 13,002 wishes, which is what takes memory
UP, DOWN = "#2166ac", "#b2182b"  # the blue and the red of signed numbers


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=networks.Source)
    """The network to look at."""
    image: int = 38
    """Which image of the test set, counted from 0."""
    batch: int | None = None
    """Average over the first so many training images; by default over all of them."""
    strongest: int = 5
    """So many of the strongest nudges are listed."""


def run(config: Config, _folder: Path) -> script.Record:
    """What one image wants, and what is left of it in the average over a batch."""
    script.check_at_least(config, batch=1, strongest=1)
    subject = networks.get(config.network)
    n, sizes = len(subject.train.images), jaxnet.sizes_of(subject.params)
    if config.batch is not None and config.batch > n:
        raise ValueError(f"batch is {config.batch}; it must be between 1 and {n}, the number of training images")
    image, target = networks.example(subject.test, config.image, subject.params)
    images, labels = (part[: config.batch] for part in subject.train)
    with jax.enable_x64(True):
        params, image, target, images, targets = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64),
            (subject.params, image, target, images, jaxnet.one_hot(labels, sizes[-1])),
        )
        activations, one, batch = jax.device_get(
            (
                (image, *jaxnet.trace(params, image, **subject.functions).activations),
                jaxnet.nudges(params, image, target, **subject.functions),
                ask_all(params, images, targets, subject.functions),
            )
        )
        results = {
            "sizes": sizes,
            "label": int(jnp.argmax(target)),
            "said": int(np.argmax(activations[-1])),
            "target": np.asarray(target),
            "activations": [a.astype(np.float32) for a in activations],
            "one": plain(one),
            "average": plain(batch.average),
            "strongest": strongest(one, batch.average, config.strongest),
            "difference": batch.difference,
            "disagreement": disagreement(batch),
            "classes": compare_classes(batch, np.asarray(images), np.asarray(targets)),
        }
    print_one(results, config)
    print_batch(results)
    return results


class Batch(NamedTuple):
    """What the images of a batch want.

    - `average`: of their wishes, and its relative `difference` to the negative gradient of the cost.
    - `by_class`: the average over the images of each class; a leading axis of classes, NaN where there is none.
    - `cosines`, `lengths`: of each image's nudges of weights and biases; the cosine is that with the average.
    """

    average: jaxnet.Nudges
    difference: jax.Array
    by_class: jaxnet.Params
    cosines: jax.Array
    lengths: jax.Array


def ask_all(params: jaxnet.Params, images: jax.Array, targets: jax.Array, functions: dict[str, Any]) -> Batch:
    """The wishes of all the images, together, class by class, and each one beside the average."""
    nudges = functools.partial(jaxnet.nudges, **functions)

    def shares(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> jaxnet.Params:
        """What each class adds to the average; the targets pick out the images of a class."""
        wishes = jax.vmap(nudges, in_axes=(None, 0, 0))(params, images, targets).params
        return jax.tree.map(lambda wish: jnp.tensordot(targets, wish, axes=(0, 0)) / len(images), wishes)

    def beside(params: jaxnet.Params, average: jaxnet.Params, images: jax.Array, targets: jax.Array) -> Any:
        def one(example: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            wish = nudges(params, *example).params
            return jaxnet.cosine(wish, average), optax.tree.norm(wish)

        return jax.lax.map(one, (images, targets), batch_size=min(CHUNK, len(images)))

    def mean(over: Mean) -> Any:
        return jax.jit(jaxnet.in_chunks(over, CHUNK))(params, images, targets)

    average = mean(functools.partial(jaxnet.average_nudges, **functions))
    gradient = mean(jax.grad(functools.partial(jaxnet.cost, **functions)))
    miss = jax.tree.map(jnp.add, average.params, gradient)
    frequency = jnp.mean(targets, axis=0)
    by_class = jax.vmap(lambda share, part: jax.tree.map(lambda leaf: leaf / part, share))(mean(shares), frequency)
    return Batch(
        average,
        optax.tree.norm(miss) / optax.tree.norm(gradient),
        by_class,
        *jax.jit(beside)(params, average.params, images, targets),
    )


def plain(wishes: jaxnet.Nudges) -> script.Record:
    """For the record."""
    single = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), wishes)
    return {"activations": single.activations, "params": [layer._asdict() for layer in single.params]}


def strongest(one: jaxnet.Nudges, average: jaxnet.Nudges, number: int) -> script.Record:
    """The strongest wishes of one image for weights, biases and hidden activations, beside the average of the same."""
    ranking = jaxnet.rank(one.params)
    is_bias = np.asarray(ranking.source) == -1
    found: script.Record = {"weights": [], "biases": [], "hidden activations": []}
    for kind, indices in (("weights", np.flatnonzero(~is_bias)), ("biases", np.flatnonzero(is_bias))):
        for index in indices[:number]:
            layer, neuron, source, wish = (column[index].item() for column in ranking)
            w, b = average.params[layer]
            mean = b[neuron] if source == -1 else w[neuron, source]
            found[kind].append({"layer": layer, "neuron": neuron, "source": source, "wish": wish, "average": mean})
    hidden = [
        {"layer": layer, "neuron": neuron, "wish": wish, "average": average.activations[layer][neuron]}
        for layer, wishes in enumerate(one.activations)
        if 0 < layer < len(one.params)
        for neuron, wish in enumerate(np.asarray(wishes).tolist())
    ]
    found["hidden activations"] = sorted(hidden, key=lambda row: -abs(row["wish"]))[:number]
    return found


def disagreement(batch: Batch) -> script.Record:
    """How far the images point away from their average, and how much of them cancels in it."""
    cosines, lengths = np.asarray(batch.cosines), np.asarray(batch.lengths)
    return {
        "images": len(cosines),
        "against": int(np.sum(cosines < 0)),
        "histogram": np.histogram(cosines, np.linspace(-1, 1, 41))[0],
        "length_of_average": float(optax.tree.norm(batch.average.params)),
        **{
            name: {"mean": values.mean(), "deviation": values.std(), "lowest": values.min(), "highest": values.max()}
            for name, values in (("cosine", cosines), ("length", lengths))
        },
    }


def compare_classes(batch: Batch, images: np.ndarray, targets: np.ndarray, most: int = 3) -> script.Record:
    """What the images of each class want of the outputs' biases, and of the weights that they disagree about most."""
    columns = jax.tree.map(
        lambda by_class, average: np.concatenate([by_class, average[None]]), batch.by_class, batch.average.params
    )
    chosen = []
    for layer, (w, _) in enumerate(columns):
        spread = np.nanstd(w[:-1], axis=0)
        for weight in np.argsort(-spread, axis=None)[:most]:
            neuron, source = (int(index) for index in np.unravel_index(weight, spread.shape))
            chosen.append({"layer": layer, "neuron": neuron, "source": source, "wishes": w[:, neuron, source]})
    last = len(columns) - 1
    biases = [
        {"layer": last, "neuron": neuron, "source": -1, "wishes": wishes}
        for neuron, wishes in enumerate(columns[last].biases.T)
    ]
    counts = np.sum(targets, axis=0)
    pictures = (targets.T @ images / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return {"counts": counts, "pictures": pictures, "rows": [*chosen, *biases]}


def print_one(results: script.Record, config: Config) -> None:
    """What one image wants of the outputs, and most of the rest."""
    sizes, activations, one = results["sizes"], results["activations"], results["one"]
    print(f"\nTest image {config.image} is a {results['label']}; the network says {results['said']}.\n")
    tables.table(
        ["output", "activation", "target", "the cost wants it", "-dC/da"],
        [
            [str(digit), f"{a:.3f}", f"{y:.0f}", "↑ up" if wish > 0 else "↓ down", f"{wish:+.3f}"]
            for digit, (a, y, wish) in enumerate(
                zip(activations[-1], results["target"], one["activations"][-1], strict=True)
            )
        ],
    )
    images = results["disagreement"]["images"]
    for kind in ("weights", "biases", "hidden activations"):
        rows = results["strongest"][kind]
        if rows:
            print(f"\nIts strongest wishes for {kind}, and the average of {images:,} training images for the same\n")
            tables.table(
                ["", "this image", "average"],
                [
                    [
                        networks.place(row, sizes)
                        if "source" in row
                        else networks.named(row["layer"], row["neuron"], sizes),
                        f"{row['wish']:+.4f}",
                        f"{row['average']:+.4f}",
                    ]
                    for row in rows
                ],
            )
    output = int(np.argmax(np.abs(one["params"][-1]["biases"])))
    before, wishes = np.abs(activations[-2]), np.abs(one["params"][-1]["weights"][output])
    bright, dark = int(np.argmax(before)), int(np.argmin(np.where(before > 0, before, np.inf)))
    names = [f"{networks.named(len(sizes) - 2, neuron, sizes)} ({before[neuron]:.2g})" for neuron in (bright, dark)]
    print(
        f"\nBright neurons first: the weight from {names[0]} to output {output} is nudged"
        f" {tables.number(wishes[bright] / wishes[dark])} times as much as that from {names[1]}, for it is"
        f" {tables.number(before[bright] / before[dark])} times as bright."
        f" {np.sum(activations[0] == 0)} of the {sizes[0]} pixels are dark; no weight from them is nudged at all."
    )


def print_batch(results: script.Record) -> None:
    """The average is the negative gradient; the images disagree, and their wishes cancel."""
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
    """Draws the wishes of one image, the first layer of it and of the average, the classes, and the disagreement."""
    results, config = record["results"], record["config"]
    return [
        draw_one(results, config, folder / "one_image.png"),
        draw_first_layer(results, folder / "first_layer.png"),
        draw_classes(results, folder / "classes.png"),
        draw_disagreement(results, folder / "disagreement.png"),
    ]


def draw_one(results: script.Record, config: script.Record, path: Path) -> Path:
    """From left to right: the image and its wishes, the neurons with theirs, the weights of the last layer."""
    sizes, one = results["sizes"], results["one"]
    figure = plt.figure(figsize=(12, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 3.1, 1.7))
    image, wishes = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    image.imshow(drawing.picture(results["activations"][0]), cmap="gray", vmin=0, vmax=1)
    image.axis("off")
    image.set_title(f"the image, a {results['label']}", fontsize=10)
    bar = signed(wishes, one["activations"][0], drawing.strongest(one["activations"][0]))
    wishes.set_title("what it wants of the pixels", fontsize=10)
    figure.colorbar(ax=wishes, location="bottom", label="-dC/da", **bar)
    draw_neurons(figure.add_subplot(grid[:, 1]), results)
    last = figure.add_subplot(grid[:, 2])
    weights = np.array(one["params"][-1]["weights"], float)
    scale = np.abs(weights).max() or 1.0
    drawn = last.imshow(weights, cmap="RdBu", vmin=-scale, vmax=scale, aspect="auto")
    rows, columns = weights.shape
    last.set(yticks=range(rows), xticks=range(0, columns, -(-columns // 8)), ylabel="to output")
    last.set_xlabel("from pixel" if len(sizes) == 2 else f"from neuron of {networks.layer_name(len(sizes) - 2, sizes)}")
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
    """Neurons as bright as they are, an arrow for the wish of each, and a line for the wish of each weight."""
    sizes, activations, one = results["sizes"], results["activations"], results["one"]
    heights = [1 - (np.arange(size) + 0.5) / size for size in sizes]
    for layer in range(1, len(sizes)):
        height, a, wish = heights[layer], np.array(activations[layer]), np.array(one["activations"][layer])
        x, size, longest = np.full(len(a), layer), min(220, 5e4 / len(a) ** 2), np.abs(wish).max() or 1.0
        low, high = min(0, a.min()), max(1, a.max())
        axes.scatter(x, height, size, a, cmap="gray", vmin=low, vmax=high, edgecolors="0.3", zorder=3)
        reach = 0.065 * wish / longest
        colours = np.where(wish > 0, UP, DOWN).tolist()
        in_data_units: Any = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
        axes.quiver(x + 0.11, height - reach / 2, 0 * x, reach, color=colours, zorder=4, **in_data_units)
        label = f"{networks.layer_name(layer, sizes)}\nlongest arrow {longest:.2g}"
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


def draw_classes(results: script.Record, path: Path) -> Path:
    """What the images of each class want, column by column, and the average: biases of the outputs, some weights."""
    classes, sizes = results["classes"], results["sizes"]
    numbers = np.array([row["wishes"] for row in classes["rows"]], float)
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
        for (row, column), wish in np.ndenumerate(numbers[rows]):
            if np.isfinite(wish):
                text = f"{wish:+.{digits}f}" if round(wish, digits) else "0"
                colour = "white" if abs(wish) > 0.55 * scale else "black"
                each.text(column, row, text, ha="center", va="center", color=colour, fontsize=9.5)
        each.axvline(number - 0.5, color="black", linewidth=3)
        each.set_yticks(range(len(rows)), [networks.place(classes["rows"][row], sizes) for row in rows], fontsize=9.5)
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
    left.set(
        xlabel=f"activation that the weight carries ({networks.layer_name(len(sizes) - 2, sizes)})", ylabel="-dC/dw"
    )
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


def main() -> None:
    """The command line."""
    script.main("nudges", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
