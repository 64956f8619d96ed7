"""The script chain_rule: against a network in NumPy, and each kind of wrong input."""

import math
from pathlib import Path

from tests import by_numpy
import jax
import numpy as np
import pytest
from tests.experiments.commands import PNG, main, refused

import jaxnet
from experiments import chain_rule, networks

pytestmark = pytest.mark.long

SMALL = ("--limit", "200", "--sample", "20")


def network(epochs: int = 1, hidden: tuple[int, ...] = (16, 16)) -> by_numpy.Network:
    """The same parameters as the script's, in NumPy."""
    with jax.numpy_dtype_promotion("standard"):  # as the script does it; optax's schedules mix integers and floats
        params = networks.get(networks.Source(limit=200, epochs=epochs, hidden=hidden)).params
    return [(np.asarray(w, float), np.asarray(b, float)) for w, b in params]


def example(data: jaxnet.Dataset, index: int) -> tuple[np.ndarray, np.ndarray]:
    """One image and its target, as the rows that NumPy's network takes."""
    return np.asarray(data.images[index : index + 1], float), np.eye(10)[data.labels[index : index + 1]]


def test_the_chain_is_that_of_three_neurons_in_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = (*SMALL, "--epochs", "0", "--chain-input", "0.25", "--chain-target", "0.9", "--seed", "5")
    chain = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]["chain"]
    three = [(np.array([[w]]), np.array([b])) for w, b in zip(chain["weights"], chain["biases"], strict=True)]
    x, y = np.array([[0.25]]), np.array([[0.9]])
    x_and_a = [a.item() for a in by_numpy.outputs(three, x)]
    assert chain["activations"] == pytest.approx(x_and_a[1:], rel=1e-12)
    assert chain["cost"] == pytest.approx(by_numpy.cost(three, x, y), rel=1e-12)

    rows = {row["weight"]: row for row in chain["ledger"]}
    for layer, (w, b) in enumerate(by_numpy.gradient(three, x, y)):
        for name, slope in ((f"w{layer}", w.item()), (f"b{layer}", b.item())):
            assert rows[name]["product"] == pytest.approx(slope, rel=1e-12)
            assert rows[name]["autodiff"] == pytest.approx(slope, rel=1e-12)
            assert rows[name]["difference"] == pytest.approx(slope, rel=1e-6)
            assert math.prod(rows[name]["factors"].values()) == pytest.approx(slope, rel=1e-12)
            assert rows[name]["disagreement"] < 1e-6
    x0, a0, a1, a2 = x_and_a
    expected = {"dz/dw": x0, "da0/dz0": a0 * (1 - a0), "dz1/da0": chain["weights"][1], "da1/dz1": a1 * (1 - a1)}
    expected |= {"dz2/da1": chain["weights"][2], "da2/dz2": a2 * (1 - a2), "dC/da2": 2 * (a2 - 0.9)}
    assert rows["w0"]["factors"] == pytest.approx(expected, rel=1e-12)
    assert list(rows["b2"]["factors"]) == ["dz/db", "da2/dz2", "dC/da2"]
    for picture in ("chain.png", "paths.png"):
        assert (tmp_path / picture).read_bytes().startswith(PNG)
    printed = capsys.readouterr().out
    assert "A chain of three neurons. Input 0.25, target 0.9" in printed
    assert "20 random weights and biases" in printed


