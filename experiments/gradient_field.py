"""Which way is downhill, and how long may a step be?

    python -m experiments.gradient_field

A function of two variables: its partial derivatives at one point, its gradient there and everywhere, and three walks
against the gradient. The surface is a classic one, or your own: `--surface my_file:f` is any f(x, y) written with
jax.numpy. Some ten seconds on two cores. In the default, a valley 20 times as sharp across as along, a rate of
1/sharpness arrives after 144 steps, a tenth of it is on its way after 200, and 2.1/sharpness, just above the 2 that a
bowl allows, overshoots further with every step and is out of the picture after 16.
"""

import functools
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import jaxnet
from experiments import drawing, script, tables

MULTIPLES = (0.1, 1.0, 2.1)
"""Default rates in units of 1/sharpness: a slow one, a good one, and one just above 2, which overshoots a bowl."""

FLAT = 1e-4
"""A walk has arrived where the gradient is so many times as long as at the start."""

MARKERS = "osD^vP"


def bowl(x: jax.Array, y: jax.Array) -> jax.Array:
    """Round: one step of 1/sharpness from anywhere leads to the bottom."""
    return x**2 + y**2


def valley(x: jax.Array, y: jax.Array) -> jax.Array:
    """Long and narrow: curvature 20 across, 1 along."""
    return 5 * (x - y) ** 2 + (x + y) ** 2 / 4


def saddle(x: jax.Array, y: jax.Array) -> jax.Array:
    """Up along x, down along y."""
    return x**2 - y**2


def rosenbrock(x: jax.Array, y: jax.Array) -> jax.Array:
    """A valley along the parabola y = x^2; the bottom is at (1, 1). Rosenbrock 1960."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def himmelblau(x: jax.Array, y: jax.Array) -> jax.Array:
    """Four bottoms, all at height zero. Himmelblau 1972."""
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


class Surface(NamedTuple):
    """A function of two numbers, and where to look at it."""

    function: Callable[..., Any]
    point: tuple[float, ...] = (-1.5, 1.0)
    x_range: tuple[float, float] = (-2.0, 2.0)
    y_range: tuple[float, float] = (-2.0, 2.0)
    steps: int = 200


CLASSICS = {
    "bowl": Surface(bowl),
    "valley": Surface(valley, point=(-1.7, -0.9)),
    "saddle": Surface(saddle, point=(-1.5, 0.02)),
    "rosenbrock": Surface(rosenbrock, point=(-1.2, 1.0), y_range=(-1.0, 3.0), steps=12_000),
    "himmelblau": Surface(himmelblau, point=(-1.0, -4.5), x_range=(-5.5, 5.5), y_range=(-5.5, 5.5)),
}


@dataclass(frozen=True)
class Config:
    """The choices."""

    surface: str = "valley"
    """bowl, valley, saddle, rosenbrock, himmelblau, or module:function for your own f(x, y)."""
    point: tuple[float, ...] | None = None
    """Where to look closely, and where the walks start: x and y. Each classic surface has one of its own."""
    x_range: tuple[float, float] | None = None
    """Left and right edge of the picture."""
    y_range: tuple[float, float] | None = None
    """Lower and upper edge of the picture."""
    rates: tuple[float, ...] | None = None
    """Learning rates of the walks. By default 0.1, 1 and 2.1 times 1/sharpness at the start."""
    steps: int | None = None
    """Steps that each walk may take, by default 200; on rosenbrock 12,000."""
    grid: int = 121
    """Points of the picture along x, and along y."""


def find(name: str) -> Surface:
    """A classic surface, or a user's function. Raises ValueError where there is none of that name."""
    if name in CLASSICS:
        return CLASSICS[name]
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise ValueError(f"surface is {name}; expected one of {', '.join(CLASSICS)}, or module:function for your own")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may raise anything
        raise ValueError(
            f"surface {name} cannot be imported: {error}; my_file:f is the function f of my_file.py in this folder"
        ) from error
    if not callable(function):
        raise ValueError(f"surface {name} is of type {type(function).__name__}; expected a function of two numbers")
    return Surface(function)


