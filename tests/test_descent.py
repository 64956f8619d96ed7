import functools
from typing import Any

from tests import by_numpy
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet

GRADIENT = jax.grad(jaxnet.cost)


def start(params: jaxnet.Params, optimizer: optax.GradientTransformation) -> jaxnet.State:
    return jaxnet.State(params, optimizer.init(params))


def test_a_hundred_steps_follow_the_path_of_numpy(few: jaxnet.Dataset):
    with jax.enable_x64(True):
        params = jaxnet.init(jax.random.key(0))
        images, targets = jnp.asarray(few.images, jnp.float64), jnp.asarray(np.eye(10)[few.labels])
        numpy_network = [(np.asarray(w), np.asarray(b)) for w, b in params]
        state = start(params, optax.sgd(2.0))
        take = jax.jit(functools.partial(jaxnet.step, optimizer=optax.sgd(2.0), gradient=GRADIENT))
        for number in range(100):
            rows = (7 * number + np.arange(10)) % 103
            state, _ = take(state, images[rows], targets[rows])
            x, y = np.asarray(images[rows]), np.asarray(targets[rows])
            numpy_network = by_numpy.stepped(numpy_network, x, y, rate=2.0)
        for (w, b), (their_w, their_b) in zip(state.params, numpy_network, strict=True):
            np.testing.assert_allclose(w, their_w, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(b, their_b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", [lambda: optax.sgd(0.3), lambda: optax.sgd(0.3, momentum=0.9, nesterov=True)])
def test_steps_are_those_of_optax(few: jaxnet.Dataset, make):
    optimizer, params, targets = make(), jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels)
    state = start(params, optimizer)
    optimizer_state = optimizer.init(params)
    for _ in range(5):
        state, info = jaxnet.step(state, jnp.asarray(few.images), targets, optimizer=optimizer, gradient=GRADIENT)
        slope = GRADIENT(params, few.images, targets)
        updates, optimizer_state = optimizer.update(slope, optimizer_state, params)
        params = optax.apply_updates(params, updates)
        jax.tree.map(np.testing.assert_array_equal, info.gradient, slope)
    jax.tree.map(np.testing.assert_array_equal, state.params, params)


def test_plain_sgd_is_minus_rate_times_gradient(few: jaxnet.Dataset):
    params, targets = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels)
    state, info = jaxnet.step(
        start(params, optax.sgd(0.5)), jnp.asarray(few.images), targets, optimizer=optax.sgd(0.5), gradient=GRADIENT
    )
    by_hand = jax.tree.map(lambda p, g: p - 0.5 * g, params, info.gradient)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), state.params, by_hand)


