"""The field of gradients: three tables, the map with the walks and the slices, and the walks step by step."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

MARKERS = "osD^vP"


def print_tables(record: script.Record) -> None:
    """The point, then the walks."""
    print_point(record["config"]["surface"], record["results"])
    print_walks(record["results"])


def print_point(name: str, results: script.Record) -> None:
    """The derivatives there."""
    x, y = results["point"]
    print(f"\n{name} at ({x:g}, {y:g}): f = {results['value']:.6g}\n")
    rows = []
    for what, partial, difference in zip(
        ("df/dx, y held constant", "df/dy, x held constant"), results["partials"], results["differences"], strict=True
    ):
        rows.append([what, f"{partial:.8g}", f"{difference:.8g}", f"{abs(partial - difference):.1e}"])
    tables.table(["", "partial derivative", "central difference", "they differ by"], rows)
    if results["gradient_length"] == 0:
        print("\nThe gradient is zero: the ground is flat here.\n")
    else:
        length, degrees = results["gradient_length"], results["gradient_degrees"]
        print(f"\nThe gradient is {length:.6g} long, and points {degrees:.1f}° away from the x axis.\n")
    tables.table(["direction", "slope"], [[name, f"{slope:.6g}"] for name, slope in results["slopes"].items()])
    sharpness = results["sharpness"]
    print(f"\nThe sharpness is {sharpness:.6g}", end="")
    print(f": a bowl as sharp as this is overshot above a rate of {2 / sharpness:.4g}." if sharpness > 0 else ".")


def print_walks(results: script.Record) -> None:
    """A row for each walk."""
    print()
    rows = []
    for walk in results["walks"]:
        x, y, height = np.array([*walk["points"][-1], walk["heights"][-1]], float)  # null in a record: not finite
        rows.append(
            [
                f"{walk['rate']:.4g}",
                f"{walk['rate'] * results['sharpness']:.3g}" if results["sharpness"] > 0 else "",
                f"{walk['steps']:,}",
                f"({x:.4g}, {y:.4g})",
                f"{height:.4g}",
                walk["how"],
            ]
        )
    tables.table(["rate", "x sharpness", "steps", "ended at", "f there", "what happened"], rows)
    if any(walk["how"] == "arrived" for walk in results["walks"]):
        print(f"\nArrived: the gradient is down to {results['flat']:g} times its length at the start.")


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws the field with the walks and the slices, and the walks step by step."""
    name, results = record["config"]["surface"], record["results"]
    return [draw_field(name, results, folder / "field.png"), draw_walks(name, results, folder / "walk.gif")]


def draw_ground(axes: Axes, results: script.Record) -> None:
    """Contour lines, log-spaced where equal steps would leave most of the ground without any."""
    xs, ys, heights = (np.array(results[name], float) for name in ("xs", "ys", "heights"))
    lowest, highest = heights.min(), heights.max()
    axes.set(xlabel="x", ylabel="y", xlim=results["ranges"][0], ylim=results["ranges"][1])
    width, height = np.ptp(results["ranges"], axis=1)
    if 1 / 3 < width / height < 3:
        axes.set_aspect("equal")  # only so does the gradient look at right angles to the contour lines
    if lowest == highest:
        return
    above = (heights - lowest) / (highest - lowest)
    levels = np.geomspace(1e-3, 1, 13) if np.median(above) < 0.2 else np.linspace(0, 1, 14)[1:]
    shades = BoundaryNorm([0, *levels], 256)
    axes.contourf(xs, ys, above, [0, *levels], cmap="cividis", norm=shades, alpha=0.45)
    lines = axes.contour(xs, ys, above, levels[:-1], colors="#444444", linewidths=0.6)
    axes.clabel(lines, levels[:-1:2], fmt=lambda level: height_text(lowest + level * (highest - lowest)), fontsize=8)


def height_text(height: float) -> str:
    """Two digits, or the whole number."""
    return f"{height:,.0f}" if abs(height) >= 100 else f"{height:.2g}"


def draw_field(name: str, results: script.Record, path: Path) -> Path:
    """The map with arrows downhill and the walks; beside it the slices through the point along x and along y."""
    figure = plt.figure(figsize=(12, 7), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.9, 1))
    axes = figure.add_subplot(grid[:, 0])
    draw_ground(axes, results)
    draw_arrows(figure, axes, results["arrows"])
    for index, walk in enumerate(results["walks"]):
        draw_walk(axes, index, walk, results)
    axes.plot(*results["point"], "*", color="black", markersize=17, markeredgecolor="white", zorder=5)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, frameon=False)
    for row, (variable, other) in enumerate(("xy", "yx")):
        draw_slice(figure.add_subplot(grid[row, 1]), results, row, variable, other)
    figure.suptitle(f"{name}: arrows point downhill, and walks from ★ follow them")
    return drawing.save_figure(figure, path)


