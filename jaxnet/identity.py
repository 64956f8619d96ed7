"""By what a run is known: its choices, its data, its start and its program.

Choices are compared as they read. Of data, parameters and programs there are fingerprints, SHA-256 sums: of the bytes
of arrays, and of a program as text (its StableHLO), which has the rule and the rate of the optimizer, the cost, the
gradient and the activation functions in it. Two runs with the same identity end with the same bits on the same device.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Identity:
    """What a run is.

    - `choices`: by name, as JSON can hold them.
    - `data`: fingerprints of the arrays it begins with.
    - `programs`: fingerprints of what it computes, from the smallest part to the whole.
    - `versions`: of the packages that make a text of a program; another version may make another text of the same one.
    """

    choices: Mapping[str, Any]
    data: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: versions())

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        named = {"choices": self.choices, "data": self.data, "programs": self.programs, "versions": self.versions}
        return json.loads(json.dumps({name: dict(value) for name, value in named.items()}))


def versions() -> dict[str, str]:
    """Of those packages."""
    found = {}
    for name in ("jax", "jaxlib", "optax"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def of_arrays(tree: Any) -> str:
    """The fingerprint of a tree of arrays: of their types, shapes and values.

    >>> of_arrays(np.zeros(3)) == of_arrays(np.zeros(3)), of_arrays(np.zeros(3)) == of_arrays(np.zeros((3, 1)))
    (True, False)
    """
    found = hashlib.sha256(str(jax.tree.structure(tree)).encode())
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        array = np.asarray(leaf)
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return found.hexdigest()


def of_program(function: Any, *arguments: Any, **choices: Any) -> str:
    """The fingerprint of what a jitted function computes of arguments of these shapes, as if for one CPU.

    So it is the same on whatever, and on however many devices the run is.

    >>> square, cube = jax.jit(lambda x: x**2), jax.jit(lambda x: x**3)
    >>> of_program(square, 1.0) == of_program(square, 2.0), of_program(square, 1.0) == of_program(cube, 1.0)
    (True, False)
    """
    one = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("one",))
    shapes = jax.tree.map(jax.typeof, arguments)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), shapes)
    with jax.set_mesh(one):
        text = function.trace(*shapes, **choices).lower(lowering_platforms=("cpu",)).as_text()
    return hashlib.sha256(text.encode()).hexdigest()


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """The names by which two mappings differ, in the order of ours."""
    return (name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name))
