"""One device, many devices, many machines: who does which part of the work.

A mesh is a row of devices. Under `jax.set_mesh(mesh())` everything in this package that walks downhill uses all of
them: `train` shares out the examples of every batch, `train_population` the networks. The formulas stay as they are,
for XLA adds up the parts of each mean; so do the numbers, but for the order in which they are added.

    with jax.set_mesh(jaxnet.devices.mesh()):
        params, history = jaxnet.train(...)

On several machines every process does the same after `jax.distributed.initialize()`, and `mesh()` has the devices of
all of them. Each device keeps all images (as bytes, 47 MB for MNIST), so that a batch is fetched without asking
another; what travels is the gradient, once a step. Without a mesh all this does nothing.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from jaxnet.cost import Mean

Tree = TypeVar("Tree")

_AXIS = "devices"
_EVERYWHERE = PartitionSpec()
_SHARED = PartitionSpec(_AXIS)


def mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A row of these devices, or of all there are, of all processes.

    >>> mesh().axis_names
    ('devices',)
    """
    return Mesh(np.array(jax.devices() if devices is None else devices), (_AXIS,))


def number() -> int:
    """How many devices share the work: those of the mesh, one without."""
    return jax.sharding.get_abstract_mesh().size or 1


def share_examples(mean: Mean) -> Mean:
    """The same mean, each device seeing to its part of the examples. Any number of examples will do, also a few.

    >>> mean = share_examples(lambda params, images, answers: jnp.mean(images))
    >>> mean((), jnp.arange(3.0)[:, None], jnp.zeros(3))
    Array(1., dtype=float32)
    """

    def shared(params: Any, images: Array, answers: Array) -> Any:
        return mean(params, *apart((images, answers)))

    return shared


def share_networks(networks: Tree) -> Tree:
    """Puts the stacked networks on the devices, to each its part; their number must be a multiple of the devices'."""
    return _put(networks, _SHARED)


def everywhere(tree: Tree) -> Tree:
    """Puts whole arrays on every device."""
    return _put(tree, _EVERYWHERE)


def together(tree: Tree) -> Tree:
    """Within `jit`: brings the parts of arrays together, whole on every device."""
    return _constrained(tree, _EVERYWHERE)


def apart(tree: Tree) -> Tree:
    """Within `jit`: takes whole arrays apart, to each device its part of the rows. Any number of rows will do."""
    return _constrained(together(tree), _SHARED)


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
