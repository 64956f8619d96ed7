import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jaxnet.order import example_at, shuffled

KEY = jax.random.key(0)


def by_integers(place: int, n: int, keys: list[list[list[int]]]) -> int:
    """The same network in Python's integers, which have no end."""

    def hashed(x: int, first: int, second: int) -> int:
        x = (x ^ first) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) + second
        x = x * 0x846CA68B % 2**32
        return x ^ x >> 16

    a = math.ceil(math.sqrt(n))
    b = math.ceil(n / a)
    while True:
        left, right = divmod(place, b)
        for first, second in keys:
            left = (left + hashed(right, *first) * a // 2**32) % a
            right = (right + hashed(left, *second) * b // 2**32) % b
        place = left * b + right
        if place < n:
            return place


@pytest.mark.parametrize("n", [1, 2, 5, 60, 1_009, 60_000, 2**31 - 1])
def test_the_order_is_that_of_python_integers(n: int):
    keys = jax.random.bits(jax.random.fold_in(KEY, 7), (12, 2, 2), jnp.uint32).tolist()
    places = np.unique(np.linspace(0, n - 1, 20, dtype=np.int32))
    found = example_at(KEY, 7, n, jnp.asarray(places))
    assert found.tolist() == [by_integers(int(place), n, keys) for place in places]


@settings(deadline=None, max_examples=12)
@given(n=st.integers(1, 3_000), seed=st.integers(0, 2**32 - 1), index=st.integers(0, 1_000))
def test_every_example_comes_once(n: int, seed: int, index: int):
    order = shuffled(jax.random.key(seed), index, n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_any_place_can_be_asked_for_alone_and_within_jit_and_vmap():
    order = shuffled(KEY, 3, 1_000)
    alone = [int(example_at(KEY, 3, 1_000, jnp.int32(place))) for place in (0, 999, 500)]
    assert alone == [int(order[0]), int(order[999]), int(order[500])]
    epochs = jax.jit(jax.vmap(lambda index: shuffled(KEY, index, 1_000)))(jnp.arange(5))
    np.testing.assert_array_equal(epochs[3], order)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(shuffled(KEY, 3, 1_000), order)


def test_more_examples_than_have_numbers_are_refused():
    with pytest.raises(ValueError, match=r"n is 2,147,483,648; .* at most 2,147,483,647"):
        example_at(KEY, 0, 2**31, jnp.arange(3))


@functools.cache
def orders(n: int, number: int = 40_000) -> np.ndarray:
    """Those of so many epochs of one run."""
    some = jax.jit(jax.vmap(lambda index: shuffled(KEY, index, n)))
    return np.concatenate([some(indices) for indices in jnp.arange(number).reshape(-1, 4_000)])


def chance(counts: np.ndarray, degrees: int | None = None) -> float:
    """How likely counts at least as uneven as these are where all are equally likely."""
    expected = counts.mean()
    return float(stats.chi2.sf(np.sum((counts - expected) ** 2) / expected, degrees or counts.size - 1))


@pytest.mark.parametrize("n", [4, 5, 6])
def test_all_orders_of_a_few_examples_are_equally_likely(n: int):
    found = np.unique(orders(n), axis=0, return_counts=True)[1]
    assert len(found) == math.factorial(n)
    assert chance(found) > 1e-3


@pytest.mark.parametrize("n", [7, 60, 97])
def test_positions_neighbours_and_epochs_are_as_even_as_chance(n: int):
    """One chi-square for each; their thresholds are for all of them together."""
    found = orders(n)
    positions = np.array([np.bincount(found[:, place], minlength=n) for place in range(n)])
    chances = {"positions": chance(positions, (n - 1) ** 2)}
    for lag in (1, 2, 5):
        jumps = (found[:, lag:] - found[:, :-lag]) % n
        chances[f"neighbours, {lag} apart"] = chance(np.bincount(jumps.ravel(), minlength=n)[1:])
    jumps = np.diff(np.argsort(found, axis=1), axis=1) % n
    chances["places of neighbours"] = chance(np.bincount(jumps.ravel(), minlength=n)[1:])
    pairs = np.bincount(found[:, 0] * n + found[:, 1], minlength=n * n).reshape(n, n)
    chances["first two"] = chance(pairs[~np.eye(n, dtype=bool)])
    following = np.bincount(found[:-1, 0] * n + found[1:, 0], minlength=n * n)
    chances["first of two epochs"] = chance(following)
    assert min(chances.values()) > 1e-4, chances


def test_batches_of_all_mnist_are_as_even_as_chance():
    """60,000 examples: where each hundredth of the order comes from, and what follows on what."""
    n, parts = 60_000, 100
    found = np.stack([shuffled(jax.random.key(seed), 0, n) for seed in range(20)]) * parts // n
    where = np.arange(n) * parts // n
    assert chance(np.bincount((where * parts + found).ravel(), minlength=parts**2), (parts - 1) ** 2) > 1e-3
    for lag in (1, 10, 245):  # the next one, the next batch, the next row of the square that the numbers form
        after = found[:, :-lag] * parts + found[:, lag:]
        assert chance(np.bincount(after.ravel(), minlength=parts**2)) > 1e-3


def test_such_tests_see_too_few_rounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxnet.order._ROUNDS", 4)
    few_rounds = np.asarray(jax.vmap(lambda index: shuffled(KEY, index, 60))(jnp.arange(4_000)))
    jumps = np.diff(few_rounds, axis=1) % 60
    assert chance(np.bincount(jumps.ravel(), minlength=60)[1:]) < 1e-6
