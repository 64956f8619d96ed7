"""What a file says to PyTorch is what it says to jaxnet."""

import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import jaxnet
from experiments import to_pytorch


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh", "softmax", "scaled_tanh"])
def test_pytorch_computes_what_forward_computes(tmp_path: Path, few: jaxnet.Dataset, activation: str, output: str):
    torch = pytest.importorskip("torch")
    params = jaxnet.init(jax.random.key(0), (784, 16, 12, 10))
    jaxnet.save_params(tmp_path / "p.safetensors", params, {"activation": activation, "output": output})
    model = to_pytorch.network(tmp_path / "p.safetensors")
    with torch.no_grad():
        found = model(torch.tensor(np.asarray(few.images))).numpy()
    functions = {"activation": getattr(jaxnet, activation), "output": getattr(jaxnet, output)}
    expected = jax.vmap(lambda image: jaxnet.forward(params, image, **functions))(few.images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh", "softmax", "scaled_tanh"])
def test_every_function_can_be_the_output(tmp_path: Path, name: str):
    """One layer of the identity: the outputs are the function of the inputs, as NumPy has it."""
    torch = pytest.importorskip("torch")
    params = (jaxnet.Layer(jnp.eye(3), jnp.zeros(3)),)
    jaxnet.save_params(tmp_path / "p.safetensors", params, {"output": name})
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


def test_where_no_activation_is_named_it_is_the_sigmoid(tmp_path: Path, few: jaxnet.Dataset):
    torch = pytest.importorskip("torch")
    params = jaxnet.init(jax.random.key(0))
    jaxnet.save_params(tmp_path / "p.safetensors", params)
    found = to_pytorch.network(tmp_path / "p.safetensors")(torch.tensor(few.images[0])).detach().numpy()
    np.testing.assert_allclose(found, jaxnet.forward(params, few.images[0]), rtol=0, atol=1e-6)


def test_the_command_prints_the_architecture_and_the_accuracy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
):
    pytest.importorskip("torch")
    functions = {"activation": jaxnet.relu, "output": jaxnet.softmax}
    params = jaxnet.init(jax.random.key(0), biases=jax.nn.initializers.zeros)
    jaxnet.save_params(tmp_path / "p.safetensors", params, {"activation": "relu", "output": "softmax"})
    monkeypatch.setattr(sys, "argv", ["to_pytorch", str(tmp_path / "p.safetensors")])
    to_pytorch.main()
    printed = capsys.readouterr().out
    for part in ("Linear(in_features=784, out_features=16", "ReLU()", "Softmax(dim=-1)", "of 10,000 images"):
        assert part in printed
    said = re.search(r"test accuracy (\S+) %", printed)
    assert said
    assert float(said[1]) == pytest.approx(100 * float(jaxnet.accuracy(params, *mnist[1], **functions)), abs=0.02)


def refused(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    monkeypatch.setattr(sys, "argv", ["to_pytorch", str(path)])
    with pytest.raises(SystemExit) as stop:
        to_pytorch.main()
    assert isinstance(stop.value.code, str)  # a message, hence exit status 1
    return stop.value.code


def test_files_that_do_not_say_a_network_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    path = tmp_path / "p.safetensors"
    assert f"{path} does not exist" in refused(monkeypatch, path)
    assert f"{tmp_path} does not exist" in refused(monkeypatch, tmp_path)  # not as a file
    path.write_bytes(b"hello")
    assert "p.safetensors is damaged or no safetensors file" in refused(monkeypatch, path)
    arrays = {"layers.0.weights": np.zeros((2, 3), np.float32), "layers.0.biases": np.zeros(2, np.float32)}
    for metadata, message in (
        ({"output": "sigmoid"}, 'p.safetensors names the sizes ""; expected the likes of 784-16-16-10'),
        ({"sizes": "3-2", "output": "gelu"}, 'p.safetensors names the activation "gelu"; expected one of sigmoid'),
        ({"sizes": "3-4-2"}, "p.safetensors has sizes 3-4-2 in its metadata, but the arrays {'layers.0.biases': (2,)"),
        ({"sizes": "many"}, 'p.safetensors names the sizes "many"'),
        ({"sizes": "3-2"}, "the network has 3 inputs and 2 outputs; this data has 784 pixels and 10 classes"),
    ):
        save_file(arrays, path, metadata)
        assert message in refused(monkeypatch, path)


def test_without_pytorch_the_command_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install torch safetensors" in refused(monkeypatch, tmp_path / "p.safetensors")
