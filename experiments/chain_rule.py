"""How does a nudge to one weight reach the cost?

    python -m experiments.chain_rule

A ledger of the chain rule, factor by factor, in float64: first for a chain of three neurons, one a layer, then for
weights and biases of the trained network and one test image. Beside the product of the factors stand `jax.grad` and
what a small nudge really does to the cost. In the full network a neuron reaches the cost along 160 paths, which are
listed and summed. Some ten seconds on two cores; products and `jax.grad` of 300 random weights and biases differ by
6.5e-15 at most, relatively, and of the 160 paths from the neuron whose weight matters most a single one makes up 78 %.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

import jaxnet
from experiments import drawing, networks, script, tables
from jaxnet.chain_rule import check_weight

NUDGE = 1e-3
"""At four points so far apart, truncation and rounding spoil the difference of float64 costs about equally."""

AGREEMENT = ("product", "jax.grad", "by nudging", "they differ by")

BOARD, CHALK, BRIGHT, PALE = "#22332f", "#f4f1e8", "#f0e442", "#9fb3ab"


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=networks.Source)
    """The network to look at."""
    image: int = 0
    """Which test image."""
    weights: tuple[str, ...] | None = None
    """What to put into the ledger, each as LAYER:NEURON:SOURCE, layers from 0; the source is a number, or bias. By
    default the weight of each layer that matters most for this image, and the bias that does."""
    sample: int = 300
    """Random weights and biases, besides, whose products are compared with jax.grad."""
    chain_input: float = 0.5
    """What the chain of three neurons is given."""
    chain_target: float = 1.0
    """What it should answer."""


def run(config: Config, _folder: Path) -> script.Record:
    """The chain, the ledger, the sample and the paths."""
    if config.weights == ():
        raise ValueError("weights is empty; name at least one as LAYER:NEURON:SOURCE, or leave the option out")
    chosen = None if config.weights is None else [parse(text) for text in config.weights]
    for name in ("chain_input", "chain_target"):
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be an activation, between 0 and 1")
    subject = networks.get(config.network)
    for weight in chosen or ():
        check_weight(subject.params, *weight)
    check_size(subject.params, config.sample)
    image, target = networks.example(subject.test, config.image, subject.params)
    # The first two keys of this seed made the network and the order of its examples.
    _, _, chain_key, sample_key = jax.random.split(jax.random.key(config.network.seed), 4)
    three = jaxnet.init(chain_key, (1, 1, 1, 1))
    with jax.enable_x64(True):
        params, three, image, target = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, float), (subject.params, three, image, target)
        )
        results: script.Record = {"chain": follow_chain(three, config.chain_input, config.chain_target)}
        print_chain(results["chain"])
        gradient = jax.grad(example_cost)(params, image, target, **subject.functions)
        ranking: Any = jax.tree.map(np.asarray, jaxnet.rank(gradient))
        results |= {
            "image": {
                "index": config.image,
                "label": int(subject.test.labels[config.image]),
                "pixels": np.float32(image),
            },
            "sizes": jaxnet.sizes_of(params),
            "ledger": [
                entry(params, image, target, *weight, gradient, subject.functions)
                for weight in (strongest(ranking, len(params)) if chosen is None else chosen)
            ],
        }
        print_ledger(results)
        results["sample"] = compare(params, image, target, ranking, config.sample, sample_key, subject.functions)
        print_sample(results["sample"])
        if len(params) > 1:
            results["paths"] = follow_paths(params, image, target, strongest(ranking, 1)[0], subject.functions)
            print_paths(results["paths"])
    return results


def parse(text: str) -> tuple[int, int, int | None]:
    """Layer, neuron and source; None for a bias. Raises ValueError where the text does not name them."""
    try:
        layer, neuron, source = text.split(":")
        return int(layer), int(neuron), None if source == "bias" else int(source)
    except ValueError:
        raise ValueError(f"weight {text} is not LAYER:NEURON:SOURCE, such as 0:5:400 or 2:7:bias") from None


def check_size(params: jaxnet.Params, sample: int) -> None:
    """Raises ValueError for a sample, or a number of paths, that this network has not or that could not be stored."""
    n = jaxnet.count_params(params)
    if not 1 <= sample <= n:
        raise ValueError(f"sample is {sample}; it must be between 1 and {n}, the number of weights and biases")
    paths = math.prod(jaxnet.sizes_of(params)[1:])
    if paths > 10_000_000:
        raise ValueError(
            f"there are {paths:,} paths through this network; choose fewer or narrower layers with --hidden"
        )


@functools.partial(jax.jit, static_argnames=("activation", "output"))
def example_cost(params: jaxnet.Params, image: jax.Array, target: jax.Array, **functions: Any) -> jax.Array:
    """The squared error of one example."""
    return jaxnet.cost(params, image[None], target[None], **functions)


def entry(
    params: jaxnet.Params,
    image: jax.Array,
    target: jax.Array,
    layer: int,
    neuron: int,
    source: int | None,
    gradient: jaxnet.Params,
    functions: dict[str, Any],
) -> script.Record:
    """One row of the ledger: three factors, their product, jax.grad, and what a nudge really does."""
    three = jaxnet.factors(params, image, target, layer, neuron, source, **functions)
    w, b = gradient[layer]

    def nudged_cost(amount: float) -> float:
        nudged = networks.nudge(params, layer, neuron, source, amount)
        return float(example_cost(nudged, image, target, **functions))

    product = float(jaxnet.product(three))
    autodiff = float(b[neuron] if source is None else w[neuron, source])
    difference = central_difference(nudged_cost)
    return {
        "weight": f"{layer}:{neuron}:{'bias' if source is None else source}",
        "factors": three._asdict(),
        "product": product,
        "autodiff": autodiff,
        "difference": difference,
        "disagreement": disagreement(product, autodiff, difference),
    }


def central_difference(f: Callable[[float], float]) -> float:
    """The slope of f at 0 from four points: 8 (f(h) - f(-h)) - (f(2h) - f(-2h)) over 12 h, wrong by h^4 only."""
    h = NUDGE
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def disagreement(*numbers: float) -> float:
    """The largest relative difference between any two; none between zeros."""
    largest = max(map(abs, numbers))
    return (max(numbers) - min(numbers)) / largest if largest else 0.0


def strongest(ranking: jaxnet.Ranking, layers: int) -> list[tuple[int, int, int | None]]:
    """The weight of each layer to which the cost answers most, and the bias."""
    weights = [np.flatnonzero((ranking.layer == layer) & (ranking.source >= 0))[0] for layer in range(layers)]
    bias = np.flatnonzero(ranking.source < 0)[0]
    return [weight_in(ranking, row) for row in (*weights, bias)]


def weight_in(ranking: jaxnet.Ranking, row: int) -> tuple[int, int, int | None]:
    """Layer, neuron and source of one row of a ranking; None for a bias."""
    layer, neuron, source = (int(column[row]) for column in ranking[:3])
    return layer, neuron, None if source < 0 else source


def follow_chain(params: jaxnet.Params, x: float, y: float) -> script.Record:
    """Every factor on the way from each weight and bias of a chain of single neurons to the cost."""
    image, target = jnp.array([x], float), jnp.array([y], float)
    functions = {"activation": jaxnet.sigmoid, "output": jaxnet.sigmoid}
    zs, activations = jaxnet.trace(params, image)
    last = len(params) - 1
    gradient = jax.grad(example_cost)(params, image, target, **functions)
    rows = []
    for layer, source in [(layer, source) for layer in range(len(params)) for source in (0, None)]:
        row = entry(params, image, target, layer, 0, source, gradient, functions)
        dz_dw, da_dz = row["factors"]["dz_dw"], row["factors"]["da_dz"]
        factors = {"dz/dw" if source == 0 else "dz/db": dz_dw, f"da{layer}/dz{layer}": da_dz}
        for later in range(layer + 1, len(params)):
            factors[f"dz{later}/da{later - 1}"] = params[later].weights[0, 0]
            factors[f"da{later}/dz{later}"] = jaxnet.sigmoid.derivative(zs[later])[0]
        factors[f"dC/da{last}"] = jaxnet.squared_error.slope(zs[last], target, jaxnet.sigmoid)[0]
        row["weight"] = f"{'b' if source is None else 'w'}{layer}"
        row["factors"] = {name: float(factor) for name, factor in factors.items()}
        row["product"] = math.prod(row["factors"].values())
        row["disagreement"] = disagreement(row["product"], row["autodiff"], row["difference"])
        rows.append(row)
    return {
        "input": x,
        "target": y,
        "weights": [float(layer.weights[0, 0]) for layer in params],
        "biases": [float(layer.biases[0]) for layer in params],
        "weighted_sums": [float(z[0]) for z in zs],
        "activations": [float(a[0]) for a in activations],
        "cost": float(example_cost(params, image, target, **functions)),
        "ledger": rows,
    }


def compare(
    params: jaxnet.Params,
    image: jax.Array,
    target: jax.Array,
    ranking: jaxnet.Ranking,
    number: int,
    key: jax.Array,
    functions: dict[str, Any],
) -> script.Record:
    """Products of factors against jax.grad, for a random sample with about as many from each layer."""
    sizes = np.array([jaxnet.count_params((layer,)) for layer in params])
    chances = jnp.asarray(1 / sizes[ranking.layer] / len(sizes))
    rows = np.asarray(jax.random.choice(key, len(chances), (number,), replace=False, p=chances))
    products = [
        float(jaxnet.product(jaxnet.factors(params, image, target, *weight_in(ranking, row), **functions)))
        for row in rows
    ]
    slopes = ranking.slope[rows].tolist()
    return {
        "number": number,
        "zero": slopes.count(0),
        "worst": max(disagreement(*pair) for pair in zip(products, slopes, strict=True)),
    }


def follow_paths(
    params: jaxnet.Params,
    image: jax.Array,
    target: jax.Array,
    weight: tuple[int, int, int | None],
    functions: dict[str, Any],
    most: int = 6,
) -> script.Record:
    """Every path from the activation of the weight's neuron to the cost; of the largest, each factor."""
    layer, neuron, source = weight
    values = np.asarray(jaxnet.paths(params, image, target, layer, neuron, **functions))
    zs, _ = jaxnet.trace(params, image, **functions)
    largest = np.argsort(-np.abs(values), axis=None, kind="stable")[:most]
    rows = []
    for path in zip(*np.unravel_index(largest, values.shape), strict=True):
        factors = []
        for later, (before, here) in enumerate(pairwise((neuron, *path)), start=layer + 1):
            z = zs[later]
            factors.append(["dz/da", params[later].weights[here, before]])
            if later < len(params) - 1:
                factors.append(["da/dz", functions["activation"].derivative(z)[here]])
            elif functions["output"].derivative(z).ndim == 2:
                # Of softmax all activations answer to the neuron's z; the last two factors are a sum over them.
                factors.append(["dC/dz", jaxnet.squared_error.delta(z, target, functions["output"])[here]])
            else:
                factors.append(["da/dz", functions["output"].derivative(z)[here]])
                factors.append(["dC/da", jaxnet.squared_error.slope(z, target, functions["output"])[here]])
        rows.append({"path": path, "factors": factors, "product": values[path]})
    return {
        "neuron": neuron,
        "source": source,
        "values": values,
        "largest": rows,
        "dc_da": jaxnet.factors(params, image, target, *weight, **functions).dc_da,
    }


