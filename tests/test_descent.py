import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet.cost import Mean
from jaxnet.data import as_bytes, on_bytes
from tests import by_numpy

GRADIENT = jax.grad(jaxnet.cost)


def one_epoch(
    params: jaxnet.Params, images: jax.Array, targets: jax.Array, order: jax.Array, rate: float = 1.0, **choices: Any
) -> jaxnet.State:
    """By plain descent, compiled as one."""
    optimizer = optax.sgd(rate)
    run = functools.partial(jaxnet.epoch, optimizer=optimizer, **choices)
    return jax.jit(run)(start(params, optimizer), images, targets, order)


def start(params: Any, optimizer: optax.GradientTransformation) -> jaxnet.State:
    return jaxnet.State(params, optimizer.init(params))


def test_a_hundred_steps_follow_the_path_of_numpy(few: jaxnet.Dataset):
    with jax.enable_x64(True):
        params = jaxnet.init(jax.random.key(0))
        images, targets = jnp.asarray(few.images, jnp.float64), jnp.asarray(np.eye(10)[few.labels])
        numpy_network = by_numpy.network(params)
        state = start(params, optax.sgd(2.0))
        take = jax.jit(functools.partial(jaxnet.step, optimizer=optax.sgd(2.0), gradient=GRADIENT))
        for number in range(100):
            rows = (7 * number + np.arange(10)) % 103
            state, _ = take(state, images[rows], targets[rows])
            x, y = np.asarray(images[rows]), np.asarray(targets[rows])
            numpy_network = by_numpy.stepped(numpy_network, x, y, rate=2.0)
        for (w, b, _), (their_w, their_b) in zip(state.params, numpy_network, strict=True):
            np.testing.assert_allclose(w, their_w, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(b, their_b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", [lambda: optax.sgd(0.3), lambda: optax.sgd(0.3, momentum=0.9, nesterov=True)])
def test_steps_are_those_of_optax(few: jaxnet.Dataset, make):
    optimizer, targets = make(), jaxnet.one_hot(few.labels)
    params: Any = jaxnet.init(jax.random.key(0))
    state = start(params, optimizer)
    optimizer_state = optimizer.init(params)
    take = jax.jit(functools.partial(jaxnet.step, optimizer=optimizer))
    gradient, close = jax.jit(GRADIENT), functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-7)
    for _ in range(5):
        state, info = take(state, few.images, targets)
        slope = gradient(params, few.images, targets)
        updates, optimizer_state = optimizer.update(slope, optimizer_state, params)
        params = optax.apply_updates(params, updates)
        jax.tree.map(close, info.gradient, slope)
    jax.tree.map(close, state.params, params)


def test_plain_sgd_is_minus_rate_times_gradient(few: jaxnet.Dataset):
    params, targets = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels)
    take = jax.jit(functools.partial(jaxnet.step, optimizer=optax.sgd(0.5)))
    state, info = take(start(params, optax.sgd(0.5)), few.images, targets)
    by_hand = jax.tree.map(lambda p, g: p - 0.5 * g, params, info.gradient)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), state.params, by_hand)


