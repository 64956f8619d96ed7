import functools
import itertools
import math
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnet
from jaxnet import Layer
from jaxnet.backprop import average_nudges
from jaxnet.cost import chain
from jaxnet.network import trace
from tests import by_numpy
from tests.test_network import two_two_one

ACTIVATIONS = [jaxnet.sigmoid, jaxnet.relu, jaxnet.tanh, jaxnet.scaled_tanh, jaxnet.softmax]
LOSSES = [jaxnet.squared_error, jaxnet.cross_entropy]
# The activation functions of the hidden layers and of the last one, and the loss. Cross-entropy is defined for outputs
# that are probabilities.
KINDS = [
    (activation, output, loss)
    for activation, output, loss in itertools.product(ACTIVATIONS, ACTIVATIONS, LOSSES)
    if loss is jaxnet.squared_error or output in (jaxnet.sigmoid, jaxnet.softmax)
]
Kind = tuple[jaxnet.Activation, jaxnet.Activation, jaxnet.Loss]


def kinds() -> list:
    """All of them; the fast tests take each hidden function, and each output and loss, at least once."""
    others = dict(
        zip(ACTIVATIONS, [jaxnet.softmax, jaxnet.softmax, jaxnet.scaled_tanh, jaxnet.relu, jaxnet.tanh], strict=True)
    )
    found = []
    for kind in KINDS:
        names = f"{kind[0]}-{kind[1]}-{'squared_error' if kind[2] is jaxnet.squared_error else 'cross_entropy'}"
        fast = kind[1] == others[kind[0]] or kind[:2] == (jaxnet.sigmoid, jaxnet.sigmoid)
        found.append(pytest.param(kind, id=names, marks=[] if fast else pytest.mark.long))
    return found


def example(
    seed: int, sizes: tuple[int, ...], n: int = 4, *, kind: Kind = KINDS[0]
) -> tuple[jaxnet.Params, jax.Array, jax.Array]:
    """A random network with images and targets for it, in float64."""
    keys = jax.random.split(jax.random.key(seed), 3)
    params = jaxnet.init(keys[0], sizes, activation=kind[0], output=kind[1])
    images = jax.random.uniform(keys[1], (n, sizes[0]))
    targets = jax.nn.one_hot(jax.random.randint(keys[2], (n,), 0, sizes[-1]), sizes[-1])
    assert targets.dtype == images.dtype == params[0].weights.dtype == jnp.float64
    return params, images, targets


