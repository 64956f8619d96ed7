"""The script `importance`: the ranking and the proof by independent means, and each kind of wrong input."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments import importance
from experiments.common import networks, tables
from tests import by_numpy
from tests.by_numpy import cost, gradient
from tests.experiments.commands import PNG, once, refused, small_data


@pytest.fixture(
    scope="module",
    params=[
        ("own", (16, 8), 0, 60, 25, 1e-4),
        pytest.param(("mnist", (16, 16), 2, 150, 1000, 1e-2), marks=pytest.mark.long),
    ],
    ids=["small", "mnist"],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The results of a run, what it printed, its folder; network, training images and targets in NumPy."""
    folder = tmp_path_factory.mktemp("importance")
    data, hidden, epochs, limit, chunk, nudge = request.param
    data = small_data(folder, side=6) if data == "own" else data
    options = ["--data", data, "--hidden", *map(str, hidden), "--epochs", str(epochs), "--limit", str(limit)]
    options += ["--top", "3", "--nudges", *(str(times * nudge) for times in (2, 1, 0.5, 0.01))]
    with pytest.MonkeyPatch.context() as monkeypatch, jax.numpy_dtype_promotion("standard"):  # as the script does it
        monkeypatch.setattr(importance, "CHUNK", chunk)
        record, printed = once(importance, folder, *options)
        subject = networks.get(networks.Source(data=data, hidden=hidden, epochs=epochs, limit=limit))
    network = by_numpy.network(jax.tree.map(np.float64, subject.params))
    targets = np.eye(len(network[-1][1]))[np.asarray(subject.train.labels)]
    return record["results"], printed, folder, (network, np.asarray(subject.train.images, float), targets)


def test_the_ranking_is_that_of_numpy(ran: tuple):
    results, _, _, (network, x, y) = ran
    slopes = gradient(network, x, y)
    everything = np.sort(np.abs(np.concatenate([leaf.ravel() for layer in slopes for leaf in layer])))[::-1]
    neurons = len(network[0][1])
    zero = neurons * int(np.sum(~x.any(axis=0)))
    assert results["zeros"] == {"number": zero, "pixels_never_lit": zero // neurons, "explained": zero}
    assert np.count_nonzero(everything) == len(everything) - zero
    listed = results["listed"]
    assert [row["rank"] for row in listed[:3]] == [1, 2, 3]
    assert [row["rank"] for row in listed[-3:]] == [len(everything) - zero - back for back in (2, 1, 0)]
    for row in listed:
        w, b = slopes[row["layer"]]
        slope = b[row["neuron"]] if row["source"] == -1 else w[row["neuron"], row["source"]]
        assert row["slope"] == pytest.approx(slope, rel=1e-9)
        assert abs(row["slope"]) == pytest.approx(everything[row["rank"] - 1], rel=1e-9)
    lesser = next(row for row in listed if row["role"] == "lesser")
    assert abs(listed[0]["slope"] / lesser["slope"]) == pytest.approx(32, rel=0.05)
    for layer, (w, b) in enumerate(slopes):
        for kind, leaf in (("weights", w), ("biases", b)):
            assert results["length"][layer][kind] == pytest.approx(np.linalg.norm(leaf))
            assert results["rms"][layer][kind] == pytest.approx(np.linalg.norm(leaf) / np.sqrt(leaf.size))


def test_slope_times_nudge_is_the_change_of_cost_in_numpy(ran: tuple):
    results, _, _, (network, x, y) = ran
    listed, nudge = results["listed"], results["nudges"][1]
    lesser = next(row for row in listed if row["role"] == "lesser")
    for row in (listed[0], lesser):  # of these, the difference of two costs keeps enough digits
        moved = [(w.copy(), b.copy()) for w, b in network]
        w, b = moved[row["layer"]]
        if row["source"] == -1:
            b[row["neuron"]] += nudge
        else:
            w[row["neuron"], row["source"]] += nudge
        assert row["measured"][1] == pytest.approx(cost(moved, x, y) - cost(network, x, y), rel=1e-6)
    for row in listed:
        error = row["error"]
        assert error[3] < 0.01
        assert error[1] / error[0] == pytest.approx(0.5, rel=0.1)
        assert error[2] / error[1] == pytest.approx(0.5, rel=0.1)


def test_every_picture_is_drawn_and_every_table_printed(ran: tuple):
    results, printed, folder, _ = ran
    zero = results["zeros"]["number"]
    for name in ("ranking", "pixels", "proof"):
        assert (folder / f"{name}.png").read_bytes().startswith(PNG)
    for part in (f"{zero:,} more have a derivative of exactly zero", "rms dC/dw", "measured", "times as much as"):
        assert part in printed


def test_places_are_told_in_words():
    sizes = (784, 16, 12, 10)
    assert tables.place({"layer": 0, "neuron": 3, "source": 30}, sizes) == (
        "pixel in row 1, column 2 → neuron 3 of hidden layer 1"
    )
    assert tables.place({"layer": 1, "neuron": 3, "source": -1}, sizes) == "bias → neuron 3 of hidden layer 2"
    assert tables.place({"layer": 2, "neuron": 9, "source": 4}, sizes) == "neuron 4 of hidden layer 2 → output 9"
    assert tables.place({"layer": 0, "neuron": 1, "source": 6}, (7, 2)) == "pixel 6 → output 1"


def test_dead_neurons_are_told_from_pixels_that_are_never_lit():
    images = np.array([[0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    dead = jaxnet.Layer(jnp.array([[0.0, 0.1, 0.2], [0.0, 0.0, 0.0]]), jnp.array([0.3, 0.0]))
    zeros = importance.importance((dead,), images, top=1)["zeros"]
    assert zeros == {"number": 5, "pixels_never_lit": 1, "explained": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--nudges 0", "nudges are (0.0,); expected finite numbers above zero"),
        ("--nudges 0.1 -1", "nudges are (0.1, -1.0)"),
        ("--nudges nan", "nudges are (nan,)"),
        ("--nudges inf", "nudges are (inf,)"),
        ("--nudges", "nudges are ()"),
        ("--top 0", "top is 0; it must be at least 1"),
        ("--top 29", "top is 29; 56 weights and biases have a derivative other than zero: at most 28"),
        ("--epochs -1", "epochs is -1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    small = ("--data", small_data(tmp_path), "--hidden", "4", "4", "--epochs", "0")
    said = refused(importance, monkeypatch, *small, *options.split(), "--out", str(tmp_path / "out"))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())
