import copy
import math
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from jaxnet import Layer
from jaxnet.network import Initializer, trace
from tests import by_numpy


def two_two_one() -> jaxnet.Params:
    """Small round numbers, so that a person can follow."""
    return (
        Layer(jnp.array([[1.0, 2.0], [-1.0, 1.0]]), jnp.array([0.0, 0.5])),
        Layer(jnp.array([[2.0, -2.0]]), jnp.array([-1.0])),
    )


def test_forward_equals_the_2_2_1_network_worked_out_by_hand():
    # z1 = (1*1 + 2*0 + 0, -1*1 + 1*0 + 0.5) = (1, -0.5); z2 = 2 s(1) - 2 s(-0.5) - 1
    s1, s2 = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(0.5))
    z = 2 * s1 - 2 * s2 - 1
    zs, activations = trace(two_two_one(), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(zs[0], [1, -0.5], rtol=1e-6)
    np.testing.assert_allclose(activations[0], [s1, s2], rtol=1e-6)
    np.testing.assert_allclose(zs[1], [z], rtol=1e-5)
    np.testing.assert_allclose(
        jaxnet.forward(two_two_one(), jnp.array([1.0, 0.0])), [1 / (1 + math.exp(-z))], rtol=1e-6
    )


def test_forward_equals_numpy_on_digits(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(3), (784, 30, 20, 10))
    ours = jax.vmap(jaxnet.forward, in_axes=(None, 0))(params, few.images)
    theirs = by_numpy.outputs(by_numpy.network(params), np.asarray(few.images))[-1]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_lectures_network_has_13002_numbers_and_its_sizes():
    params = jaxnet.init(jax.random.key(0))
    assert jaxnet.count_params(params) == 784 * 16 + 16 * 16 + 16 * 10 + 16 + 16 + 10 == 13_002
    assert jaxnet.sizes_of(params) == (784, 16, 16, 10)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(("weights", "deviation"), [(jaxnet.scaled_normal, 1 / 28), (jaxnet.unit_normal, 1.0)])
def test_initial_weights_have_the_promised_mean_and_deviation(weights: Initializer, deviation: float):
    (w, b, _), _ = jaxnet.init(jax.random.key(1), (784, 500, 1), weights=weights)
    n = w.size
    assert abs(float(w.mean())) < 5 * deviation / math.sqrt(n)
    assert abs(float(w.std()) / deviation - 1) < 5 / math.sqrt(2 * n)
    assert abs(float(b.mean())) < 5 / math.sqrt(500)
    assert abs(float(b.std()) - 1) < 5 / math.sqrt(1000)


def test_each_initial_number_is_drawn_on_its_own():
    networks = 2_000
    params = jax.vmap(lambda key: jaxnet.init(key, (2, 2, 1)))(jax.random.split(jax.random.key(2), networks))
    numbers = np.concatenate([np.reshape(leaf, (networks, -1)) for leaf in jax.tree.leaves(params)], axis=1)
    assert np.abs(np.corrcoef(numbers.T) - np.eye(9)).max() < 5 / math.sqrt(networks)


def test_initial_numbers_depend_on_the_key_and_on_nothing_else():
    one, same, other = (jaxnet.init(jax.random.key(seed)) for seed in (0, 0, 1))
    assert all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(same)))
    assert not any(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))
    assert not np.array_equal(one[1].weights[:10], one[2].weights)  # no layer repeats another's draw


def test_any_initializer_of_jax_will_do():
    ((w, b, _),) = jaxnet.init(
        jax.random.key(0), [50, 40], weights=jax.nn.initializers.uniform(0.05), biases=jax.nn.initializers.zeros
    )
    assert 0 <= w.min() < w.max() <= 0.05
    assert not b.any()


@pytest.mark.parametrize("sizes", [(), (784,), (784, 0, 10), (784, -1)])
def test_impossible_sizes_are_refused_by_value(sizes: tuple[int, ...]):
    with pytest.raises(ValueError, match="sizes is .*; it must name at least two layers"):
        jaxnet.init(jax.random.key(0), sizes)