@pytest.mark.parametrize("batch_size", [1, 10, 51, 52, 102, 103])
def test_an_epoch_visits_every_example_exactly_once(batch_size: int):
    """The "gradient" adds up what it sees: example i is the i-th unit vector, so the sum counts the visits."""
    n = 103
    params = (jaxnet.Layer(jnp.zeros((1, n)), jnp.zeros(1)),)

    def count_visits(_params: jaxnet.Params, images: jax.Array, _targets: jax.Array) -> jaxnet.Params:
        return (jaxnet.Layer(jnp.sum(images, axis=0, keepdims=True), jnp.ones(1)),)

    order = jax.random.permutation(jax.random.key(0), n)
    state = one_epoch(params, jnp.eye(n), jnp.zeros((n, 1)), order, -1.0, batch_size=batch_size, gradient=count_visits)
    np.testing.assert_array_equal(state.params[0].weights, np.ones((1, n)))
    np.testing.assert_array_equal(state.params[0].biases, [-(-n // batch_size)])  # as many steps as batches


def test_an_epoch_takes_the_batches_in_the_given_order_and_the_last_one_is_smaller(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    order = jax.random.permutation(jax.random.key(1), 103)
    by_epoch = one_epoch(params, images, targets, order, batch_size=25)
    state, take = start(params, optimizer), jax.jit(functools.partial(jaxnet.step, optimizer=optimizer))
    for rows in np.split(np.asarray(order), [25, 50, 75, 100]):
        state, _ = take(state, images[rows], targets[rows])
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), by_epoch.params, state.params)


def test_a_stretch_of_an_order_visits_only_that(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    rows = jnp.array([5, 17])
    visited = one_epoch(params, images, targets, rows, batch_size=103)
    take = jax.jit(functools.partial(jaxnet.step, optimizer=optimizer))
    stepped, _ = take(start(params, optimizer), images[rows], targets[rows])
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), visited.params, stepped.params)
    with pytest.raises(ValueError, match="batch_size is 0"):
        one_epoch(params, images, targets, rows, batch_size=0)


def test_a_full_batch_is_a_batch_of_size_n_in_any_order(few: jaxnet.Dataset):
    params, targets, images = jaxnet.init(jax.random.key(0)), jaxnet.one_hot(few.labels), jnp.asarray(few.images)
    optimizer = optax.sgd(1.0)
    take = jax.jit(functools.partial(jaxnet.step, optimizer=optimizer))
    one_step, _ = take(start(params, optimizer), images, targets)
    for seed in range(2):
        order = jax.random.permutation(jax.random.key(seed), 103)
        whole = one_epoch(params, images, targets, order, batch_size=103)
        gathered, _ = take(start(params, optimizer), images[order], targets[order])
        jax.tree.map(np.testing.assert_array_equal, whole.params, one_step.params)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), whole.params, gathered.params)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 161])
def test_a_long_epoch_follows_the_path_of_numpy_whatever_is_left_over(batch_size: int):
    n, sizes, rate = 1_003, (6, 4, 3), 0.5  # batches are fetched several at a time, then those left, then a smaller one
    random = np.random.default_rng(0)
    images, order = random.random((n, sizes[0])), random.permutation(n)
    targets = np.eye(sizes[-1])[random.integers(sizes[-1], size=n)]
    with jax.enable_x64(True):
        params = jaxnet.init(jax.random.key(0), sizes)
        network = by_numpy.network(params)
        examples = jnp.asarray(images), jnp.asarray(targets)
        state = one_epoch(params, *examples, jnp.asarray(order), rate, batch_size=batch_size)
        for first in range(0, n, batch_size):
            rows = order[first : first + batch_size]
            network = by_numpy.stepped(network, images[rows], targets[rows], rate)
        for (w, b, _), (their_w, their_b) in zip(state.params, network, strict=True):
            np.testing.assert_allclose(w, their_w, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(b, their_b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("batch_size", [10, 103])
def test_images_kept_as_bytes_give_the_same_bits(few: jaxnet.Dataset, batch_size: int):
    params, optimizer = jaxnet.init(jax.random.key(0), (784, 5, 10)), optax.sgd(0.5)

    @functools.partial(jax.jit, static_argnames="over")
    def descended(images: jax.Array, over: Callable[[Mean], Mean]) -> jaxnet.State:
        return jaxnet.epoch(
            start(params, optimizer),
            images,
            jaxnet.one_hot(few.labels),
            jnp.arange(103)[::-1],
            batch_size=batch_size,
            optimizer=optimizer,
            cost=over(jaxnet.cost),
        )

    pixels = as_bytes(few.images)
    assert pixels.dtype == jnp.uint8
    as_floats = descended(jnp.asarray(few.images), lambda mean: mean)
    jax.tree.map(np.testing.assert_array_equal, descended(pixels, on_bytes), as_floats)


def run(few: jaxnet.Dataset, **choices: Any) -> tuple[jaxnet.Params, Any]:
    """A short run with everything at hand but what the test is about."""
    choices = {"params": jaxnet.init(jax.random.key(0), (784, 5, 10)), "optimizer": optax.sgd(0.5)} | choices
    images, targets = jnp.asarray(few.images), jaxnet.one_hot(few.labels)
    return jax.jit(functools.partial(jaxnet.descend, **choices))(jax.random.key(1), images=images, targets=targets)


@pytest.mark.parametrize(("batch_size", "steps"), [(10, 20), (100, 2)])
def test_a_whole_run_has_the_batches_of_train(few: jaxnet.Dataset, batch_size: int, steps: int):
    hundred = jaxnet.Dataset(few.images[:100], few.labels[:100])
    params, seen = run(hundred, batch_size=batch_size, steps=steps)
    trained, _ = jaxnet.train(
        jax.random.key(1),
        jaxnet.init(jax.random.key(0), (784, 5, 10)),
        hundred,
        optax.sgd(0.5),
        batch_size=batch_size,
        epochs=2,
    )
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), params, trained)
    assert seen is None


