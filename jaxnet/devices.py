"""One device, many devices, many machines: who does which part of the work.

A mesh is a row of devices. Under `jax.set_mesh(mesh())` `train` uses all of them: it shards the examples of every
batch, or the networks of a population. The formulas stay as they are, for XLA adds up the parts of each mean; so do the
numbers, but for the order in which they are added.

    with jax.set_mesh(jaxnet.devices.mesh()):
        params, history = jaxnet.train(...)

On several machines every process does the same after `jax.distributed.initialize()`, and `mesh()` has the devices of
all of them. The images are replicated (as bytes, 47 MB for MNIST), so that no batch has to be sent from one device to
another; what is sent is the gradient, once a step. Without a mesh all this does nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from jaxnet.cost import Mean

Tree = TypeVar("Tree")

AXIS = "devices"
"""Of every mesh."""
_FACTS = 64
_REPLICATED = PartitionSpec()
_SHARDED = PartitionSpec(AXIS)


class Mismatch(ValueError):  # noqa: N818
    """The processes that share the work were not all started alike."""


def mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A row of these devices, or of all there are, of all processes.

    >>> mesh().axis_names
    ('devices',)
    """
    return Mesh(np.array(jax.devices() if devices is None else devices), (AXIS,))


def number() -> int:
    """How many devices share the work: those of the mesh, one without."""
    return jax.sharding.get_abstract_mesh().size or 1


def chunk_size() -> int:
    """Of how many examples each device takes a mean at once: as many as stay in the cache of a CPU, elsewhere more.

    A GPU starts some thirty kernels for each chunk, which takes longer than what they compute.
    """
    mesh = jax.sharding.get_mesh()
    platform = jax.default_backend() if mesh.empty else mesh.devices.flat[0].platform
    return 2_000 if platform == "cpu" else 20_000


def processes() -> int:
    """How many processes share the work: those that have devices of the mesh, one without."""
    if number() == 1:
        return 1
    return len({device.process_index for device in jax.sharding.get_mesh().devices.flat})


def any_process(wishes: Sequence[bool]) -> list[bool]:
    """What any of the processes that share the work wishes, so that all of them do the same."""
    if processes() == 1:
        return list(wishes)
    return [bool(any_of_them) for any_of_them in np.any(_of_all_processes(np.array(wishes)), axis=0)]


def check_same(facts: Mapping[str, Any]) -> None:
    """Raises Mismatch in all of the processes that share the work where one of them has other facts, naming both.

    `facts` are values as JSON can hold them, by name.
    """
    if processes() == 1:
        return
    sums = np.zeros((_FACTS, 32), np.uint8)  # of one size, whatever the facts are, so that no process waits for more
    for row, fact in zip(sums, facts.items(), strict=False):
        row[:] = list(hashlib.sha256(json.dumps(fact).encode()).digest())
    first, *others = _of_all_processes(sums)
    for process, theirs in enumerate(others, start=1):
        for name, same in zip(facts, (theirs == first).all(axis=1), strict=False):
            if not same:
                raise Mismatch(f"process {process} was not started as process 0 was: it has not the same {name}")


def _of_all_processes(array: np.ndarray) -> np.ndarray:
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(array)


def data_parallel(mean: Mean) -> Mean:
    """The same mean, each device computing its part of the examples. Any number of examples will do, also a few.

    >>> mean = data_parallel(lambda params, images, answers: jnp.mean(images))
    >>> mean((), jnp.arange(3.0)[:, None], jnp.zeros(3))
    Array(1., dtype=float32)
    """

    def sharded(params: Any, images: Array, answers: Array) -> Any:
        return mean(params, *scatter((images, answers)))

    return sharded


def shard(tree: Tree) -> Tree:
    """Puts on each device its part of the rows; their number must be a multiple of the devices'."""
    return _put(tree, _SHARDED)


def replicate(tree: Tree) -> Tree:
    """Puts whole arrays on every device."""
    return _put(tree, _REPLICATED)


def gather(tree: Tree) -> Tree:
    """Within `jit`: all parts of the arrays, on every device."""
    return _constrained(tree, _REPLICATED)


def scatter(tree: Tree) -> Tree:
    """Within `jit`: to each device its part of the rows of whole arrays. Any number of rows will do."""
    return split(gather(tree))


def split(tree: Tree) -> Tree:
    """Within `jit`: the rows of the arrays lie on the devices, to each its part."""
    return _constrained(tree, _SHARDED)


def _constrained(tree: Tree, spec: PartitionSpec) -> Tree:
    return jax.lax.with_sharding_constraint(tree, spec) if number() > 1 else tree


def _put(tree: Tree, spec: PartitionSpec) -> Tree:
    if number() == 1:
        return tree
    sharding = NamedSharding(jax.sharding.get_mesh(), spec)

    def put(leaf: Any) -> Array:
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.device_put(leaf, sharding)

    return jax.tree.map(put, tree)
