"""What neurons see: against NumPy, and each kind of wrong input."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tests.experiments.commands import PNG, main, refused

import jaxnet
from experiments import networks, what_neurons_see

pytestmark = pytest.mark.long

FEW = "--limit 120 --epochs 2 --shown 3 --noise 50 --memorise 20 --memory-epochs 4 --seeds 2"
PICTURES = {"patterns.png", "excite_1.png", "excite_2.png", "noise.png", "shuffled_labels.png"}


def by_numpy(params: jaxnet.Params, images: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weighted sums and activations of every layer."""
    a, layers = np.asarray(images, float), []
    for w, b in params:
        z = a @ np.asarray(w, float).T + np.asarray(b, float)[None]
        a = 1 / (1 + np.exp(-z))
        layers.append((z, a))
    return layers


def test_what_it_records_is_what_numpy_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    results = main(what_neurons_see, monkeypatch, *FEW.split(), "--out", str(tmp_path))["results"]
    with jax.numpy_dtype_promotion("standard"):
        before, after = (networks.get(networks.Source(epochs=epochs, limit=120)) for epochs in (0, 2))
    images, labels = after.test

    for look, subject in (("before", before), ("after", after)):
        np.testing.assert_allclose(results["weights"][look]["weights"], subject.params[0].weights, atol=1e-4)
        np.testing.assert_allclose(results["weights"][look]["biases"], subject.params[0].biases, rtol=1e-6)
    dark = np.count_nonzero(np.all(np.asarray(after.train.images) == 0, axis=0))
    assert results["weights"]["dark_pixels"] == dark > 67
    assert results["weights"]["dark_kept"] == results["weights"]["dark_weights"] == 16 * dark

    layers = by_numpy(after.params, images)
    for layer, (z, a) in zip(results["layers"], layers[:-1], strict=True):
        for index, neuron in enumerate(layer["neurons"]):
            order = np.argsort(-z[:, index])
            np.testing.assert_allclose(z[neuron["indices"], index], z[order[:3], index], rtol=1e-5)
            assert neuron["labels"] == [labels[i] for i in neuron["indices"]]
            np.testing.assert_array_equal(neuron["pixels"][0], np.round(255 * np.asarray(images)[neuron["indices"][0]]))
            for digit, mean, top in zip(layer["digits"], neuron["mean_of_digits"], neuron["top_digits"], strict=True):
                assert mean == pytest.approx(a[labels == digit, index].mean(), rel=1e-5)
                assert top == pytest.approx(np.mean(labels[order[:100]] == digit), abs=0.011)

    outputs = layers[-1][1]
    real = results["noise"]["real digits"]
    np.testing.assert_allclose(real["said"], np.bincount(outputs.argmax(axis=1), minlength=10) / 120)
    assert real["brightest"] == pytest.approx(outputs.max(axis=1).mean(), rel=1e-5)
    assert real["sure"] == np.mean(outputs.max(axis=1) > 0.9)
    for found in results["noise"].values():
        assert sum(found["histogram"]) == pytest.approx(1)
    for mixed, example in zip(results["noise"]["shuffled pixels"]["examples"], real["examples"], strict=True):
        assert mixed["pixels"] != example["pixels"]
        assert sorted(mixed["pixels"]) == sorted(example["pixels"])
        output = by_numpy(after.params, np.array([mixed["pixels"]]) / 255)[-1][1][0]
        assert (mixed["said"], mixed["activation"]) == (output.argmax(), pytest.approx(output.max(), rel=1e-4))
    pixels = np.array([example["pixels"] for example in results["noise"]["random pixels"]["examples"]])
    assert pixels.mean() == pytest.approx(127.5, rel=0.05)

    printed = capsys.readouterr().out
    for part in ("First layer: weights", "The second hidden layer", "random pixels", "20 shuffled"):
        assert part in printed
    assert {path.name for path in tmp_path.iterdir()} == PICTURES | {"record.json"}
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in PICTURES)


