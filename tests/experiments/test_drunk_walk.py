from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments import drunk_walk
from experiments.reports import drunk_walk as report
from tests import by_numpy
from tests.experiments.commands import PNG, main, refused

SMALL = (
    "--limit 100 --hidden 5 --arms full:1:4 20:0.5:3 --points 4 --close-steps 4 --drunks 2 --stages 3 --batches 3"
    " --grid 6 --plane-images 50"
)


def recorded() -> dict:
    """What a report draws from: the way straight on of a full batch, and a random walk."""
    rng = np.random.default_rng(0)
    straight, drunk = np.linspace([0, 0], [3, 4], 5), rng.normal(size=(6, 2)).cumsum(axis=0)
    plane = {
        "explained": [0.7, 0.1],
        "coordinates": [straight.tolist(), drunk.tolist()],
        "xs": [-5.0, 0.0, 5.0],
        "ys": [-5.0, 0.0, 5.0],
        "cost": [[3.0, 2.0, 1.0], [2.0, 1.0, 0.5], [1.0, 0.5, 0.25]],
    }
    full = {"batch_size": 100, "rate": 1.0, "steps": [0, 1, 2, 3, 4], "test_accuracy": 0.5}
    small = {"batch_size": 20, "rate": 0.5, "steps": [0, 3, 6, 9, 12, 15], "test_accuracy": 0.25}
    stage = {"noise_scale": 12.3, "standard_error": 0.5, "batch_sizes": [1, 10], "expected": [0.3, 0.7]}
    stages = [{**stage, "steps": step, "cosines": [[0.2, 0.4], [0.6, 0.8]]} for step in (0, 3, 15)]
    ends = [{"batch_size": size, "along": [-1.0, 0.0, 1.0], "cost": plane["cost"]} for size in (100, 20)]
    arms = [
        full | {"length": [0.0, 1.25, 2.5, 3.75, 5.0], "displacement": [0.0, 1.25, 2.5, 3.75, 5.0]},
        small | {"length": [0.0, 2.0, 4.0, 6.0, 8.0, 9.0], "displacement": [0.0, 1.0, 2.0, 2.0, 3.0, 4.0]},
    ]
    close = plane | {"batch_size": 20, "rate": 0.5}
    return {"results": {"n": 100, "arms": arms, "above": plane, "close": close, "ends": ends, "stages": stages}}


def test_the_report_prints_a_record(capsys: pytest.CaptureFixture[str]):
    record = recorded()
    record["results"]["stages"][-1] |= {"noise_scale": None, "standard_error": None}
    report.print_tables(record)
    printed = capsys.readouterr().out
    for part in ("full batch, rate 1", "2.25", "12.3 ± 0.5", "inf ± inf", "0.30 ± 0.14", "80 % of their variance"):
        assert part in printed


def test_the_report_draws_the_ends_and_the_noise(tmp_path: Path):
    results = recorded()["results"]
    for draw in (report.draw_ends, report.draw_noise):
        assert draw(results, tmp_path / "picture.png").read_bytes().startswith(PNG)
    assert report.figures({"results": {}}, tmp_path) == []


@pytest.mark.long
def test_the_report_draws_the_walks_still_and_moving(tmp_path: Path):
    drawn = {path.name: path.read_bytes() for path in report.figures(recorded(), tmp_path)}
    assert list(drawn) == ["walks.png", "walks.gif", "ends.png", "noise.png"]
    assert drawn["walks.png"].startswith(PNG)
    assert drawn["walks.gif"].startswith(b"GIF89a")