def draw_arrows(figure: Figure, axes: Axes, arrows: script.Record) -> None:
    """Arrows of one length, downhill; colour tells how steep. None where it is flat but for rounding."""
    gradients = np.array(arrows["gradients"], float)
    lengths = np.linalg.norm(gradients, axis=-1)
    steepest = np.nanmax(lengths)
    there = lengths > 1e-9 * steepest
    if not there.any():
        return
    x, y = np.meshgrid(arrows["xs"], arrows["ys"])
    gentle = max(lengths[there].min(), 1e-3 * steepest)
    quiver = axes.quiver(
        x[there],
        y[there],
        *(-gradients[there] / lengths[there, None]).T,
        lengths[there],
        cmap="viridis_r",
        norm=LogNorm(gentle, steepest) if steepest > 20 * gentle else Normalize(0, steepest),
        angles="xy",
        pivot="mid",
        scale=28,
        width=0.003,
    )
    label = "arrows point downhill; their colour is the length of the gradient there"
    figure.colorbar(quiver, ax=axes, location="right", shrink=0.8, aspect=40, label=label)


def draw_walk(axes: Axes, index: int, walk: script.Record, results: script.Record) -> Line2D:
    """The way of one walk, with a marker for each step but where they would cover each other."""
    colour, style = drawing.STYLES[1:][index % 5]
    points = np.array(walk["points"], float)
    picture = np.array(results["ranges"], float)
    marked = apart((points - picture[:, 0]) / np.ptp(picture, axis=1), 0.02)
    return axes.plot(
        *points.T,
        style,
        color=colour,
        marker=MARKERS[index % len(MARKERS)],
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.6,
        markevery=marked,
        linewidth=2,
        label=f"{rate_text(walk, results)}: {walk['how']}, {walk['steps']:,} steps",
        zorder=4 - index / 100,
    )[0]


def apart(points: np.ndarray, distance: float) -> list[int]:
    """The first point, and every later one that lies so far from the last one taken."""
    taken = [0]
    for index, point in enumerate(points):
        if np.linalg.norm(point - points[taken[-1]]) >= distance:
            taken.append(index)
    return taken


def draw_slice(axes: Axes, results: script.Record, index: int, variable: str, other: str) -> None:
    """The height along one variable, the other held constant, and its tangent: the partial derivative."""
    along, (low, high) = np.array(results[f"{variable}s"], float), results["ranges"][index]
    here, height, slope = results["point"][index], results["value"], results["partials"][index]
    axes.plot(along, np.array(results["slices"][index], float), color="black", label="f")
    near = np.clip([here - (high - low) / 5, here + (high - low) / 5], low, high)
    axes.plot(
        near, height + slope * (near - here), "--", color="#d55e00", label=f"tangent, df/d{variable} = {slope:.4g}"
    )
    axes.plot(here, height, "*", color="black", markersize=14, markeredgecolor="white", zorder=5)
    axes.set(
        xlabel=variable,
        ylabel="f",
        title=f"{variable} moves, {other} = {results['point'][1 - index]:g} is held constant",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)


def draw_walks(name: str, results: script.Record, path: Path) -> Path:
    """The same walks, step by step."""
    walks = results["walks"]
    figure, axes = plt.subplots(figsize=(7.2, 7.6), layout="constrained")
    draw_ground(axes, results)
    lines = [draw_walk(axes, index, walk, results) for index, walk in enumerate(walks)]
    marks: list[Any] = [line.get_markevery() for line in lines]
    heads = [axes.plot([], [], line.get_marker(), color=line.get_color(), ms=11, zorder=5)[0] for line in lines]
    axes.plot(*results["point"], "*", color="black", markersize=17, markeredgecolor="white", zorder=4.5)
    legend = axes.legend(lines, [""] * len(lines), loc="lower left", bbox_to_anchor=(0, 1), fontsize=10, frameon=False)

    def show(step: int) -> None:
        for line, mark, head, text, walk in zip(lines, marks, heads, legend.get_texts(), walks, strict=True):
            way = np.array(walk["points"], float)[: step + 1]
            line.set_data(*way.T)
            line.set_markevery([index for index in mark if index <= step])
            head.set_data(*way[-1:].T)
            height = np.array(walk["heights"], float)[: step + 1][-1]
            over = f", {walk['how']}" if step >= walk["steps"] else ""
            text.set_text(f"{rate_text(walk, results)}: f = {height:.3g}{over}")
        figure.suptitle(f"{name}: step {step:,}")

    longest = max(walk["steps"] for walk in walks)
    frames = np.unique(np.geomspace(1, longest + 1, 60).astype(int)) - 1
    return drawing.save_animation(figure, show, frames, path, seconds=0.15)


def rate_text(walk: script.Record, results: script.Record) -> str:
    """A rate, and what it is in units of 1/sharpness."""
    multiple = f" = {walk['rate'] * results['sharpness']:.3g}/sharpness" if results["sharpness"] > 0 else ""
    return f"rate {walk['rate']:.3g}{multiple}"
