"""Neuron, layer, network.

A neuron holds a number, its activation. A layer turns the activations of the layer before it into its own: a weighted
sum plus a bias, squeezed by an activation function. Everything here is written for ONE image; `jax.vmap` makes it many.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxnet.kinds import check_array, check_function, check_image, check_key, check_params, check_whole, described
from jaxnet.memory import check_fits

Function = Callable[[Float[Array, " n"]], Float[Array, " n"]]
Initializer = Callable[..., Array]


def not_written(_z: Float[Array, " n"]) -> Float[Array, " n"]:
    """Stands for a derivative that nobody has worked out by hand. Raises TypeError."""
    raise TypeError("an activation function has no derivative written by hand: give Activation(function, derivative)")


@jax.tree_util.register_static
@dataclass(frozen=True, repr=False)
class Activation:
    """An activation function a = f(z), and its derivative da/dz worked out by hand.

    It belongs to a layer and holds no numbers: `jit`, `grad`, `vmap` and optimizers pass it on as it is.

    - `function`: weighted sums z (n,) to activations a (n,).
    - `derivative`: z (n,) to da_j/dz_j (n,) where each neuron depends on its own z alone, or to the whole Jacobian
      da_i/dz_j (n, n) where it does not (softmax). Autodiff (`jax.grad(cost)`) does without; backpropagation by hand
      raises TypeError where it is not given.
    - `name`: by which a file of parameters knows it; that of the function where none is given.

    >>> Activation(jnp.sin, jnp.cos)(jnp.zeros(1))
    Array([0.], dtype=float32)
    """

    function: Function
    derivative: Callable[[Float[Array, " n"]], Float[Array, " n"] | Float[Array, "n n"]] = not_written
    name: str = ""

    def __post_init__(self) -> None:
        check_function("z", function=self.function, derivative=self.derivative)
        if not isinstance(self.name, str):
            raise TypeError(f"name is {described(self.name)}; expected a text")
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", type(self.function).__name__))

    def __call__(self, z: Float[Array, " n"]) -> Float[Array, " n"]:
        if not isinstance(z, float):
            check_array("z", z, jnp.floating)
        return self.function(z)

    def __repr__(self) -> str:
        return self.name

    def __deepcopy__(self, _memo: Any) -> "Activation":
        return self

    def __reduce__(self) -> Any:  # to be pickled; the package's own by name
        return (
            self.name if globals().get(self.name) is self else (Activation, (self.function, self.derivative, self.name))
        )


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


sigmoid = Activation(jax.nn.sigmoid, _sigmoid_derivative, "sigmoid")
"""a = 1 / (1 + e^-z), between 0 and 1: the lecture's. da/dz = a (1 - a)."""

relu = Activation(jax.nn.relu, lambda z: (z > 0).astype(z.dtype), "relu")
"""a = max(0, z), what modern networks use. da/dz = 1 where z > 0, else 0."""

tanh = Activation(jnp.tanh, _tanh_derivative, "tanh")
"""a = tanh z, between -1 and 1. da/dz = 1 - a^2."""

scaled_tanh = Activation(_scaled_tanh, _scaled_tanh_derivative, "scaled_tanh")
"""a = 1.7159 tanh(0.6666 z), the one of the record MLPs (LeCun 1998; Ciresan et al. 2010, arXiv 1003.0358)."""

softmax = Activation(jax.nn.softmax, _softmax_derivative, "softmax")
"""a_i = e^(z_i) / sum_j e^(z_j): outputs that sum to one. da_i/dz_j = a_i (delta_ij - a_j)."""


def as_activation(name: str, function: Activation | Function) -> Activation:
    """Any function as an `Activation`; one that the package knows with its derivative by hand. Raises TypeError."""
    if isinstance(function, Activation):
        return function
    check_function("z", **{name: function})
    known = {each.function: each for each in ACTIVATIONS}
    return known.get(function) or Activation(function)


ACTIVATIONS = (sigmoid, relu, tanh, scaled_tanh, softmax)
"""Those of the package."""


class Layer(NamedTuple):
    """One layer: row j of `weights` and entry j of `biases` lead into its neuron j, `activation` squeezes what arrives.

    a = f(w a' + b), with a' the activations of the layer before. A gradient, or an optimizer's state, is made of layers
    too, with the same activation functions.
    """

    weights: Float[Array, "*networks n_out n_in"]
    biases: Float[Array, "*networks n_out"]
    activation: Activation = sigmoid


Params = tuple[Layer, ...]

scaled_normal: Initializer = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", in_axis=-1, out_axis=-2)
"""Normal weights with standard deviation 1/sqrt(n_in), so that no neuron starts saturated (Nielsen, chapter 3)."""

unit_normal: Initializer = jax.nn.initializers.normal(1.0)
"""Plain normal(0, 1), the lecture's."""


