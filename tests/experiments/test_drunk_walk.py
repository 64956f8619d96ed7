from pathlib import Path

from tests import by_numpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.experiments.commands import PNG, main, refused

import jaxnet
from experiments import drunk_walk

pytestmark = pytest.mark.long

SMALL = (
    "--limit 100 --hidden 5 --arms full:1:8 20:0.5:3 --points 5 --close-steps 4 --drunks 2 --stages 3 --batches 3"
    " --grid 6 --plane-images 50"
)


def test_it_walks_looks_measures_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    results = main(drunk_walk, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"]
    full, small = results["arms"]
    assert [full["batch_size"], small["batch_size"]] == [100, 20]
    assert full["steps"] == list(range(9))
    assert small["steps"] == [0, 3, 6, 9, 12, 15]
    for arm in (full, small):
        assert arm["length"][0] == arm["displacement"][0] == 0
        assert all(np.diff(arm["length"]) > 0)
        assert all(np.array(arm["displacement"]) <= np.array(arm["length"]) + 1e-5)
    assert small["displacement"][-1] < 0.999 * small["length"][-1]
    for part, walks in (("above", 2), ("close", 3)):
        assert len(results[part]["coordinates"]) == walks
        assert len({tuple(points[0]) for points in results[part]["coordinates"]}) == 1  # the same start
        assert np.shape(results[part]["cost"]) == (6, 6)
        assert 0 < sum(results[part]["explained"]) <= 1.0001
    assert [end["batch_size"] for end in results["ends"]] == [100, 20]
    assert [stage["steps"] for stage in results["stages"]] == [0, 3, 15]
    assert all(-1 <= cosine <= 1 for stage in results["stages"] for row in stage["cosines"] for cosine in row)
    assert "noise scale" in capsys.readouterr().out
    for name in ("walks.png", "ends.png", "noise.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert (tmp_path / "walks.gif").read_bytes().startswith(b"GIF89a")


def test_the_walk_is_plain_descent_and_its_length_that_of_its_single_steps(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(0), (784, 5, 10))
    images, targets = jnp.asarray(few.images), jaxnet.one_hot(few.labels)
    layers = [(np.asarray(w, float), np.asarray(b, float)) for w, b in params]
    batches = np.random.default_rng(0).permutation(102).reshape(2, 3, 17)
    for chosen in (None, jnp.asarray(batches)):
        ours, lengths = drunk_walk.stroll(params, images, targets, chosen, 0.5, points=2, stride=3)
        theirs, walked = [(w.copy(), b.copy()) for w, b in layers], np.zeros(2)
        for point in range(2):
            for step in range(3):
                rows = slice(None) if chosen is None else batches[point, step]
                slopes = by_numpy.gradient(theirs, np.asarray(images)[rows], np.asarray(targets)[rows])
                theirs = [(w - 0.5 * dw, b - 0.5 * db) for (w, b), (dw, db) in zip(theirs, slopes, strict=True)]
                walked[point] += 0.5 * np.sqrt(sum((dw**2).sum() + (db**2).sum() for dw, db in slopes))
        np.testing.assert_allclose(lengths, walked, rtol=1e-4)
        for ours_layer, (w, b) in zip(ours, theirs, strict=True):
            assert ours_layer.weights.shape == (3, *w.shape)
            np.testing.assert_allclose(ours_layer.weights[-1], w, atol=1e-4)
            np.testing.assert_allclose(ours_layer.biases[-1], b, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--points 2", "points is 2; it must be at least 3"),
        ("--grid 1", "grid is 1"),
        ("--grid 100000000000", "points takes 280,000,000,000,000.0 GB"),
        ("--arms full:0:2 20:0:1", "the rate of full batch is 0"),
        ("--arms full:1:8", "at least two different batch sizes"),
        ("--arms full:1e30:8 20:0.5:3", "full batch: rate 1e+30 is too large"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str):
    said = refused(drunk_walk, monkeypatch, *SMALL.split(), *options.split(), "--out", str(tmp_path))
    assert message in said
