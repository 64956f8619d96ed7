"""How lousy is the network? One number, small when it is right: the cost.

The cost of one example compares the outputs with the target; the cost of the network is its mean over all examples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnet.kinds import (
    check_array,
    check_bounds,
    check_examples,
    check_function,
    check_labels,
    check_optional,
    check_params,
    check_whole,
)
from jaxnet.network import Activation, Params, classify, sigmoid, softmax, trace

Mean = Callable[[Params, Array, Array], Any]
"""A mean over examples, of (params, images, targets or labels): a cost, its gradient, an accuracy, a tree of those."""


class Loss(NamedTuple):
    """The cost C0 of one example, and its derivatives with respect to the output layer, worked out by hand.

    All are functions of (z, target, output): the output layer's weighted sums (n_out,), what its activations should
    have been (n_out,), and its activation function. Any pure function of the three will do where only autodiff is
    used; backpropagation by hand needs the derivatives.

    - `function`: C0, a scalar.
    - `slope`: dC0/da (n_out,), how the cost answers to each output's activation. Of cross-entropy it is infinite where
      an activation rounds to the wrong end; `delta` is not.
    - `delta`: dC0/dz = da/dz dC0/da (n_out,), "the error of the output layer".
    """

    function: Callable[[Float[Array, " n"], Float[Array, " n"], Activation], Float[Array, ""]]
    slope: Callable[[Float[Array, " n"], Float[Array, " n"], Activation], Float[Array, " n"]]
    delta: Callable[[Float[Array, " n"], Float[Array, " n"], Activation], Float[Array, " n"]]

    def __call__(self, z: Float[Array, " n"], target: Float[Array, " n"], output: Activation) -> Float[Array, ""]:
        check_array("z", z, jnp.floating, ("n_out",), "one example (jax.vmap takes many)")
        check_array("target", target, jnp.floating, z.shape, "a number for each of z")
        check_function("z", output=output)
        return self.function(z, target, output)


def chain(da_dz: Float[Array, " n"] | Float[Array, "n n"], dc_da: Float[Array, " n"]) -> Float[Array, " n"]:
    """dC/dz = da/dz dC/da, for da/dz neuron by neuron (n,) or as a whole Jacobian (n, n)."""
    return da_dz.T @ dc_da if da_dz.ndim == 2 else da_dz * dc_da


def _squared_error(z: Float[Array, " n"], target: Float[Array, " n"], output: Activation) -> Float[Array, ""]:
    return jnp.sum((output(z) - target) ** 2)


def _squared_error_slope(z: Float[Array, " n"], target: Float[Array, " n"], output: Activation) -> Float[Array, " n"]:
    return 2 * (output(z) - target)


def _squared_error_delta(z: Float[Array, " n"], target: Float[Array, " n"], output: Activation) -> Float[Array, " n"]:
    return chain(output.derivative(z), _squared_error_slope(z, target, output))


_UNDEFINED = "cross_entropy is defined for sigmoid and softmax outputs only: init(key, sizes, output=jaxnet.softmax)"


def _cross_entropy(z: Float[Array, " n"], y: Float[Array, " n"], output: Activation) -> Float[Array, ""]:
    # Written in z: in a, ln(1 - a) is minus infinity as soon as float32 rounds a to one.
    if output == sigmoid:
        return jnp.sum(jax.nn.softplus(z) - y * z)
    if output == softmax:
        return -jnp.sum(y * jax.nn.log_softmax(z))
    raise ValueError(_UNDEFINED)


def _cross_entropy_slope(z: Float[Array, " n"], y: Float[Array, " n"], output: Activation) -> Float[Array, " n"]:
    # A target of 0 or 1 leaves one term only; the other may be zero times infinity.
    if output == sigmoid:
        return jnp.where(y < 1, (1 - y) * (1 + jnp.exp(z)), 0) - jnp.where(y > 0, y * (1 + jnp.exp(-z)), 0)
    if output == softmax:
        return -jnp.where(y > 0, y * jnp.exp(-jax.nn.log_softmax(z)), 0)
    raise ValueError(_UNDEFINED)


def _cross_entropy_delta(z: Float[Array, " n"], y: Float[Array, " n"], output: Activation) -> Float[Array, " n"]:
    if output == sigmoid:
        return output(z) - y
    if output == softmax:
        return output(z) * jnp.sum(y) - y
    raise ValueError(_UNDEFINED)


squared_error = Loss(_squared_error, _squared_error_slope, _squared_error_delta)
"""C0 = sum_j (a_j - y_j)^2, the lecture's: no one-half (Nielsen has it), a sum over the outputs, not a mean."""

cross_entropy = Loss(_cross_entropy, _cross_entropy_slope, _cross_entropy_delta)
"""C0 = -sum_j [y_j ln a_j + (1 - y_j) ln(1 - a_j)] for sigmoid, -sum_j y_j ln a_j for softmax outputs (Nielsen, ch. 3).
"""


class Penalty(NamedTuple):
    """A term of the cost that depends on the parameters alone, and its gradient worked out by hand."""

    function: Callable[[Params], Float[Array, ""]]
    gradient: Callable[[Params], Params]

    def __call__(self, params: Params) -> Float[Array, ""]:
        return self.function(params)


