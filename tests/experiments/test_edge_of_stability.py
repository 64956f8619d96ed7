from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnet
from experiments import edge_of_stability
from experiments.reports import edge_of_stability as report
from jaxnet.order import shuffled
from tests import by_numpy
from tests.experiments.commands import PNG, main, refused

SMALL = "--limit 60 --hidden 4 --rates 1 2 --seeds 2 --steps 6 --every 2 --batch-size 25 --iterations 12"
CONFIG = edge_of_stability.Config(
    rates=(1.0, 2.0), batch_size=25, steps=6, every=2, iterations=12, seeds=2, hidden=(4,)
)


@pytest.fixture(scope="module")
def sixty(few: jaxnet.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The images and targets of the small run."""
    return np.asarray(few.images[:60], float), np.eye(10)[few.labels[:60]]


def by_hand(params: jaxnet.Params, sixty: tuple[np.ndarray, np.ndarray], batch_size: int) -> by_numpy.Network:
    """A network after 6 steps at rate 2 in NumPy, on the batches of the small run."""
    images, targets = sixty
    order = jax.random.split(jax.random.key(0), 3)[1]
    epochs = [shuffled(order, epoch, 60) for epoch in range(6)]
    layers = [(np.asarray(w, float), np.asarray(b, float)) for w, b, _ in params]
    for rows in np.concatenate(epochs)[: 6 * batch_size].reshape(6, batch_size):
        slopes = by_numpy.gradient(layers, images[rows], targets[rows])
        layers = [(w - 2 * dw, b - 2 * db) for (w, b), (dw, db) in zip(layers, slopes, strict=True)]
    return layers


def largest_eigenvalue(layers: by_numpy.Network, sixty: tuple[np.ndarray, np.ndarray]) -> float:
    """Of the Hessian of the cost, by power iteration in float64."""
    images, targets = sixty
    with jax.enable_x64(True):
        params = tuple(jaxnet.Layer(jnp.asarray(w), jnp.asarray(b)) for w, b in layers)
        flat, unravel = ravel_pytree(params)
        lit = np.flatnonzero(np.concatenate([np.tile(images.any(axis=0), 4), np.ones(flat.size - 4 * 784, bool)]))

        def along(x: jax.Array) -> jax.Array:  # a pixel that is never lit has no curvature
            return jaxnet.cost(unravel(flat.at[lit].set(x)), images, targets)

        @jax.jit
        def lengths(v: jax.Array) -> jax.Array:
            def power(v: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
                product = jax.jvp(jax.grad(along), (flat[lit],), (v,))[1]
                return product / jnp.linalg.norm(product), jnp.linalg.norm(product)

            return jax.lax.scan(power, v / jnp.linalg.norm(v), length=300)[1]

        return float(lengths(jax.random.normal(jax.random.key(0), lit.shape))[-1])


def test_cost_and_sharpness_are_those_of_a_descent_in_numpy(sixty: tuple[np.ndarray, np.ndarray]):
    start, order, direction = jax.random.split(jax.random.key(0), 3)
    network = jaxnet.init(start, (784, 4, 10))
    params, rates = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), network), jnp.array([1.0, 2.0])
    examples = (jnp.asarray(each, jnp.float32) for each in sixty)
    cost, sharpness, error = jax.device_get(
        edge_of_stability.descend(params, rates, *examples, order, direction, batch_size=25, config=CONFIG)
    )
    assert cost.shape == sharpness.shape == error.shape == (4, 2)
    assert cost[0, 0] == cost[0, 1] == pytest.approx(by_numpy.cost(by_numpy.network(network), *sixty), rel=1e-5)
    expected = by_hand(network, sixty, 25)
    assert cost[-1, 1] == pytest.approx(by_numpy.cost(expected, *sixty), rel=1e-4)
    assert cost[-1, 0] != pytest.approx(cost[-1, 1], rel=1e-3)
    assert sharpness[-1, 1] == pytest.approx(largest_eigenvalue(expected, sixty), rel=0.02)


@pytest.mark.long
def test_it_descends_both_ways_prints_and_draws(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sixty: tuple[np.ndarray, np.ndarray],
):
    results = main(edge_of_stability, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"]
    assert [arm["batch_size"] for arm in results["arms"]] == [60, 25]
    full, mini = results["arms"]
    assert full["steps"] == [0, 2, 4, 6]
    assert np.shape(full["sharpness"]) == np.shape(mini["sharpness"]) == (4, 2, 2)
    assert full["cost"][0] == mini["cost"][0]
    start = jax.random.split(jax.random.key(0), 3)[0]
    last = jaxnet.init(jax.random.split(start, 2)[1], (784, 4, 10))
    for arm in results["arms"]:
        expected = by_hand(last, sixty, arm["batch_size"])
        assert arm["cost"][-1][1][1] == pytest.approx(by_numpy.cost(expected, *sixty), rel=1e-4)
        assert arm["sharpness"][-1][1][1] == pytest.approx(largest_eigenvalue(expected, sixty), rel=0.02)
    assert (tmp_path / "sharpness.png").read_bytes().startswith(PNG)
    assert "batches of 25 it was" in capsys.readouterr().out


def test_the_report_prints_and_draws_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    curves = {"cost": [[[2.0, 3.0]], [[1.0, 1.5]]], "sharpness": [[[0.5, 0.7]], [[0.4, 0.6]]], "error": [[[0.007] * 2]]}
    full = {"batch_size": 60, "steps": [0, 9], "settled": [[0.8, 1.2]], **curves}
    record = {"results": {"n": 60, "rates": [4.0], "arms": [full, full | {"batch_size": 5}]}}
    report.print_tables(record)
    printed = capsys.readouterr().out
    for part in ("Sharpness, batches of 5", "0.600 ± 0.141", "80, 120", "1.250 ± 0.354", "1.0 % of the largest"):
        assert part in printed
    assert report.figures(record, tmp_path)[0].read_bytes().startswith(PNG)
    assert report.figures({"results": {}}, tmp_path) == []


def test_settled_is_the_second_half_as_a_share_of_two_over_the_rate():
    sharpness = np.array([9.0, 9.0, 0.4, 0.6])[:, None, None] * np.ones((4, 2, 3))
    np.testing.assert_allclose(edge_of_stability.settled(sharpness, (4.0, 2.0)), [[1.0] * 3, [0.5] * 3])


def test_the_conclusion_is_computed_from_the_numbers():
    arms = [{"batch_size": 60, "settled": [[0.9, 1.1], [0.8, 1]]}, {"batch_size": 5, "settled": [[0.5, 0.5]] * 2}]
    said = report.conclusion({"n": 60, "rates": [3, 4], "arms": arms})
    assert "within 15 % of 2/rate at 1 of 2 rates: 3; with batches of 5 it was 47 % lower" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--rates 0", "rate is 0.0; it must be a finite number above zero"),
        ("--batch-size 60", "batch_size is 60; a mini-batch has fewer than all 60 images"),
        ("--steps 3", "steps is 3; it must be a multiple of every, 2"),
        ("--seeds 0", "seeds is 0"),
        ("--iterations 0", "iterations is 0"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str):
    said = refused(edge_of_stability, monkeypatch, *SMALL.split(), *options.split(), "--out", str(tmp_path))
    assert message in said
    assert not list(tmp_path.iterdir())


def test_a_cost_that_is_not_finite_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nothing = np.full((4, 4), np.nan, np.float32)
    monkeypatch.setattr(edge_of_stability, "descend", lambda *_, **__: (nothing, nothing, nothing))
    said = refused(edge_of_stability, monkeypatch, *SMALL.split(), "--out", str(tmp_path))
    assert "full batch: the cost is no longer finite: try smaller rates" in said
