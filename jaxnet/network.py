"""Neuron, layer, network.

A neuron holds a number, its activation. A layer turns the activations of the layer before it into its own: a weighted
sum plus a bias, squeezed by an activation function. Everything here is written for ONE image; `jax.vmap` makes it many.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

Function = Callable[[Float[Array, " n"]], Float[Array, " n"]]
Initializer = Callable[..., Array]


class Layer(NamedTuple):
    """The numbers that lead into one layer: row j of `weights` and entry j of `biases` belong to its neuron j."""

    weights: Float[Array, "*networks n_out n_in"]
    biases: Float[Array, "*networks n_out"]


Params = tuple[Layer, ...]


class Activation(NamedTuple):
    """An activation function a = f(z), and its derivative da/dz worked out by hand.

    Any pure function will do where only autodiff is used (`forward`, `cost`); backpropagation by hand needs the pair.

    - `function`: weighted sums z (n,) to activations a (n,).
    - `derivative`: z (n,) to da_j/dz_j (n,) where each neuron looks at its own z alone, or to the whole Jacobian
      da_i/dz_j (n, n) where it does not (softmax).
    """

    function: Function
    derivative: Callable[[Float[Array, " n"]], Float[Array, " n"] | Float[Array, "n n"]]

    def __call__(self, z: Float[Array, " n"]) -> Float[Array, " n"]:
        return self.function(z)


def _sigmoid_derivative(z: Float[Array, " n"]) -> Float[Array, " n"]:
    a = jax.nn.sigmoid(z)
    return a * (1 - a)


def _scaled_tanh(z: Float[Array, " n"]) -> Float[Array, " n"]:
    return 1.7159 * jnp.tanh(0.6666 * z)


def _scaled_tanh_derivative(z: Float[Array, " n"]) -> Float[Array, " n"]:
    a = jnp.tanh(0.6666 * z)
    return 1.7159 * 0.6666 * (1 - a) * (1 + a)


def _tanh_derivative(z: Float[Array, " n"]) -> Float[Array, " n"]:
    a = jnp.tanh(z)
    return (1 - a) * (1 + a)  # 1 - a^2, without the cancellation near a = 1


def _softmax_derivative(z: Float[Array, " n"]) -> Float[Array, "n n"]:
    a = jax.nn.softmax(z)
    return jnp.diag(a) - jnp.outer(a, a)


sigmoid = Activation(jax.nn.sigmoid, _sigmoid_derivative)
"""a = 1 / (1 + e^-z), between 0 and 1: the lecture's. da/dz = a (1 - a)."""

relu = Activation(jax.nn.relu, lambda z: (z > 0).astype(z.dtype))
"""a = max(0, z), what modern networks use. da/dz = 1 where z > 0, else 0."""

tanh = Activation(jnp.tanh, _tanh_derivative)
"""a = tanh z, between -1 and 1. da/dz = 1 - a^2."""

scaled_tanh = Activation(_scaled_tanh, _scaled_tanh_derivative)
"""a = 1.7159 tanh(0.6666 z), the one of the record MLPs (LeCun 1998; Ciresan et al. 2010, arXiv 1003.0358)."""

softmax = Activation(jax.nn.softmax, _softmax_derivative)
"""a_i = e^(z_i) / sum_j e^(z_j): outputs that sum to one. da_i/dz_j = a_i (delta_ij - a_j)."""

scaled_normal: Initializer = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", in_axis=-1, out_axis=-2)
"""Normal weights with standard deviation 1/sqrt(n_in), so that no neuron starts saturated (Nielsen, chapter 3)."""

unit_normal: Initializer = jax.nn.initializers.normal(1.0)
"""Plain normal(0, 1), the lecture's."""


def init(
    key: Key[Array, ""],
    sizes: Sequence[int] = (784, 16, 16, 10),
    *,
    weights: Initializer = scaled_normal,
    biases: Initializer = unit_normal,
) -> Params:
    """Random weights and biases: the network before it has seen anything.

    `sizes` are the numbers of neurons from the input to the output. `weights` and `biases` are initializers, functions
    of (key, shape) such as those of `jax.nn.initializers`; `weights=unit_normal` is the lecture's plain normal(0, 1).
    Raises ValueError for fewer than two sizes or a size below 1.

    >>> params = init(jax.random.key(0))
    >>> [layer.weights.shape for layer in params]
    [(16, 784), (16, 16), (10, 16)]
    >>> count_params(params)
    13002
    """
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise ValueError(f"sizes is {tuple(sizes)}; it must name at least two layers, each of at least one neuron")
    return _init(key, tuple(sizes), weights, biases)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _init(key: Key[Array, ""], sizes: tuple[int, ...], weights: Initializer, biases: Initializer) -> Params:
    layers = []
    for layer_key, n_in, n_out in zip(jax.random.split(key, len(sizes) - 1), sizes[:-1], sizes[1:], strict=True):
        weights_key, biases_key = jax.random.split(layer_key)
        layers.append(Layer(weights(weights_key, (n_out, n_in)), biases(biases_key, (n_out,))))
    return tuple(layers)


def count_params(params: Params) -> int:
    """How many weights and biases there are: 13,002 in the lecture's network."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def sizes_of(params: Params) -> tuple[int, ...]:
    """The numbers of neurons from the input to the output, as given to `init`."""
    return (params[0].weights.shape[-1], *(layer.biases.shape[-1] for layer in params))


class Trace(NamedTuple):
    """What every layer held while one image went through: z and a, first hidden layer to output."""

    weighted_sums: tuple[Float[Array, " _"], ...]
    activations: tuple[Float[Array, " _"], ...]


def trace(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    *,
    activation: Function = sigmoid,
    output: Function = sigmoid,
) -> Trace:
    """Every layer's weighted sums z = w a + b and activations a = f(z), for one image.

    `activation` is f of the hidden layers, `output` that of the last one. Raises ValueError where the image has not
    as many pixels as the first layer has inputs. Lecture, chapter 1.
    """
    n_in = params[0].weights.shape[-1]
    if image.shape != (n_in,):
        raise ValueError(
            f"image has shape {image.shape}; this network takes one image of shape ({n_in},): use jax.vmap for many"
        )
    a = jnp.asarray(image)
    zs, activations = [], []
    for layer, (w, b) in enumerate(params, start=1):
        f = output if layer == len(params) else activation
        z = w @ a + b
        a = f(z)
        zs.append(z)
        activations.append(a)
    return Trace(tuple(zs), tuple(activations))


def forward(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    *,
    activation: Function = sigmoid,
    output: Function = sigmoid,
) -> Float[Array, " n_out"]:
    """The activations of the output layer, for one image: a = f(w a + b), layer after layer.

    `activation` and `output` are pure functions from weighted sums to activations. Raises ValueError where the image
    does not fit. For many images: `jax.vmap(forward, in_axes=(None, 0))`. Lecture, chapter 1.

    >>> params = (Layer(jnp.array([[1.0, -1.0]]), jnp.array([0.0])),)
    >>> forward(params, jnp.array([0.5, 0.5]))
    Array([0.5], dtype=float32)
    """
    return trace(params, image, activation=activation, output=output).activations[-1]


def classify(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    *,
    activation: Function = sigmoid,
    output: Function = sigmoid,
) -> Int[Array, ""]:
    """The index of the brightest output neuron, for one image: the digit that the network chooses.

    >>> params = (Layer(jnp.array([[1.0], [2.0], [-1.0]]), jnp.zeros(3)),)
    >>> int(classify(params, jnp.array([1.0])))
    1
    """
    return jnp.argmax(forward(params, image, activation=activation, output=output))
