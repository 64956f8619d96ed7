import hashlib
import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import jaxnet
from jaxnet import Layer


def test_parameters_come_back_bit_for_bit_with_their_metadata(tmp_path: Path):
    params = jaxnet.init(jax.random.key(0), (784, 30, 10), activation=jaxnet.relu, output=jaxnet.softmax)
    jaxnet.save_params(tmp_path / "p.safetensors", params, {"loss": "cross_entropy"})
    again, metadata = jaxnet.load_params(tmp_path / "p.safetensors")
    assert jaxnet.sizes_of(again) == (784, 30, 10)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert [layer.activation for layer in again] == [jaxnet.relu, jaxnet.softmax]
    assert metadata == {"sizes": "784-30-10", "activations": "relu,softmax", "loss": "cross_entropy"}
    jaxnet.save_params(tmp_path / "again.safetensors", again, metadata)
    assert jaxnet.load_params(tmp_path / "again.safetensors")[1] == metadata


def test_the_file_has_the_documented_layout(tmp_path: Path):
    """Read with struct and json alone, as any other program would."""
    jaxnet.save_params(tmp_path / "p.safetensors", (Layer(jnp.array([[1.0, 2.0]]), jnp.array([3.0])),))
    content = (tmp_path / "p.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    start, end = header["layers.0.weights"]["data_offsets"]
    assert header["layers.0.weights"]["shape"] == [1, 2]
    assert struct.unpack("<2f", content[8 + length + start : 8 + length + end]) == (1, 2)
    metadata = header["__metadata__"]
    assert metadata.keys() == {"sizes", "activations", "sha256"}
    assert (metadata["sizes"], metadata["activations"]) == ("2-1", "sigmoid")
    assert length % 8 == 0
    own = f',"sha256":"{metadata["sha256"]}"'.encode()  # what the checksum is of is the file without it
    bare = content[8 : 8 + length].replace(own, b"").rstrip()
    bare += b" " * (-len(bare) % 8)
    whole = struct.pack("<Q", len(bare)) + bare + content[8 + length :]
    assert hashlib.sha256(whole).hexdigest() == metadata["sha256"]


def test_equal_parameters_make_equal_files_that_the_library_reads(tmp_path: Path):
    params, path = jaxnet.init(jax.random.key(0), (5, 4, 3)), tmp_path / "p.safetensors"
    metadata = {name: f"{name} ü" for name in "fbdace"}
    contents = set()
    for turn in range(20):
        names = sorted(metadata, reverse=turn % 2 > 0)
        jaxnet.save_params(path, params, {name: metadata[name] for name in names})
        contents.add(path.read_bytes())
    assert len(contents) == 1
    found = load_file(path)
    np.testing.assert_array_equal(found["layers.1.weights"], params[1].weights)
    assert found.keys() == {f"layers.{layer}.{name}" for layer in range(2) for name in ("weights", "biases")}
    with safe_open(path, framework="numpy") as file:
        assert metadata.items() <= file.metadata().items()


def test_a_file_whose_numbers_or_metadata_were_changed_is_refused(tmp_path: Path):
    path = tmp_path / "p.safetensors"
    jaxnet.save_params(path, jaxnet.init(jax.random.key(0), (3, 2)), {"rate": "0.25"})
    whole = path.read_bytes()
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole.replace(b"0.25", b"0.75")):
        path.write_bytes(damaged)
        load_file(path)
        with pytest.raises(ValueError, match=r"p.safetensors is damaged: it is not what its sha256 tells"):
            jaxnet.load_params(path)
    jaxnet.save_params(path, jaxnet.init(jax.random.key(0), (3, 2)), {"rate": "0.25", "sha256": "of another file"})
    assert path.read_bytes() == whole
    assert "sha256" not in jaxnet.load_params(path)[1]


def test_sizes_that_are_not_those_of_the_parameters_are_refused_in_writing_and_in_reading(tmp_path: Path):
    path = tmp_path / "p.safetensors"
    with pytest.raises(ValueError, match="metadata has sizes 784-10, but params are those of 784-16-16-10"):
        jaxnet.save_params(path, jaxnet.init(jax.random.key(0)), {"sizes": "784-10"})
    assert not path.exists()
    save_file(arrays(), path, {"sizes": "3-4"})
    with pytest.raises(ValueError, match="p.safetensors has sizes 3-4 in its metadata, but arrays of 3-2"):
        jaxnet.load_params(path)


def test_a_file_of_an_older_version_has_its_activation_functions_by_their_old_names_or_sigmoid(tmp_path: Path):
    two = arrays(layers_1_weights=np.zeros((1, 2), np.float32), layers_1_biases=np.zeros(1, np.float32))
    save_file(two, tmp_path / "older.safetensors", {"activation": "relu", "output": "softmax"})
    params, metadata = jaxnet.load_params(tmp_path / "older.safetensors")
    assert [layer.activation for layer in params] == [jaxnet.relu, jaxnet.softmax]
    assert metadata["activations"] == "relu,softmax"
    save_file(two, tmp_path / "bare.safetensors")
    params, metadata = jaxnet.load_params(tmp_path / "bare.safetensors")
    assert [layer.activation for layer in params] == [jaxnet.sigmoid, jaxnet.sigmoid]
    assert metadata == {"sizes": "3-2-1", "activations": "sigmoid,sigmoid"}


