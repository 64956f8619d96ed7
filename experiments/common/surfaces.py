"""Functions of two numbers: classic surfaces, or a user's own."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.common.choices import ChoiceError
from jaxnet import calculus


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
    """A function of two numbers, and what to show of it."""

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


def find(name: str) -> Surface:
    """A classic surface, or a user's function. Raises ChoiceError where there is none of that name."""
    if name in CLASSICS:
        return CLASSICS[name]
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise ChoiceError(f"surface is {name}; expected one of {', '.join(CLASSICS)}, or module:function for your own")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may raise anything
        raise ChoiceError(
            f"surface {name} cannot be imported: {error}; my_file:f is the function f of my_file.py in this folder"
        ) from error
    if not callable(function):
        raise ChoiceError(f"surface {name} is of type {type(function).__name__}; expected a function of two numbers")
    return Surface(function)


def check(name: str, f: Callable[[jax.Array], jax.Array], point: jax.Array) -> None:
    """Raises ChoiceError unless f is one number with a derivative at the point."""
    x, y = point
    try:
        value, gradient = f(point), calculus.gradient(f, point)
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        raise ChoiceError(
            f"surface {name} cannot be traced by JAX: write it with jax.numpy,"
            " jnp.sin(x) instead of math.sin(x) and jnp.where instead of if"
        ) from error
    except Exception as error:  # a user's function may raise anything
        raise ChoiceError(f"surface {name} fails at ({x:g}, {y:g}): {str(error).splitlines()[0]}") from error
    if not np.isfinite(value):
        raise ChoiceError(f"surface {name} is {value} at ({x:g}, {y:g}); choose a --point where it is finite")
    if not np.isfinite(gradient).all():
        raise ChoiceError(
            f"surface {name} has the gradient ({gradient[0]:g}, {gradient[1]:g}) at ({x:g}, {y:g});"
            " choose another --point"
        )
