import math
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from jaxnet import Layer
from jaxnet.network import Function
from tests import by_numpy


def identity_network(n: int) -> jaxnet.Params:
    """Passes its input on to the output's weighted sums."""
    return (Layer(jnp.eye(n), jnp.zeros(n)),)


def test_cost_is_the_mean_of_the_sum_of_squares_without_one_half():
    a = 1 / (1 + math.exp(-2))
    images, targets = jnp.array([[0.0, 2.0], [2.0, 0.0]]), jnp.array([[0.5, 1.0], [0.0, 1.0]])
    first = (1 - a) ** 2
    second = a**2 + (1 - 0.5) ** 2
    np.testing.assert_allclose(jaxnet.cost(identity_network(2), images, targets), (first + second) / 2, rtol=1e-6)


def test_cost_equals_numpy_on_digits(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(5))
    targets = jaxnet.one_hot(few.labels)
    theirs = by_numpy.cost(by_numpy.network(params), np.asarray(few.images), np.eye(10)[few.labels])
    np.testing.assert_allclose(jaxnet.cost(params, few.images, targets), theirs, rtol=1e-5)


def test_cross_entropy_equals_its_textbook_form_where_that_can_be_computed():
    with jax.enable_x64(True):
        z, y = jnp.array([-3.0, 0.2, 4.0]), jnp.array([0.0, 1.0, 0.0])
        a = 1 / (1 + np.exp(-np.asarray(z)))
        binary = -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a))
        np.testing.assert_allclose(jaxnet.cross_entropy(z, y, jaxnet.sigmoid), binary, rtol=1e-13)
        share = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(jaxnet.cross_entropy(z, y, jaxnet.softmax), -math.log(share[1]), rtol=1e-13)


@pytest.mark.parametrize("output", [jaxnet.sigmoid, jaxnet.softmax])
def test_the_derivatives_of_cross_entropy_hold_for_targets_between_zero_and_one_of_any_sum(output: jaxnet.Activation):
    z, y, h = np.array([-1.0, 0.2, 2.0]), np.array([0.5, 0.9, 0.3]), 1e-5

    def textbook(z: np.ndarray) -> float:
        if output == jaxnet.softmax:
            return -float(y @ np.log(np.exp(z) / np.exp(z).sum()))
        a = 1 / (1 + np.exp(-z))
        return -float(y @ np.log(a) + (1 - y) @ np.log(1 - a))

    with jax.enable_x64(True):
        example = jnp.asarray(z), jnp.asarray(y), output
        a = np.asarray(output(example[0]))
        slope = -y / a if output == jaxnet.softmax else (1 - y) / (1 - a) - y / a
        np.testing.assert_allclose(jaxnet.cross_entropy.slope(*example), slope, rtol=1e-12)
        differences = [(textbook(z + step) - textbook(z - step)) / (2 * h) for step in h * np.eye(3)]
        np.testing.assert_allclose(jaxnet.cross_entropy.delta(*example), differences, atol=1e-8)


@pytest.mark.parametrize("output", [jaxnet.sigmoid, jaxnet.softmax])
def test_cross_entropy_stays_finite_where_float32_rounds_the_output_to_one(output: jaxnet.Activation):
    z, y = jnp.array([60.0, -60.0]), jnp.array([0.0, 1.0])
    value, slope = jax.value_and_grad(jaxnet.cross_entropy)(z, y, output)
    np.testing.assert_allclose(value, 120.0, rtol=1e-6)
    np.testing.assert_allclose(slope, [1.0, -1.0], rtol=1e-6)


def test_cross_entropy_refuses_outputs_it_has_no_meaning_for():
    with pytest.raises(ValueError, match="cross_entropy is defined for sigmoid and softmax outputs only"):
        jaxnet.cross_entropy(jnp.zeros(2), jnp.zeros(2), jaxnet.tanh)
    with pytest.raises(ValueError, match="cross_entropy is defined for sigmoid and softmax outputs only"):
        jaxnet.cross_entropy.delta(jnp.zeros(2), jnp.zeros(2), jaxnet.relu)


def test_l2_is_half_the_sum_of_squared_weights_and_leaves_biases_alone():
    params = (Layer(jnp.array([[3.0, 4.0]]), jnp.array([100.0])), Layer(jnp.array([[2.0]]), jnp.array([100.0])))
    np.testing.assert_allclose(jaxnet.l2(0.1)(params), 0.05 * (9 + 16 + 4), rtol=1e-6)
    images, targets = jnp.ones((5, 2)), jnp.ones((5, 1))
    difference = jaxnet.cost(params, images, targets, penalty=jaxnet.l2(0.1)) - jaxnet.cost(params, images, targets)
    np.testing.assert_allclose(difference, 1.45, rtol=1e-6)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_an_impossible_l2_strength_is_refused_by_value(strength: float):
    with pytest.raises(ValueError, match=f"strength is {strength}"):
        jaxnet.l2(strength)


def test_accuracy_is_the_share_of_right_answers():
    images = jnp.array([[0.9, 0.1], [0.2, 0.3], [0.8, 0.0], [0.1, 0.7]])
    assert jaxnet.accuracy(identity_network(2), images, jnp.array([0, 1, 1, 1])) == 0.75