def print_chain(chain: script.Record) -> None:
    """A row for each weight and bias, from the input to the output; what they share stands in the same column."""
    print(
        f"\nA chain of three neurons. Input {chain['input']:g}, target {chain['target']:g}, cost {chain['cost']:.6g}\n"
    )
    shared = list(chain["ledger"][0]["factors"])[1:]
    rows = [
        [
            row["weight"],
            f"{next(iter(row['factors'].values())):.6g}",
            *(f"{row['factors'][name]:.6g}" if name in row["factors"] else "" for name in shared),
            *agreement(row),
        ]
        for row in chain["ledger"]
    ]
    tables.table(["", "dz/dw, dz/db", *shared, *AGREEMENT], rows)


def agreement(row: script.Record) -> list[str]:
    """The three ways to the same number, and their largest relative difference."""
    numbers = [row[name] + 0.0 for name in ("product", "autodiff", "difference")]  # no minus zero
    return [*(f"{number:+.6e}" for number in numbers), f"{row['disagreement']:.1e}"]


def print_ledger(results: script.Record) -> None:
    """A row for each chosen weight or bias."""
    layers = "-".join(map(str, results["sizes"]))
    image = results["image"]
    print(f"\nThe network {layers}, test image {image['index']}, a {image['label']}. LAYER:NEURON:SOURCE, from 0\n")

    def cell(factor: Any) -> str:
        return f"{float(factor):.6g}" if np.ndim(factor) == 0 else f"{len(factor)} numbers"

    rows = [[row["weight"], *map(cell, row["factors"].values()), *agreement(row)] for row in results["ledger"]]
    tables.table(["", "dz/dw", "da/dz", "dC/da", *AGREEMENT], rows)


