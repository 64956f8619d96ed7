"""The script `importance`: the ranking and the proof by independent means, and each kind of wrong input."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.by_numpy import cost, gradient
from tests.experiments.commands import PNG, main, refused

import jaxnet
from experiments import importance, networks

pytestmark = pytest.mark.long

LIMIT = 150
SMALL = ("--limit", str(LIMIT), "--epochs", "2")


def network_and_examples() -> tuple[list, np.ndarray, np.ndarray]:
    with jax.numpy_dtype_promotion("standard"):
        subject = networks.get(networks.Source(epochs=2, limit=LIMIT))
    network = [(np.asarray(w, float), np.asarray(b, float)) for w, b in subject.params]
    return network, np.asarray(subject.train.images, float), np.eye(10)[np.asarray(subject.train.labels)]


def test_the_ranking_is_that_of_numpy_and_slope_times_nudge_is_the_change_of_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = (*SMALL, "--top", "3", "--nudges", "0.02", "0.01", "0.005", "0.0001")
    record = main(importance, monkeypatch, *options, "--out", str(tmp_path))
    results = record["results"]
    network, x, y = network_and_examples()

    slopes = gradient(network, x, y)
    everything = np.sort(np.abs(np.concatenate([leaf.ravel() for layer in slopes for leaf in layer])))[::-1]
    zero = 16 * int(np.sum(~x.any(axis=0)))
    assert results["zeros"] == {"number": zero, "pixels_never_lit": zero // 16, "explained": zero}
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

    for row in (listed[0], lesser):  # of these, the difference of two costs keeps enough digits
        moved = [(w.copy(), b.copy()) for w, b in network]
        w, b = moved[row["layer"]]
        if row["source"] == -1:
            b[row["neuron"]] += 0.01
        else:
            w[row["neuron"], row["source"]] += 0.01
        assert row["measured"][1] == pytest.approx(cost(moved, x, y) - cost(network, x, y), rel=1e-6)
    for row in listed:
        error = row["error"]
        assert error[3] < 0.01
        assert error[1] / error[0] == pytest.approx(0.5, rel=0.1)
        assert error[2] / error[1] == pytest.approx(0.5, rel=0.1)

    assert all((tmp_path / f"{name}.png").read_bytes().startswith(PNG) for name in ("ranking", "pixels", "proof"))
    printed = capsys.readouterr().out
    for part in (f"{zero:,} more have a derivative of exactly zero", "rms dC/dw", "measured", "times as much as"):
        assert part in printed


def test_places_are_told_in_words():
    sizes = (784, 16, 12, 10)
    assert networks.place({"layer": 0, "neuron": 3, "source": 30}, sizes) == (
        "pixel in row 1, column 2 → neuron 3 of hidden layer 1"
    )
    assert networks.place({"layer": 1, "neuron": 3, "source": -1}, sizes) == "bias → neuron 3 of hidden layer 2"
    assert networks.place({"layer": 2, "neuron": 9, "source": 4}, sizes) == "neuron 4 of hidden layer 2 → output 9"
    assert networks.place({"layer": 0, "neuron": 1, "source": 6}, (7, 2)) == "pixel 6 → output 1"


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
        ("--top 13002", "top is 13002; "),
        ("--epochs -1", "epochs is -1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(importance, monkeypatch, "--limit", "50", *options.split(), "--out", str(tmp_path))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
