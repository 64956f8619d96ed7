"""The relative importance of every weight and bias: the gradient as one long vector, ranked.

A component of the gradient says how much the cost changes for each unit of that weight. Two of them compare as prices
do: if one is 3.2 and the other 0.1, the same small nudge changes the cost 32 times as much through the first. Lecture,
chapter 2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnet.kinds import check_params
from jaxnet.network import Layer, Params


class Ranking(NamedTuple):
    """Every weight and bias, the most important first: where it stands, and how steeply the cost answers to it.

    - `layer`, `neuron`: which one it leads into. `source`: from which input or neuron; -1 for a bias.
    - `slope`: dC/dw, the component of the gradient, with its sign.
    """

    layer: Int[Array, " p"]
    neuron: Int[Array, " p"]
    source: Int[Array, " p"]
    slope: Float[Array, " p"]


def rank(gradient: Params) -> Ranking:
    """All components of a gradient, sorted by size; equal ones stay in the order of the network, NaN comes last.

    >>> ranking = rank((Layer(jnp.array([[0.1, -3.2]]), jnp.array([0.5])),))
    >>> ranking.source
    Array([ 1, -1,  0], dtype=int32)
    >>> float(abs(ranking.slope[0] / ranking.slope[2]))
    32.0
    """
    check_params(gradient, "gradient")
    parts = []
    for index, (w, b, _) in enumerate(gradient):
        neuron, source = jnp.indices((w.shape[0], w.shape[1] + 1), jnp.int32)
        parts.append(
            Ranking(
                jnp.full(neuron.size, index, jnp.int32),
                neuron.ravel(),
                jnp.where(source == w.shape[1], -1, source).ravel(),
                jnp.concatenate([w, b[:, None]], axis=1).ravel(),
            )
        )
    whole = Ranking(*map(jnp.concatenate, zip(*parts, strict=True)))
    order = jnp.argsort(-jnp.abs(whole.slope), stable=True)
    return Ranking(*(column[order] for column in whole))


def per_weight(gradient: Params) -> tuple[Layer, ...]:
    """The root mean square of dC/dw and of dC/db in each layer: comparable between layers of any number of weights.

    The length of a layer's gradient grows with the number of its weights; this does not. Each `Layer` has two scalars.

    >>> per_weight((Layer(jnp.array([[3.0, -3.0]]), jnp.array([0.5])),))[0].weights
    Array(3., dtype=float32)
    """
    check_params(gradient, "gradient")
    return jax.tree.map(lambda leaf: jnp.sqrt(jnp.mean(leaf**2)), gradient)