def test_any_pure_function_serves_as_activation_and_loss_for_autodiff():
    def absolute_error(z: jax.Array, target: jax.Array, output: Function) -> jax.Array:
        return jnp.sum(jnp.abs(output(z) - target))

    params = (identity_network(2)[0]._replace(activation=jaxnet.Activation(jnp.sin)),)
    value = jaxnet.cost(params, jnp.array([[1.0, -1.0]]), jnp.zeros((1, 2)), loss=absolute_error)
    np.testing.assert_allclose(value, 2 * math.sin(1), rtol=1e-6)


@pytest.mark.parametrize("chunk_size", [1, 10, 102, 103, 1000])
def test_a_mean_in_chunks_is_the_mean(few: jaxnet.Dataset, chunk_size: int):
    params = jaxnet.init(jax.random.key(0))
    targets = jaxnet.one_hot(few.labels)
    both = jax.value_and_grad(jaxnet.cost)
    whole = jax.jit(both)(params, few.images, targets)
    chunked = jax.jit(jaxnet.in_chunks(both, chunk_size))(params, few.images, targets)
    for ours, theirs in zip(jax.tree.leaves(chunked), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-7)


def test_a_mean_in_chunks_of_ones_is_one():
    """Not 1.0000004, which an accuracy must not be."""
    ones = jax.jit(jaxnet.in_chunks(lambda params, images, answers: jnp.mean(images), 2_000))
    for n in (50_000, 59_999, 60_000):
        assert ones((), jnp.ones((n, 1)), jnp.ones(n)) == 1


def test_a_mean_in_chunks_needs_the_memory_of_a_chunk_only():
    params = jaxnet.init(jax.random.key(0), (784, 800, 10))
    images, targets = jnp.zeros((20_000, 784)), jnp.zeros((20_000, 10))

    def temporary_bytes(chunk_size: int) -> int:
        compiled = jax.jit(jaxnet.in_chunks(jax.grad(jaxnet.cost), chunk_size)).lower(params, images, targets).compile()
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    assert temporary_bytes(1_000) < 0.2 * temporary_bytes(20_000)


def test_arguments_of_another_kind_are_refused_by_name():
    """In a program of its own, since here the shapes and types in the annotations are checked first."""
    code = """
import jax, jax.numpy as jnp, jaxnet, numpy as np, optax
params, images, labels = jaxnet.init(jax.random.key(0), (3, 2)), np.ones((4, 3), np.float32), np.array([0, 1, 1, 0])
targets = jaxnet.one_hot(labels, 2)
def train(**other):
    choices = {"key": jax.random.key(0), "dataset": jaxnet.Dataset(images, labels), "batch_size": 2, "epochs": 1}
    return jaxnet.train(params=params, optimizer=optax.sgd(1.0), **(choices | other))
for attempt in (
    lambda: jaxnet.accuracy(params, images, targets),
    lambda: jax.jit(jaxnet.accuracy)(params, images, targets),
    lambda: jaxnet.cost(params, images, labels),
    lambda: jaxnet.forward(params, np.ones(3, np.uint8)),
    lambda: jaxnet.descend(jax.random.key(0), params, np.ones((4, 3), int), targets, optax.sgd(1), batch_size=2,
                           steps=1),
    lambda: train(cost=jaxnet.cross_entropy),
    lambda: train(key=0),
    lambda: train(batch_size="full"),
    lambda: train(epochs=1.0),
    lambda: train(dataset=(images, labels)),
    lambda: jaxnet.init(0),
    lambda: jaxnet.init(jax.random.key(0), activation="relu"),
    lambda: jaxnet.descend(0, params, images, targets, optax.sgd(1.0), batch_size=2, steps=1),
    lambda: jaxnet.descend(jax.random.key(0), params, images, targets, optax.sgd(1.0), batch_size=2.0, steps=1),
):
    try:
        print(attempt())
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    labels = r"ValueError labels has dtype float32 and shape \(4, 2\); expected integers of shape \(4,\)"
    expected = [
        labels,
        labels,
        r"ValueError targets has .*shape \(4,\); expected .* of shape \(4, 2\).*jaxnet.one_hot\(labels, 2\)",
        r"ValueError image has dtype uint8 .*; expected floating-point numbers .* bytes divided by 255",
        r"ValueError images has dtype int32 .*; expected floating-point numbers",
        r"TypeError cost is a loss, the cost of one example; expected .*functools.partial\(jaxnet.cost, loss=...\)",
        r"TypeError key is 0; expected one key of JAX, such as jax.random.key\(0\)",
        r"TypeError batch_size is 'full'; expected a whole number",
        r"TypeError epochs is 1.0; expected a whole number",
        r"TypeError dataset is of type tuple; jaxnet.dataset\(images, labels\) makes a Dataset",
        r"TypeError key is 0; expected one key of JAX",
        r"TypeError activation is 'relu'; expected a function of \(z\)",
        r"TypeError key is 0; expected one key of JAX",
        r"TypeError batch_size is 2.0; expected a whole number",
    ]
    for line, pattern in zip(printed.splitlines(), expected, strict=True):
        assert re.match(pattern, line), line


def test_missing_superfluous_and_misshapen_answers_are_refused():
    params = identity_network(2)
    with pytest.raises(ValueError, match="images is empty"):
        jaxnet.cost(params, jnp.zeros((0, 2)), jnp.zeros((0, 2)))
    with pytest.raises(ValueError, match=r"targets has .*shape \(4, 3\); expected .* of shape \(4, 2\)"):
        jaxnet.cost(params, jnp.zeros((4, 2)), jnp.zeros((4, 3)))
