"""Which way is downhill, and how long may a step be?

    python -m experiments.gradient_field

A function of two variables: its partial derivatives at one point, its gradient there and all around, and three walks
against the gradient. The surface is a classic one, or your own: `--surface my_file:f` is any f(x, y) written with
jax.numpy. Some ten seconds on two cores. In the default, a valley 20 times as sharp across as along, a rate of
1/sharpness arrives after 144 steps, a tenth of it is on its way after 200, and 2.1/sharpness, just above the 2 that a
bowl allows, overshoots further with every step and is out of the picture after 16.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common import script, surfaces
from experiments.common.choices import ChoiceError, check_rate
from experiments.reports import gradient_field as report
from jaxnet import calculus

MULTIPLES = (0.1, 1.0, 2.1)
"""Default rates in units of 1/sharpness: a slow one, a good one, and one just above 2, which overshoots a bowl."""

FLAT = 1e-4
"""A walk has arrived where the gradient is so many times as long as at the start."""

Function = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Config:
    """The choices."""

    surface: str = "valley"
    """bowl, valley, saddle, rosenbrock, himmelblau, or module:function for your own f(x, y)."""
    point: tuple[float, ...] | None = None
    """Where the derivatives are taken, and where the walks start: x and y. Each classic surface has one of its own."""
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


def run(config: Config, _folder: Path) -> script.Record:
    """The derivatives at the point, then the field of the whole picture, then a descent at every rate."""
    surface = surfaces.find(config.surface)
    start = surface.point if config.point is None else config.point
    ranges = [config.x_range or surface.x_range, config.y_range or surface.y_range]
    steps = surface.steps if config.steps is None else config.steps
    if not 1 <= steps <= 100_000:
        raise ChoiceError(f"steps is {steps}; it must be between 1 and 100,000, for every step is recorded")
    if config.grid < 2:
        raise ChoiceError(f"grid is {config.grid}; a picture needs at least 2 points along each side")
    if config.grid > 2_000:
        size = 6e-8 * config.grid**2  # some 60 bytes for each number in memory and in the record
        raise ChoiceError(f"grid is {config.grid:,}; so many points a side take some {size:,.1f} GB: at most 2,000")
    if config.rates == ():
        raise ChoiceError("rates is empty; name at least one learning rate")
    for rate in config.rates or ():
        check_rate(rate)
    check_point(start, ranges)

    def f(point: jax.Array) -> jax.Array:
        return surface.function(point[0], point[1])

    with jax.enable_x64(True):
        point = jnp.array(start, float)
        surfaces.check(config.surface, f, point)
        results = {"ranges": ranges, "flat": FLAT, **derivatives(f, point)}
        rates = config.rates or multiples(results["sharpness"])
        results |= field(f, point, ranges, config.grid)
        descents = jax.tree.map(np.asarray, descend(f, point, jnp.array(rates, float), steps))
    results["walks"] = [
        ending(rate, points, heights, slopes, np.array(ranges))
        for rate, points, heights, slopes in zip(rates, *descents, strict=True)
    ]
    return results


def check_point(point: tuple[float, ...], ranges: list[tuple[float, float]]) -> None:
    """Raises ChoiceError unless the point is one of the plane, and inside the picture."""
    for name, (low, high) in zip("xy", ranges, strict=True):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ChoiceError(
                f"{name}_range is {low:g} to {high:g}; it must be two finite numbers, the lower one first"
            )
    if len(point) != 2:
        raise ChoiceError(f"point has {len(point)} coordinates; a point of the plane has two, x and y")
    for name, value, (low, high) in zip("xy", point, ranges, strict=True):
        if not low <= value <= high:
            raise ChoiceError(
                f"point has {name} = {value:g}, outside the picture, {low:g} to {high:g};"
                f" move it with --point or the picture with --{name}-range"
            )


def derivatives(f: Function, point: jax.Array) -> script.Record:
    """All of them at one point: partial derivatives, gradient, slopes in some directions, sharpness."""
    gradient = calculus.gradient(f, point)
    length = jnp.linalg.norm(gradient)
    directions = {"along x": jnp.array([1.0, 0.0]), "along y": jnp.array([0.0, 1.0])}
    if length > 0:
        u = gradient / length
        directions |= {"along the gradient": u, "against it": -u, "at right angles to it": jnp.array([-u[1], u[0]])}
    curvature = calculus.sharpness(f, point, jax.random.key(0))  # of two variables: exact from any random direction
    if not np.isfinite(curvature.value):
        raise ChoiceError(
            f"the surface has no finite curvature at ({point[0]:g}, {point[1]:g}); choose another --point"
        )
    return {
        "point": point.tolist(),
        "value": float(f(point)),
        "partials": [float(calculus.partial_derivative(f, point, index)) for index in (0, 1)],
        "differences": [float(central_difference(f, point, index)) for index in (0, 1)],
        "gradient_length": float(length),
        "gradient_degrees": float(jnp.degrees(jnp.arctan2(gradient[1], gradient[0]))),
        "slopes": {name: float(calculus.directional_derivative(f, point, v)) for name, v in directions.items()},
        "sharpness": float(curvature.value),
        "sharpest_direction": curvature.direction.tolist(),
    }


def central_difference(f: Function, point: jax.Array, index: int) -> jax.Array:
    """(f(x + h) - f(x - h)) / 2h, with the h at which truncation and rounding are about equal."""
    h = jnp.finfo(point.dtype).eps ** (1 / 3) * max(1, abs(point[index]))
    return (f(point.at[index].add(h)) - f(point.at[index].add(-h))) / (2 * h)


def multiples(sharpness: float) -> list[float]:
    """Rates in units of 1/sharpness. Raises ChoiceError where that is no unit."""
    if not sharpness > 0:
        raise ChoiceError(
            f"the sharpness at the point is {sharpness:g}: the ground curves up in no direction,"
            " which gives no measure for a step; choose --rates, or another --point"
        )
    return [multiple / sharpness for multiple in MULTIPLES]


def field(f: Function, point: jax.Array, ranges: list[tuple[float, float]], grid: int) -> script.Record:
    """The heights on the grid, the gradients on some of its points, and the slices through the point."""

    @jax.jit  # so that a grid too large is refused while it is traced, before anything of its size exists
    def whole(x_range: jax.Array, y_range: jax.Array) -> tuple[jax.Array, jax.Array, calculus.Field]:
        xs, ys = (jnp.linspace(each[0], each[1], grid) for each in (x_range, y_range))
        return xs, ys, calculus.gradient_field(f, xs, ys)

    xs, ys, found = whole(*(jnp.array(each, float) for each in ranges))
    values = np.asarray(found.values)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ChoiceError(
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
        "arrows": {"xs": xs[some], "ys": ys[some], "gradients": found.gradients[some, some]},
        "slices": [
            jax.vmap(lambda moved: f(jnp.array([moved, y])))(xs),
            jax.vmap(lambda moved: f(jnp.array([x, moved])))(ys),
        ],
    }


@functools.partial(jax.jit, static_argnums=(0, 3))
def descend(f: Function, start: jax.Array, rates: jax.Array, steps: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradient descent from one start at every rate: all points, the heights and the gradients' lengths there."""

    def at_rate(rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        def step(point: jax.Array, _: None) -> tuple[jax.Array, Any]:
            height, slope = jax.value_and_grad(f)(point)
            return point - rate * slope, (point, height, jnp.linalg.norm(slope))

        return jax.lax.scan(step, start, length=steps + 1)[1]

    return jax.vmap(at_rate)(rates)


def ending(
    rate: float, points: np.ndarray, heights: np.ndarray, slopes: np.ndarray, ranges: np.ndarray
) -> script.Record:
    """How a descent ended, and its points until then."""
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
    until = slice(steps + 1)
    return {"rate": rate, "steps": steps, "how": how, "points": points[until], "heights": heights[until]}


def since(true: np.ndarray) -> int:
    """The first place from which on all are true."""
    return int(len(true) - np.argmin(true[::-1])) if not true.all() else 0


def main() -> None:
    """The command line."""
    script.main("gradient_field", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