def test_an_image_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match=r"image has .*shape \(783,\); expected .* of shape \(784,\): one image"):
        jaxnet.forward(jaxnet.init(jax.random.key(0)), jnp.zeros(783))


def test_the_shapes_in_the_annotations_are_checked_while_testing():
    with pytest.raises(Exception, match="Type-check error"):
        jaxnet.forward(jaxnet.init(jax.random.key(0)), jnp.zeros((1, 784)))


def closed_forms() -> list[tuple[jaxnet.Activation, object, object]]:
    """Each activation and its derivative in plain Python."""
    return [
        (jaxnet.sigmoid, lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
        (jaxnet.relu, lambda z: max(0.0, z), lambda z: float(z > 0)),
        (jaxnet.tanh, math.tanh, lambda z: 1 / math.cosh(z) ** 2),
        (
            jaxnet.scaled_tanh,
            lambda z: 1.7159 * math.tanh(0.6666 * z),
            lambda z: 1.7159 * 0.6666 / math.cosh(0.6666 * z) ** 2,
        ),
    ]


@pytest.mark.parametrize(("activation", "value", "derivative"), closed_forms())
def test_activations_and_derivatives_equal_their_closed_forms(activation: jaxnet.Activation, value, derivative):
    with jax.enable_x64(True):
        z = jnp.array([-4.0, -1.5, -0.1, 0.3, 2.0, 5.0])
        np.testing.assert_allclose(activation(z), [value(float(each)) for each in z], rtol=1e-13)
        np.testing.assert_allclose(activation.derivative(z), [derivative(float(each)) for each in z], rtol=1e-11)


def test_softmax_and_its_jacobian_equal_their_closed_forms():
    with jax.enable_x64(True):
        z = jnp.log(jnp.array([1.0, 2.0, 5.0]))  # so a = z / 8 without the logarithm
        a = np.array([1, 2, 5]) / 8
        np.testing.assert_allclose(jaxnet.softmax(z), a, rtol=1e-14)
        by_hand = [[a[i] * ((i == j) - a[j]) for j in range(3)] for i in range(3)]
        np.testing.assert_allclose(jaxnet.softmax.derivative(z), by_hand, rtol=1e-13)


def test_a_function_that_the_package_knows_has_its_derivative():
    params = jaxnet.init(jax.random.key(0), (3, 4, 2), activation=jax.nn.relu, output=jax.nn.softmax)
    assert [layer.activation for layer in params] == [jaxnet.relu, jaxnet.softmax]


def cube(z: jax.Array) -> jax.Array:
    return z**3


@pytest.mark.parametrize("activation", [jaxnet.tanh, jaxnet.Activation(cube), jax.nn.gelu])
def test_parameters_are_pickled_and_copied(activation: jaxnet.Activation):
    params = jaxnet.init(jax.random.key(0), (3, 4, 2), activation=activation)
    for again in (pickle.loads(pickle.dumps(params)), copy.deepcopy(params)):  # noqa: S301 (our own)
        jax.tree.map(np.testing.assert_array_equal, again, params)  # their structures have the same functions


def test_bytes_and_other_integers_are_refused(few: jaxnet.Dataset):
    params, pixels = jaxnet.init(jax.random.key(0)), np.rint(255 * few.images).astype(np.uint8)
    targets: Any = jaxnet.one_hot(few.labels)
    for attempt in (
        lambda: jaxnet.forward(params, pixels[0]),
        lambda: jaxnet.accuracy(params, pixels, few.labels),
        lambda: jaxnet.cost(params, pixels, targets),
        lambda: jax.jit(jax.grad(jaxnet.cost))(params, pixels, targets),
    ):
        with pytest.raises(Exception, match="images? has dtype uint8 .*expected floating-point|Type-check error"):
            attempt()


def test_the_brightest_output_is_the_choice():
    params = (Layer(jnp.array([[1.0], [3.0], [2.0]]), jnp.zeros(3)),)
    assert jaxnet.classify(params, jnp.array([1.0])) == 1
    assert jaxnet.classify(params, jnp.array([-1.0])) == 0
