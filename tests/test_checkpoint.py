import json
import re
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import jaxnet
from jaxnet import Layer


def test_parameters_come_back_bit_for_bit_with_their_metadata(tmp_path: Path):
    params = jaxnet.init(jax.random.key(0), (784, 30, 10))
    jaxnet.save_params(tmp_path / "p.safetensors", params, {"activation": "relu"})
    again, metadata = jaxnet.load_params(tmp_path / "p.safetensors")
    assert jaxnet.sizes_of(again) == (784, 30, 10)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert metadata == {"activation": "relu"}


def test_the_file_has_the_documented_layout(tmp_path: Path):
    """Read with struct and json alone, as any other program would."""
    jaxnet.save_params(tmp_path / "p.safetensors", (Layer(jnp.array([[1.0, 2.0]]), jnp.array([3.0])),))
    content = (tmp_path / "p.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    start, end = header["layers.0.weights"]["data_offsets"]
    assert header["layers.0.weights"]["shape"] == [1, 2]
    assert struct.unpack("<2f", content[8 + length + start : 8 + length + end]) == (1, 2)


def test_saving_leaves_one_whole_file_and_nothing_else(tmp_path: Path):
    for seed in range(2):
        jaxnet.save_params(tmp_path / "p.safetensors", jaxnet.init(jax.random.key(seed)))
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]
    with pytest.raises(OSError, match="absent"):
        jaxnet.save_params(tmp_path / "absent" / "p.safetensors", jaxnet.init(jax.random.key(0)))


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    good = {"layers.0.weights": np.zeros((2, 3), np.float32), "layers.0.biases": np.zeros(2, np.float32)}
    return good | {name.replace("_", "."): array for name, array in changes.items()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "holds []"),
        ({"a": np.zeros(1)}, "holds ['a']"),
        (arrays(layers_1_weights=np.zeros((1, 2))), "expected layers.0.weights, layers.0.biases"),
        (arrays(layers_0_biases=np.zeros(3, np.float32)), "layers.0 has weights (2, 3) and biases (3,)"),
        (
            arrays(layers_1_weights=np.zeros((1, 5), np.float32), layers_1_biases=np.zeros(1, np.float32)),
            "layers.1 has weights (1, 5) and biases (1,) of float32, and 2 inputs",
        ),
        (arrays(layers_0_weights=np.zeros((4, 2, 3), np.float32)), "layers.0 has weights (4, 2, 3)"),
        (arrays(layers_0_weights=np.zeros((2, 3), np.int32)), "of int32"),
        (arrays(layers_0_biases=np.array([0, np.nan], np.float32)), "layers.0 has values that are not finite"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, content: dict, message: str):
    save_file(content, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=f"other.safetensors.*{re.escape(message)}"):
        jaxnet.load_params(tmp_path / "other.safetensors")


def test_absent_and_damaged_files_are_refused_by_name(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="absent.safetensors does not exist"):
        jaxnet.load_params(tmp_path / "absent.safetensors")
    jaxnet.save_params(tmp_path / "whole.safetensors", jaxnet.init(jax.random.key(0)))
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for damaged in (b"", b"hello", whole[:100], whole[:-1], b"\x80" + whole[1:]):
        (tmp_path / "damaged.safetensors").write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged.safetensors is damaged or no safetensors file"):
            jaxnet.load_params(tmp_path / "damaged.safetensors")