def flat(params: jaxnet.Params) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def relative_difference(one: jaxnet.Params, other: jaxnet.Params) -> float:
    """The largest of any layer's weights or biases, each relative to its own norm."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(
        float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))
        for a, b in ((np.array(a), np.array(b)) for a, b in leaves)
    )


def test_backprop_equals_the_2_2_1_network_worked_out_by_hand():
    s1, s2 = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(0.5))
    z = 2 * s1 - 2 * s2 - 1
    a = 1 / (1 + math.exp(-z))
    delta = 2 * (a - 1) * a * (1 - a)  # the target is 1
    first, second = 2 * delta * s1 * (1 - s1), -2 * delta * s2 * (1 - s2)
    gradient = jaxnet.backprop(two_two_one(), jnp.array([1.0, 0.0]), jnp.array([1.0]))
    np.testing.assert_allclose(gradient[1].weights, [[delta * s1, delta * s2]], rtol=1e-5)
    np.testing.assert_allclose(gradient[1].biases, [delta], rtol=1e-5)
    np.testing.assert_allclose(gradient[0].weights, [[first, 0], [second, 0]], rtol=1e-5)
    np.testing.assert_allclose(gradient[0].biases, [first, second], rtol=1e-5)


@pytest.mark.parametrize("kind", kinds())
def test_hand_backprop_equals_autodiff_for_every_activation_and_cost(kind: Kind):
    check_by_hand_against_autodiff(kind, None)


@pytest.mark.parametrize("kind", kinds()[:2])
def test_hand_backprop_with_a_penalty_equals_autodiff(kind: Kind):
    check_by_hand_against_autodiff(kind, jaxnet.l2(0.1))


def check_by_hand_against_autodiff(kind: Kind, penalty: jaxnet.Penalty | None) -> None:
    choices = {"loss": kind[2], "penalty": penalty}

    @jax.jit
    def gradients(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> tuple:
        autodiff = jax.grad(functools.partial(jaxnet.cost, **choices))
        return (
            (jaxnet.average_gradient(params, images, targets, **choices), autodiff(params, images, targets)),
            (jaxnet.backprop(params, images[0], targets[0], **choices), autodiff(params, images[:1], targets[:1])),
        )

    with jax.enable_x64(True):
        for by_hand, autodiff in gradients(*example(0, (9, 8, 7, 5), kind=kind)):
            assert relative_difference(by_hand, autodiff) < 1e-12


@pytest.mark.long
@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 1_000_000),
    st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple),
    st.sampled_from([kind for kind in KINDS if jaxnet.relu not in kind]),
)
def test_hand_backprop_of_any_network_equals_central_differences(seed: int, sizes: tuple[int, ...], kind: Kind):
    check_central_differences(seed, sizes, kind)


def test_hand_backprop_of_the_lectures_kind_of_network_equals_central_differences():
    check_central_differences(0, (6, 4, 4, 3), KINDS[0])


def check_central_differences(seed: int, sizes: tuple[int, ...], kind: Kind) -> None:
    with jax.enable_x64(True):
        params, images, targets = example(seed, sizes, kind=kind)
        direction = jaxnet.init(jax.random.key(seed + 1), sizes, activation=kind[0], output=kind[1])

        cost = jax.jit(functools.partial(jaxnet.cost, loss=kind[2]))

        def cost_along(h: float) -> float:
            moved = jax.tree.map(lambda p, d: p + h * d, params, direction)
            return float(cost(moved, images, targets))

        # Four points: the error is of the order h^4, the rounding of the order 1e-16 / h.
        h = 1e-3
        difference = (8 * (cost_along(h) - cost_along(-h)) - (cost_along(2 * h) - cost_along(-2 * h))) / (12 * h)
        gradient = jax.jit(functools.partial(jaxnet.average_gradient, loss=kind[2]))(params, images, targets)
        by_hand = flat(gradient) @ flat(direction)
        assert abs(by_hand - difference) < 1e-7 * max(1, abs(difference))


@pytest.mark.long
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1_000_000), st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple))
def test_hand_backprop_with_relu_equals_central_differences_away_from_the_kinks(seed: int, sizes: tuple[int, ...]):
    with jax.enable_x64(True):
        params, images, targets = example(seed, sizes, n=1, kind=(jaxnet.relu, jaxnet.sigmoid, jaxnet.squared_error))
        zs = trace(params, images[0]).weighted_sums
        clear = min([1.0, *(float(jnp.abs(z).min()) for z in zs[:-1])])
        direction = jaxnet.init(jax.random.key(seed + 1), sizes, activation=jaxnet.relu)
        h = 1e-6 * clear

        def cost_at(h: float) -> float:
            moved = jax.tree.map(lambda p, d: p + h * d, params, direction)
            return float(jaxnet.cost(moved, images, targets))

        by_hand = flat(jaxnet.backprop(params, images[0], targets[0])) @ flat(direction)
        difference = (cost_at(h) - cost_at(-h)) / (2 * h)
        assert abs(by_hand - difference) < 1e-4 * max(1, abs(difference)) + 1e-15 / h


def test_the_average_gradient_is_the_mean_of_the_examples_gradients():
    with jax.enable_x64(True):
        params, images, targets = example(1, (12, 6, 4), n=7)
        each = jax.jit(jax.vmap(jaxnet.backprop, in_axes=(None, 0, 0)))(params, images, targets)
        mean = jax.tree.map(lambda leaf: np.mean(leaf, axis=0), each)
        assert relative_difference(jax.jit(jaxnet.average_gradient)(params, images, targets), mean) < 1e-13


@pytest.mark.parametrize("kind", kinds())
def test_the_nudges_are_the_negative_derivatives_by_everything_that_could_be_nudged(kind: Kind):
    """Each layer's activations are nudged with all before it held constant: the rest is a network of its own."""
    _, output, loss = kind
    with jax.enable_x64(True):
        params, images, targets = example(0, (5, 4, 3, 3), n=1, kind=kind)
        found = jaxnet.nudges(params, images[0], targets[0], loss=loss)
        gradient = jaxnet.backprop(params, images[0], targets[0], loss=loss)
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, -b), found.params, gradient)
        zs, activations = trace(params, images[0])
        reached = (images[0], *activations)

        def cost_of_the_rest(layer: int, a: jax.Array) -> jax.Array:
            return jaxnet.cost(params[layer:], a[None], targets, loss=loss)

        assert len(found.activations) == 4
        for layer in range(3):
            slope = jax.grad(functools.partial(cost_of_the_rest, layer))(reached[layer])
            np.testing.assert_allclose(found.activations[layer], -slope, rtol=1e-10, atol=1e-14)
        slope = jax.grad(lambda z: loss(z, targets[0], output))(zs[-1])
        by_chain = chain(output.derivative(zs[-1]), found.activations[-1])
        np.testing.assert_allclose(by_chain, -slope, rtol=1e-9, atol=1e-14)


