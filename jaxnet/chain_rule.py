"""The chain rule, factor by factor: how a nudge to one weight or bias reaches the cost.

    dC0/dw_jk = dz_j/dw_jk  da_j/dz_j  dC0/da_j      with dz_j/dw_jk = a'_k, the activation that the weight carries
    dC0/db_j  = dz_j/db_j   da_j/dz_j  dC0/da_j      with dz_j/db_j = 1

At the output dC0/da_j = 2 (a_j - y_j). Further back, the activation reaches the cost through every neuron i of the
next layer, and from there through every neuron of the one after it, to the outputs: dC0/da_j is a sum over paths,

    dC0/da_j = sum_i  dz_i/da_j  da_i/dz_i  dC0/da_i      with dz_i/da_j = w_ij

A network of one neuron a layer, `init(key, (1, 1, 1, 1))`, has one path. Layers are numbered as in `params`, from 0.
`backprop` gets all these products at once. Lecture, chapter 4.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnet.backprop import check_by_hand, errors
from jaxnet.cost import Loss, squared_error
from jaxnet.kinds import check_array, check_example, check_index, check_params, described
from jaxnet.network import Params, trace


class Factors(NamedTuple):
    """The three factors of dC0/dw for one weight, or of dC0/db for one bias.

    In a softmax layer all activations answer to the neuron's z: `da_dz` and `dc_da` are then vectors over that layer.
    """

    dz_dw: Float[Array, ""]
    da_dz: Float[Array, "*layer"]
    dc_da: Float[Array, "*layer"]


def factors(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    target: Float[Array | np.ndarray, " n_out"],
    layer: int,
    neuron: int,
    source: int | None,
    *,
    loss: Loss = squared_error,
) -> Factors:
    """dz/dw, da/dz and dC0/da for the weight into `neuron` of `layer` from `source`, or for its bias: source None.

    Raises IndexError, with the valid range, where there is no such weight, and TypeError where the loss or an
    activation function has no derivative written by hand.

    >>> from jaxnet import Layer
    >>> params = (Layer(jnp.array([[0.0]]), jnp.array([0.0])),)
    >>> factors(params, jnp.array([3.0]), jnp.array([1.0]), 0, 0, 0)  # a' = 3, a (1 - a) = 1/4, 2 (a - y) = -1
    Factors(dz_dw=Array(3., dtype=float32), da_dz=Array(0.25, dtype=float32), dc_da=Array(-1., dtype=float32))
    """
    check_example(params, image, target)
    check_weight(params, layer, neuron, source)
    inputs, deltas = errors(params, image, target, loss=loss)
    z = params[layer].weights @ inputs[layer] + params[layer].biases
    dz_dw = jnp.ones((), z.dtype) if source is None else inputs[layer][source]
    f = params[layer].activation
    da_dz = f.derivative(z)
    if layer == len(params) - 1:
        dc_da = loss.slope(z, jnp.asarray(target), f)
    else:
        dc_da = params[layer + 1].weights.T @ deltas[layer + 1]
    return Factors(dz_dw, da_dz[..., neuron], dc_da if da_dz.ndim == 2 else dc_da[neuron])


def product(factors: Factors) -> Float[Array, ""]:
    """dC0/dw = dz/dw da/dz dC0/da.

    NaN where cross-entropy meets an activation rounded to the wrong end: zero times infinity, which `backprop` avoids.

    >>> float(product(Factors(jnp.array(3.0), jnp.array(0.25), jnp.array(-1.0))))
    -0.75
    """
    if not isinstance(factors, Factors):
        raise TypeError(f"factors is {described(factors)}; expected Factors, as chain_rule.factors returns them")
    one = "of one weight: jax.vmap takes many"
    check_array("dz_dw of factors", factors.dz_dw, jnp.floating, (), one)
    for name, array in (("da_dz", factors.da_dz), ("dc_da", factors.dc_da)):
        check_array(f"{name} of factors", array, jnp.floating, np.shape(factors.da_dz)[:1], one)
    return factors.dz_dw * jnp.sum(factors.da_dz * factors.dc_da)


def paths(
    params: Params,
    image: Float[Array | np.ndarray, " n_in"],
    target: Float[Array | np.ndarray, " n_out"],
    layer: int,
    neuron: int,
    *,
    loss: Loss = squared_error,
) -> Float[Array, "*later_layers"]:
    """What each path from the activation of `neuron` of `layer` to the outputs adds to dC0/da; their sum is dC0/da.

    Entry [i, ..., o] is that of the path through neuron i of the next layer ... to output o: the product of dz/da da/dz
    for each neuron on the way, and of dC0/da_o. At the output layer there is no way to go, and the shape is ().
    Raises as `factors` does.

    >>> import jax, jaxnet
    >>> params = jaxnet.init(jax.random.key(0), (4, 3, 2, 5))
    >>> paths(params, jnp.ones(4), jnp.zeros(5), 0, 2).shape  # 2 neurons in between, 5 outputs
    (2, 5)
    """
    check_example(params, image, target)
    check_weight(params, layer, neuron, None)
    check_by_hand(params, loss)
    zs, _ = trace(params, image)
    # From each activation of a layer, to begin with the last.
    ways = loss.slope(zs[-1], jnp.asarray(target), params[-1].activation)
    for later in range(len(params) - 1, layer, -1):
        da_dz = params[later].activation.derivative(zs[later])
        own = da_dz if da_dz.ndim == 2 else jnp.diag(da_dz)
        from_z = jnp.tensordot(own, ways, axes=(0, 0))
        ways = jnp.einsum("ij,i...->ji...", params[later].weights, from_z)
    return ways[neuron]


def check_weight(params: Params, layer: int, neuron: int, source: int | None) -> None:
    """Raises IndexError, with the valid range, unless the network has this weight, or bias where source is None."""
    check_params(params)
    check_index(len(params), "this network has layers", layer=layer)
    n_out, n_in = params[layer].weights.shape
    check_index(n_out, f"layer {layer} has neurons", neuron=neuron)
    if source is not None:
        check_index(n_in, f"layer {layer} has sources", source=source)
