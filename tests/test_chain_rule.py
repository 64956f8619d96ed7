import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from jaxnet import Layer, chain_rule
from jaxnet.network import trace
from tests.test_backprop import Kind, example, kinds


def test_the_chain_of_one_neuron_a_layer_equals_the_blackboard():
    w1, b1, w2, b2, x, y = 0.7, -0.3, -1.9, 0.4, 0.8, 1.0
    z1 = w1 * x + b1
    a1 = 1 / (1 + math.exp(-z1))
    z2 = w2 * a1 + b2
    a2 = 1 / (1 + math.exp(-z2))
    with jax.enable_x64(True):
        params = tuple(Layer(jnp.array([[w]]), jnp.array([b])) for w, b in ((w1, b1), (w2, b2)))
        example = params, jnp.array([x]), jnp.array([y])
        last, first = chain_rule.factors(*example, 1, 0, 0), chain_rule.factors(*example, 0, 0, 0)
        assert [float(f) for f in last] == pytest.approx([a1, a2 * (1 - a2), 2 * (a2 - y)], rel=1e-14)
        dc_da1 = w2 * a2 * (1 - a2) * 2 * (a2 - y)
        assert [float(f) for f in first] == pytest.approx([x, a1 * (1 - a1), dc_da1], rel=1e-14)
        assert float(chain_rule.product(first)) == pytest.approx(x * a1 * (1 - a1) * dc_da1, rel=1e-14)
        assert float(chain_rule.factors(*example, 0, 0, None).dz_dw) == 1
        assert chain_rule.paths(*example, 0, 0).tolist() == [pytest.approx(dc_da1, rel=1e-14)]


def test_the_product_of_the_factors_equals_autodiff_for_hundreds_of_weights_and_biases_of_the_network():
    with jax.enable_x64(True):
        params, images, targets = example(0, (784, 16, 16, 10), n=1)
        autodiff = jax.grad(jaxnet.cost)(params, images, targets)
        rng, checked = np.random.default_rng(0), 0
        for layer, (w, b, _) in enumerate(autodiff):
            for source in (None, *rng.integers(w.shape[1], size=70).tolist()):
                neuron = int(rng.integers(len(b)))
                expected = b[neuron] if source is None else w[neuron, source]
                found = chain_rule.product(chain_rule.factors(params, images[0], targets[0], layer, neuron, source))
                assert float(found) == pytest.approx(float(expected), rel=1e-12, abs=1e-18)
                checked += 1
        assert checked > 200


@pytest.mark.parametrize("kind", kinds())
def test_the_product_equals_autodiff_and_the_paths_add_up_for_every_activation_and_cost(kind: Kind):
    with jax.enable_x64(True):
        params, images, targets = example(3, (4, 3, 2, 3), n=1, kind=kind)
        one, loss = (images[0], targets[0]), kind[2]
        gradient = jax.grad(functools.partial(jaxnet.cost, loss=loss))(params, images, targets)
        for layer, neuron in itertools.product(range(3), range(2)):
            for source in (None, 1):
                found = chain_rule.product(chain_rule.factors(params, *one, layer, neuron, source, loss=loss))
                expected = gradient[layer].biases[neuron] if source is None else gradient[layer].weights[neuron, source]
                assert float(found) == pytest.approx(float(expected), rel=1e-12, abs=1e-15)
            through = chain_rule.paths(params, *one, layer, neuron, loss=loss)
            assert through.shape == ((2, 3), (3,), ())[layer]
            dc_da = chain_rule.factors(params, *one, layer, neuron, None, loss=loss).dc_da
            own = dc_da[neuron] if dc_da.ndim else dc_da
            assert float(jnp.sum(through)) == pytest.approx(float(own), rel=1e-12, abs=1e-15)


def test_each_path_is_the_product_of_the_factors_on_its_way():
    with jax.enable_x64(True):
        params, images, targets = example(5, (3, 4, 2, 3), n=1)
        _, activations = trace(params, images[0])
        slopes = [np.asarray(a * (1 - a)) for a in activations]
        through = chain_rule.paths(params, images[0], targets[0], 0, 3)
        for i, o in itertools.product(range(2), range(3)):
            way = params[1].weights[i, 3] * slopes[1][i] * params[2].weights[o, i] * slopes[2][o]
            expected = way * 2 * (activations[-1][o] - targets[0, o])
            assert float(through[i, o]) == pytest.approx(float(expected), rel=1e-13)


def test_paths_and_factors_through_neurons_that_answer_to_one_another_in_one_direction():
    """As those of softmax do not: its Jacobian is symmetric."""
    jacobian = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0], [0.5, 0.0, 1.0]])  # da_l/dz_i
    mixed = jaxnet.Activation(lambda z: jnp.asarray(jacobian) @ z, lambda z: jnp.asarray(jacobian))
    with jax.enable_x64(True):
        params, images, targets = example(5, (3, 3, 3, 2), n=1, kind=(mixed, jaxnet.sigmoid, jaxnet.squared_error))
        one = images[0], targets[0]
        a = np.asarray(jaxnet.forward(params, images[0]))
        out = np.asarray(params[2].weights).T * a * (1 - a) * 2 * (a - np.asarray(targets[0]))  # [l, o]
        expected = np.asarray(params[1].weights)[:, 0, None] * (jacobian.T @ out)  # [i, o], summed over the l
        np.testing.assert_allclose(chain_rule.paths(params, *one, 0, 0), expected, rtol=1e-12)
        found = chain_rule.product(chain_rule.factors(params, *one, 0, 1, 2))
        slope = jacobian.T @ np.asarray(params[1].weights).T @ jacobian.T @ out.sum(axis=1)
        assert float(found) == pytest.approx(float(images[0, 2] * slope[1]), rel=1e-12)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((3, 0, 0), "layer is 3; this network has layers 0 to 2"),
        ((-1, 0, 0), "layer is -1"),
        ((1, 16, 0), "neuron is 16; layer 1 has neurons 0 to 15"),
        ((0, 0, 784), "source is 784; layer 0 has sources 0 to 783"),
        ((2, 0, -1), "source is -1; layer 2 has sources 0 to 15"),
    ],
)
def test_a_weight_that_does_not_exist_is_refused_with_the_valid_range(place: tuple[int, int, int], message: str):
    params = jaxnet.init(jax.random.key(0))
    with pytest.raises(IndexError, match=message):
        chain_rule.factors(params, jnp.ones(784), jnp.ones(10), *place)
    if "source" not in message:
        with pytest.raises(IndexError, match=message):
            chain_rule.paths(params, jnp.ones(784), jnp.ones(10), *place[:2])


def test_paths_and_factors_refuse_the_same_things():
    params = jaxnet.init(jax.random.key(0), (4, 3, 5))
    for attempt in (
        lambda target: chain_rule.factors(params, jnp.ones(4), target, 0, 2, None),
        lambda target: chain_rule.paths(params, jnp.ones(4), target, 0, 2),
    ):
        with pytest.raises(ValueError, match=r"target has .*shape \(1,\); expected .* of shape \(5,\)"):
            attempt(jnp.zeros(1))