def test_the_desired_nudge_of_an_output_is_twice_what_it_lacks():
    params, image, target = two_two_one(), jnp.array([1.0, 0.0]), jnp.array([1.0])
    lacks = 1 - jaxnet.forward(params, image)
    np.testing.assert_allclose(jaxnet.nudges(params, image, target).activations[-1], 2 * lacks, rtol=1e-6)


@pytest.mark.parametrize("output", [jaxnet.sigmoid, jaxnet.softmax])
def test_the_slope_of_cross_entropy_equals_its_textbook_form_and_stays_finite(output: jaxnet.Activation):
    with jax.enable_x64(True):
        z, y = jnp.array([-3.0, 0.5, 2.0]), jnp.array([0.0, 1.0, 0.0])
        a = output(z)
        textbook = (a - y) / (a * (1 - a)) if output == jaxnet.sigmoid else -y / a
        np.testing.assert_allclose(jaxnet.cross_entropy.slope(z, y, output), textbook, rtol=1e-12)
    extreme = jnp.array([-200.0, 200.0, -200.0])
    assert jnp.isfinite(jaxnet.cross_entropy.slope(extreme, jnp.array([0.0, 1.0, 0.0]), output)).all()


def test_averaged_nudges_are_the_negative_gradient_of_the_cost_and_the_mean_of_each_wish():
    with jax.enable_x64(True):
        params, images, targets = example(2, (12, 6, 4), n=7)
        found = jax.jit(average_nudges)(params, images, targets)
        negative = jax.tree.map(np.negative, jax.jit(jax.grad(jaxnet.cost))(params, images, targets))
        assert relative_difference(found.params, negative) < 1e-12
        one = jax.jit(jaxnet.nudges)
        each = [one(params, image, target) for image, target in zip(images, targets, strict=True)]
        mean = jax.tree.map(lambda *wishes: sum(wishes) / 7, *each)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), found, mean)
        chunked = jax.jit(jaxnet.in_chunks(average_nudges, 3))(params, images, targets)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), found, chunked)