@pytest.mark.parametrize(("batch_size", "every"), [(10, 4), (103, 3)])
def test_what_is_looked_at_on_the_way_is_what_shorter_runs_end_with(few: jaxnet.Dataset, batch_size: int, every: int):
    """Also where a batch holds examples of two epochs, and an evaluation comes in the middle of one."""
    choices = {"batch_size": batch_size, "look": lambda state: state.params}
    params, trajectory = run(few, steps=12, every=every, **choices)
    start = jaxnet.init(jax.random.key(0), (784, 5, 10))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    jax.tree.map(lambda all_, first: np.testing.assert_array_equal(all_[0], first), trajectory, start)
    jax.tree.map(lambda all_, last: np.testing.assert_array_equal(all_[-1], last), trajectory, params)
    assert trajectory[0].biases.shape == (1 + 12 // every, 5)
    shorter, _ = run(few, steps=every, **choices)
    jax.tree.map(lambda all_, one: close(all_[1], one), trajectory, shorter)


def test_each_order_is_another_permutation_and_batches_go_on_from_one_epoch_to_the_next():
    """The optimizer writes down what it sees: example i is the number i, and the gradient of the weight is that."""
    n, batch_size, steps = 7, 2, 14
    examples = jnp.arange(float(n))[:, None]
    params = (jaxnet.Layer(jnp.zeros((1, 1)), jnp.zeros(1)),)

    def seen(_params: jaxnet.Params, images: jax.Array, _targets: jax.Array) -> jaxnet.Params:
        first, second = images[:, 0]
        return (jaxnet.Layer(first[None, None], second[None]),)

    def of_the_last_step(state: jaxnet.State) -> jax.Array:
        (layer,) = state.params
        return jnp.stack([layer.weights[0, 0], layer.biases[0]])

    descended = functools.partial(
        jaxnet.descend, jax.random.key(0), params, examples, jnp.zeros((n, 1)),
        batch_size=batch_size, steps=steps, every=1, look=of_the_last_step, gradient=seen,
    )  # fmt: skip
    sums = descended(optimizer=optax.sgd(-1.0))[1]
    epochs = np.diff(sums, axis=0).reshape(-1, n)
    assert [sorted(epoch) for epoch in epochs.tolist()] == [list(range(n))] * 4
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4
    with pytest.raises(ValueError, match="batch_size is 7, all the examples, which are in no order: leave order out"):
        descended(optimizer=optax.sgd(-1.0), batch_size=7, order=lambda _key, _index, n: jnp.arange(n))
    backwards = descended(optimizer=optax.sgd(-1.0), order=lambda _key, _index, n: jnp.arange(n)[::-1])[1]
    np.testing.assert_array_equal(np.diff(backwards, axis=0).reshape(-1, n), [list(range(n))[::-1]] * 4)


def test_many_runs_at_once_are_the_runs_one_by_one(few: jaxnet.Dataset):
    images, targets = jnp.asarray(few.images), jaxnet.one_hot(few.labels)

    def one(key: jax.Array, rate: jax.Array) -> tuple[jaxnet.Params, jax.Array]:
        start, order = jax.random.split(key)
        params = jaxnet.init(start, (784, 5, 10))
        run = functools.partial(jaxnet.descend, batch_size=10, steps=15, look=cost)
        return run(order, params, images, targets, optax.sgd(rate))

    def cost(state: jaxnet.State) -> jax.Array:
        return jaxnet.cost(state.params, images, targets)

    keys, rates = jax.random.split(jax.random.key(2), 3), jnp.array([0.1, 0.5, 2.0])
    many, single = jax.jit(jax.vmap(one))(keys, rates), jax.jit(one)
    alone = [single(key, rate) for key, rate in zip(keys, rates, strict=True)]
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    jax.tree.map(lambda all_, *each: close(all_, each), many, *alone)


def test_a_run_can_be_differentiated_by_its_rate(few: jaxnet.Dataset):
    with jax.enable_x64(True):
        images, targets = jnp.asarray(few.images, jnp.float64), jnp.asarray(np.eye(10)[few.labels])
        start = jaxnet.init(jax.random.key(0), (784, 5, 10))

        @jax.jit
        def end(rate: jax.Array) -> jax.Array:
            run = jaxnet.descend(jax.random.key(1), start, images, targets, optax.sgd(rate), batch_size=10, steps=15)
            return jaxnet.cost(run[0], images, targets)

        rate, h = jnp.array(0.3), 1e-5
        assert float(jax.grad(end)(rate)) == pytest.approx(float((end(rate + h) - end(rate - h)) / (2 * h)), rel=1e-7)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"batch_size": 0, "steps": 1}, "batch_size is 0; it must be between 1 and 103, the number of examples"),
        ({"batch_size": 104, "steps": 1}, "batch_size is 104; it must be between 1 and 103"),
        ({"batch_size": 10, "steps": 0}, "steps is 0 and every 0; steps must be a multiple of every, at least 1"),
        ({"batch_size": 10, "steps": 5, "every": 2}, "steps is 5 and every 2; steps must be a multiple of every"),
        ({"batch_size": 10, "steps": 5, "every": -1}, "steps is 5 and every -1"),
    ],
)
def test_an_impossible_run_is_refused_by_value(few: jaxnet.Dataset, choices: dict, message: str):
    with pytest.raises(ValueError, match=message):
        run(few, **choices)


