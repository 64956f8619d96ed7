"""The walks downhill: two tables, the planes with the trajectories on them, still and moving, and the noise."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

COLOURS = [colour for colour, _ in drawing.STYLES]


def print_tables(record: script.Record) -> None:
    """The walks, then the noise along the one with the smallest batches."""
    results = record["results"]
    print_walks(results)
    print_noise(results)
    for name, part in (("The plane of the walks", "above"), ("That of the single steps", "close")):
        explained = np.sum(np.array(results[part]["explained"], float))
        print(f"\n{name} has {100 * explained:.0f} % of their variance.", end="")
    print()


def print_walks(results: script.Record) -> None:
    """A row for each of them."""
    print("\nThe walks, all from the same initial network (length and distance in units of the parameters)\n")
    rows = []
    for arm in results["arms"]:
        steps, length, distance = arm["steps"][-1], arm["length"][-1], arm["displacement"][-1]
        rows.append(
            [
                f"{tables.batch_name(arm['batch_size'], results['n'])}, rate {arm['rate']:g}",
                f"{steps:,}",
                tables.number(steps * arm["batch_size"]),
                f"{length:.1f}",
                f"{distance:.1f}",
                f"{length / distance:.2f}",
                f"{100 * arm['test_accuracy']:.2f} %",
            ]
        )
    tables.table(["", "steps", "examples", "length", "distance", "length / distance", "test accuracy"], rows)


def print_noise(results: script.Record) -> None:
    """A row for each stage."""
    stages = results["stages"]
    name = tables.batch_name(results["arms"][-1]["batch_size"], results["n"])
    print(f"\nAlong the walk with {name}: simple noise scale (examples, ± standard error)")
    print("and cosine of the angle between the gradient of a random batch and that of all images, mean ± deviation\n")
    rows = []
    for stage in stages:
        # A record holds no infinite number.
        scale, error = (np.inf if stage[key] is None else stage[key] for key in ("noise_scale", "standard_error"))
        cosines = (tables.spread(each, "{:.2f}".format) for each in stage["cosines"])
        rows.append([f"{stage['steps']:,}", f"{tables.number(scale)} ± {tables.number(error)}", *cosines])
    tables.table(["step", "noise scale", *(f"batch {size:,}" for size in stages[0]["batch_sizes"])], rows)


def figures(record: script.Record, folder: Path) -> list[Path]:
    """The walks from above, still and moving; the ground around two ends; the noise."""
    if "stages" not in record["results"]:
        return []
    results = record["results"]
    return [
        draw_walks(results, folder / "walks.png"),
        draw_walking(results, folder / "walks.gif"),
        draw_ends(results, folder / "ends.png"),
        draw_noise(results, folder / "noise.png"),
    ]


def labels(results: script.Record) -> list[str]:
    """One for each walk."""
    return [
        f"{tables.batch_name(arm['batch_size'], results['n'])}, rate {arm['rate']:g}: {arm['steps'][-1]:,} steps,"
        f" {tables.number(arm['steps'][-1] * arm['batch_size'])} examples"
        for arm in results["arms"]
    ]


def draw_ground(axes: Axes, xs: Any, ys: Any, cost: Any, levels: np.ndarray) -> Any:
    """Filled contours of the cost, the lower the darker."""
    cost = np.clip(np.array(cost, float), levels[0], levels[-1])
    filled = axes.contourf(xs, ys, cost, levels=levels, norm=LogNorm(levels[0], levels[-1]), cmap="Blues_r")
    axes.contour(xs, ys, cost, levels=levels[::2], colors="white", linewidths=0.4, alpha=0.6)
    return filled


def levels_for(*costs: Any) -> np.ndarray:
    """Contour levels, equally spaced in the logarithm."""
    low = min(np.min(np.array(cost, float)) for cost in costs)
    high = max(np.max(np.array(cost, float)) for cost in costs)
    return np.geomspace(0.98 * low, 1.02 * high, 22)


def on_the_ground(results: script.Record) -> tuple[Figure, list[Axes]]:
    """Two planes seen from above, the whole way and the close-up, still without the walks."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.2), layout="constrained")
    for axes, part in ((left, "above"), (right, "close")):
        plane = results[part]
        levels = levels_for(plane["cost"])
        filled = draw_ground(axes, plane["xs"], plane["ys"], plane["cost"], levels)
        bar = figure.colorbar(filled, ax=axes, label="cost on the plane", location="bottom", shrink=0.8, aspect=40)
        bar.set_ticks(list(levels[::4]), labels=[f"{level:.3g}" for level in levels[::4]])
        first, second = (f"{100 * share:.0f} % of the variance" for share in np.array(plane["explained"], float))
        axes.set(xlabel=f"first principal component ({first})", ylabel=f"second ({second})")
        x, y = plane["coordinates"][0][0]
        axes.plot(x, y, "*", color="#f0e442", markersize=16, mec="black", zorder=5)
    left.set_title("The whole way, from a random start")
    small, rate = tables.batch_name(results["close"]["batch_size"], results["n"]), results["close"]["rate"]
    steps = len(results["close"]["coordinates"][0]) - 1
    right.set_title(f"Close up: {steps} single steps at rate {rate:g},\nfrom the middle of the walk with {small}")
    return figure, [left, right]