def test_the_ledger_and_the_paths_equal_backpropagation_in_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    weights = ["0:3:0", "0:3:bias", "0:5:400", "1:2:15", "1:0:bias", "2:9:0"]
    options = (*SMALL, "--image", "7", "--sample", "300", "--weights", *weights)
    results = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]
    trained = network()
    x, y = example(mnist[1], 7)
    gradient = by_numpy.gradient(trained, x, y)
    activations = [a[0] for a in by_numpy.outputs(trained, x)]
    for text, row in zip(weights, results["ledger"], strict=True):
        layer, neuron, source = text.split(":")
        w, b = gradient[int(layer)]
        slope = b[int(neuron)] if source == "bias" else w[int(neuron), int(source)]
        assert row["weight"] == text
        assert row["product"] == pytest.approx(slope, rel=1e-10)
        assert row["autodiff"] == pytest.approx(slope, rel=1e-10)
        assert row["difference"] == pytest.approx(slope, rel=1e-5)
        assert row["disagreement"] < 1e-5
        a = activations[int(layer) + 1][int(neuron)]
        carried = 1 if source == "bias" else activations[int(layer)][int(source)]
        assert row["factors"]["dz_dw"] == pytest.approx(carried, rel=1e-10)
        assert row["factors"]["da_dz"] == pytest.approx(a * (1 - a), rel=1e-10)
    assert results["ledger"][0]["product"] == results["ledger"][0]["disagreement"] == 0  # an unlit pixel
    assert results["sample"]["number"] == 300
    assert 0 < results["sample"]["zero"] < 200
    assert results["sample"]["worst"] < 1e-12

    paths = results["paths"]
    strongest = np.unravel_index(np.argmax(np.abs(gradient[0][0])), gradient[0][0].shape)
    assert (paths["neuron"], paths["source"]) == strongest
    (_, _), (w1, _), (w2, _) = trained
    _, _, a1, a2 = activations
    by_loops = np.zeros((16, 10))
    for i in range(16):
        for o in range(10):
            through = w1[i, paths["neuron"]] * a1[i] * (1 - a1[i])
            by_loops[i, o] = through * w2[o, i] * a2[o] * (1 - a2[o]) * 2 * (a2[o] - y[0, o])
    np.testing.assert_allclose(paths["values"], by_loops, rtol=1e-10)
    assert paths["dc_da"] == pytest.approx(by_loops.sum(), rel=1e-9)
    sizes = [abs(row["product"]) for row in paths["largest"]]
    assert sizes == pytest.approx(np.sort(np.abs(by_loops), axis=None)[::-1][: len(sizes)], rel=1e-10)
    for row in paths["largest"]:
        assert math.prod(factor for _, factor in row["factors"]) == pytest.approx(row["product"], rel=1e-12)


@pytest.mark.parametrize(("hidden", "shape"), [((), None), ((6,), (10,)), ((5, 4, 3), (4, 3, 10))])
def test_networks_of_other_depths(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
    hidden: tuple[int, ...],
    shape: tuple[int, ...] | None,
):
    options = (*SMALL, "--epochs", "0", "--hidden", *map(str, hidden))
    results = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]
    gradient = by_numpy.gradient(network(epochs=0, hidden=hidden), *example(mnist[1], 0))
    chosen = [row["weight"].split(":") for row in results["ledger"]]
    for (layer, neuron, source), (w, _) in zip(chosen[:-1], gradient, strict=True):
        assert abs(gradient[int(layer)][0][int(neuron), int(source)]) == pytest.approx(np.abs(w).max(), rel=1e-10)
    biases = np.abs(np.concatenate([b for _, b in gradient]))
    assert chosen[-1][2] == "bias"
    assert abs(results["ledger"][-1]["product"]) == pytest.approx(biases.max(), rel=1e-10)
    assert results["sample"]["worst"] < 1e-12
    if shape is None:
        assert "paths" not in results
    else:
        assert np.shape(results["paths"]["values"]) == shape
        assert np.sum(results["paths"]["values"]) == pytest.approx(results["paths"]["dc_da"], rel=1e-9)
        assert (tmp_path / "paths.png").read_bytes().startswith(PNG)


def test_a_softmax_network_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    params = networks.get(networks.Source(limit=200, epochs=0)).params
    jaxnet.save_params(tmp_path / "own.safetensors", params, {"activation": "relu", "output": "softmax"})
    options = (*SMALL, "--from", str(tmp_path / "own.safetensors"), "--weights", "2:1:3", "0:2:bias")
    results = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]
    assert np.shape(results["ledger"][0]["factors"]["da_dz"]) == (10,)
    assert all(row["disagreement"] < 1e-6 for row in results["ledger"])
    assert np.sum(results["paths"]["values"]) == pytest.approx(results["paths"]["dc_da"], rel=1e-9)
    assert "dC/dz" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--weights 3:0:0", "layer is 3; this network has layers 0 to 2"),
        ("--weights 0:16:0", "neuron is 16; layer 0 has neurons 0 to 15"),
        ("--weights 1:0:bias 1:2:16", "source is 16; layer 1 has sources 0 to 15"),
        ("--weights -1:0:0", "layer is -1"),
        ("--weights 0:1", "weight 0:1 is not LAYER:NEURON:SOURCE, such as 0:5:400 or 2:7:bias"),
        ("--weights 0:bias:1", "weight 0:bias:1 is not LAYER:NEURON:SOURCE"),
        ("--weights", "weights is empty"),
        ("--image 200", "image is 200; there are images 0 to 199"),
        ("--image -1", "image is -1"),
        ("--sample 0", "sample is 0; it must be between 1 and 13002"),
        ("--sample 13003", "sample is 13003"),
        ("--chain-input nan", "chain_input is nan; it must be an activation, between 0 and 1"),
        ("--chain-target 2", "chain_target is 2.0"),
        ("--hidden 300 300 300", "there are 270,000,000 paths through this network; choose fewer or narrower layers"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(chain_rule, monkeypatch, *SMALL, "--epochs", "0", *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
