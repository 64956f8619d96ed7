"""The script chain_rule: against a network in NumPy, and each kind of wrong input."""

import itertools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments import chain_rule
from experiments.common import networks
from tests import by_numpy
from tests.experiments.commands import PNG, main, once, refused, small_data

WEIGHTS = ("0:3:0", "0:3:bias", "0:2:1", "1:2:3", "1:0:bias", "2:3:0")
CHAIN = ("--chain-input", "0.25", "--chain-target", "0.9")
IMAGE = 7


@pytest.fixture(
    scope="module",
    params=[("own", (4, 4), 0), pytest.param(("mnist", (16, 16), 1), marks=pytest.mark.long)],
    ids=["small", "mnist"],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The results of a run, what it printed, its folder, and its network and examples."""
    folder = tmp_path_factory.mktemp("chain_rule")
    data, hidden, epochs = request.param
    data = small_data(folder) if data == "own" else data
    source = networks.Source(data=data, hidden=hidden, epochs=epochs, limit=200, seed=5)
    options = ["--data", data, "--hidden", *map(str, hidden), "--epochs", str(epochs), "--limit", "200", "--seed", "5"]
    options += ["--image", str(IMAGE), "--sample", "40", "--weights", *WEIGHTS, *CHAIN]
    record, printed = once(chain_rule, folder, *options)
    with jax.numpy_dtype_promotion("standard"):  # as the script does it; optax's schedules mix integers and floats
        return record["results"], printed, folder, networks.get(source)


def numpy_network(params: jaxnet.Params) -> by_numpy.Network:
    return by_numpy.network(jax.tree.map(np.float64, params))


def example(subject: networks.Subject, index: int) -> tuple[np.ndarray, np.ndarray]:
    """One image and its target, as the rows that NumPy's network takes."""
    labels = np.asarray(subject.test.labels[index : index + 1])
    return np.asarray(subject.test.images[index : index + 1], float), np.eye(len(subject.params[-1].biases))[labels]


def test_the_chain_is_that_of_three_neurons_in_numpy(ran: tuple):
    results, printed, folder, _ = ran
    chain = results["chain"]
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
        assert (folder / picture).read_bytes().startswith(PNG)
    assert "A chain of three neurons. Input 0.25, target 0.9" in printed
    assert "40 random weights and biases" in printed


def test_the_ledger_equals_backpropagation_in_numpy(ran: tuple):
    results, _, _, subject = ran
    network, (x, y) = numpy_network(subject.params), example(subject, IMAGE)
    gradient = by_numpy.gradient(network, x, y)
    activations = [a[0] for a in by_numpy.outputs(network, x)]
    for text, row in zip(WEIGHTS, results["ledger"], strict=True):
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
    assert results["ledger"][0]["product"] == results["ledger"][0]["disagreement"] == 0  # a pixel that is zero
    assert results["sample"]["number"] == 40
    assert 0 < results["sample"]["zero"] < 27
    assert results["sample"]["worst"] < 1e-12


def test_the_paths_are_products_of_all_factors_in_numpy(ran: tuple):
    results, _, _, subject = ran
    network, (x, y) = numpy_network(subject.params), example(subject, IMAGE)
    (w0, _), (w1, _), (w2, _) = network
    _, _, a1, a2 = (a[0] for a in by_numpy.outputs(network, x))
    paths, slopes = results["paths"], by_numpy.gradient(network, x, y)[0][0]
    assert slopes.shape == w0.shape
    assert (paths["neuron"], paths["source"]) == np.unravel_index(np.argmax(np.abs(slopes)), slopes.shape)
    by_loops = np.zeros((len(w1), len(w2)))
    for i, o in itertools.product(range(len(w1)), range(len(w2))):
        through = w1[i, paths["neuron"]] * a1[i] * (1 - a1[i])
        by_loops[i, o] = through * w2[o, i] * a2[o] * (1 - a2[o]) * 2 * (a2[o] - y[0, o])
    np.testing.assert_allclose(paths["values"], by_loops, rtol=1e-10)
    assert paths["dc_da"] == pytest.approx(by_loops.sum(), rel=1e-9)
    sizes = [abs(row["product"]) for row in paths["largest"]]
    assert sizes == pytest.approx(np.sort(np.abs(by_loops), axis=None)[::-1][: len(sizes)], rel=1e-10)
    for row in paths["largest"]:
        assert list(row["factors"]) == ["dz1/da0", "da1/dz1", "dz2/da1", "da2/dz2", "dC/da2"]
        assert math.prod(row["factors"].values()) == pytest.approx(row["product"], rel=1e-12)


def test_the_largest_paths_are_products_in_a_deeper_network_and_of_softmax():
    params = jaxnet.init(jax.random.key(1), (4, 4, 4, 4), output=jaxnet.softmax)
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)
        example = jnp.array([0.0, 0.3, 0.6, 0.9]), jnp.array([0.0, 1.0, 0.0, 0.0])
        paths = chain_rule.follow_paths(double, example, (0, 1, 2))
    assert np.shape(paths["values"]) == (4, 4)
    assert np.sum(paths["values"]) == pytest.approx(float(paths["dc_da"]), rel=1e-9)
    for row in paths["largest"]:
        assert list(row["factors"]) == ["dz1/da0", "da1/dz1", "dz2/da1", "dC/dz2"]
        assert math.prod(map(float, row["factors"].values())) == pytest.approx(row["product"], rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize(("hidden", "shape"), [((), None), ((6,), (10,)), ((5, 4, 3), (4, 3, 10))])
def test_networks_of_other_depths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: tuple[int, ...], shape: tuple[int, ...] | None
):
    options = ("--limit", "200", "--sample", "20", "--epochs", "0", "--hidden", *map(str, hidden))
    results = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]
    subject = networks.get(networks.Source(limit=200, epochs=0, hidden=hidden))
    gradient = by_numpy.gradient(numpy_network(subject.params), *example(subject, 0))
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


