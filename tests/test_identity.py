"""Fingerprints: the same for the same, another for another; of programs, whatever it runs on."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet.identity import Identity, differences, of_arrays, of_program


def test_one_bit_one_type_one_shape_make_another_fingerprint():
    array = np.arange(6, dtype=np.float32)
    bit = array.copy()
    bit.view(np.uint32)[3] ^= 1
    others = [bit, array.astype(np.float64), array.reshape(2, 3), array[::-1], [array, array], jnp.zeros(6)]
    assert len({of_arrays(each) for each in [array, *others]}) == 7
    assert of_arrays(array) == of_arrays(jnp.asarray(array)) == of_arrays(np.arange(12, dtype=np.float32)[:6])
    assert of_arrays(jax.random.key(0)) != of_arrays(jax.random.key(1))


def test_a_fingerprint_is_the_sha256_of_structure_types_shapes_and_bytes():
    array = np.array([1.5, -2.0], np.float32)
    content = b"PyTreeDef(*)" + b"float32 (2,)" + b"\x00\x00\xc0\x3f\x00\x00\x00\xc0"
    assert of_arrays(array) == hashlib.sha256(content).hexdigest()


PROGRAM = """
import jax, jaxnet, optax, jax.numpy as jnp
from jaxnet import devices
from jaxnet.identity import of_program
jax.config.update("jax_num_cpu_devices", 4)
def run(params, images):
    images = devices.scatter(images)
    return jax.grad(jaxnet.cost)(params, images, jnp.eye(8, 10))
params = jaxnet.init(jax.random.key(0))
with jax.set_mesh(devices.mesh()):
    print(of_program(jax.jit(run), params, jnp.ones((8, 784))))
print(of_program(jax.jit(run), params, jnp.ones((8, 784))))
"""


def test_a_program_has_the_same_fingerprint_in_another_process_and_on_more_devices():
    found = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert len({each for of_one in found for each in of_one}) == 1


def test_the_rate_is_part_of_the_program_of_a_step():
    params: Any = jaxnet.init(jax.random.key(0), (4, 3))

    def fingerprint(optimizer: optax.GradientTransformation) -> str:
        return of_program(jax.jit(lambda: optimizer.update(params, optimizer.init(params), params)))

    assert fingerprint(optax.sgd(0.1)) == fingerprint(optax.sgd(0.1)) != fingerprint(optax.sgd(0.1000001))


def test_differences_come_in_the_order_of_the_second():
    assert list(differences({"a": 1, "b": 2, "c": 3}, {"d": 0, "c": 4, "a": 1})) == ["d", "c", "b"]


def test_facts_survive_json():
    facts = Identity({"sizes": (1, 2)}, versions={"jax": "1"}).facts()
    assert facts == {"choices": {"sizes": [1, 2]}, "data": {}, "programs": {}, "versions": {"jax": "1"}}
    with pytest.raises(TypeError):
        Identity({"key": object()}).facts()