def trails(axes: Axes, coordinates: Any, colours: list[str]) -> list[tuple[np.ndarray, Line2D, Line2D]]:
    """Each walk's points, the line for its way and the dot for where it is."""
    drawn = []
    for points, colour in zip(coordinates, colours, strict=False):
        (line,) = axes.plot(*np.array(points, float).T, "-", color=colour, linewidth=1.8)
        line.set_path_effects([Stroke(linewidth=3.2, foreground="white", alpha=0.8), Normal()])
        (head,) = axes.plot(*np.array(points[-1:], float).T, "o", color=colour, mec="white", markersize=8, zorder=4)
        drawn.append((np.array(points, float), line, head))
    return drawn


def draw_walks(results: script.Record, path: Path) -> Path:
    """All walks on their plane, and single steps from close by."""
    figure, (left, right) = on_the_ground(results)
    lines = [line for _, line, _ in trails(left, results["above"]["coordinates"], COLOURS)]
    figure.legend(lines, labels(results), fontsize=9, loc="outside lower left", ncols=2)
    number = len(results["close"]["coordinates"]) - 1
    lines = [
        line for _, line, _ in trails(right, results["close"]["coordinates"], [COLOURS[0], *[COLOURS[3]] * number])
    ]
    small = tables.batch_name(results["close"]["batch_size"], results["n"])
    names = ["full batch: careful steps", f"{small}: {number} drunk walks"]
    figure.legend(lines[:2], names, fontsize=9, loc="outside lower right")
    figure.suptitle("Walks downhill, seen from above")
    return drawing.save_figure(figure, path)


def draw_walking(results: script.Record, path: Path) -> Path:
    """The largest batches and the smallest, step after step: the whole way, and from close by."""
    figure, (left, right) = on_the_ground(results)
    ends, colours = (0, -1), [COLOURS[0], COLOURS[3]]
    moving = [
        *trails(left, [results["above"]["coordinates"][end] for end in ends], colours),
        *trails(right, results["close"]["coordinates"][:2], colours),
    ]
    arms = [results["arms"][end] for end in ends]
    lines = [line for _, line, _ in moving[:2]]
    legend = left.legend(lines, ["", ""], loc="lower left", prop={"family": "monospace", "size": 9})

    def show(frame: float) -> None:
        for points, line, head in moving:
            last = round(frame * (len(points) - 1))
            line.set_data(*points[: last + 1].T)
            head.set_data(*points[last : last + 1].T)
        for arm, text in zip(arms, legend.get_texts(), strict=True):
            steps = arm["steps"][round(frame * (len(arm["steps"]) - 1))]
            name = tables.batch_name(arm["batch_size"], results["n"])
            text.set_text(f"{name:13} {steps:6,} steps {steps * arm['batch_size']:11,} images")

    figure.suptitle("Careful steps and a drunk walk")
    show(1.0)
    frames = min(51, max(len(points) for points, _, _ in moving))
    return drawing.save_animation(figure, show, np.linspace(0, 1, frames), path, seconds=0.12)