@pytest.mark.long
def test_it_descends_measures_prints_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    results = main(drunk_walk, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"]
    full, small = results["arms"]
    assert [full["batch_size"], small["batch_size"]] == [100, 20]
    assert full["steps"] == list(range(5))
    assert small["steps"] == [0, 3, 6, 9, 12, 15]
    for arm in (full, small):
        assert arm["length"][0] == arm["displacement"][0] == 0
        assert all(np.diff(arm["length"]) > 0)
        assert all(np.array(arm["displacement"]) <= np.array(arm["length"]) + 1e-5)
    assert small["displacement"][-1] < 0.999 * small["length"][-1]
    for part, walks in (("above", 2), ("close", 3)):
        assert len(results[part]["coordinates"]) == walks
        assert len({tuple(points[0]) for points in results[part]["coordinates"]}) == 1  # the same start
        assert len({tuple(points[-1]) for points in results[part]["coordinates"]}) == walks
        assert np.shape(results[part]["cost"]) == (6, 6)
        assert 0 < sum(results[part]["explained"]) <= 1.0001
    assert [end["batch_size"] for end in results["ends"]] == [100, 20]
    assert [stage["steps"] for stage in results["stages"]] == [0, 3, 15]
    assert all(-1 <= cosine <= 1 for stage in results["stages"] for row in stage["cosines"] for cosine in row)
    printed = capsys.readouterr().out
    for part in (f"{small['length'][-1] / small['displacement'][-1]:.2f}", "Along the walk with batches of 20"):
        assert part in printed
    for name in ("walks.png", "ends.png", "noise.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert (tmp_path / "walks.gif").read_bytes().startswith(b"GIF89a")


def test_the_cosines_are_those_of_random_batches_in_numpy(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(0), (784, 5, 10))
    images, targets = jnp.asarray(few.images), jaxnet.one_hot(few.labels)
    keys = jax.random.split(jax.random.key(1), 3)

    def gradient(rows: np.ndarray | slice) -> np.ndarray:
        slopes = by_numpy.gradient(by_numpy.network(params), np.asarray(images)[rows], np.asarray(targets)[rows])
        return np.concatenate([part.ravel() for layer in slopes for part in layer])

    full = gradient(slice(None))
    as_params = jax.grad(jaxnet.cost)(params, images, targets)
    found = drunk_walk.cosines_of_batches(params, images, targets, as_params, keys, batch_size=2)
    for key, cosine in zip(keys, found, strict=True):
        batch = gradient(np.asarray(jax.random.randint(key, (2,), 0, 103)))
        assert cosine == pytest.approx(batch @ full / np.linalg.norm(batch) / np.linalg.norm(full), abs=1e-4)


def test_it_is_plain_descent_and_its_length_that_of_its_single_steps(few: jaxnet.Dataset):
    params = jaxnet.init(jax.random.key(0), (784, 5, 10))
    images, targets = np.asarray(few.images), np.asarray(jaxnet.one_hot(few.labels))
    drawn = np.random.default_rng(0).permutation(103)
    for batch_size, order in ((103, {}), (17, {"order": lambda _key, _epoch, _n: jnp.asarray(drawn)})):
        ours, lengths = drunk_walk.plain_descent(
            jax.random.key(0),
            params,
            (jnp.asarray(images), jnp.asarray(targets)),
            0.5,
            batch_size=batch_size,
            steps=6,
            every=3,
            **order,
        )
        theirs, length, expected = by_numpy.network(params), 0.0, [0.0]
        for step in range(6):
            rows = np.arange(103) if batch_size == 103 else drawn[17 * step : 17 * step + 17]
            slopes = by_numpy.gradient(theirs, images[rows], targets[rows])
            theirs = [(w - 0.5 * dw, b - 0.5 * db) for (w, b), (dw, db) in zip(theirs, slopes, strict=True)]
            length += 0.5 * np.sqrt(sum((dw**2).sum() + (db**2).sum() for dw, db in slopes))
            if step in (2, 5):
                expected.append(length)
        np.testing.assert_allclose(lengths, expected, rtol=1e-4)
        for layer, (w, b) in zip(ours, theirs, strict=True):
            assert layer.weights.shape == (3, *w.shape)
            np.testing.assert_allclose(layer.weights[-1], w, atol=1e-4)
            np.testing.assert_allclose(layer.biases[-1], b, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--points 2", "points is 2; it must be at least 3"),
        ("--grid 1", "grid is 1"),
        ("--arms full:adam:1:5 10:1:5", "arm full:adam:1:5 has rule adam; here can be sgd"),
        ("--grid 100000000000", "points needs 560,000,000,000,000.1 GB"),
        ("--arms full:0:2 20:0:1", "arms has one with the rate 0; that is no walk"),
        ("--arms full:1:4", "at least two different batch sizes"),
        ("--arms full:1e30:4 20:0.5:3", "full batch: rate 1e+30 is too large"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str):
    said = refused(drunk_walk, monkeypatch, *SMALL.split(), *options.split(), "--out", str(tmp_path))
    assert message in said
