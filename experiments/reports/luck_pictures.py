"""The picture of a thousand networks: accuracies, half against half, starts against orders, and lost digits."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.common import drawing, script
from experiments.common.drawing import plt

BLACK, BLUE, _, RED, *_ = (colour for colour, _ in drawing.STYLES)


def told(interval: list[Any]) -> str:
    """A number and its interval; null in a record is no number."""
    value, low, high = (math.nan if each is None else each for each in interval)
    return "none" if math.isnan(value) else f"{value:.2f} ({low:.2f} to {high:.2f})"


def variance_shares(crossed: script.Record) -> np.ndarray:
    """Of start, order and the rest; estimates below zero count as zero."""
    parts = np.maximum([crossed["start"]["variance"], crossed["order"]["variance"], crossed["rest"]], 0)
    return parts / (parts.sum() or 1.0)


def draw(results: script.Record, path: Path) -> Path:
    """As many panels as there are results."""
    panels: list[Callable[[Axes, script.Record], None]] = [draw_accuracies, draw_halves]
    panels += [draw_crossed] if results["crossed"] and results["crossed"]["rest"] is not None else []
    panels += [draw_lost] if results["lost"] else []
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(12, 4.8 * rows), layout="constrained", squeeze=False)
    for draw_panel, axes in zip(panels, grid.flat, strict=False):
        draw_panel(axes, results)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    return drawing.save_figure(figure, path)


def draw_accuracies(axes: Axes, results: script.Record) -> None:
    """How many networks read how much; those that lose a digit lie far to the left, and are only told."""
    many, goal = results["many"], results["goal"]
    test, keeps = np.array(many["test"]), ~np.array(many["loses"])
    shown = test[keeps] if keeps.any() else test
    one = 100 / results["tested"]  # image more or less: as many possible values in each bin
    width = one * max(1, round(np.ptp(shown) / one / 40))
    axes.hist(shown, bins=np.arange(shown.min() - one / 2, shown.max() + width, width), color=BLUE, alpha=0.6)
    for name, level, style in (("5 %", 0.05, ":"), ("median", 0.5, "-"), ("95 %", 0.95, "-.")):
        place = np.quantile(test, level)
        if place >= shown.min():
            label = f"{name} read less than {place:.2f} %" if level != 0.5 else f"{name} {place:.2f} %"
            axes.axvline(place, color=BLACK, linestyle=style, linewidth=1, label=label)
    axes.axvline(goal, color=RED, linestyle="--", label=f"{goal:g} %: {100 * many['reach'][0]:.3g} % read so much")
    most = max(goal, shown.max())
    edge = 0.04 * (most - shown.min())
    axes.set_xlim(shown.min() - edge, most + edge)
    axes.margins(y=0.45)  # room for the legend
    note = "" if keeps.all() else f"\n{np.sum(~keeps)} that lose a digit are not shown"
    title = f"{len(test):,} networks from as many starts{note if keeps.any() else ''}"
    axes.set(xlabel="test images (%)", ylabel="networks", title=title)
    axes.legend(fontsize=8, loc="upper left")


def draw_halves(axes: Axes, results: script.Record) -> None:
    """One half of the test images against the other."""
    many, keeps = results["many"], ~np.array(results["many"]["loses"])
    even, odd = (np.array(many[name])[keeps] for name in ("even", "odd"))
    axes.plot(even, odd, ".", color=BLUE, markersize=5, alpha=0.5, markeredgewidth=0)
    if keeps.any():
        axes.axvline(even.mean(), color="0.5", linewidth=1, label="means")
        axes.axhline(odd.mean(), color="0.5", linewidth=1)
        for chosen, marker, colour, size, name in ((even, "o", RED, 7, "even"), (odd, "s", BLACK, 10, "odd")):
            best, hollow = np.argmax(chosen), {"markerfacecolor": "none", "linestyle": "none", "markersize": size}
            axes.plot(even[best], odd[best], marker, color=colour, label=f"best on {name} numbers", **hollow)
        axes.margins(y=0.15)
        axes.legend(fontsize=8, loc="upper left")
    axes.set(xlabel="even-numbered test images (%)", ylabel="odd-numbered test images (%)")
    axes.set_title(f"Does luck hold on other images? r = {told(results['halves']['r'])}")
    axes.grid(alpha=0.3)


def draw_crossed(axes: Axes, results: script.Record) -> None:
    """Every start in every order, both sorted by their means."""
    crossed = results["crossed"]
    table = np.array(crossed["table"])[np.array(crossed["keeps"])]
    table = table[np.argsort(table.mean(axis=1))][:, np.argsort(table.mean(axis=0))]
    shown = axes.imshow(table, cmap="cividis", origin="lower", aspect="auto")
    plt.colorbar(shown, ax=axes, label="test images (%)")
    axes.set(xlabel="orders of the examples, the best to the right", ylabel="starts, the best at the top")
    axes.set(xticks=[], yticks=[])
    shares = (f"{100 * share:.0f} %" for share in variance_shares(crossed))
    axes.set_title("Of the variance: start {}, order {}, the rest {}".format(*shares))


def draw_lost(axes: Axes, results: script.Record) -> None:
    """How many lose a digit, against the initial scale, for each batch size."""
    cells = results["lost"]
    sizes = list(dict.fromkeys(cell["batch_size"] for cell in cells))
    for index, (size, (colour, style)) in enumerate(zip(sizes, drawing.STYLES[1:], strict=False)):
        own = [cell for cell in cells if cell["batch_size"] == size]
        gains = np.array([cell["gain"] for cell in own]) * 1.04 ** (2 * index - 1)  # beside one another
        value, low, high = 100 * np.array([cell["losing"] for cell in own]).T
        around, label = [value - low, high - value], f"batches of {size}"
        axes.errorbar(gains, value, around, fmt="os"[index % 2] + style, color=colour, capsize=4, label=label)
    ticks = sorted({cell["gain"] for cell in cells})
    axes.set(
        xscale="log", xlabel="standard deviation of the initial weights", ylabel="lose a digit (%), with 95 % intervals"
    )
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-3, 103)
    axes.set_title(f"Published recipe: lost digits ({len(cells[0]['test'])} networks each)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