def run(config: Config, _folder: Path) -> script.Record:
    """Looks closely at the point, then at the whole picture, then walks."""
    surface = find(config.surface)
    start = surface.point if config.point is None else config.point
    ranges = [config.x_range or surface.x_range, config.y_range or surface.y_range]
    steps = surface.steps if config.steps is None else config.steps
    if not 1 <= steps <= 100_000:
        raise ValueError(f"steps is {steps}; it must be between 1 and 100,000, for every step is recorded")
    if config.grid < 2:
        raise ValueError(f"grid is {config.grid}; a picture needs at least 2 points along each side")
    if config.grid > 2_000:
        size = 6e-8 * config.grid**2  # some 60 bytes for each number in memory and in the record
        raise ValueError(f"grid is {config.grid:,}; so many points a side take some {size:,.1f} GB: at most 2,000")
    if config.rates == ():
        raise ValueError("rates is empty; name at least one learning rate")
    for rate in config.rates or ():
        script.check_rate(rate)
    check_point(start, ranges)

    def f(point: jax.Array) -> jax.Array:
        return surface.function(point[0], point[1])

    with jax.enable_x64(True):
        point = jnp.array(start, float)
        check_function(config.surface, f, point)
        results = {"ranges": ranges, **look(f, point)}
        rates = config.rates or multiples(results["sharpness"])
        results |= draw_up(f, point, ranges, config.grid)
        print_look(config.surface, results)
        walked = jax.tree.map(np.asarray, walks(f, point, jnp.array(rates, float), steps))
    results["walks"] = [
        ended(rate, points, heights, slopes, np.array(ranges))
        for rate, points, heights, slopes in zip(rates, *walked, strict=True)
    ]
    print_walks(results)
    return results


def check_point(point: tuple[float, ...], ranges: list[tuple[float, float]]) -> None:
    """Raises ValueError unless the point is one of the plane, and inside the picture."""
    for name, (low, high) in zip("xy", ranges, strict=True):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"{name}_range is {low:g} to {high:g}; it must be two finite numbers, the lower one first")
    if len(point) != 2:
        raise ValueError(f"point has {len(point)} coordinates; a point of the plane has two, x and y")
    for name, value, (low, high) in zip("xy", point, ranges, strict=True):
        if not low <= value <= high:
            raise ValueError(
                f"point has {name} = {value:g}, outside the picture, {low:g} to {high:g};"
                f" move it with --point or the picture with --{name}-range"
            )


def check_function(name: str, f: Callable[[jax.Array], jax.Array], point: jax.Array) -> None:
    """Raises ValueError unless f is one number with a derivative at the point."""
    x, y = point
    try:
        value, gradient = f(point), jaxnet.gradient(f, point)
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        raise ValueError(
            f"surface {name} cannot be traced by JAX: write it with jax.numpy,"
            " jnp.sin(x) instead of math.sin(x) and jnp.where instead of if"
        ) from error
    except Exception as error:  # a user's function may raise anything
        raise ValueError(f"surface {name} fails at ({x:g}, {y:g}): {str(error).splitlines()[0]}") from error
    if not np.isfinite(value):
        raise ValueError(f"surface {name} is {value} at ({x:g}, {y:g}); choose a --point where it is finite")
    if not np.isfinite(gradient).all():
        raise ValueError(
            f"surface {name} has the gradient ({gradient[0]:g}, {gradient[1]:g}) at ({x:g}, {y:g});"
            " choose another --point"
        )


def look(f: Callable[[jax.Array], jax.Array], point: jax.Array) -> script.Record:
    """Everything there is to say about one point: partial derivatives, gradient, slopes, sharpness."""
    gradient = jaxnet.gradient(f, point)
    length = jnp.linalg.norm(gradient)
    directions = {"along x": jnp.array([1.0, 0.0]), "along y": jnp.array([0.0, 1.0])}
    if length > 0:
        u = gradient / length
        directions |= {"along the gradient": u, "against it": -u, "at right angles to it": jnp.array([-u[1], u[0]])}
    curvature = jaxnet.sharpness(f, point, jax.random.key(0))  # of two variables: exact from any random direction
    if not np.isfinite(curvature.value):
        raise ValueError(f"the surface has no finite curvature at ({point[0]:g}, {point[1]:g}); choose another --point")
    return {
        "point": point.tolist(),
        "value": float(f(point)),
        "partials": [float(jaxnet.partial_derivative(f, point, index)) for index in (0, 1)],
        "differences": [float(central_difference(f, point, index)) for index in (0, 1)],
        "gradient_length": float(length),
        "gradient_degrees": float(jnp.degrees(jnp.arctan2(gradient[1], gradient[0]))),
        "slopes": {name: float(jaxnet.directional_derivative(f, point, v)) for name, v in directions.items()},
        "sharpness": float(curvature.value),
        "sharpest_direction": curvature.direction.tolist(),
    }


