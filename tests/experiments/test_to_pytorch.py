"""What a file says to PyTorch is what it says to jaxnet."""

import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import jaxnet
from experiments import to_pytorch


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("activation", "output"),
    [("sigmoid", "sigmoid"), ("relu", "softmax"), ("tanh", "sigmoid"), ("softmax", "tanh"), ("scaled_tanh", "softmax")],
)
def test_pytorch_computes_what_forward_computes(
    torch: Any, tmp_path: Path, few: jaxnet.Dataset, activation: str, output: str
):
    functions: dict[str, Any] = {"activation": getattr(jaxnet, activation), "output": getattr(jaxnet, output)}
    params = jaxnet.init(jax.random.key(0), (784, 16, 12, 10), **functions)
    jaxnet.save_params(tmp_path / "p.safetensors", params)
    model = to_pytorch.network(tmp_path / "p.safetensors")
    with torch.no_grad():
        found = model(torch.tensor(np.asarray(few.images))).numpy()
    expected = jax.vmap(lambda image: jaxnet.forward(params, image))(few.images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh", "softmax", "scaled_tanh"])
def test_every_function_can_be_the_output(torch: Any, tmp_path: Path, name: str):
    """One layer of the identity: the outputs are the function of the inputs, as NumPy has it."""
    params = (jaxnet.Layer(jnp.eye(3), jnp.zeros(3), getattr(jaxnet, name)),)
    jaxnet.save_params(tmp_path / "p.safetensors", params)
    z = np.array([[-2.0, 0.5, 3.0], [0.0, 1.0, 0.25]], np.float32)
    expected = {
        "sigmoid": 1 / (1 + np.exp(-z)),
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "softmax": np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        "scaled_tanh": 1.7159 * np.tanh(0.6666 * z),
    }
    found = to_pytorch.network(tmp_path / "p.safetensors")(torch.tensor(z)).detach().numpy()
    np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    ("metadata", "layers"),
    [
        ({}, ["Sigmoid", "Sigmoid", "Sigmoid"]),
        ({"activation": "relu", "output": "softmax"}, ["ReLU", "ReLU", "Softmax"]),
        ({"activations": "tanh,relu,sigmoid"}, ["Tanh", "ReLU", "Sigmoid"]),
    ],
)
def test_files_of_older_versions_have_one_name_for_the_hidden_layers_or_none(
    tmp_path: Path, metadata: dict[str, str], layers: list[str]
):
    arrays = {}
    for index, (n_in, n_out) in enumerate([(3, 5), (5, 4), (4, 2)]):
        arrays[f"layers.{index}.weights"] = np.zeros((n_out, n_in), np.float32)
        arrays[f"layers.{index}.biases"] = np.zeros(n_out, np.float32)
    save_file(arrays, tmp_path / "p.safetensors", {"sizes": "3-5-4-2"} | metadata)
    model = to_pytorch.network(tmp_path / "p.safetensors")
    assert [type(module).__name__ for module in model][1::2] == layers


@pytest.mark.usefixtures("torch")
def test_the_command_prints_the_architecture_and_the_accuracy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
):
    zeros = jax.nn.initializers.zeros
    params = jaxnet.init(jax.random.key(0), activation=jaxnet.relu, output=jaxnet.softmax, biases=zeros)
    jaxnet.save_params(tmp_path / "p.safetensors", params)
    monkeypatch.setattr(sys, "argv", ["to_pytorch", str(tmp_path / "p.safetensors")])
    to_pytorch.main()
    printed = capsys.readouterr().out
    for part in ("Linear(in_features=784, out_features=16", "ReLU()", "Softmax(dim=-1)", "of 10,000 images"):
        assert part in printed
    said = re.search(r"test accuracy (\S+) %", printed)
    assert said
    assert float(said[1]) == pytest.approx(100 * float(jaxnet.accuracy(params, *mnist[1])), abs=0.02)


def refused(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    monkeypatch.setattr(sys, "argv", ["to_pytorch", str(path)])
    with pytest.raises(SystemExit) as stop:
        to_pytorch.main()
    assert isinstance(stop.value.code, str)  # a message, hence exit status 1
    return stop.value.code


@pytest.mark.usefixtures("torch")
def test_files_that_do_not_say_a_network_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "p.safetensors"
    assert f"{path} does not exist" in refused(monkeypatch, path)
    assert f"{tmp_path} does not exist" in refused(monkeypatch, tmp_path)  # not as a file
    path.write_bytes(b"hello")
    assert "p.safetensors is damaged or no safetensors file" in refused(monkeypatch, path)
    arrays = {"layers.0.weights": np.zeros((2, 3), np.float32), "layers.0.biases": np.zeros(2, np.float32)}
    for metadata, message in (
        ({"output": "sigmoid"}, 'p.safetensors names the sizes ""; expected the likes of 784-16-16-10'),
        ({"sizes": "3-2", "output": "gelu"}, 'p.safetensors names the activation "gelu"; expected one of sigmoid'),
        ({"sizes": "3-2", "activations": "relu,relu"}, "has 1 layers, but the activations relu, relu"),
        ({"sizes": "3-4-2"}, "p.safetensors has sizes 3-4-2 in its metadata, but the arrays {'layers.0.biases': (2,)"),
        ({"sizes": "many"}, 'p.safetensors names the sizes "many"'),
        ({"sizes": "3-2"}, "the network has 3 inputs and 2 outputs; this data has 784 pixels and 10 classes"),
    ):
        save_file(arrays, path, metadata)
        assert message in refused(monkeypatch, path)


def test_without_pytorch_the_command_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install torch safetensors" in refused(monkeypatch, tmp_path / "p.safetensors")