def init(
    key: Key[Array, ""],
    sizes: Sequence[int] = (784, 16, 16, 10),
    *,
    activation: Activation | Function = sigmoid,
    output: Activation | Function = sigmoid,
    weights: Initializer = scaled_normal,
    biases: Initializer = unit_normal,
) -> Params:
    """Random weights and biases: the network before it has seen anything.

    - `sizes`: the numbers of neurons from the input to the output.
    - `activation`, `output`: the activation functions of the hidden layers and of the last one; the layers keep them.
    - `weights`, `biases`: initializers, functions of (key, shape) such as those of `jax.nn.initializers`;
      `weights=unit_normal` is the lecture's plain normal(0, 1).

    Raises ValueError for fewer than two sizes or a size below 1, TypeError for a number where a key belongs, and where
    a function is none.

    >>> params = init(jax.random.key(0))
    >>> [layer.weights.shape for layer in params]
    [(16, 784), (16, 16), (10, 16)]
    >>> count_params(params)
    13002
    >>> [layer.activation for layer in init(jax.random.key(0), (3, 5, 2), activation=relu)]
    [relu, sigmoid]
    """
    check_key(key)
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Sequence | np.ndarray):
        raise TypeError(f"sizes is {described(sizes)}; expected whole numbers, such as (784, 16, 16, 10)")
    for index, size in enumerate(sizes):
        check_whole(**{f"sizes[{index}]": size})
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise ValueError(f"sizes is {tuple(sizes)}; it must name at least two layers, each of at least one neuron")
    hidden, last = as_activation("activation", activation), as_activation("output", output)
    check_function("key, shape", weights=weights, biases=biases)
    numbers = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(map(int, sizes)))
    check_fits(f"a network of {'-'.join(map(str, sizes))}", 4 * numbers)
    drawn = _draw(key, tuple(sizes), weights, biases)
    functions = (hidden,) * (len(drawn) - 1) + (last,)
    return tuple(Layer(w, b, f) for (w, b), f in zip(drawn, functions, strict=True))


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _draw(
    key: Key[Array, ""], sizes: tuple[int, ...], weights: Initializer, biases: Initializer
) -> list[tuple[Array, Array]]:
    drawn = []
    for layer_key, n_in, n_out in zip(jax.random.split(key, len(sizes) - 1), sizes[:-1], sizes[1:], strict=True):
        weights_key, biases_key = jax.random.split(layer_key)
        drawn.append((weights(weights_key, (n_out, n_in)), biases(biases_key, (n_out,))))
    return drawn


def count_params(params: Params) -> int:
    """How many weights and biases there are: 13,002 in the lecture's network."""
    check_params(params, axes=None)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def sizes_of(params: Params) -> tuple[int, ...]:
    """The numbers of neurons from the input to the output, as given to `init`."""
    check_params(params, axes=None)
    return (params[0].weights.shape[-1], *(layer.biases.shape[-1] for layer in params))


class Trace(NamedTuple):
    """What every layer held while one image went through: z and a, first hidden layer to output."""

    weighted_sums: tuple[Float[Array, " _"], ...]
    activations: tuple[Float[Array, " _"], ...]


def trace(params: Params, image: Float[Array | np.ndarray, " n_in"]) -> Trace:
    """Every layer's weighted sums z = w a' + b and activations a = f(z), for one image.

    Raises ValueError where the image has not as many pixels as the first layer has inputs, or is made of bytes or other
    integers. Lecture, chapter 1.
    """
    check_image(params, image)
    a = jnp.asarray(image)
    zs, activations = [], []
    for w, b, f in params:
        z = w @ a + b
        a = f(z)
        zs.append(z)
        activations.append(a)
    return Trace(tuple(zs), tuple(activations))


def forward(params: Params, image: Float[Array | np.ndarray, " n_in"]) -> Float[Array, " n_out"]:
    """The activations of the output layer, for one image: a = f(w a' + b), layer after layer.

    Raises ValueError where the image does not fit. For many images: `jax.vmap(forward, in_axes=(None, 0))`. Lecture,
    chapter 1.

    >>> params = (Layer(jnp.array([[1.0, -1.0]]), jnp.array([0.0])),)
    >>> forward(params, jnp.array([0.5, 0.5]))
    Array([0.5], dtype=float32)
    """
    return trace(params, image).activations[-1]


def classify(params: Params, image: Float[Array | np.ndarray, " n_in"]) -> Int[Array, ""]:
    """The index of the output neuron with the largest activation, for one image: the digit that the network chooses.

    >>> params = (Layer(jnp.array([[1.0], [2.0], [-1.0]]), jnp.zeros(3)),)
    >>> int(classify(params, jnp.array([1.0])))
    1
    """
    return jnp.argmax(forward(params, image))