def test_activation_functions_of_ones_own_are_given_when_the_file_is_read(tmp_path: Path):
    path, sine = tmp_path / "p.safetensors", jaxnet.Activation(jnp.sin, jnp.cos)
    params = jaxnet.init(jax.random.key(0), (3, 4, 2), activation=sine)
    jaxnet.save_params(path, params)
    with pytest.raises(
        ValueError, match=r"has the activation 'sin'; known are sigmoid, relu, .*: give it by load_params"
    ):
        jaxnet.load_params(path)
    plain, _ = jaxnet.load_params(path, activations={"sin": jnp.sin})
    assert plain[0].activation == jaxnet.Activation(jnp.sin)
    again, _ = jaxnet.load_params(path, activations={"sin": sine})
    jax.tree.map(np.testing.assert_array_equal, again, params)  # their structures have the same functions
    for name in ("sigmoid", "a,b"):
        other = jaxnet.init(jax.random.key(0), (3, 2), output=jaxnet.Activation(jnp.sin, jnp.cos, name))
        with pytest.raises(ValueError, match=f"layer 0 has an activation function named {name!r}"):
            jaxnet.save_params(tmp_path / "other.safetensors", other)
    other = jaxnet.init(jax.random.key(0), (3, 4, 2), activation=lambda z: z, output=lambda z: 2 * z)
    with pytest.raises(ValueError, match="layer 1 has an activation function named '<lambda>'"):
        jaxnet.save_params(tmp_path / "other.safetensors", other)
    with pytest.raises(ValueError, match=r"params: layer 0 has weights \(2, 4, 3\)"):
        jaxnet.save_params(tmp_path / "other.safetensors", jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params))
    assert not (tmp_path / "other.safetensors").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("relu,relu", "has 1 layers but the activations relu, relu; expected one for each"),
        ("cubic", "has the activation 'cubic'; known are sigmoid, relu"),
    ],
)
def test_activation_functions_that_do_not_fit_are_refused(tmp_path: Path, names: str, message: str):
    save_file(arrays(), tmp_path / "odd.safetensors", {"activations": names})
    with pytest.raises(ValueError, match=f"odd.safetensors {message}"):
        jaxnet.load_params(tmp_path / "odd.safetensors")


def test_saving_leaves_one_whole_file_and_nothing_else(tmp_path: Path):
    for seed in range(2):
        jaxnet.save_params(tmp_path / "p.safetensors", jaxnet.init(jax.random.key(seed)))
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]
    jaxnet.save_params(tmp_path / "new" / "p.safetensors", jaxnet.init(jax.random.key(0)))
    assert (tmp_path / "new" / "p.safetensors").exists()
    with pytest.raises(OSError, match="p.safetensors"):  # a file where a folder should be
        jaxnet.save_params(tmp_path / "p.safetensors" / "p", jaxnet.init(jax.random.key(0)))


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    good = {"layers.0.weights": np.zeros((2, 3), np.float32), "layers.0.biases": np.zeros(2, np.float32)}
    return good | {name.replace("_", "."): array for name, array in changes.items()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "holds []"),
        ({"a": np.zeros(1)}, "holds ['a']"),
        (arrays(layers_1_weights=np.zeros((1, 2))), "expected layers.0.weights, layers.0.biases"),
        (arrays(layers_0_biases=np.zeros(3, np.float32)), "layer 0 has weights (2, 3) and biases (3,)"),
        (
            arrays(layers_1_weights=np.zeros((1, 5), np.float32), layers_1_biases=np.zeros(1, np.float32)),
            "layer 1 has weights (1, 5) and biases (1,); expected n_out and 2 inputs",
        ),
        (arrays(layers_0_weights=np.zeros((4, 2, 3), np.float32)), "layer 0 has weights (4, 2, 3)"),
        (arrays(layers_0_weights=np.zeros((), np.float32)), "layer 0 has weights () and biases (2,)"),
        (arrays(layers_0_weights=np.zeros((2, 3), np.int32)), "layer 0 has int32"),
        (arrays(layers_0_biases=np.array([0, np.nan], np.float32)), "layer 0 has values that are not finite"),
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
    for damaged in (b"", b"hello", whole[:100], whole[:-1], b"\x80" + whole[1:], whole.replace(b'"F32"', b'"I31"')):
        (tmp_path / "damaged.safetensors").write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged.safetensors is damaged or no safetensors file for NumPy"):
            jaxnet.load_params(tmp_path / "damaged.safetensors")


