"""The benchmark's peers take the same steps as jaxnet, and none changes what it was given."""

import functools
import importlib
import json
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from experiments.benchmark.peers import Params, by_c, initial, racer, train
from experiments.benchmark.peers import mnist as digits

SIZES = [20, 7, 5, 3]
N = 210
RATE = 0.5


def peer(name: str) -> Any:
    match name:
        case "pytorch":
            pytest.importorskip("torch")
        case "sklearn":
            pytest.importorskip("sklearn")
        case "c" if not by_c.available():
            pytest.skip("there is no C compiler")
    return importlib.import_module(f"experiments.benchmark.peers.by_{name}")


def examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.random((N, SIZES[0]), np.float32)
    return images, np.eye(SIZES[-1], dtype=np.float32)[random.integers(SIZES[-1], size=N)]


def orders() -> list[np.ndarray]:
    """Two epochs, and a part of one that is smaller than most batches."""
    random = np.random.default_rng(1)
    return [random.permutation(N), random.permutation(N), random.permutation(N)[:7]]


def start() -> Params:
    return initial(np.random.default_rng(2), SIZES)


def layers(params: Params) -> jaxnet.Params:
    return tuple(jaxnet.Layer(jnp.array(w), jnp.array(b)) for w, b in params)


def leaves(params: Any) -> list[np.ndarray]:
    return [np.array(leaf) for leaf in jax.tree.leaves(params)]


@functools.cache
def step(loss: jaxnet.Loss) -> Any:
    gradient = jax.grad(functools.partial(jaxnet.cost, loss=loss))
    return jax.jit(functools.partial(jaxnet.step, optimizer=optax.sgd(RATE), gradient=gradient))


@functools.cache
def expected(loss: jaxnet.Loss, batch_size: int) -> list[list[np.ndarray]]:
    """All weights and biases after each of the orders, by jaxnet."""
    images, targets = examples()
    params: Any = layers(start())
    state, after = jaxnet.State(params, optax.sgd(RATE).init(params)), []
    for order in orders():
        for rows in np.split(order, range(batch_size, len(order), batch_size)):
            state, _ = step(loss)(state, images[rows], targets[rows])
        after.append(leaves(state.params))
    return after


SIZES_OF_BATCHES = [pytest.param(1, marks=pytest.mark.long), pytest.param(10, marks=pytest.mark.long), 32, N]


@pytest.mark.parametrize("batch_size", SIZES_OF_BATCHES)  # 32 does not divide N
@pytest.mark.parametrize("name", racer.NAMES)
def test_a_peer_takes_the_steps_of_jaxnet(name: str, batch_size: int):
    module, given = peer(name), start()
    loss = jaxnet.cross_entropy if name == "sklearn" else jaxnet.squared_error
    with jax.numpy_rank_promotion("allow"):  # as everybody runs the peer in JAX
        trainer = module.trainer(given, *examples(), batch_size, RATE)
        jax.tree.map(np.testing.assert_array_equal, trainer.params(), given)
        for order, after in zip(orders(), expected(loss, batch_size), strict=True):
            earlier = trainer.params()
            kept = leaves(earlier)
            trainer.run(order)
            for found, leaf in zip(leaves(trainer.params()), after, strict=True):
                assert found.dtype == np.float32
                np.testing.assert_allclose(found, leaf, rtol=1e-5, atol=1e-5)
            jax.tree.map(np.testing.assert_array_equal, leaves(earlier), kept)
    jax.tree.map(np.testing.assert_array_equal, given, start())


@pytest.mark.parametrize("name", racer.NAMES)
def test_a_peer_evaluates_and_trains_as_jaxnet_does(name: str):
    """Before the first step all find the same; afterwards each has gone down in an order of its own."""
    module, given, (images, targets) = peer(name), start(), examples()
    tests, told = (images[:70], targets[:70]), []
    loss = jaxnet.cross_entropy if name == "sklearn" else jaxnet.squared_error
    with jax.numpy_rank_promotion("allow"):
        trainer = module.trainer(given, images, targets, 10, RATE)
        assert np.shape(trainer.evaluation(*tests)()) == (2,)
        history = np.array(train(trainer, (images, targets), tests, 3, 0, lambda: told.append(0)))
    expected = [
        float(number)
        for x, y in ((images, targets), tests)
        for number in (
            jaxnet.cost(layers(given), x, y, loss=loss),
            jaxnet.accuracy(layers(given), x, y.argmax(axis=1)),
        )
    ]
    np.testing.assert_allclose(history[0], expected, rtol=1e-5)
    assert history.shape == (4, 4)
    assert len(told) == 4
    assert history[-1, 0] < history[0, 0]


@pytest.mark.parametrize("name", racer.NAMES)
def test_a_peer_knows_how_many_threads_it_may_use(name: str):
    assert 1 <= peer(name).threads() <= 1024


def test_the_peers_read_the_same_digits(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    train, test = mnist
    for found, ours in zip(digits.load(), (*train, *test), strict=True):
        assert found.dtype == ours.dtype
        assert np.array_equal(found, ours)


def test_a_race_reaches_its_goal_without_jax():
    code = (
        "import sys; from experiments.benchmark.peers import racer; racer.main();"
        "assert not {'jax', 'jaxnet'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "numpy", "--hidden", "8", "--batch-size", "100", "--goal", "50"]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert result.keys() == {"epochs", "accuracy"}
    assert 1 <= result["epochs"] < 20
    assert 50 <= result["accuracy"] <= 100


def test_a_race_ends_after_the_most_epochs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], few: jaxnet.Dataset
):
    images, labels = np.asarray(few.images), np.asarray(few.labels)
    monkeypatch.setattr(digits, "load", lambda: (images, labels, images, labels))
    monkeypatch.setattr(sys, "argv", ["racer", "numpy", "--hidden", "5", "4", "--goal", "100", "--most", "2"])
    racer.main()
    result = json.loads(capsys.readouterr().out)
    assert result["epochs"] == 2
    assert result["accuracy"] == pytest.approx(100 * round(1.03 * result["accuracy"]) / 103)


def test_accuracy_is_that_of_jaxnet(few: jaxnet.Dataset):
    params = initial(np.random.default_rng(0), [784, 9, 10])
    ours = jaxnet.accuracy(layers(params), few.images, few.labels)
    percent = racer.accuracy(params, np.asarray(few.images), np.asarray(few.labels))
    assert percent == pytest.approx(100 * float(ours), rel=1e-6)