@pytest.mark.parametrize("batch_size", [1, 2, 10, 34, 51, 52, 102, 103])
def test_an_epoch_visits_every_example_exactly_once(batch_size: int):
    """The "gradient" adds up what it sees: example i is the i-th unit vector, so the sum counts the visits."""
    n = 103
    params = (jaxnet.Layer(jnp.zeros((1, n)), jnp.zeros(1)),)

    def count_visits(_params: jaxnet.Params, images: jax.Array, _targets: jax.Array) -> jaxnet.Params:
        return (jaxnet.Layer(jnp.sum(images, axis=0, keepdims=True), jnp.ones(1)),)

    order = jax.random.permutation(jax.random.key(0), n)
    state = jaxnet.epoch(
        start(params, optax.sgd(-1.0)),
        jnp.eye(n),
        jnp.zeros((n, 1)),
        order,
        batch_size=batch_size,
        optimizer=optax.sgd(-1.0),
        gradient=count_visits,
    )
    np.testing.assert_array_equal(state.params[0].weights, np.ones((1, n)))
    np.testing.assert_array_equal(state.params[0].biases, [-(-n // batch_size)])  # as many steps as batches


def test_an_epoch_takes_the_batches_in_the_given_order_and_the_last_one_is_smaller(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    order = jax.random.permutation(jax.random.key(1), 103)
    by_epoch = jaxnet.epoch(
        start(params, optimizer), images, targets, order, batch_size=25, optimizer=optimizer, gradient=GRADIENT
    )
    state = start(params, optimizer)
    for rows in np.split(np.asarray(order), [25, 50, 75, 100]):
        state, _ = jaxnet.step(state, images[rows], targets[rows], optimizer=optimizer, gradient=GRADIENT)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), by_epoch.params, state.params)


def test_a_stretch_of_an_order_visits_only_that(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    rows = jnp.array([5, 17])
    visited = jaxnet.epoch(
        start(params, optimizer), images, targets, rows, batch_size=103, optimizer=optimizer, gradient=GRADIENT
    )
    stepped, _ = jaxnet.step(
        start(params, optimizer), images[rows], targets[rows], optimizer=optimizer, gradient=GRADIENT
    )
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), visited.params, stepped.params)
    with pytest.raises(ValueError, match="batch_size is 0"):
        jaxnet.epoch(
            start(params, optimizer), images, targets, rows, batch_size=0, optimizer=optimizer, gradient=GRADIENT
        )


def test_a_full_batch_is_a_batch_of_size_n_in_any_order(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    one_step, _ = jaxnet.step(start(params, optimizer), images, targets, optimizer=optimizer, gradient=GRADIENT)
    for seed in range(2):
        order = jax.random.permutation(jax.random.key(seed), 103)
        whole = jaxnet.epoch(
            start(params, optimizer), images, targets, order, batch_size=103, optimizer=optimizer, gradient=GRADIENT
        )
        gathered, _ = jaxnet.step(
            start(params, optimizer), images[order], targets[order], optimizer=optimizer, gradient=GRADIENT
        )
        jax.tree.map(np.testing.assert_array_equal, whole.params, one_step.params)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), whole.params, gathered.params)


@pytest.mark.parametrize("batch_size", [1, 7, 10, 32, 100, 161, 1_003])
def test_a_long_epoch_follows_the_path_of_numpy_whatever_is_left_over(batch_size: int):
    n, sizes, rate = 1_003, (6, 4, 3), 0.5  # batches are fetched several at a time, then those left, then a smaller one
    random = np.random.default_rng(0)
    images, order = random.random((n, sizes[0])), random.permutation(n)
    targets = np.eye(sizes[-1])[random.integers(sizes[-1], size=n)]
    with jax.enable_x64(True):
        params = jaxnet.init(jax.random.key(0), sizes)
        network = [(np.asarray(w), np.asarray(b)) for w, b in params]
        state = jaxnet.epoch(
            start(params, optax.sgd(rate)),
            jnp.asarray(images),
            jnp.asarray(targets),
            jnp.asarray(order),
            batch_size=batch_size,
            optimizer=optax.sgd(rate),
            gradient=GRADIENT,
        )
        for first in range(0, n, batch_size):
            rows = order[first : first + batch_size]
            network = by_numpy.stepped(network, images[rows], targets[rows], rate)
        for (w, b), (their_w, their_b) in zip(state.params, network, strict=True):
            np.testing.assert_allclose(w, their_w, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(b, their_b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 10, 50, 103])
def test_images_kept_as_bytes_give_the_same_bits(few: jaxnet.Dataset, batch_size: int):
    params, optimizer = jaxnet.init(jax.random.key(0), (784, 5, 10)), optax.sgd(0.5)

    @functools.partial(jax.jit, static_argnames="gradient")
    def descend(images: jax.Array, gradient: Any) -> jaxnet.State:
        return jaxnet.epoch(
            start(params, optimizer),
            images,
            jaxnet.one_hot(few.labels),
            jnp.arange(103)[::-1],
            batch_size=batch_size,
            optimizer=optimizer,
            gradient=gradient,
        )

    pixels = jaxnet.as_bytes(few.images)
    assert pixels.dtype == jnp.uint8
    from_bytes = descend(pixels, jaxnet.on_bytes(GRADIENT))
    jax.tree.map(np.testing.assert_array_equal, from_bytes, descend(jnp.asarray(few.images), GRADIENT))