READER = """
import sys
sys.modules["jaxnet"] = None  # importing it fails from here on
import jax, numpy as np
images = np.load("images.npy")
for name in ("lecture", "modern"):
    program = jax.export.deserialize(open(name, "rb").read())
    for n in (1, 7, 100):
        digits, activations = program.call(images[:n])
        np.savez(f"{name}{n}.npz", digits=digits, activations=activations)
assert not [module for module in sys.modules if module.startswith("jaxnet.")]
"""


def test_the_exported_classifier_says_what_forward_says_where_there_is_no_jaxnet(tmp_path: Path, few: jaxnet.Dataset):
    no_biases = jax.nn.initializers.zeros  # with those of init, an untrained network says the same of all images
    functions: dict[str, Any] = {"activation": jaxnet.relu, "output": jaxnet.softmax}
    networks = {
        "lecture": jaxnet.init(jax.random.key(0), weights=jaxnet.unit_normal, biases=no_biases),
        "modern": jaxnet.init(jax.random.key(0), biases=no_biases, **functions),
    }
    images = np.asarray(few.images[:100])
    np.save(tmp_path / "images.npy", images)
    for name, params in networks.items():
        (tmp_path / name).write_bytes(jaxnet.export_classifier(params))
    subprocess.run([sys.executable, "-I", "-c", READER], cwd=tmp_path, check=True)
    for name, params in networks.items():
        expected = np.array(jax.vmap(jaxnet.forward, in_axes=(None, 0))(params, images))
        assert len(set(expected.argmax(axis=1))) > 1
        for n in (1, 7, 100):
            with np.load(tmp_path / f"{name}{n}.npz") as found:
                assert found["digits"].dtype == np.int32
                assert found["activations"].dtype == np.float32
                np.testing.assert_allclose(found["activations"], expected[:n], rtol=0, atol=1e-6)
                np.testing.assert_array_equal(found["digits"], expected[:n].argmax(axis=1))


def test_the_exported_classifier_is_for_the_platforms_named_in_full_float32():
    params = jaxnet.init(jax.random.key(0), (3, 2))
    exported = jax.export.deserialize(bytearray(jaxnet.export_classifier(params)))
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert exported.nr_devices == 1
    assert "HIGHEST" in exported.mlir_module()
    exported = jax.export.deserialize(bytearray(jaxnet.export_classifier(params, platforms=["rocm"])))
    assert exported.platforms == ("rocm",)


ON_FOUR_DEVICES = """
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 4)
import jaxnet
alone = jaxnet.init(jax.random.key(0), (3, 2))
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("devices",))
with jax.set_mesh(mesh):
    replicated = jax.device_put(alone, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))
    content = jaxnet.export_classifier(replicated)
exported = jax.export.deserialize(content)
assert exported.nr_devices == 1, exported.nr_devices
images = np.ones((2, 3), np.float32)
np.testing.assert_allclose(exported.call(images)[1][0], jaxnet.forward(alone, images[0]), rtol=0, atol=1e-6)
"""


def test_the_exported_classifier_is_for_one_device_also_where_four_trained_it():
    subprocess.run([sys.executable, "-c", ON_FOUR_DEVICES], check=True)


def test_the_exported_classifier_refuses_what_are_not_its_images():
    exported = jax.export.deserialize(bytearray(jaxnet.export_classifier(jaxnet.init(jax.random.key(0), (3, 2)))))
    for images in (np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros((2, 3), np.uint8)):
        with pytest.raises(ValueError, match="mismatch"):
            exported.call(images)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ((), "params has no layers: jaxnet.init makes them"),
        ((Layer(jnp.zeros((4, 2, 3)), jnp.zeros((4, 2))),), "layer 0 has weights (4, 2, 3) and biases (4, 2)"),
        (
            (Layer(jnp.zeros((2, 3)), jnp.zeros(2)), Layer(jnp.zeros((1, 5)), jnp.zeros(1))),
            "params: layer 1 has weights (1, 5) and biases (1,); expected n_out and 2 inputs",
        ),
        ((Layer(jnp.zeros((2, 3)), jnp.array([0, jnp.inf])),), "params: layer 0 has values that are not finite"),
    ],
)
def test_what_is_no_single_network_is_not_exported(params: jaxnet.Params, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        jaxnet.export_classifier(params)


@pytest.mark.parametrize("platforms", [(), ("gpu",), ("cpu", "abacus")])
def test_platforms_that_jax_does_not_have_are_refused(platforms: tuple[str, ...]):
    with pytest.raises(ValueError, match=re.escape(f"platforms is {platforms}; expected some of ('cpu', 'cuda'")):
        jaxnet.export_classifier(jaxnet.init(jax.random.key(0), (3, 2)), platforms=platforms)


def test_what_is_missing_is_named_with_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    params = jaxnet.init(jax.random.key(0), (3, 2))
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ImportError, match="pip install flatbuffers"):
        jaxnet.export_classifier(params)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        jaxnet.save_params(tmp_path / "p.safetensors", params)
