"""Backpropagation by hand: what one example wants of every weight and bias, then the average over many.

No autodiff here. From the output back to the input, layer after layer:

    delta = dC0/dz       the error: at the output from the loss, further back from the layer after it
    dC0/dw = delta a'    a' the activations that come in, one row of weights for each neuron
    dC0/db = delta
    dC0/da' = w^T delta  what the layer before would have to change, which makes its own delta

The desired nudges are the negatives of these. Lecture, chapters 3 and 4; Nielsen, chapter 2, equations BP1 to BP4
(there with the one-half, here without).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnet.cost import Loss, Penalty, chain, squared_error
from jaxnet.kinds import check_example, check_examples, described
from jaxnet.network import Layer, Params, not_written, trace


def errors(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    target: Float[Array | np.ndarray, " n_out"],
    *,
    loss: Loss = squared_error,
) -> tuple[tuple[Float[Array, " _"], ...], tuple[Float[Array, " _"], ...]]:
    """For one example and every layer, the activations a' that came in and the error delta = dC0/dz; first layer first.

    At the output delta is the loss's own; before it delta = da/dz (w^T delta of the layer after). Raises TypeError
    where the loss or an activation function has no derivative written by hand, ValueError where image or target do not
    fit. Nielsen, BP1, BP2.
    """
    check_example(params, image, target)
    check_by_hand(params, loss)
    zs, activations = trace(params, image)
    delta = loss.delta(zs[-1], jnp.asarray(target), params[-1].activation)
    deltas = [delta]
    for layer in range(len(params) - 1, 0, -1):
        dc_da = params[layer].weights.T @ delta
        delta = chain(params[layer - 1].activation.derivative(zs[layer - 1]), dc_da)
        deltas.append(delta)
    return (jnp.asarray(image), *activations[:-1]), tuple(reversed(deltas))


def check_by_hand(params: Params, loss: Any, penalty: Any = None) -> None:
    """Raises TypeError where loss, penalty or an activation function has no derivative written by hand."""
    if not isinstance(loss, Loss):
        raise TypeError(f"loss is {described(loss)}; backpropagation by hand needs Loss(function, slope, delta)")
    if penalty is not None and not isinstance(penalty, Penalty):
        raise TypeError(f"penalty is {described(penalty)}; backpropagation by hand needs Penalty(function, gradient)")
    for index, (_, _, f) in enumerate(params):
        if f.derivative is not_written:
            raise TypeError(
                f"layer {index} has the activation function {f}, without a derivative written by hand:"
                f" give Activation({f}, derivative)"
            )


def backprop(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    target: Float[Array | np.ndarray, " n_out"],
    *,
    loss: Loss = squared_error,
    penalty: Penalty | None = None,
) -> Params:
    """The gradient of one example's cost by every weight and bias, shaped like `params`.

    dC0/dw_jk = a'_k delta_j and dC0/db_j = delta_j. The desired nudges are its negative. Takes the arguments of `cost`;
    loss, penalty and activation functions must have their derivatives by hand, else TypeError is raised.

    >>> params = (Layer(jnp.array([[1.0]]), jnp.array([0.0])),)
    >>> (layer,) = backprop(params, jnp.array([0.0]), jnp.array([1.0]))  # a = 1/2: 2 (a - y) a (1 - a) = -1/4
    >>> layer.weights, layer.biases
    (Array([[-0.]], dtype=float32), Array([-0.25], dtype=float32))
    """
    inputs, deltas = errors(params, image, target, loss=loss)
    check_by_hand(params, loss, penalty)
    gradient = _gradient(params, inputs, deltas)
    return gradient if penalty is None else jax.tree.map(jnp.add, gradient, penalty.gradient(params))


def _gradient(params: Params, inputs: tuple[Array, ...], deltas: tuple[Array, ...]) -> Params:
    return tuple(
        Layer(jnp.outer(delta, a), delta, f) for (_, _, f), a, delta in zip(params, inputs, deltas, strict=True)
    )


def average_gradient(
    params: Params,
    images: Float[Array | np.ndarray, "n n_in"],
    targets: Float[Array | np.ndarray, "n n_out"],
    *,
    loss: Loss = squared_error,
    penalty: Penalty | None = None,
) -> Params:
    """The gradient of the cost: the mean of `backprop` over the examples, equal to `jax.grad(cost)`.

    The sum over examples of the outer products delta a' is one matrix product, so none of them is ever stored.

    >>> from jaxnet import init, one_hot
    >>> params = init(jax.random.key(0), (3, 2))
    >>> gradient = average_gradient(params, jnp.ones((4, 3)), one_hot(jnp.array([0, 1, 1, 0]), 2))
    >>> [layer.weights.shape for layer in gradient]
    [(2, 3)]
    """

    def example_errors(
        image: Float[Array, " n_in"], target: Float[Array, " n_out"]
    ) -> tuple[tuple[Float[Array, " _"], ...], tuple[Float[Array, " _"], ...]]:
        return errors(params, image, target, loss=loss)

    check_examples(params, images, targets)
    check_by_hand(params, loss, penalty)
    inputs, deltas = jax.vmap(example_errors)(jnp.asarray(images), jnp.asarray(targets))
    gradient = tuple(
        Layer(delta.T @ a / len(images), jnp.mean(delta, axis=0), f)
        for (_, _, f), a, delta in zip(params, inputs, deltas, strict=True)
    )
    return gradient if penalty is None else jax.tree.map(jnp.add, gradient, penalty.gradient(params))


class Nudges(NamedTuple):
    """What the cost wants: up where positive, down where negative, and the more the larger.

    - `activations`: of the image, the hidden layers and the outputs, first to last: -dC0/da.
    - `params`: of every weight and bias: -dC0/dw and -dC0/db, the negative gradient.
    """

    activations: tuple[Float[Array, " _"], ...]
    params: Params


def nudges(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    target: Float[Array | np.ndarray, " n_out"],
    *,
    loss: Loss = squared_error,
) -> Nudges:
    """What one example wants of every activation, weight and bias.

    The outputs should move by -dC0/da; for that, weights should move in proportion to the activation that they carry,
    and the activations before them in proportion to the weight that carries them, summed over all the neurons that
    they lead to: -w^T delta. Takes the arguments of `backprop`. Lecture, chapter 3.

    >>> params = (Layer(jnp.array([[2.0]]), jnp.array([0.0])),)
    >>> nudges(params, jnp.array([0.0]), jnp.array([1.0])).activations  # -w delta = 2/4 of the input, 2 (1 - 1/2)
    (Array([0.5], dtype=float32), Array([1.], dtype=float32))
    """
    inputs, deltas = errors(params, image, target, loss=loss)
    z = params[-1].weights @ inputs[-1] + params[-1].biases
    before = [-layer.weights.T @ delta for layer, delta in zip(params, deltas, strict=True)]
    wishes = jax.tree.map(jnp.negative, _gradient(params, inputs, deltas))
    return Nudges((*before, -loss.slope(z, jnp.asarray(target), params[-1].activation)), wishes)


def average_nudges(
    params: Params,
    images: Float[Array | np.ndarray, "n n_in"],
    targets: Float[Array | np.ndarray, "n n_out"],
    *,
    loss: Loss = squared_error,
) -> Nudges:
    """The mean over the examples of what each of them wants: 1/n sum_x `nudges`(x).

    Of weights and biases this is the negative gradient of the cost. Takes the arguments of `average_gradient`. All the
    examples' wishes are stored on the way: for more than some thousands, `in_chunks(average_nudges, 1000)`. Raises
    ValueError where there are no examples or they do not fit. Lecture, chapter 3.

    >>> params = (Layer(jnp.array([[2.0]]), jnp.array([0.0])),)
    >>> average_nudges(params, jnp.zeros((2, 1)), jnp.array([[1.0], [0.0]])).params[0].biases  # they want the opposite
    Array([0.], dtype=float32)
    """

    def one(image: Float[Array, " n_in"], target: Float[Array, " n_out"]) -> Nudges:
        return nudges(params, image, target, loss=loss)

    check_examples(params, images, targets)
    wishes = jax.vmap(one)(jnp.asarray(images), jnp.asarray(targets))
    return jax.tree.map(lambda wish: jnp.mean(wish, axis=0), wishes)