@pytest.mark.long
def test_a_softmax_network_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    params = jaxnet.init(jax.random.key(0), activation=jaxnet.relu, output=jaxnet.softmax)
    jaxnet.save_params(tmp_path / "own.safetensors", params)
    options = ("--limit", "200", "--sample", "20", "--from", str(tmp_path / "own.safetensors"))
    options += ("--weights", "2:1:3", "0:2:bias")
    results = main(chain_rule, monkeypatch, *options, "--out", str(tmp_path))["results"]
    assert np.shape(results["ledger"][0]["factors"]["da_dz"]) == (10,)
    assert all(row["disagreement"] < 1e-6 for row in results["ledger"])
    assert np.sum(results["paths"]["values"]) == pytest.approx(results["paths"]["dc_da"], rel=1e-9)
    printed = capsys.readouterr().out
    assert "dC/dz2" in printed
    assert "10 numbers" in printed


def test_the_strongest_of_each_layer_and_the_strongest_bias_are_chosen_by_size():
    columns = [[1, 0, 1, 1, 0], [2, 0, 3, 0, 1], [-1, 7, 4, 5, -1], [-9.0, 8.0, 7.0, 6.0, 5.0]]
    ranking = jaxnet.importance.Ranking(*map(jnp.array, columns))
    numbers = jax.tree.map(np.asarray, ranking)
    assert chain_rule.strongest(numbers, 2) == [(0, 0, 7), (1, 3, 4), (1, 2, None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--weights 3:0:0", "layer is 3; this network has layers 0 to 2"),
        ("--weights 0:4:0", "neuron is 4; layer 0 has neurons 0 to 3"),
        ("--weights 1:0:bias 1:2:4", "source is 4; layer 1 has sources 0 to 3"),
        ("--weights -1:0:0", "layer is -1"),
        ("--weights 0:1", "weight 0:1 is not LAYER:NEURON:SOURCE, such as 0:5:400 or 2:7:bias"),
        ("--weights 0:bias:1", "weight 0:bias:1 is not LAYER:NEURON:SOURCE"),
        ("--weights", "weights is empty"),
        ("--image 20", "image is 20; there are images 0 to 19"),
        ("--image -1", "image is -1"),
        ("--sample 0", "sample is 0; it must be between 1 and 60"),
        ("--sample 61", "sample is 61"),
        ("--chain-input nan", "chain_input is nan; it must be an activation, between 0 and 1"),
        ("--chain-target 2", "chain_target is 2.0"),
        ("--hidden 100 100 300", "there are 12,000,000 paths through this network; take fewer or narrower --hidden"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    small = ("--data", small_data(tmp_path), "--hidden", "4", "4", "--epochs", "0", "--sample", "20")
    said = refused(chain_rule, monkeypatch, *small, *options.split(), "--out", str(tmp_path / "out"))
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())
