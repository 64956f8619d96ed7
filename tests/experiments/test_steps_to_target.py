"""Steps to a goal: against a plain loop, closed forms of the curve, and each kind of wrong input."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnet
from experiments import steps_to_target
from experiments.common import steps_to_goal
from jaxnet.order import shuffled
from tests import by_numpy
from tests.experiments.commands import PNG, main, refused

TINY = "--limit 60 --held-out 40 --seeds 2 --goal 45 --hidden 8"


def by_a_plain_loop(record: dict, batch_size: int, rate: float, seed: int, train: jaxnet.Dataset) -> float:
    """Steps to the goal in NumPy, one evaluation after each step."""
    choices = record["config"]
    n, held_out = choices["limit"], slice(choices["limit"], choices["limit"] + choices["held_out"])
    images, targets = np.asarray(train.images), np.eye(10, dtype=np.float32)[train.labels]
    start, order = jax.random.split(jax.random.key(choices["seed"]))
    params = jaxnet.init(jax.random.split(start, choices["seeds"])[seed], (784, *choices["hidden"], 10))

    def accuracy(network: by_numpy.Network) -> float:
        answers = by_numpy.outputs(network, images[held_out])[-1].argmax(axis=1)
        return 100 * float(np.mean(answers == train.labels[held_out]))

    network = by_numpy.network(params)
    before, step = accuracy(network), 0
    while True:
        epoch, batch = divmod(step, n // batch_size)
        rows = np.asarray(shuffled(order, epoch, n))[batch * batch_size : (batch + 1) * batch_size]
        network = by_numpy.stepped(network, images[rows], targets[rows], rate)
        now = accuracy(network)
        if now >= choices["goal"]:
            return step + (choices["goal"] - before) / (now - before)
        before, step = now, step + 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """What a run of two batch sizes recorded, and its folder."""
    folder = tmp_path_factory.mktemp("steps_to_target")
    options = f"{TINY} --batch-sizes 60 7 --rate 2"
    with pytest.MonkeyPatch.context() as patch:
        return main(steps_to_target, patch, *options.split(), "--out", str(folder)), folder


@pytest.mark.long
def test_steps_are_those_of_a_plain_loop(run: tuple[dict, Path], mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    small, large = run[0]["results"]["rows"]
    assert (small["batch_size"], large["batch_size"]) == (7, 60)
    for row in (small, large):
        assert row["rate"] == row["rates"][row["steps_at_rates"].index(row["steps"])]
        assert max(row["steps"]) < 66  # up to there every step is followed by an evaluation
        for seed in range(2):
            steps = by_a_plain_loop(run[0], row["batch_size"], row["rate"], seed, mnist[0])
            assert row["steps"][seed] == pytest.approx(steps, abs=1e-3)


def test_the_record_alone_is_printed_and_drawn_again(
    run: tuple[dict, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    record, folder = run
    drawn = (folder / "steps.png").read_bytes()
    assert drawn.startswith(PNG)
    (folder / "steps.png").unlink()
    main(steps_to_target, monkeypatch, "--redraw", "--out", str(folder))
    assert (folder / "steps.png").read_bytes() == drawn
    printed = capsys.readouterr().out
    assert "To 45 % of the held-out images" in printed
    small, large = record["results"]["rows"]
    lines = [line.split() for line in printed.splitlines()]
    for row in (small, large):
        steps = np.array(row["steps"])
        cells = f"{row['batch_size']} {row['rate']:g} {steps.mean():.3g} ± {steps.std(ddof=1):.3g}".split()
        assert cells in [line[:5] for line in lines]
    ratio = np.mean(small["steps"]) / np.mean(large["steps"])
    assert f"Full batch instead of batches of 7 takes {ratio:.3g} times fewer steps" in printed


def test_the_grid_of_rates_widens_until_the_best_lies_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [
        main(steps_to_target, monkeypatch, *f"{TINY} --batch-sizes 60 --rate {rate}".split(), "--out", str(tmp_path))
        for rate in (0.25, 2.0, 64.0)
    ]
    low, near, high = (record["results"]["rows"][0] for record in rows)
    assert low["rate"] == near["rate"] == high["rate"]
    assert low["steps"] == near["steps"] == high["steps"]
    for row in (low, near, high):
        assert row["rates"][0] < row["rate"] < row["rates"][-1]
        assert not row["at_end"]
        # A rate counts only where every network gets there, and none does so in fewer steps.
        means = [np.mean(np.array(steps, float)) for steps in row["steps_at_rates"]]
        assert np.nanmin(means) == np.mean(row["steps"])


def test_a_goal_that_is_never_reached_is_said_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = f"{TINY} --goal 100 --max-steps 3 --batch-sizes 30 60"
    record = main(steps_to_target, monkeypatch, *options.split(), "--out", str(tmp_path))
    for row in record["results"]["rows"]:
        assert row["steps"] == [None, None]
        assert 0 < row["accuracy"] < 100
    printed = capsys.readouterr().out
    assert "not reached" in printed
    assert "Full batch: no rate from" in printed
    assert "took every network to the goal in 3 steps; closest was" in printed
    assert "0 of 2 batch sizes reached the goal" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"record.json"}


def evaluations(*accuracies: list[list[float]]) -> Iterator[tuple[int, np.ndarray]]:
    for index, accuracy in enumerate(accuracies):
        yield 10 * index, np.array(accuracy)


def test_the_goal_lies_on_the_line_between_two_evaluations_and_none_is_wasted():
    seen = evaluations(
        [[10, 20], [10, 10]], [[60, 20], [10, 10]], [[60, 70], [10, 80]], [[0, 0], [0, 0]], [[90, 90]] * 2
    )
    steps, last = steps_to_goal.steps_to(50, seen)
    np.testing.assert_allclose(steps[0], [8, 16])
    # After 20 steps the second rate, with one network at 15.71 and one beyond 20, has a mean beyond the first's 12.
    np.testing.assert_allclose(steps[1], [np.nan, 10 + 10 * 40 / 70])
    np.testing.assert_allclose(last, [[60, 70], [10, 80]])
    assert next(seen)[0] == 30

    seen = evaluations([[0]], [[10]], [[20]], [[90]])
    steps, _ = steps_to_goal.steps_to(50, seen, fewest=15)  # another grid of rates had one that took 15
    assert np.isnan(steps).all()
    assert next(seen)[0] == 30


def test_bend_and_plateau_of_curves_that_are_known():
    sizes = [*(2**i for i in range(15)), 20_000]
    b = np.array(sizes, float)
    for scale in (7.0, 50.0, 300.0):
        found = steps_to_target.curve(sizes, 240 * (1 + scale / b))
        assert found["examples"] == pytest.approx(240 * (1 + scale))
        assert found["bend"] == pytest.approx(scale + 2, rel=0.03)  # (b + scale) / (1 + scale) is two
        assert found["plateau"]["from"] / 2 < 4 * scale <= found["plateau"]["from"]  # a doubling saves a tenth at 4 B
        assert found["plateau"]["steps"] == pytest.approx(240, rel=0.1)

    assert steps_to_target.curve(sizes, 5000 / b) == {"examples": pytest.approx(5000), "bend": None, "plateau": None}
    flat = steps_to_target.curve(sizes, np.full(16, 100.0))
    assert flat["bend"] is None  # where no doubling saves steps, the bend lies below all the batch sizes
    assert flat["plateau"] == {"from": 1, "steps": 100}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--goal 0", "goal is 0.0; it must be an accuracy in percent, above 0 and up to 100"),
        ("--goal 101", "goal is 101.0"),
        ("--goal nan", "goal is nan"),
        ("--goal 1", "before its first step: raise it"),
        ("--seeds 0", "seeds is 0; it must be at least 1"),
        ("--max-steps 0", "max_steps is 0"),
        ("--max-epochs 0", "max_epochs is 0"),
        ("--limit 0", "limit is 0"),
        ("--held-out 0", "held_out is 0"),
        ("--limit 59999", "limit is 59999 and held_out is 40, together more than the 60000 training images"),
        ("--batch-sizes 0 4", "batch_sizes has 0; each must be between 1 and 60"),
        ("--batch-sizes 4 61", "batch_sizes has 61; each must be between 1 and 60"),
        ("--rate 0", "rate is 0.0"),
        ("--rate inf", "rate is inf"),
        ("--factor 1", "factor is 1.0; it must be a finite number above 1"),
        ("--hidden 0", "must name at least two layers"),
        ("--data nonsense", 'data set "nonsense" is unknown'),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(steps_to_target, monkeypatch, *TINY.split(), *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
