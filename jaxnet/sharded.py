"""Examples that do not fit on one device: each device of the mesh keeps its part of them.

They are dealt out like cards, example i to device i mod D of D devices. So any stretch of them lies evenly on all
devices, and a mean over them is taken where they are; a batch, in whatever order, takes its rows from all. The numbers
are those of examples that every device has, but for the order in which they are added.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from jaxnet import devices
from jaxnet.cost import Mean, in_chunks

Rounds = Int[Array, " rounds"]


@functools.partial(jax.tree_util.register_dataclass, data_fields=["array"], meta_fields=["number", "devices"])
@dataclass(frozen=True)
class Sharded:
    """Images, targets or labels, so many, on so many devices.

    `array` has a row for each, (devices * rounds, ...): first those of the first device, one for each round. Where they
    do not come out even, the last round is filled up with zeros.
    """

    array: Any
    number: int
    devices: int

    def __len__(self) -> int:
        return self.number

    @property
    def rounds(self) -> int:
        """How many each device has."""
        return len(self.array) // self.devices

    def first(self, number: int) -> "Sharded":
        """Only so many of them, the first ones."""
        return replace(self, number=number)

    def refilled(self, array: Any) -> "Sharded":
        """The same examples with other rows."""
        return replace(self, array=array)

    def place(self, example: Int[Array, "*m"]) -> Int[Array, "*m"]:
        """The rows of the array in which these examples are."""
        return example % self.devices * self.rounds + example // self.devices

    def dealt_in(self, rounds: Rounds) -> Array:
        """Within `jit`: the rows that were dealt in these rounds, one after the other; each stays where it is."""
        blocks = self.array.reshape(self.devices, self.rounds, *self.array.shape[1:])
        some = jax.lax.dynamic_slice_in_dim(blocks, rounds[0], len(rounds), axis=1)
        return devices.split(some.reshape(-1, *self.array.shape[1:]))


def shard(array: np.ndarray) -> Sharded:
    """Deals the rows out to the devices of the mesh. Only this machine's memory has to hold all of them."""
    n, number = len(array), devices.number()
    rounds = -(-n // number)

    def of_device(rows: Any) -> np.ndarray:
        own = array[(rows[0].start or 0) // rounds :: number]
        return np.concatenate([own, np.zeros((rounds - len(own), *array.shape[1:]), array.dtype)])

    sharding = NamedSharding(jax.sharding.get_mesh(), PartitionSpec(devices.AXIS))
    shape = (number * rounds, *array.shape[1:])
    return Sharded(jax.make_array_from_callback(shape, sharding, of_device), n, number)


def over(mean: Mean, chunk_size: int) -> Callable[[Any, Sharded, Sharded], Any]:
    """The same mean over `Sharded` examples: so many of each device at a time, where they are."""

    def sharded(params: Any, images: Sharded, answers: Sharded) -> Any:
        rounds, rest = divmod(images.number, images.devices)

        def of_rounds(params: Any, rounds: Rounds, _: Rounds) -> Any:
            return mean(params, images.dealt_in(rounds), answers.dealt_in(rounds))

        found = []
        if rounds:
            found.append((images.number - rest, in_chunks(of_rounds, chunk_size)(params, *2 * (jnp.arange(rounds),))))
        if rest:
            last = jnp.arange(images.number - rest, images.number)
            found.append((rest, mean(params, *(each.array[each.place(last)] for each in (images, answers)))))
        return jax.tree.map(
            lambda *parts: sum(size / images.number * part for (size, _), part in zip(found, parts, strict=True)),
            *(part for _, part in found),
        )

    return sharded


def mapped(function: Callable[[Array, Array], Array], examples: Sharded, chunk_size: int) -> Sharded:
    """What the function makes of each example, by its number and its row; so many of each device at a time."""
    rounds = jnp.arange(examples.rounds)
    numbers = jnp.arange(examples.devices)[:, None] + examples.devices * rounds[None]
    blocks = examples.array.reshape(*numbers.shape, *examples.array.shape[1:])

    def of_device(*own: Array) -> Array:
        return jax.lax.map(lambda each: function(*each), own, batch_size=min(chunk_size, examples.rounds))

    made = jax.vmap(of_device)(*devices.split((numbers, blocks)))
    return examples.refilled(devices.split(made.reshape(-1, *made.shape[2:])))