def draw_ends(results: script.Record, path: Path) -> Path:
    """The cost around the ends of two walks, on the same scale."""
    ends = results["ends"]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
    levels = levels_for(*(end["cost"] for end in ends))
    filled: Any = None
    for each, end in zip(axes, ends, strict=True):
        filled = draw_ground(each, end["along"], end["along"], end["cost"], levels)
        each.plot(0, 0, "o", color="#d55e00", mec="white", markersize=9)
        each.set(
            xlabel="along a random direction",
            title=f"where {tables.batch_name(end['batch_size'], results['n'])} led to",
        )
        each.set_aspect("equal")
    axes[0].set_ylabel("along another random direction")
    bar = figure.colorbar(filled, ax=axes, label="cost", shrink=0.9, format="%.2g")
    bar.set_ticks(list(levels[::3]))
    figure.suptitle("Around the ends; at 1 every neuron has moved as far as its own weights are long")
    return drawing.save_figure(figure, path)


def draw_noise(results: script.Record, path: Path) -> Path:
    """Angles, noise scale, and how crooked the walks are."""
    stages = results["stages"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    shades = plt.get_cmap("cividis")(np.linspace(0, 0.9, len(stages)))
    for stage, colour, marker in zip(stages, shades, "osD^vP*X<>" * 3, strict=False):
        cosines = np.array(stage["cosines"], float)
        sizes = np.array(stage["batch_sizes"])
        left.plot(sizes, stage["expected"], "-", color=colour, linewidth=1)
        left.plot(sizes, cosines.mean(axis=1), marker, color=colour, markersize=6, label=f"step {stage['steps']:,}")
    left.set(xscale="log", ylim=(-0.05, 1.05), xlabel="batch size (examples)", ylabel="cosine, mean of random batches")
    left.set_title("Angle between a batch's gradient\nand that of all images", fontsize=10)
    left.legend(fontsize=7.5, title="line: ≈ 1/√(1 + B/size)", title_fontsize=7.5, loc=(0.02, 0.36))
    steps = np.array([stage["steps"] for stage in stages])
    scale, error = (np.array([stage[key] for stage in stages], float) for key in ("noise_scale", "standard_error"))
    middle.errorbar(steps, scale, 1.96 * error, fmt="o-", color="#0072b2", capsize=3)
    middle.set_xscale("symlog", linthresh=max(1, steps[1]))
    middle.set_xticks(steps, [f"{step:,}" for step in steps], fontsize=8)
    middle.set_xticks([], minor=True)
    middle.set(yscale="log", xlabel="steps", ylabel="noise scale (examples)")
    small = tables.batch_name(results["arms"][-1]["batch_size"], results["n"])
    middle.set_title(f"Simple noise scale B = tr(Sigma) / |G|²\nalong the walk with {small}", fontsize=10)
    for arm, colour, style in zip(results["arms"], COLOURS, ["-", "--", "-.", ":", "-", "--"], strict=False):
        length, away = (np.array(arm[key], float)[1:] for key in ("length", "displacement"))
        name = tables.batch_name(arm["batch_size"], results["n"])
        right.plot(arm["steps"][1:], length / away, style, color=colour, label=name, linewidth=1.8)
    right.set(xscale="log", yscale="log", xlabel="steps", ylabel="length of the way / distance from the start")
    right.set_title("How crooked the way is (1: straight)", fontsize=10)
    right.legend(fontsize=8)
    for each in (left, middle, right):
        each.grid(alpha=0.3)
    return drawing.save_figure(figure, path)
