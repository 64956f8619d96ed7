"""The chain rule in numbers: three tables, a sentence, the chain on a blackboard, the paths."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

AGREEMENT = ("product", "jax.grad", "by nudging", "they differ by")

BOARD, CHALK, BRIGHT, PALE = "#22332f", "#f4f1e8", "#f0e442", "#9fb3ab"


def print_tables(record: script.Record) -> None:
    """The chain, the ledger, the sample, and the paths where there are any."""
    results = record["results"]
    print_chain(results["chain"])
    print_ledger(results)
    print_sample(results["sample"])
    if "paths" in results:
        print_paths(results["paths"])


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
    listed = [row["product"] for row in paths["largest"]]
    rest = values.size - len(listed)
    print(f"\nThe {values.size:,} paths from neuron {paths['neuron']} of layer 0 to the cost, largest first\n")
    names = list(paths["largest"][0]["factors"])
    rows = [
        [
            " → ".join(map(str, (paths["neuron"], *row["path"]))),
            *(f"{factor:.6g}" for factor in row["factors"].values()),
            f"{row['product']:+.6e}",
        ]
        for row in paths["largest"]
    ]
    empty = [""] * len(names)
    if rest:
        rows.append([f"the other {rest:,}", *empty, f"{values.sum() - sum(listed):+.6e}"])
    rows += [["sum", *empty, f"{values.sum():+.6e}"], ["dC/da", *empty, f"{paths['dc_da']:+.6e}"]]
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
    """A letter, and the number that it stands for, in a circle."""
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
