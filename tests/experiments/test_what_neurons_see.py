"""What neurons see: against NumPy, and each kind of wrong input."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import what_neurons_see
from experiments.common import networks
from experiments.reports import what_neurons_see as report
from experiments.reports import what_neurons_see_pictures as pictures
from tests import by_numpy
from tests.experiments.commands import PNG, main, once, refused, small_data

FEW = ("--shown", "3", "--noise", "100", "--memorise", "20", "--memory-epochs", "4", "--seeds", "2")
PICTURES = {"patterns.png", "excite_1.png", "excite_2.png", "noise.png", "shuffled_labels.png"}


@pytest.fixture(
    scope="module",
    params=["own", pytest.param("mnist", marks=pytest.mark.long)],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The results of a run, what it printed, its folder, and its network before and after training."""
    folder = tmp_path_factory.mktemp("what_neurons_see")
    data, hidden = ("mnist", (16, 16)) if request.param == "mnist" else (small_data(folder), (4, 3))
    options = ("--data", data, "--hidden", *map(str, hidden), "--limit", "100", "--epochs", "2")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "own":
            patch.setattr(report, "figures", lambda *_: [])  # they take longer than all the rest
        record, printed = once(what_neurons_see, folder, *options, *FEW)
    with jax.numpy_dtype_promotion("standard"):
        before, after = (networks.get(networks.Source(data, hidden, epochs, limit=100)) for epochs in (0, 2))
    return record["results"], printed, folder, before, after


