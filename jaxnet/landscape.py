"""The landscape of the cost: planes through the space of all weights and biases, trajectories in it, gradient noise.

A direction is shaped like the parameters. A trajectory is a tree of them, stacked: a leading axis of points on every
leaf, as `descend` returns it for `look=lambda state: state.params`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from jaxnet.backprop import backprop
from jaxnet.cost import in_chunks
from jaxnet.kinds import (
    check_array,
    check_examples,
    check_function,
    check_key,
    check_params,
    check_rows,
    check_shape,
    check_trajectory,
    check_tree,
    check_whole,
    described,
)
from jaxnet.network import Layer, Params


class Plane(NamedTuple):
    """A flat sheet through parameter space: origin + x u + y v."""

    origin: Params
    u: Params
    v: Params


def on_plane(plane: Plane, point: Float[Array, "2"]) -> Params:
    """The parameters at (x, y). The cost over the plane is `lambda point: cost(on_plane(plane, point), ...)`.

    >>> one = (Layer(jnp.array([[1.0]]), jnp.array([0.0])),)
    >>> on_plane(Plane(one, one, one), jnp.array([2.0, 3.0]))[0].weights
    Array([[6.]], dtype=float32)
    """
    if not isinstance(plane, Plane):
        raise TypeError(f"plane is {described(plane)}; expected landscape.Plane(origin, u, v)")
    for name, direction in (("u", plane.u), ("v", plane.v)):
        check_shape(f"{name} of plane", direction, "origin of plane", plane.origin)
    check_array("point", point, jnp.floating, (2,), "the two coordinates of one point (jax.vmap takes many)")
    x, y = point
    return jax.tree.map(lambda o, u, v: o + x * u + y * v, *plane)


def random_direction(key: Key[Array, ""], params: Params) -> Params:
    """A random direction in which every neuron moves as far as its own weights are long: filter normalisation.

    d_j <- d_j / |d_j| |w_j|, where w_j are the weights and the bias that lead into neuron j, and d_j is normal. So
    networks whose weights differ in scale can be compared. Li et al. 2018, arXiv 1712.09913 (where biases stay put;
    here a bias is one more weight of its neuron).

    >>> from jaxnet import init
    >>> params = init(jax.random.key(0), (3, 2))
    >>> [layer.weights.shape for layer in random_direction(jax.random.key(1), params)]
    [(2, 3)]
    """
    check_key(key)
    check_params(params)
    keys = jax.random.split(key, len(params))
    directions = []
    for (w, b, f), layer_key in zip(params, keys, strict=True):
        filters = jnp.concatenate([w, b[:, None]], axis=1)
        d = jax.random.normal(layer_key, filters.shape, filters.dtype)
        scale = jnp.linalg.norm(filters, axis=1) / jnp.linalg.norm(d, axis=1)
        d = d * scale[:, None]
        directions.append(Layer(d[:, :-1], d[:, -1], f))
    return tuple(directions)


class PCA(NamedTuple):
    """The plane that a trajectory strays from least.

    - `plane`: its origin is the mean of the points, u and v are directions of length one, at right angles.
    - `coordinates`: where each point lies, projected onto the plane.
    - `explained`: the shares of the points' variance along u and along v.
    """

    plane: Plane
    coordinates: Float[Array, "points 2"]
    explained: Float[Array, "2"]


def pca_plane(trajectory: Params) -> PCA:
    """The plane of the first two principal components of a trajectory, or of several, one after the other.

    With x_t the points and m their mean, u and v are the first two right singular vectors of the rows x_t - m, and
    `coordinates` (x_t - m) . u and (x_t - m) . v. The shares are NaN where the points do not differ. Principal
    components of a random walk look smooth whatever it does (Antognini and Sohl-Dickstein 2018, arXiv 1806.08805), so
    the shares belong beside every picture. Raises ValueError for fewer than three points. Li et al. 2018.

    >>> corners = jnp.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    >>> trajectory = (Layer(corners[:, None, :], jnp.zeros((4, 1))),)
    >>> [round(float(share), 4) for share in pca_plane(trajectory).explained]
    [0.8, 0.2]
    """
    check_trajectory(trajectory, least=3)
    points = jax.vmap(lambda params: ravel_pytree(params)[0])(trajectory)
    unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], trajectory))[1]
    mean = jnp.mean(points, axis=0)
    strays = points - mean[None]
    _, lengths, directions = jnp.linalg.svd(strays, full_matrices=False)
    plane = Plane(unravel(mean), unravel(directions[0]), unravel(directions[1]))
    variance, rounding = jnp.sum(lengths**2), jnp.finfo(points.dtype).eps * jnp.linalg.norm(points)
    explained = jnp.where(variance > rounding**2, lengths[:2] ** 2 / variance, jnp.nan)
    return PCA(plane, strays @ directions[:2].T, explained)


def cosine(one: PyTree, other: PyTree) -> Float[Array, ""]:
    """The cosine of the angle between two directions: 1 the same way, 0 at right angles, NaN where one has no length.

    >>> cosine(jnp.array([3.0, 4.0]), jnp.array([4.0, 3.0]))
    Array(0.96, dtype=float32)
    """
    check_shape("other", other, "one", one)
    return jnp.asarray(optax.tree.vdot(one, other) / (optax.tree.norm(one) * optax.tree.norm(other)))


class Distances(NamedTuple):
    """How far a trajectory is along the way, and how far in a straight line; in units of the parameters."""

    length: Float[Array, ""]
    displacement: Float[Array, ""]


def distances(trajectory: PyTree) -> Distances:
    """The length of a trajectory, sum_t |p_(t+1) - p_t|, and its displacement |p_last - p_first|.

    Raises ValueError for fewer than two points.

    >>> distances(jnp.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]))
    Distances(length=Array(9., dtype=float32), displacement=Array(3., dtype=float32))
    """
    check_trajectory(trajectory, least=2)
    steps = jax.tree.map(lambda leaf: leaf[1:] - leaf[:-1], trajectory)
    whole = jax.tree.map(lambda leaf: leaf[-1] - leaf[0], trajectory)
    return Distances(jnp.sum(jax.vmap(optax.tree.norm)(steps)), optax.tree.norm(whole))


class Length(NamedTuple):
    """The state of `measure_length`."""

    length: Float[Array, ""]


def measure_length() -> optax.GradientTransformation:
    """Adds up the lengths |p_(t+1) - p_t| of the steps while descending, so that no point has to be kept for it.

    The last transformation of a chain; `optax.tree.get(state.optimizer_state, "length")` is the length so far.

    >>> optimizer = optax.chain(optax.sgd(0.5), measure_length())
    >>> slope = jnp.array([6.0, 8.0])
    >>> _, state = optimizer.update(slope, optimizer.init(slope))
    >>> float(optax.tree.get(state, "length"))
    5.0
    """

    def init(params: PyTree) -> Length:
        return Length(jnp.zeros((), jax.tree.leaves(params)[0].dtype))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Length]:
        del params
        return updates, Length(state.length + optax.tree.norm(updates))

    return optax.GradientTransformation(init, update)


class Noise(NamedTuple):
    """How much the examples disagree about the way downhill.

    - `scale`: tr(Sigma) / |G|^2, in examples, and its `standard_error`. Infinite where the examples cannot tell the
      gradient from none.
    - `trace`: tr(Sigma), the sum of the variances of the components of one example's gradient.
    - `squared_length`: |G|^2 of the true gradient. Both are estimated without bias.
    - `mean`: the mean of the examples' gradients.
    """

    scale: Float[Array, ""]
    standard_error: Float[Array, ""]
    trace: Float[Array, ""]
    squared_length: Float[Array, ""]
    mean: PyTree


def noise_scale(
    params: Any,
    images: Float[Array | np.ndarray, "n n_in"],
    targets: Float[Array | np.ndarray, "n n_out"],
    *,
    gradient: Callable[[Any, Array, Array], PyTree] = backprop,
    at_once: int = 500,
) -> Noise:
    """The simple noise scale tr(Sigma) / |G|^2, from the gradients of n examples: a sample of all there could be.

    About the batch size up to which larger batches still take proportionally fewer steps. With g_i the gradients and g
    their mean, tr(Sigma) = sum_i |g_i - g|^2 / (n - 1) and |G|^2 = |g|^2 - tr(Sigma) / n. The standard error is the
    jackknife's: from the n estimates that leave one example out. `gradient` is a function of (params, image, target)
    for ONE example; `at_once` of them are stored at a time. Raises ValueError for fewer than three examples, or
    `at_once` below 1. McCandlish et al. 2018, arXiv 1812.06162.

    >>> numbers = jnp.array([[0.0], [1.0], [2.0], [5.0]])  # gradients of mean 2 and variance 14/3: 14/3 / (4 - 14/12)
    >>> found = noise_scale(jnp.zeros(1), numbers, numbers, gradient=lambda params, image, target: image)
    >>> round(float(found.scale), 4)
    1.6471
    """
    check_tree("params", params)
    check_rows(images=images, targets=targets)
    if gradient is backprop:
        check_examples(params, images, targets)
    check_function("params, image, target", gradient=gradient)
    check_whole(1, at_once=at_once)
    n = len(images)
    if n < 3:
        raise ValueError(f"images has {n} examples; the noise of a gradient needs at least 3")
    examples = jnp.asarray(images), jnp.asarray(targets)

    def mean_gradient(params: Any, images: Array, targets: Array) -> PyTree:
        each = jax.vmap(gradient, in_axes=(None, 0, 0))(params, images, targets)
        return jax.tree.map(lambda g: jnp.mean(g, axis=0), each)

    def residual(example: tuple[Array, Array]) -> tuple[Array, Array]:
        r = jax.tree.map(jnp.subtract, gradient(params, *example), mean)
        return jnp.asarray(optax.tree.vdot(r, r)), jnp.asarray(optax.tree.vdot(r, mean))

    def scale(trace: Array, squared_length: Array) -> Array:
        return jnp.where(squared_length > 0, trace / squared_length, jnp.inf)

    mean = in_chunks(mean_gradient, at_once)(params, *examples)
    squares, along = jax.lax.map(residual, examples, batch_size=min(at_once, n))
    total, squared_mean = jnp.sum(squares), jnp.asarray(optax.tree.vdot(mean, mean))
    trace = total / (n - 1)
    squared_length = squared_mean - trace / n
    # The same without example i, whose mean is g - r_i / (n - 1).
    trace_without = (total - squares * n / (n - 1)) / (n - 2)
    mean_without = squared_mean - 2 * along / (n - 1) + (squares / (n - 1)) / (n - 1)
    scale_without = scale(trace_without, mean_without - trace_without / (n - 1))
    spread = (n - 1) * jnp.var(scale_without)
    error = jnp.where(jnp.isfinite(spread), jnp.sqrt(spread), jnp.inf)
    return Noise(scale(trace, squared_length), error, trace, squared_length, mean)