def test_both_kinds_of_labels_are_learnt_from_the_same_start_in_the_same_order(monkeypatch: pytest.MonkeyPatch):
    calls = []
    train_population = jaxnet.train_population

    def watched(order: jax.Array, params: jaxnet.Params, data: jaxnet.Dataset, *rest: Any, **choices: Any) -> Any:
        calls.append((jax.random.key_data(order), params, data.images, data.labels))
        return train_population(order, params, data, *rest, **choices)

    monkeypatch.setattr(jaxnet, "train_population", watched)
    subject = networks.get(networks.Source(epochs=0, limit=100))
    config = what_neurons_see.Config(seeds=2, memory_epochs=200)
    found = what_neurons_see.memorise(config, 30, subject, jax.random.key(0))
    (*same, true), (*again, shuffled) = calls
    jax.tree.map(np.testing.assert_array_equal, same, again)
    np.testing.assert_array_equal(true, subject.train.labels[:30])
    assert (true != shuffled).any()
    np.testing.assert_array_equal(np.sort(true), np.sort(shuffled))
    assert found["true"]["train_accuracy"].shape == (201, 2)
    for seed in range(2):
        curve = found["true"]["train_accuracy"][:, seed]
        half = found["true"]["epochs_to_half"][seed]
        assert curve[int(np.ceil(half))] >= 50 > curve[int(np.ceil(half)) - 1]


def test_neighbouring_weights_are_alike_in_a_smooth_pattern_only():
    x, y = np.meshgrid(np.linspace(-1, 1, 28), np.linspace(-1, 1, 28))
    smooth = np.stack([x + y, np.sin(3 * x) * y]).reshape(2, -1)
    noise = np.random.default_rng(0).normal(size=(16, 784))
    stripes = np.tile([1.0, -1.0], (1, 14 * 28))
    assert what_neurons_see.likeness(smooth) > 0.95
    assert abs(what_neurons_see.likeness(noise)) < 0.05
    assert what_neurons_see.likeness(stripes) == pytest.approx(-1)


def test_a_network_from_a_file_has_no_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "own.safetensors"
    params = jaxnet.init(jax.random.key(1), (784, 20, 10))
    jaxnet.save_params(file, params, {"activation": "relu", "output": "softmax"})
    out = tmp_path / "out"
    results = main(what_neurons_see, monkeypatch, *FEW.split(), "--from", str(file), "--out", str(out))["results"]
    assert set(results["weights"]) == {"after"}
    assert len(results["weights"]["after"]["biases"]) == 16  # of 20
    assert len(results["layers"]) == 1  # the only hidden one
    assert "neighbouring pixels have weights that correlate by" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == PICTURES - {"excite_2.png"} | {"record.json"}


def test_images_in_colour_and_nothing_to_memorise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    for shape in ((4, 4, 3), (3, 5)):
        arrays = {f"x_{part}": rng.random((20, *shape), np.float32) for part in ("train", "test")}
        labels = {f"y_{part}": np.arange(20) % 3 for part in ("train", "test")}
        np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
        options = ("--data", str(tmp_path / "own.npz"), "--epochs", "1", "--hidden", "3", "--noise", "5", "--memorise")
        record = main(what_neurons_see, monkeypatch, "--out", str(tmp_path / "out"), *options)
        assert record["results"]["memory"] == []
        assert len(record["results"]["noise"]["random pixels"]["said"]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--shown 0", "shown is 0; it must be at least 1"),
        ("--noise 0", "noise is 0"),
        ("--seeds 0", "seeds is 0"),
        ("--memory-epochs 0", "memory_epochs is 0"),
        ("--memory-rate nan", "rate is nan; a learning rate is a finite number"),
        ("--memorise 20 0", "memorise has 0; each must be between 1 and 120"),
        ("--memorise 121", "memorise has 121; each must be between 1 and 120, the number of training images"),
        ("--epochs -1", "epochs is -1; it must be zero or more"),
        ("--limit 0", "limit is 0"),
        ("--hidden 0", "must name at least two layers"),
        ("--from absent.safetensors", "absent.safetensors does not exist"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(what_neurons_see, monkeypatch, *FEW.split(), *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
