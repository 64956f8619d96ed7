"""Examples dealt out to devices: each one once, found again by its number, and no mean changed.

Here all that lie on eight devices lie on one, eight parts in a row; on eight it is tested in test_devices.py.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet import programs, sharded
from jaxnet.order import shuffled
from jaxnet.sharded import Sharded

DEVICES = 8
NUMBERS = [1, 5, 8, 9, 16, 103]


def dealt(array: np.ndarray) -> Sharded:
    """Card by card, as one would do it by hand."""
    rounds = -(-len(array) // DEVICES)
    hands = [list(array[device::DEVICES]) for device in range(DEVICES)]
    empty = np.zeros(array.shape[1:], array.dtype)
    rows = [row for hand in hands for row in hand + [empty] * (rounds - len(hand))]
    return Sharded(jnp.asarray(np.array(rows)), len(array), DEVICES)


@pytest.mark.parametrize("n", NUMBERS)
def test_every_example_is_found_by_its_number(n: int):
    cards = dealt(np.arange(1, n + 1))
    assert len(cards) == n
    np.testing.assert_array_equal(cards.array[cards.place(jnp.arange(n))], np.arange(1, n + 1))


@pytest.mark.parametrize("n", NUMBERS)
@pytest.mark.parametrize("chunk_size", [1, 4, 100])
def test_the_mean_is_that_of_all_together(few: jaxnet.Dataset, n: int, chunk_size: int):
    images, targets = np.asarray(few.images[:n]), np.asarray(jaxnet.one_hot(few.labels[:n]))
    params = jaxnet.init(jax.random.key(0), (784, 4, 10))
    for mean in (jaxnet.cost, jaxnet.average_gradient):
        found = sharded.over(mean, chunk_size)(params, dealt(images), dealt(targets))
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6),
            found,
            mean(params, images, targets),
        )


def test_the_mean_over_the_first_ones(few: jaxnet.Dataset):
    pixels = sharded.over(lambda _params, images, _answers: jnp.mean(images), 4)
    images, answers = (dealt(np.asarray(part)) for part in few)
    assert float(pixels((), images.first(21), answers.first(21))) == pytest.approx(float(few.images[:21].mean()))


@pytest.mark.parametrize("n", NUMBERS)
def test_each_is_mapped_by_its_own_number(n: int):
    rows = np.random.default_rng(0).uniform(size=(n, 3)).astype(np.float32)
    made = sharded.mapped(lambda number, row: number.astype(jnp.float32) + row, dealt(rows), chunk_size=4)
    np.testing.assert_array_equal(made.array[made.place(jnp.arange(n))], np.arange(n, dtype=np.float32)[:, None] + rows)


@pytest.mark.parametrize("batch_size", [10, 103])
def test_an_epoch_takes_the_same_batches(few: jaxnet.Dataset, batch_size: int):
    optimizer = optax.sgd(1.0)
    images, targets = np.asarray(few.images), np.asarray(jaxnet.one_hot(few.labels))
    order = shuffled(jax.random.key(3), 0, len(images))

    def after(images: Any, targets: Any) -> jaxnet.Params:
        start: Any = jaxnet.init(jax.random.key(0), (784, 4, 10))
        return programs.epoch(
            jaxnet.State(start, optimizer.init(start)), None, images, targets, order, 0,
            size=len(order), over=programs.Over(20, population=False), batch_size=batch_size,
            optimizer=optimizer, cost=jaxnet.cost, gradient=None,
        ).params  # fmt: skip

    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6),
        after(dealt(images), dealt(targets)),
        after(jnp.asarray(images), jnp.asarray(targets)),
    )


def test_a_population_is_refused(few: jaxnet.Dataset):
    stacked = jax.vmap(jaxnet.init)(jax.random.split(jax.random.key(0), 2))
    with pytest.raises(ValueError, match="each network of a population needs all images"):
        jaxnet.train(
            jax.random.key(1), stacked, few, optax.sgd, rates=[1.0, 2.0], batch_size=10, epochs=1, shard_images=True
        )
