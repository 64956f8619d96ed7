from itertools import islice
from pathlib import Path

from tests import by_numpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from tests.experiments.commands import PNG, main, refused

import jaxnet
from experiments import edge_of_stability

pytestmark = pytest.mark.long

SMALL = "--limit 60 --hidden 4 --rates 1 2 --seeds 2 --steps 6 --every 2 --batch-size 20 --iterations 6"


def test_it_descends_measures_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], few: jaxnet.Dataset
):
    results = main(edge_of_stability, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"]
    assert [arm["batch_size"] for arm in results["arms"]] == [60, 20]
    full, mini = results["arms"]
    assert np.shape(full["sharpness"]) == np.shape(mini["sharpness"]) == (4, 2, 2)
    assert full["cost"][0] == mini["cost"][0]
    assert full["cost"][-1] != mini["cost"][-1]
    assert (tmp_path / "sharpness.png").read_bytes().startswith(PNG)
    assert "batches of 20 it was" in capsys.readouterr().out

    # The same networks, full batch, in NumPy; and the largest eigenvalue of the last one's dense Hessian.
    images, targets = np.asarray(few.images[:60], float), np.eye(10)[few.labels[:60]]
    start = jax.random.split(jax.random.key(0), 3)[0]
    params = jaxnet.init(jax.random.split(start, 2)[1], (784, 4, 10))
    layers = [(np.asarray(w, float), np.asarray(b, float)) for w, b in params]
    for _ in range(6):
        slopes = by_numpy.gradient(layers, images, targets)
        layers = [(w - 2 * dw, b - 2 * db) for (w, b), (dw, db) in zip(layers, slopes, strict=True)]
    with jax.enable_x64(True):
        params = tuple(jaxnet.Layer(*map(jnp.asarray, layer)) for layer in layers)
        cost = float(jaxnet.cost(params, images, targets))
        assert full["cost"][-1][1][1] == pytest.approx(cost, rel=1e-4)
        flat, unravel = ravel_pytree(params)
        lit = np.flatnonzero(np.concatenate([np.tile(images.any(axis=0), 4), np.ones(flat.size - 4 * 784, bool)]))

        def along(x: jax.Array) -> jax.Array:  # a pixel that is never lit has no curvature
            return jaxnet.cost(unravel(flat.at[lit].set(x)), images, targets)

        @jax.jit
        def hessian_times(v: jax.Array) -> jax.Array:
            return jax.jvp(jax.grad(along), (flat[lit],), (v,))[1]

        v = jax.random.normal(jax.random.key(0), lit.shape)
        for _ in range(300):  # power iteration
            v = hessian_times(v / jnp.linalg.norm(v))
        largest = float(jnp.linalg.norm(v))
    assert full["sharpness"][-1][1][1] == pytest.approx(largest, rel=0.02)


def test_every_example_comes_once_an_epoch():
    stretches = list(islice(edge_of_stability.orders(jax.random.key(0), 10, 4, 3), 5))
    assert all(stretch.shape == (1, 12) for stretch in stretches)
    stream = np.concatenate([stretch[0] for stretch in stretches])
    for epoch in range(6):
        assert sorted(stream[10 * epoch : 10 * epoch + 10]) == list(range(10))
    full = next(edge_of_stability.orders(jax.random.key(0), 10, 10, 3))
    assert full.tolist() == [list(range(10))] * 3


def test_settled_is_the_second_half_as_a_share_of_two_over_the_rate():
    sharpness = np.array([9.0, 9.0, 0.4, 0.6])[:, None, None] * np.ones((4, 2, 3))
    np.testing.assert_allclose(edge_of_stability.settled(sharpness, (4.0, 2.0)), [[1.0] * 3, [0.5] * 3])


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
    nothing = np.full(4, np.nan, np.float32)
    monkeypatch.setattr(edge_of_stability, "measure", lambda *_, **__: (nothing, nothing, nothing))
    said = refused(edge_of_stability, monkeypatch, *SMALL.split(), "--out", str(tmp_path))
    assert "full batch: the cost is no longer finite: try smaller rates" in said