def print_sample(sample: script.Record) -> None:
    """One sentence."""
    print(
        f"\n{sample['number']:,} random weights and biases, {sample['zero']:,} of them with a gradient of zero:"
        f" product and jax.grad differ by at most {sample['worst']:.1e}, relatively."
    )


def print_paths(paths: script.Record) -> None:
    """The largest paths, the rest and the sum."""
    values = np.asarray(paths["values"])
    listed = [float(row["product"]) for row in paths["largest"]]
    rest = values.size - len(listed)
    print(f"\nThe {values.size:,} paths from neuron {paths['neuron']} of layer 0 to the cost, largest first\n")
    names = [name for name, _ in paths["largest"][0]["factors"]]
    rows = [
        [
            " → ".join(map(str, (paths["neuron"], *row["path"]))),
            *(f"{float(factor):.6g}" for _, factor in row["factors"]),
            f"{float(row['product']):+.6e}",
        ]
        for row in paths["largest"]
    ]
    empty = [""] * len(names)
    if rest:
        rows.append([f"the other {rest:,}", *empty, f"{values.sum() - sum(listed):+.6e}"])
    rows += [["sum", *empty, f"{values.sum():+.6e}"], ["dC/da", *empty, f"{float(paths['dc_da']):+.6e}"]]
    tables.table(["through the neurons", *names, "product"], rows)


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws the chain as on a blackboard, and the paths."""
    results = record["results"]
    drawn = [draw_chain(results["chain"], folder / "chain.png")]
    if "paths" in results:
        drawn.append(draw_paths(results, folder / "paths.png"))
    return drawn


def draw_chain(chain: script.Record, path: Path) -> Path:
    """Circles with what they hold, arrows with the factors, and the product spelt out for the first weight."""
    figure, axes = plt.subplots(figsize=(13, 6.3), facecolor=BOARD)
    figure.subplots_adjust(0, 0, 1, 1)
    axes.set(xlim=(-0.9, 14.9), ylim=(-4.3, 3.36), aspect="equal")
    axes.axis("off")

    def write(x: float, y: float, text: str, colour: str = CHALK, size: int = 13, side: str = "center") -> None:
        axes.text(x, y, text, color=colour, ha=side, va="center", fontsize=size)

    ledger = {row["weight"]: row for row in chain["ledger"]}
    first, end = ledger["w0"], 2 + 4 * len(chain["weights"])
    title = "How a nudge to the first weight reaches the cost: every yellow arrow is a factor"
    write(-0.55, 3.0, title, size=15, side="left")
    circle(axes, 0, "x", chain["input"], PALE)
    arrow(axes, (0, 0), (2, 0), PALE)
    for layer, (z, a) in enumerate(zip(chain["weighted_sums"], chain["activations"], strict=True)):
        at = 2 + 4 * layer
        circle(axes, at, f"z_{layer}", z, PALE)
        circle(axes, at + 2, f"a_{layer}", a, CHALK)
        for side, kind, numbers in ((-0.8, "w", chain["weights"]), (0.8, "b", chain["biases"])):
            colour = BRIGHT if kind == "w" and layer == 0 else PALE
            write(at + side, 2.15, f"${kind}_{layer}$ = {short(numbers[layer])}", colour)
            arrow(axes, (at + side, 1.95), (at, 0), colour)
            factor = next(iter(ledger[f"{kind}{layer}"]["factors"].values()))
            write(at + 0.75 * side, 1.2, short(factor), colour, side="right" if side < 0 else "left")
        arrow(axes, (at, 0), (at + 2, 0), BRIGHT)
        arrow(axes, (at + 2, 0), (at + 4, 0), BRIGHT)
    circle(axes, end, "C", chain["cost"], CHALK)
    write(end, 2.15, f"target $y$ = {short(chain['target'])}", PALE)
    arrow(axes, (end, 1.95), (end, 0), PALE)

    symbols = [fraction(*name.split("/")) for name in ("dz0/dw0", *list(first["factors"])[1:])]
    numbers = [short(factor) for factor in first["factors"].values()]
    write(0.5, 1.25, symbols[0], BRIGHT, size=15)
    for step, (symbol, value) in enumerate(zip(symbols[1:], numbers[1:], strict=True)):
        write(3 + 2 * step, 0.42, symbol, BRIGHT, size=15)
        write(3 + 2 * step, -0.42, value, BRIGHT, size=12)
    factors = " × ".join(f"({each})" if each.startswith("−") else each for each in numbers)
    write(-0.55, -1.45, f"{fraction('dC', 'dw0')}  =  {'  '.join(symbols)}", size=18, side="left")
    write(0.13, -2.3, f"=  {factors}  =  {short(first['product'], 6)}", BRIGHT, size=14, side="left")
    others = f"jax.grad:  {short(first['autodiff'], 6)}          by nudging:  {short(first['difference'], 6)}"
    write(-0.55, -3.0, others, size=14, side="left")
    later = [f"{fraction('dC', 'd' + name)} = {short(row['product'])}" for name, row in ledger.items() if name != "w0"]
    write(-0.55, -3.8, "All others share the end of the way:    " + "    ".join(later), PALE, side="left")
    return drawing.save_figure(figure, path)


def short(value: float, digits: int = 3) -> str:
    """A number as chalk writes it."""
    return f"{value:.{digits}g}".replace("-", "−")


def circle(axes: Axes, x: float, name: str, value: float, colour: str) -> None:
    """What a letter holds."""
    axes.add_patch(Circle((x, 0), 0.55, facecolor=BOARD, edgecolor=colour, linewidth=2, zorder=2))
    axes.text(x, 0.17, f"${name}$", color=colour, ha="center", va="center", fontsize=15, zorder=3)
    axes.text(x, -0.2, short(value), color=colour, ha="center", va="center", fontsize=12, zorder=3)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """From one letter to the circle of another."""
    distance = math.dist(start, end)
    tip = end[0] + (start[0] - end[0]) * 0.6 / distance, end[1] + (start[1] - end[1]) * 0.6 / distance
    style = {
        "arrowstyle": "-|>",
        "color": colour,
        "linewidth": 2 if colour == BRIGHT else 1.2,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    axes.annotate("", tip, start, arrowprops=style, zorder=1)


def fraction(above: str, below: str) -> str:
    """A derivative as it is written: dz1/da0 with its indices low."""
    top, bottom = (rf"\partial {part[1]}_{{{part[2:]}}}" for part in (above, below))
    return rf"$\frac{{{top}}}{{{bottom}}}$"


def draw_paths(results: script.Record, path: Path) -> Path:
    """What the paths through each neuron of the next layer to each output add, with the sums along both sides."""
    paths, image = results["paths"], results["image"]
    values = np.array(paths["values"], float)
    number, layers, whole = values.size, values.ndim, values.sum()
    values = values.reshape(len(values) if layers > 1 else 1, -1, values.shape[-1]).sum(axis=1)
    figure, axes = plt.subplots(
        2, 3, figsize=(12, 7), layout="constrained", width_ratios=(2.3, 5, 1.4), height_ratios=(5, 1.3)
    )
    (digit, heat, rows), (below, columns, corner) = axes
    scale = np.abs(values).max() or 1.0
    colours = plt.get_cmap("RdBu")
    shown = heat.imshow(values, cmap=colours, vmin=-scale, vmax=scale, aspect="auto")
    through = "through this neuron of layer 1" + (", and on from there" if layers > 2 else "")
    heat.set(title="what the paths add to dC/da", ylabel=through if layers > 1 else "straight to the outputs")
    if values.size <= 400:
        for (row, column), value in np.ndenumerate(values):
            if abs(value) >= 0.03 * scale:
                colour = "white" if abs(value) > 0.6 * scale else "black"
                heat.text(column, row, short(value, 2), ha="center", va="center", fontsize=8, color=colour)
    for each, sums in ((rows, values.sum(axis=1)), (columns, values.sum(axis=0))):
        draw = each.barh if each is rows else each.bar
        draw(range(len(sums)), sums, color=colours(np.where(sums < 0, 0.15, 0.85)))
    rows.sharey(heat)
    rows.set(xlabel="sums of rows")
    rows.axvline(0, color="black", linewidth=0.8)
    rows.xaxis.set_major_locator(MaxNLocator(2))
    columns.sharex(heat)
    columns.set(xlabel="to this output", ylabel="sums of\ncolumns")
    columns.axhline(0, color="black", linewidth=0.8)
    heat.set(xticks=range(0, values.shape[1], -(-values.shape[1] // 20)))
    heat.set(yticks=range(0, values.shape[0], -(-values.shape[0] // 20)))
    for each in (digit, below, corner):
        each.axis("off")
    pixels = drawing.picture(image["pixels"])
    digit.imshow(pixels, cmap="gray_r")
    y, x, *_ = np.unravel_index(paths["source"], pixels.shape)
    digit.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor="#d55e00", markeredgewidth=2.5)
    digit.set_title(
        f"test image {image['index']}, a {image['label']}\nThe weight from the marked pixel to\n"
        f"neuron {paths['neuron']} matters most in layer 0",
        fontsize=10,
    )
    figure.colorbar(
        shown, cax=below.inset_axes((0, 0.6, 1, 0.15)), location="bottom", label="blue: more of a costs more"
    )
    figure.suptitle(
        f"Neuron {paths['neuron']} of layer 0 reaches the cost along {number:,} paths;"
        f" together they make its dC/da = {short(whole)}"
    )
    return drawing.save_figure(figure, path)


def main() -> None:
    """The command line."""
    script.main("chain_rule", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