def layers_by_numpy(params: jaxnet.Params, images: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weighted sums and activations of every layer."""
    network = by_numpy.network(jax.tree.map(np.float64, params))
    activations = by_numpy.outputs(network, np.asarray(images, float))
    return [(a @ w.T + b[None], after) for (w, b), a, after in zip(network, activations, activations[1:], strict=False)]


def test_first_weights_are_those_before_and_after_training(ran: tuple):
    results, printed, _, before, after = ran
    for when, subject in (("before", before), ("after", after)):
        np.testing.assert_allclose(results["weights"][when]["weights"], subject.params[0].weights, atol=1e-4)
        np.testing.assert_allclose(results["weights"][when]["biases"], subject.params[0].biases, rtol=1e-6)
    assert (np.asarray(before.params[0].biases) != np.asarray(after.params[0].biases)).any()
    dark = np.count_nonzero(np.all(np.asarray(after.train.images) == 0, axis=0))
    assert results["weights"]["dark_pixels"] == dark > 0
    assert results["weights"]["dark_kept"] == results["weights"]["dark_weights"] == dark * len(after.params[0].biases)
    kept = f"{results['weights']['dark_kept']:,}"
    assert f"{dark} pixels are dark in every training image: {kept} of their {kept} weights" in printed


def test_the_images_that_excite_a_neuron_most_are_those_that_numpy_finds(ran: tuple):
    results, printed, _, _, after = ran
    images, labels = after.test
    for layer, (z, a) in zip(results["layers"], layers_by_numpy(after.params, images)[:-1], strict=True):
        for index, neuron in enumerate(layer["neurons"]):
            order = np.argsort(-z[:, index])
            np.testing.assert_allclose(z[neuron["indices"], index], z[order[:3], index], rtol=1e-4)
            assert neuron["labels"] == [labels[i] for i in neuron["indices"]]
            np.testing.assert_array_equal(neuron["pixels"][0], np.round(255 * np.asarray(images)[neuron["indices"][0]]))
            assert neuron["mean"] == pytest.approx(a[:, index].mean(), rel=1e-5)
            for digit, mean, top in zip(layer["digits"], neuron["mean_of_digits"], neuron["top_digits"], strict=True):
                assert mean == pytest.approx(a[labels == digit, index].mean(), rel=1e-5)
                assert top == pytest.approx(np.mean(labels[order[:100]] == digit), abs=0.011)
    assert "The second hidden layer" in printed


def test_answers_to_noise_and_to_digits_are_those_of_numpy(ran: tuple):
    results, printed, _, _, after = ran
    outputs = layers_by_numpy(after.params, after.test.images)[-1][1]
    real = results["noise"]["real digits"]
    np.testing.assert_allclose(
        real["said"], np.bincount(outputs.argmax(axis=1), minlength=outputs.shape[1]) / len(outputs)
    )
    assert real["brightest"] == pytest.approx(outputs.max(axis=1).mean(), rel=1e-5)
    assert real["sure"] == np.mean(outputs.max(axis=1) > 0.9)
    assert real["unsure"] == np.mean(outputs.max(axis=1) < 0.5)
    for found in results["noise"].values():
        assert sum(found["histogram"]) == pytest.approx(1)
    for mixed, example in zip(results["noise"]["shuffled pixels"]["examples"], real["examples"], strict=True):
        assert mixed["pixels"] != example["pixels"]
        assert sorted(mixed["pixels"]) == sorted(example["pixels"])
        output = layers_by_numpy(after.params, np.array([mixed["pixels"]]) / 255)[-1][1][0]
        assert (mixed["said"], mixed["activation"]) == (output.argmax(), pytest.approx(output.max(), rel=2e-3))
    pixels = np.array([example["pixels"] for example in results["noise"]["random pixels"]["examples"]])
    assert pixels.mean() == pytest.approx(127.5, abs=5 * 255 / np.sqrt(12 * pixels.size))
    assert "random pixels" in printed


def test_everything_is_told_and_drawn(ran: tuple, tmp_path: Path):
    results, printed, folder, _, _ = ran
    assert "20 shuffled" in printed
    small = (folder / "small.npz").exists()
    drawn = [pictures.draw_memory(results["memory"], tmp_path / "some.png")] if small else list(folder.glob("*.png"))
    assert {path.name for path in drawn} == ({"some.png"} if small else PICTURES)
    assert all(path.read_bytes().startswith(PNG) for path in drawn)


def test_both_kinds_of_labels_are_learnt_from_the_same_start_in_the_same_order(
    ran: tuple, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    train = jaxnet.train

    def watched(order: jax.Array, params: jaxnet.Params, data: jaxnet.Dataset, *rest: Any, **choices: Any) -> Any:
        calls.append((jax.random.key_data(order), params, data.images, data.labels))
        return train(order, params, data, *rest, **choices)

    monkeypatch.setattr(jaxnet, "train", watched)
    *_, subject, _ = ran
    config = what_neurons_see.Config(seeds=2, memory_epochs=600)
    found = what_neurons_see.memorise(config, 20, subject, jax.random.key(0))
    (*same, true), (*again, shuffled) = calls
    jax.tree.map(np.testing.assert_array_equal, same, again)
    np.testing.assert_array_equal(true, subject.train.labels[:20])
    assert (true != shuffled).any()
    np.testing.assert_array_equal(np.sort(true), np.sort(shuffled))
    assert found["true"]["train_accuracy"].shape == (601, 2)
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


def test_the_first_layer_of_a_network_from_a_file_is_told_without_a_before(ran: tuple):
    *_, after = ran
    found = what_neurons_see.first_weights(after, None)
    assert set(found) == {"after"}
    told = report.about_weights(found)
    assert told == f"First layer: neighbouring pixels have weights that correlate by {found['after']['likeness']:.2f}."


@pytest.mark.long
def test_a_network_from_a_file_has_no_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "own.safetensors"
    params = jaxnet.init(jax.random.key(1), (784, 20, 10), activation=jaxnet.relu, output=jaxnet.softmax)
    jaxnet.save_params(file, params)
    out = tmp_path / "out"
    results = main(what_neurons_see, monkeypatch, "--limit", "120", *FEW, "--from", str(file), "--out", str(out))[
        "results"
    ]
    assert set(results["weights"]) == {"after"}
    assert len(results["weights"]["after"]["biases"]) == 16  # of 20
    assert len(results["layers"]) == 1  # the only hidden one
    assert "neighbouring pixels have weights that correlate by" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == PICTURES - {"excite_2.png"} | {"record.json"}


@pytest.mark.long
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
        ("--memorise 20 0", "memorise has 0; each must be between 1 and 60"),
        ("--memorise 61", "memorise has 61; each must be between 1 and 60, the number of training images"),
        ("--epochs -1", "epochs is -1; it must be zero or more"),
        ("--limit 0", "limit is 0"),
        ("--hidden 0", "must name at least two layers"),
        ("--from absent.safetensors", "absent.safetensors does not exist"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    data, out = small_data(tmp_path), tmp_path / "out"
    said = refused(what_neurons_see, monkeypatch, "--data", data, *FEW, *options.split(), "--out", str(out))
    assert message in said
    assert "\n" not in said
    assert not list(out.iterdir())