def l2(strength: float) -> Penalty:
    """Weight decay: strength / 2 times the sum of the squared weights, biases exempt.

    Nielsen's lambda is divided by the number n of training images: `l2(lambda_ / n)`. Raises ValueError for a strength
    that is negative or not finite. Nielsen, chapter 3.
    """
    check_bounds(strength=strength)

    def function(params: Params) -> Float[Array, ""]:
        check_params(params)
        return strength / 2 * jnp.sum(jnp.stack([jnp.sum(w**2) for w, _, _ in params]))

    def gradient(params: Params) -> Params:
        return tuple(layer._replace(weights=strength * layer.weights, biases=0 * layer.biases) for layer in params)

    return Penalty(function, gradient)


def cost(
    params: Params,
    images: Float[Array | np.ndarray, "n n_in"],
    targets: Float[Array | np.ndarray, "n n_out"],
    *,
    loss: Callable[[Float[Array, " n_out"], Float[Array, " n_out"], Activation], Float[Array, ""]] = squared_error,
    penalty: Callable[[Params], Float[Array, ""]] | None = None,
) -> Float[Array, ""]:
    """The mean over the examples of each one's cost C0, by default the lecture's sum of squared differences.

    C = 1/n sum_x sum_j (a_j(x) - y_j(x))^2

    There is no one-half and the outputs are summed, so a rate for this cost is half of the rate for a cost with the
    one-half. `loss` and `penalty` are pure functions. Raises ValueError where there are no examples, or dtypes or
    shapes do not fit, TypeError for arguments of another kind. Lecture, chapter 2.

    >>> from jaxnet import Layer
    >>> params = (Layer(jnp.zeros((2, 3)), jnp.zeros(2)),)
    >>> cost(params, jnp.ones((4, 3)), jnp.array([[0.0, 1.0]] * 4))
    Array(0.5, dtype=float32)
    """

    def example_cost(image: Float[Array, " n_in"], target: Float[Array, " n_out"]) -> Float[Array, ""]:
        z = trace(params, image).weighted_sums[-1]
        return loss(z, target, params[-1].activation)

    check_examples(params, images, targets)
    check_function("z, target, output", loss=loss)
    check_optional("params", penalty=penalty)
    costs = jax.vmap(example_cost)(jnp.asarray(images), jnp.asarray(targets))
    check_array("what loss returns", costs, jnp.floating, (len(images),), "one number for each example")
    mean = jnp.mean(costs)
    return mean if penalty is None else mean + penalty(params)


def accuracy(
    params: Params,
    images: Float[Array | np.ndarray, "n n_in"],
    labels: Int[Array | np.ndarray, " n"],
) -> Float[Array, ""]:
    """The share of images, between 0 and 1, whose largest output is the one of their label.

    Raises ValueError where there are no examples, or the labels are not one integer for each image, TypeError for
    arguments of another kind.

    >>> from jaxnet import Layer
    >>> params = (Layer(jnp.array([[1.0], [-1.0]]), jnp.zeros(2)),)
    >>> accuracy(params, jnp.array([[1.0], [0.5]]), jnp.array([0, 1]))
    Array(0.5, dtype=float32)
    """

    def right(image: Float[Array, " n_in"], label: Int[Array, ""]) -> Float[Array, ""]:
        return (classify(params, image) == label).astype(image.dtype)

    check_labels(params, images, labels)
    return jnp.mean(jax.vmap(right)(jnp.asarray(images), jnp.asarray(labels)))


def in_chunks(mean: Mean, chunk_size: int) -> Mean:
    """The same mean over the examples, taken chunk by chunk, so that memory is bounded however many there are.

    1/n times the sum over the chunks of the chunk's size times its mean: the mean itself, no estimate.

    >>> mean_pixel = in_chunks(lambda params, images, answers: jnp.mean(images), chunk_size=2)
    >>> mean_pixel((), jnp.arange(5.0)[:, None], jnp.zeros(5))
    Array(2., dtype=float32)
    """
    check_function("params, images, answers", mean=mean)
    check_whole(1, chunk_size=chunk_size)

    def chunked(params: Any, images: Array, answers: Array) -> Any:
        n = len(images)
        if n <= chunk_size:
            return mean(params, images, answers)
        chunks, rest = divmod(n, chunk_size)

        def add(total: Any, start: Array | int, size: int) -> Any:
            some_images = jax.lax.dynamic_slice_in_dim(images, start, size)
            some_answers = jax.lax.dynamic_slice_in_dim(answers, start, size)
            part = mean(params, some_images, some_answers)
            return jax.tree.map(lambda t, p: t + size * p, total, part)

        shapes = jax.eval_shape(mean, params, images[:chunk_size], answers[:chunk_size])
        total = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        starts = jnp.arange(chunks) * chunk_size
        total, _ = jax.lax.scan(lambda total, start: (add(total, start, chunk_size), None), total, starts)
        total = add(total, n - rest, rest) if rest else total
        return jax.tree.map(lambda t: t / n, total)

    return chunked