@pytest.mark.parametrize(
    "make", [pytest.param(optax.lbfgs, marks=pytest.mark.long), lambda: optax.polyak_sgd(1.0)], ids=["lbfgs", "polyak"]
)
def test_optimizers_that_want_the_value_of_the_cost_get_it(few: jaxnet.Dataset, make: Callable):
    """A step is that of optax's own loop."""
    with jax.numpy_dtype_promotion("standard"):
        optimizer, params = make(), jaxnet.init(jax.random.key(0), (784, 5, 10))
        images, targets = jnp.asarray(few.images), jaxnet.one_hot(few.labels)

        def value(params: jaxnet.Params) -> jax.Array:
            return jaxnet.cost(params, images, targets)

        @jax.jit
        def of_optax(params: Any, state: Any) -> tuple[Any, Any]:
            v, g = jax.value_and_grad(value)(params)
            updates, state = optimizer.update(g, state, params, value=v, grad=g, value_fn=value)
            return optax.apply_updates(params, updates), state

        expected, state = params, optimizer.init(params)
        for _ in range(5):
            expected, state = of_optax(expected, state)
        choices = {"params": params, "optimizer": optimizer, "look": lambda state: value(state.params)}
        _, costs = run(few, batch_size=103, steps=5, **choices)
        np.testing.assert_allclose(costs[-1], value(expected), rtol=1e-3)
        assert costs[-1] < 0.8 * costs[0]
