"""The script `nudges`: nudges and their averages by independent means, and each kind of wrong input."""

from pathlib import Path

import jax
import numpy as np
import pytest

from experiments import nudges
from experiments.common import networks
from experiments.common.record import read_record, write_record
from tests import by_numpy
from tests.by_numpy import gradient, outputs
from tests.experiments.commands import PNG, once, refused, small_data

IMAGE = 8


@pytest.fixture(
    scope="module",
    params=[("own", (4, 4), 0, 60, 25), pytest.param(("mnist", (16, 16), 1, 600, 500), marks=pytest.mark.long)],
    ids=["small", "mnist"],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The results of a run over several chunks, the last one smaller; what it printed, its folder and its network."""
    folder = tmp_path_factory.mktemp("nudges")
    data, hidden, epochs, limit, chunk = request.param
    data = small_data(folder) if data == "own" else data
    options = ["--data", data, "--hidden", *map(str, hidden), "--epochs", str(epochs), "--limit", str(limit)]
    with pytest.MonkeyPatch.context() as monkeypatch, jax.numpy_dtype_promotion("standard"):  # as the script does it
        monkeypatch.setattr(nudges, "CHUNK", chunk)
        record, printed = once(nudges, folder, *options, "--image", str(IMAGE))
        source = networks.Source(data=data, hidden=hidden, epochs=epochs, limit=limit)
        return record["results"], printed, folder, networks.get(source)


def examples(subject: networks.Subject) -> tuple[by_numpy.Network, np.ndarray, np.ndarray, np.ndarray]:
    """The network, the test image as a row, all the training images and their targets, in NumPy."""
    test, train = (np.asarray(part.images, float) for part in (subject.test, subject.train))
    targets = np.eye(len(subject.params[-1].biases))[np.asarray(subject.train.labels)]
    return by_numpy.network(jax.tree.map(np.float64, subject.params)), test[IMAGE : IMAGE + 1], train, targets


def test_nudges_and_their_averages_are_those_of_numpy(ran: tuple):
    results, _, _, subject = ran
    network, image, x, y = examples(subject)
    target = np.eye(y.shape[1])[[int(subject.test.labels[IMAGE])]]
    assert results["label"] == np.argmax(target)
    activations = outputs(network, image)
    assert results["said"] == np.argmax(activations[-1])
    for found, expected in zip(results["activations"], activations, strict=True):
        np.testing.assert_allclose(found, expected[0], rtol=1e-6)
    np.testing.assert_allclose(results["one"]["activations"][-1], 2 * (target - activations[-1])[0], rtol=1e-6)

    # What it wants of each pixel, by central differences.
    step = 1e-6 * np.eye(image.size)
    up, down = (np.square(outputs(network, image + change)[-1] - target).sum(axis=1) for change in (step, -step))
    np.testing.assert_allclose(results["one"]["activations"][0], (down - up) / 2e-6, rtol=1e-5, atol=1e-9)

    for who, batch in (("one", (image, target)), ("average", (x, y))):
        for found, (w, b) in zip(results[who]["params"], gradient(network, *batch), strict=True):
            np.testing.assert_allclose(found["weights"], -w, rtol=1e-5, atol=1e-10)
            np.testing.assert_allclose(found["biases"], -b, rtol=1e-5, atol=1e-10)
    assert results["difference"] < 1e-14


def test_the_images_are_compared_with_their_average_as_by_numpy(ran: tuple):
    results, _, _, subject = ran
    network, _, x, y = examples(subject)
    each = [
        np.concatenate([leaf.ravel() for layer in gradient(network, x[[i]], y[[i]]) for leaf in layer])
        for i in range(len(x))
    ]
    mean, lengths = np.mean(each, axis=0), np.linalg.norm(each, axis=1)
    cosines = each @ mean / lengths / np.linalg.norm(mean)
    found = results["disagreement"]
    assert found["images"] == len(x) == sum(found["histogram"])
    assert found["against"] == np.sum(cosines < 0)
    assert found["cosine"]["mean"] == pytest.approx(cosines.mean())
    assert found["length"]["highest"] == pytest.approx(lengths.max())
    assert found["length_of_average"] == pytest.approx(np.linalg.norm(mean))


def test_the_classes_and_the_strongest_nudges_are_those_of_numpy(ran: tuple):
    results, _, _, subject = ran
    network, _, x, y = examples(subject)
    classes = results["classes"]
    np.testing.assert_array_equal(classes["counts"], y.sum(axis=0))
    of_three = y[:, 3] == 1
    for row in classes["rows"]:
        *by_class, average = row["nudges"]
        assert np.dot(by_class, classes["counts"]) / len(x) == pytest.approx(average, abs=1e-12)
        w, b = gradient(network, x[of_three], y[of_three])[row["layer"]]
        slope = b[row["neuron"]] if row["source"] == -1 else w[row["neuron"], row["source"]]
        assert by_class[3] == pytest.approx(-slope, rel=1e-6)

    strongest = results["strongest"]["weights"]
    weights = np.concatenate([np.abs(layer["weights"]).ravel() for layer in results["one"]["params"]])
    np.testing.assert_allclose([abs(row["nudge"]) for row in strongest], np.sort(weights)[:-6:-1], rtol=1e-6)


def test_every_picture_is_drawn_and_every_sentence_said(ran: tuple):
    results, printed, folder, _ = ran
    for name in ("one_image", "first_layer", "classes", "disagreement"):
        assert (folder / f"{name}.png").read_bytes().startswith(PNG)
    for part in (
        f"Test image {IMAGE} is a {results['label']}; the network says {results['said']}",
        "↑ up",
        "↓ down",
        "negative gradient",
        "pull against it",
        "Bright neurons first",
    ):
        assert part in printed


def test_a_batch_of_one_and_a_network_without_a_hidden_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """There is nothing to average: one image agrees with itself, and one class has nudges."""
    source = networks.Source(data=small_data(tmp_path), hidden=(), epochs=0)
    results = nudges.run(nudges.Config(network=source, image=IMAGE, batch=1, strongest=2), tmp_path)
    write_record(tmp_path, {"experiment": "nudges", "config": {"image": IMAGE}, "results": results})
    record = read_record(tmp_path, "nudges")
    found = record["results"]["disagreement"]
    assert found["images"] == 1
    assert found["cosine"]["mean"] == pytest.approx(1)
    assert found["length"]["mean"] == pytest.approx(found["length_of_average"])
    for row in record["results"]["classes"]["rows"]:
        there = [nudge for nudge in row["nudges"] if nudge is not None]
        assert there == pytest.approx([row["nudges"][0]] * 2)
    assert record["results"]["sizes"] == [4, 4]
    assert [len(rows) for rows in record["results"]["strongest"].values()] == [2, 2, 0]
    assert all(path.read_bytes().startswith(PNG) for path in nudges.report.figures(record, tmp_path))
    nudges.report.print_tables(record)
    assert "100 % of the mean length" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--image 20", "image is 20; there are images 0 to 19"),
        ("--image -1", "image is -1; there are images 0 to 19"),
        ("--batch 0", "batch is 0; it must be at least 1"),
        ("--batch 51", "batch is 51; it must be between 1 and 50, the number of training images"),
        ("--strongest 0", "strongest is 0; it must be at least 1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    small = ("--data", small_data(tmp_path), "--hidden", "4", "4", "--epochs", "0", "--limit", "50")
    said = refused(nudges, monkeypatch, *small, *options.split(), "--out", str(tmp_path / "out"))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())
