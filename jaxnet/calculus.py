"""Functions of many variables: what happens to the one number that comes out when the many that go in are nudged.

Each function here takes any f from a point, a pytree of arrays, to one number. A surface over the plane is one such f,
and the cost as a function of 13,002 weights and biases is another: `lambda params: cost(params, images, targets)`.

Where x and v have the shape of the point:

    partial derivative       df/dx_i      one variable moves, all others are held constant
    gradient                 grad f       all the partial derivatives: the direction of steepest ascent
    directional derivative   grad f . v   the slope along v
    Hessian-vector product   H v          how the gradient changes along v
    sharpness                lambda_max   the largest eigenvalue of H: the curvature along the sharpest direction
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from jaxnet.kinds import check_array, check_function, check_index, check_key, check_shape, check_tree, check_whole
from jaxnet.memory import check_fits

Scalar = Float[Array, ""]


def partial_derivative(f: Callable[[Any], Scalar], point: PyTree, index: int) -> Scalar:
    """df/dx_i at the point: the slope when variable `index` alone moves and all others are held constant.

    Variables are numbered from 0 through the leaves of the point, each row by row, as `jax.flatten_util.ravel_pytree`
    does. Raises IndexError, with the valid range, where there is no such variable, and ValueError where f does not
    return one number.

    >>> partial_derivative(lambda x: x[0] ** 2 * x[1], jnp.array([3.0, 5.0]), 0)  # 2 x_0 x_1
    Array(30., dtype=float32)
    """
    _check_scalar(f, point)
    flat, unravel = ravel_pytree(point)
    check_index(flat.size, f"this point has {flat.size} variables, numbered", index=index)

    def all_others_constant(x: Scalar) -> Scalar:
        return f(unravel(flat.at[index].set(x)))

    return jax.grad(all_others_constant)(flat[index])


def gradient(f: Callable[[Any], Scalar], point: PyTree) -> PyTree:
    """All the partial derivatives at the point, in its shape: the direction of steepest ascent.

    This is `jax.grad`, with a clear ValueError where f does not return one number. Lecture, chapter 2.

    >>> gradient(lambda x: x[0] ** 2 * x[1], jnp.array([3.0, 5.0]))
    Array([30.,  9.], dtype=float32)
    """
    _check_scalar(f, point)
    return jax.grad(f)(point)


def directional_derivative(f: Callable[[Any], Scalar], point: PyTree, direction: PyTree) -> Scalar:
    """The slope along `direction` v, grad f . v: per unit of length where v has length one.

    Raises ValueError where f does not return one number, or the direction is not shaped like the point.

    >>> directional_derivative(lambda x: x[0] ** 2 * x[1], jnp.array([3.0, 5.0]), jnp.array([0.6, 0.8]))
    Array(25.2, dtype=float32)
    """
    _check_scalar(f, point)
    _check_alike("direction", direction, point)
    return jax.jvp(f, (point,), (direction,))[1]


def hessian_vector_product(f: Callable[[Any], Scalar], point: PyTree, vector: PyTree) -> PyTree:
    """H v, where H_ij = d^2f / dx_i dx_j: how the gradient changes as the point moves along v, without ever making H.

    The directional derivative of the gradient, so it costs about as much as two gradients. Raises ValueError where f
    does not return one number, or the vector is not shaped like the point. Pearlmutter 1994.

    >>> hessian_vector_product(lambda x: x[0] ** 2 * x[1], jnp.array([3.0, 5.0]), jnp.array([1.0, 0.0]))
    Array([10.,  6.], dtype=float32)
    """
    _check_scalar(f, point)
    _check_alike("vector", vector, point)
    return jax.jvp(jax.grad(f), (point,), (vector,))[1]


class Curvature(NamedTuple):
    """The largest eigenvalue of the Hessian.

    - `value`: lambda, in units of f per squared unit of length.
    - `direction`: its eigenvector u, of length one, in the shape of the point.
    - `error`: the length of H u - lambda u. Some eigenvalue of H lies within this distance of `value`.
    """

    value: Scalar
    direction: PyTree
    error: Scalar


def sharpness(f: Callable[[Any], Scalar], point: PyTree, key: Key[Array, ""], *, iterations: int = 20) -> Curvature:
    """The largest curvature of f at the point, and the direction in which it lies.

    Gradient descent on a bowl overshoots further with every step as soon as its rate is above 2 / sharpness.

    Lanczos iteration from a random direction, drawn with `key`: `iterations` Hessian-vector products span a space in
    which the largest eigenvalue is found exactly; `error` says how close that is to one of the whole H. At most as many
    iterations are done as there are variables, and then the value is exact but for rounding. Each basis vector is
    made orthogonal to all before it, and replaced by a new random one where the products lead nowhere new, so repeated
    eigenvalues and flat functions are no obstacle. Raises ValueError for fewer than one iteration, or where f
    does not return one number. Cohen et al. 2021, arXiv 2103.00065.

    >>> bowl = lambda x: 0.5 * (x[0] ** 2 + 9 * x[1] ** 2)
    >>> found = sharpness(bowl, jnp.array([1.0, 1.0]), jax.random.key(0))
    >>> round(float(found.value), 4)
    9.0
    """
    _check_scalar(f, point)
    check_key(key)
    check_whole(1, iterations=iterations)
    flat, unravel = ravel_pytree(point)
    size = min(iterations, flat.size)

    def hessian_times(v: Float[Array, " n"]) -> Float[Array, " n"]:
        return ravel_pytree(hessian_vector_product(f, point, unravel(v)))[0]

    def orthogonal(v: Float[Array, " n"], basis: Float[Array, "size n"]) -> Float[Array, " n"]:
        for _ in range(2):  # rounding leaves something after the first time, nothing after the second
            v = v - basis.T @ (basis @ v)
        return v

    def grow(basis: Float[Array, "size n"], row: tuple[Array, Array]) -> tuple[Array, Array]:
        index, fresh = row
        reached = hessian_times(basis[index - 1])
        new = orthogonal(reached, basis)
        nowhere_new = jnp.linalg.norm(new) <= 100 * jnp.finfo(new.dtype).eps * jnp.linalg.norm(reached)
        new = jnp.where(nowhere_new, orthogonal(fresh, basis), new)
        return basis.at[index].set(new / jnp.linalg.norm(new)), reached

    fresh = jax.random.normal(key, (size, flat.size), flat.dtype)
    basis = jnp.zeros_like(fresh).at[0].set(fresh[0] / jnp.linalg.norm(fresh[0]))
    basis, reached = jax.lax.scan(grow, basis, (jnp.arange(1, size), fresh[1:]))
    products = jnp.concatenate([reached, hessian_times(basis[-1])[None]])  # H times each vector of the basis
    projected = basis @ products.T
    eigenvalues, eigenvectors = jnp.linalg.eigh((projected + projected.T) / 2)
    value, within = eigenvalues[-1], eigenvectors[:, -1]
    direction = within @ basis
    return Curvature(value, unravel(direction), jnp.linalg.norm(within @ products - value * direction))


class Field(NamedTuple):
    """A function on a grid: row i, column j belong to the point (xs[j], ys[i])."""

    values: Float[Array, "ny nx"]
    gradients: Float[Array, "ny nx 2"]


def gradient_field(
    f: Callable[[Float[Array, "2"]], Scalar],
    xs: Float[Array | np.ndarray, " nx"],
    ys: Float[Array | np.ndarray, " ny"],
    *,
    at_once: int = 1024,
) -> Field:
    """The values of f and its two partial derivatives, df/dx and df/dy, at every point (x, y) of a grid.

    `at_once` and what is raised are as for `on_grid`; ValueError too where f does not return one number.

    >>> field = gradient_field(lambda point: point[0] * point[1], jnp.array([1.0, 2.0]), jnp.array([3.0]))
    >>> field.values
    Array([[3., 6.]], dtype=float32)
    >>> field.gradients[0, 1]
    Array([3., 2.], dtype=float32)
    """
    _check_axes(xs, ys)
    _check_scalar(f, jnp.zeros(2, jnp.asarray(xs).dtype))
    return Field(*on_grid(jax.value_and_grad(f), xs, ys, at_once=at_once))


def on_grid(
    f: Callable[[Float[Array, "2"]], PyTree],
    xs: Float[Array | np.ndarray, " nx"],
    ys: Float[Array | np.ndarray, " ny"],
    *,
    at_once: int = 1024,
) -> PyTree:
    """What f returns at every point (x, y) of a grid: a leading (ny, nx) on every leaf, row by row from ys[0].

    Only `at_once` points are computed side by side, which bounds the memory that f itself takes: 1 for a cost over many
    images. Raises TooLarge, with the figure, where the grid does not fit.

    >>> on_grid(lambda point: point[0] - point[1], jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0]))
    Array([[1., 2., 3.],
           [0., 1., 2.]], dtype=float32)
    """
    check_function("point", f=f)
    _check_axes(xs, ys)
    check_whole(1, at_once=at_once)
    xs, ys = jnp.asarray(xs), jnp.asarray(ys)
    each = jax.eval_shape(f, jax.ShapeDtypeStruct((2,), xs.dtype))
    check_grid(len(xs), len(ys), sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(each)), xs.dtype.itemsize)
    points = jnp.stack(jnp.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    found = jax.lax.map(f, points, batch_size=min(at_once, len(points)))
    return jax.tree.map(lambda leaf: leaf.reshape(len(ys), len(xs), *leaf.shape[1:]), found)


def check_grid(nx: int, ny: int, numbers: int, itemsize: int = 4) -> None:
    """Raises TooLarge, with the figure, where a grid of so many numbers a point does not fit."""
    # The points themselves are held three times, and twice what lies in memory is needed while it is computed.
    check_fits(f"a grid of {nx:,} by {ny:,} points", 2 * nx * ny * (numbers + 6) * itemsize)


def _check_axes(xs: Any, ys: Any) -> None:
    check_array("xs", xs, jnp.floating, ("nx",), "the first coordinates of a grid")
    check_array("ys", ys, jnp.floating, ("ny",), "the second coordinates of a grid")


def _check_alike(name: str, vector: PyTree, point: PyTree) -> None:
    check_shape(name, vector, "point", point)
    ours, theirs = ([jnp.result_type(leaf) for leaf in jax.tree.leaves(each)] for each in (vector, point))
    if ours != theirs:
        raise ValueError(f"{name} has numbers of {ours[0]}; the point has {theirs[0]}, and they must be the same")


def _check_scalar(f: Callable[[Any], Any], point: PyTree) -> None:
    check_function("point", f=f)
    check_tree("point", point)
    value = jax.eval_shape(f, point)
    if getattr(value, "shape", None) != ():
        what = f"an array of shape {value.shape}" if hasattr(value, "shape") else str(jax.tree.structure(value))
        raise ValueError(f"f: the function returns {what}; a derivative needs one number, of shape ()")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"f: the function returns a number of {value.dtype}; a derivative needs a float")