def test_hand_backprop_equals_numpy_on_digits(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(2))
    ours = jax.jit(jaxnet.average_gradient)(params, few.images, jaxnet.one_hot(few.labels))
    theirs = by_numpy.gradient(by_numpy.network(params), np.asarray(few.images), np.eye(10)[few.labels])
    for (dw, db, _), (their_dw, their_db) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(dw, their_dw, rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(db, their_db, rtol=1e-3, atol=1e-7)


def test_no_autodiff_inside():
    """Functions that cannot be differentiated are no obstacle, as long as their derivatives are given."""

    @jax.custom_jvp
    def sealed(z: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(z)

    @sealed.defjvp
    def refuse(*_: tuple) -> tuple:
        raise AssertionError("autodiff")

    activation = jaxnet.Activation(sealed, jaxnet.sigmoid.derivative)
    plain = jaxnet.init(jax.random.key(0), (3, 4, 2))
    params = tuple(layer._replace(activation=activation) for layer in plain)
    images, targets = jnp.ones((5, 3)), jnp.zeros((5, 2))
    with pytest.raises(AssertionError, match="autodiff"):
        jax.grad(jaxnet.cost)(params, images, targets)
    for by_hand in (
        lambda params: jaxnet.average_gradient(params, images, targets),
        lambda params: jaxnet.backprop(params, images[0], targets[0]),
    ):
        leaves = zip(jax.tree.leaves(by_hand(params)), jax.tree.leaves(by_hand(plain)), strict=True)
        assert all(np.array_equal(one, other) for one, other in leaves)


def test_without_the_type_checks_of_the_tests_a_user_gets_clear_errors():
    """In a program of its own, since here the shapes and types in the annotations are checked first."""
    code = """
import jax.numpy as jnp, jaxnet
params, image, target = (jaxnet.Layer(jnp.ones((2, 3)), jnp.zeros(2)),), jnp.ones(3), jnp.zeros(2)
sine = jaxnet.Activation(jnp.sin)
first, last = (jaxnet.Layer(jnp.ones((2, n_in)), jnp.zeros(2)) for n_in in (3, 2))
for attempt in (
    lambda: jaxnet.backprop((first._replace(activation=sine), last), image, target),
    lambda: jaxnet.backprop((first, last._replace(activation=sine)), image, target),
    lambda: jaxnet.backprop(params, image, target, loss=lambda z, y, output: jnp.sum(z)),
    lambda: jaxnet.backprop(params, jnp.ones(4), target),
    lambda: jaxnet.forward(params, jnp.ones((5, 3))),
    lambda: jaxnet.cost(params, jnp.ones((5, 3)), jnp.ones((4, 2))),
    lambda: jaxnet.accuracy(params, jnp.ones((5, 3)), jnp.ones(4, int)),
    lambda: jaxnet.chain_rule.paths((first, last._replace(activation=sine)), image, target, 0, 0),
    lambda: jaxnet.landscape.on_plane(jaxnet.landscape.Plane(params, params, params), jnp.ones(3)),
):
    try:
        attempt()
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    expected = [
        r"TypeError layer 0 has the activation function sin, with.* give Activation\(sin, derivative\)",
        r"TypeError layer 1 has the activation function sin, with.* give Activation\(sin, derivative\)",
        r"TypeError loss is .*; backpropagation by hand needs Loss\(function, slope, delta\)",
        r"ValueError image has .*shape \(4,\); expected .* of shape \(3,\): one image",
        r"ValueError image has .*shape \(5, 3\); .*jax.vmap takes many",
        r"ValueError targets has .*shape \(4, 2\); expected .* of shape \(5, 2\)",
        r"ValueError labels has .*shape \(4,\); expected integers of shape \(5,\)",
        r"TypeError layer 1 has the activation function sin, with.* give Activation\(sin, derivative\)",
        r"ValueError point has .*shape \(3,\); expected .* of shape \(2,\)",
    ]
    for line, pattern in zip(printed.splitlines(), expected, strict=True):
        assert re.match(pattern, line), line


def test_a_target_of_another_size_is_refused():
    params = (Layer(jnp.ones((2, 3)), jnp.zeros(2)),)
    with pytest.raises(ValueError, match=r"target has .*shape \(5,\); expected .* of shape \(2,\)"):
        jaxnet.backprop(params, jnp.ones(3), jnp.zeros(5))
