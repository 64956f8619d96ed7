"""The script `nudges`: wishes and averages by independent means, and each kind of wrong input."""

from pathlib import Path

import jax
import numpy as np
import pytest
from tests.by_numpy import gradient, outputs
from tests.experiments.commands import PNG, main, refused

from experiments import networks, nudges

pytestmark = pytest.mark.long

SMALL = ("--limit", "600", "--image", "8")  # 600: more than one chunk, and the last one smaller


def network_and_examples() -> tuple[list, np.ndarray, np.ndarray, np.ndarray]:
    with jax.numpy_dtype_promotion("standard"):
        subject = networks.get(networks.Source(limit=600))
    network = [(np.asarray(w, float), np.asarray(b, float)) for w, b in subject.params]
    test, train = (np.asarray(part.images, float) for part in (subject.test, subject.train))
    return network, test[8:9], train, np.eye(10)[np.asarray(subject.train.labels)]


def test_wishes_and_their_averages_are_those_of_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    results = main(nudges, monkeypatch, *SMALL, "--out", str(tmp_path))["results"]
    network, image, x, y = network_and_examples()

    target = np.eye(10)[[results["label"]]]
    assert results["label"] == 5
    activations = outputs(network, image)
    assert results["said"] == np.argmax(activations[-1])
    for found, expected in zip(results["activations"], activations, strict=True):
        np.testing.assert_allclose(found, expected[0], rtol=1e-6)
    np.testing.assert_allclose(results["one"]["activations"][-1], 2 * (target - activations[-1])[0], rtol=1e-6)

    # What it wants of each pixel, by central differences.
    step = 1e-6 * np.eye(784)
    up, down = (np.square(outputs(network, image + change)[-1] - target).sum(axis=1) for change in (step, -step))
    np.testing.assert_allclose(results["one"]["activations"][0], (down - up) / 2e-6, rtol=1e-5, atol=1e-9)

    for who, examples in (("one", (image, target)), ("average", (x, y))):
        for found, (w, b) in zip(results[who]["params"], gradient(network, *examples), strict=True):
            np.testing.assert_allclose(found["weights"], -w, rtol=1e-5, atol=1e-10)
            np.testing.assert_allclose(found["biases"], -b, rtol=1e-5, atol=1e-10)
    assert results["difference"] < 1e-14

    each = [
        np.concatenate([leaf.ravel() for layer in gradient(network, x[[i]], y[[i]]) for leaf in layer])
        for i in range(600)
    ]
    mean, lengths = np.mean(each, axis=0), np.linalg.norm(each, axis=1)
    cosines = each @ mean / lengths / np.linalg.norm(mean)
    found = results["disagreement"]
    assert found["images"] == 600 == sum(found["histogram"])
    assert found["against"] == np.sum(cosines < 0)
    assert found["cosine"]["mean"] == pytest.approx(cosines.mean())
    assert found["length"]["highest"] == pytest.approx(lengths.max())
    assert found["length_of_average"] == pytest.approx(np.linalg.norm(mean))

    classes = results["classes"]
    np.testing.assert_array_equal(classes["counts"], y.sum(axis=0))
    for row in classes["rows"]:
        *by_class, average = row["wishes"]
        assert np.dot(by_class, classes["counts"]) / 600 == pytest.approx(average, abs=1e-12)
        five = y[:, 5] == 1
        w, b = gradient(network, x[five], y[five])[row["layer"]]
        slope = b[row["neuron"]] if row["source"] == -1 else w[row["neuron"], row["source"]]
        assert by_class[5] == pytest.approx(-slope, rel=1e-6)

    strongest = results["strongest"]["weights"]
    weights = np.concatenate([np.abs(layer["weights"]).ravel() for layer in results["one"]["params"]])
    np.testing.assert_allclose([abs(row["wish"]) for row in strongest], np.sort(weights)[:-6:-1], rtol=1e-6)
    names = ("one_image", "first_layer", "classes", "disagreement")
    assert all((tmp_path / f"{name}.png").read_bytes().startswith(PNG) for name in names)
    printed = capsys.readouterr().out
    for part in (
        "Test image 8 is a 5",
        "↑ up",
        "↓ down",
        "negative gradient",
        "pull against it",
        "Bright neurons first",
    ):
        assert part in printed


def test_a_batch_of_one_has_nothing_to_average(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = main(nudges, monkeypatch, *SMALL, "--batch", "1", "--strongest", "2", "--out", str(tmp_path))["results"]
    found = results["disagreement"]
    assert found["images"] == 1
    assert found["cosine"]["mean"] == pytest.approx(1)
    assert found["length"]["mean"] == pytest.approx(found["length_of_average"])
    assert [len(rows) for rows in results["strongest"].values()] == [2, 2, 2]
    for row in results["classes"]["rows"]:
        assert [wish for wish in row["wishes"] if wish is not None] == pytest.approx([row["wishes"][5]] * 2)


def test_a_network_without_a_hidden_layer_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    results = main(nudges, monkeypatch, *SMALL, "--hidden", "--out", str(tmp_path))["results"]
    assert results["sizes"] == [784, 10]
    assert results["strongest"]["hidden activations"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--image 50", "image is 50; there are images 0 to 49"),
        ("--image -1", "image is -1; there are images 0 to 49"),
        ("--batch 0", "batch is 0; it must be at least 1"),
        ("--batch 51", "batch is 51; it must be between 1 and 50, the number of training images"),
        ("--strongest 0", "strongest is 0; it must be at least 1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(nudges, monkeypatch, "--limit", "50", *options.split(), "--out", str(tmp_path))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
