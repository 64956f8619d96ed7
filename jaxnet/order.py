"""The order of the examples: another one for each epoch, computed place by place, without a sort and without a list.

A permutation of 0 ... n-1 as a Feistel network. A number x < ab is two, x = left b + right, and each round adds to the
one a hash of the other, modulo a or b: that can be undone, so no two x end at the same place. Where ab > n, what ends
at n or above goes round again until it lies below ("cycle walking"). Black and Rogaway 2002, "Ciphers with arbitrary
finite domains"; Mitchell, Stokes, Frank and Holmes 2021, "Bandwidth-optimal random shuffling for GPUs", arXiv
2106.06161, from where the 24 rounds are: with fewer than 16 some orders of few examples are seen too often.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

from jaxnet.kinds import check_array, check_key, check_whole

_ROUNDS = 24


def example_at(
    key: Key[Array, ""], index: Int[Array, ""] | int, n: int, place: Int[Array, "*places"]
) -> Int[Array, "*places"]:
    """The examples that epoch number `index` of a run with this key has at these places, 0 ... n-1.

    Each is computed from its place alone, so that a device can ask for the rows of its own batches.

    >>> example_at(jax.random.key(0), 3, 60_000, jnp.arange(3)).tolist()
    [47246, 29543, 59357]
    """
    check_key(key)
    if not isinstance(index, jax.Array):
        check_whole(0, index=index)
    else:
        check_array("index", index, jnp.integer, (), "the number of one epoch")
    check_whole(1, n=n)
    check_array("place", place, jnp.integer, None, "places in the order, from 0")
    if n >= 2**31:
        raise ValueError(f"n is {n:,}; the numbers of the examples have 31 bits, so there can be at most {2**31 - 1:,}")
    a = math.isqrt(n - 1) + 1
    b = -(-n // a)
    keys = jax.random.bits(jax.random.fold_in(key, index), (_ROUNDS // 2, 2, 2), jnp.uint32)

    def two_rounds(halves: tuple[Array, Array], keys: Array) -> tuple[tuple[Array, Array], None]:
        left, right = halves
        left = _sum(left, _part(_hash(right, keys[0]), a), a)
        right = _sum(right, _part(_hash(left, keys[1]), b), b)
        return (left, right), None

    def mixed(x: Array) -> Array:
        (left, right), _ = jax.lax.scan(two_rounds, (x // np.uint32(b), x % np.uint32(b)), keys)
        return left * np.uint32(b) + right

    x = mixed(place.astype(jnp.uint32))
    if a * b > n:
        x = jax.lax.while_loop(lambda x: jnp.any(x >= n), lambda x: jnp.where(x >= n, mixed(x), x), x)
    return x.astype(jnp.int32)


def shuffled(key: Key[Array, ""], index: Int[Array, ""] | int, n: int) -> Int[Array, " n"]:
    """The order of all n examples in epoch number `index` of a run with this key: a permutation of 0 ... n-1.

    >>> sorted(shuffled(jax.random.key(0), 3, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    check_whole(1, n=n)
    return example_at(key, index, n, jnp.arange(n, dtype=jnp.int32))


def _hash(x: UInt32[Array, "..."], keys: UInt32[Array, "2"]) -> UInt32[Array, "..."]:
    """32 bits that look random: lowbias32 of Chris Wellons (github.com/skeeto/hash-prospector), with keys."""
    x = (x ^ keys[0]) * np.uint32(0x7FEB352D)
    x = ((x ^ (x >> np.uint32(15))) + keys[1]) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def _part(bits: UInt32[Array, "..."], size: int) -> UInt32[Array, "..."]:
    """A number below size <= 2^16 from 32 random bits: floor(bits size / 2^32), without numbers of 64 bits."""
    high, low = bits >> np.uint32(16), bits & np.uint32(0xFFFF)
    return (high * np.uint32(size) + (low * np.uint32(size) >> np.uint32(16))) >> np.uint32(16)


def _sum(x: UInt32[Array, "..."], y: UInt32[Array, "..."], size: int) -> UInt32[Array, "..."]:
    """(x + y) mod size, of two numbers below size."""
    return jnp.where(x + y >= size, x + y - np.uint32(size), x + y)