def central_difference(f: Callable[[jax.Array], jax.Array], point: jax.Array, index: int) -> jax.Array:
    """(f(x + h) - f(x - h)) / 2h, with the h at which truncation and rounding are about equal."""
    h = jnp.finfo(point.dtype).eps ** (1 / 3) * max(1, abs(point[index]))
    return (f(point.at[index].add(h)) - f(point.at[index].add(-h))) / (2 * h)


def multiples(sharpness: float) -> list[float]:
    """Rates in units of 1/sharpness. Raises ValueError where that is no unit."""
    if not sharpness > 0:
        raise ValueError(
            f"the sharpness at the point is {sharpness:g}: the ground curves up in no direction,"
            " which gives no measure for a step; choose --rates, or another --point"
        )
    return [multiple / sharpness for multiple in MULTIPLES]


def draw_up(
    f: Callable[[jax.Array], jax.Array], point: jax.Array, ranges: list[tuple[float, float]], grid: int
) -> script.Record:
    """The heights on the grid, the gradients on some of its points, and the slices through the point."""

    @jax.jit  # so that a grid too large is refused while it is traced, before anything of its size exists
    def whole(x_range: jax.Array, y_range: jax.Array) -> tuple[jax.Array, jax.Array, jaxnet.Field]:
        xs, ys = (jnp.linspace(each[0], each[1], grid) for each in (x_range, y_range))
        return xs, ys, jaxnet.gradient_field(f, xs, ys)

    xs, ys, field = whole(*(jnp.array(each, float) for each in ranges))
    values = np.asarray(field.values)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"the surface is {values[row, column]} at ({xs[column]:g}, {ys[row]:g}), inside the picture;"
            " choose an --x-range and a --y-range where it is finite"
        )
    every = max(1, grid // 20)
    some = slice(every // 2, None, every)
    x, y = point
    return {
        "xs": xs,
        "ys": ys,
        "heights": values,
        "arrows": {"xs": xs[some], "ys": ys[some], "gradients": field.gradients[some, some]},
        "slices": [
            jax.vmap(lambda moved: f(jnp.array([moved, y])))(xs),
            jax.vmap(lambda moved: f(jnp.array([x, moved])))(ys),
        ],
    }


@functools.partial(jax.jit, static_argnums=(0, 3))
def walks(
    f: Callable[[jax.Array], jax.Array], start: jax.Array, rates: jax.Array, steps: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradient descent from one start at every rate: all points, the heights and the gradients' lengths there."""

    def walk(rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        def step(point: jax.Array, _: None) -> tuple[jax.Array, Any]:
            height, slope = jax.value_and_grad(f)(point)
            return point - rate * slope, (point, height, jnp.linalg.norm(slope))

        return jax.lax.scan(step, start, length=steps + 1)[1]

    return jax.vmap(walk)(rates)


def ended(
    rate: float, points: np.ndarray, heights: np.ndarray, slopes: np.ndarray, ranges: np.ndarray
) -> script.Record:
    """How a walk ended, and its way until then."""
    inside = ((points >= ranges[:, 0]) & (points <= ranges[:, 1])).all(axis=1) & np.isfinite(heights)
    flat = slopes <= FLAT * slopes[0]
    if not inside[-1]:
        steps = since(~inside)
        if not np.isfinite(heights[steps]):
            how = f"came to where f is {heights[steps]}"
        elif heights[steps] <= heights[0]:
            how = "left the picture, downhill"
        else:
            how = "overshot and left the picture" if np.isfinite(heights[-1]) else "overshot and diverged"
    elif flat[-1]:
        steps, how = since(flat), "arrived"
    else:
        steps, how = len(points) - 1, "still walking"
    way = slice(steps + 1)
    return {"rate": rate, "steps": steps, "how": how, "points": points[way], "heights": heights[way]}


def since(true: np.ndarray) -> int:
    """The first place from which on all are true."""
    return int(len(true) - np.argmin(true[::-1])) if not true.all() else 0


def print_look(name: str, results: script.Record) -> None:
    """What there is to say about the point."""
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
        x, y = walk["points"][-1]
        rows.append(
            [
                f"{walk['rate']:.4g}",
                f"{walk['rate'] * results['sharpness']:.3g}" if results["sharpness"] > 0 else "",
                f"{walk['steps']:,}",
                f"({x:.4g}, {y:.4g})",
                f"{walk['heights'][-1]:.4g}",
                walk["how"],
            ]
        )
    tables.table(["rate", "x sharpness", "steps", "ended at", "f there", "what happened"], rows)
    if any(walk["how"] == "arrived" for walk in results["walks"]):
        print(f"\nArrived: the gradient is down to {FLAT:g} times its length at the start.")


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


def main() -> None:
    """The command line."""
    script.main("gradient_field", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
