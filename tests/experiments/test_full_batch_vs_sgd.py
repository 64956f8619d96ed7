"""The comparison of batch sizes, on a small slice; its numbers, its words, each kind of wrong input."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import full_batch_vs_sgd
from experiments.common import contest, tables
from experiments.common.arms import Arm
from experiments.common.rules import RULES
from experiments.reports.full_batch_vs_sgd import conclusion
from tests.experiments.commands import PNG, once, refused, small_data


def test_full_batch_vs_sgd_compares_records_draws_and_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = "--arms full:2:60 20:2:10 7:1:4 --seeds 2 --goals 20 --hidden 5"
    record, printed = once(full_batch_vs_sgd, tmp_path, "--data", small_data(tmp_path), *options.split())
    results = record["results"]
    assert [arm["batch_size"] for arm in results["arms"]] == [60, 20, 7]
    budgets = results["comparison"]["budgets"]
    assert (budgets["examples"], budgets["steps"]) == (240, 30)
    first_rows = [[arm[name][0] for name in ("test_cost", "test_accuracy")] for arm in results["arms"]]
    assert first_rows[0] == first_rows[1] == first_rows[2]  # the same initial networks for every arm
    for arm in results["arms"]:
        for measure in ("examples", "steps", "seconds"):
            assert np.all(np.diff(arm[measure], axis=0) > 0)
    for part in ("full batch, rate 2", "batches of 20, rate 2", "30 steps", "240 examples", "To 20.00 %"):
        assert part in printed
    picture = (tmp_path / "curves.png").read_bytes()
    assert picture.startswith(PNG)
    assert not (tmp_path / "tuning.png").exists()
    monkeypatch.setattr(full_batch_vs_sgd, "run", None)
    _, again = once(full_batch_vs_sgd, tmp_path, "--redraw")
    assert again.splitlines() == printed.splitlines()[1:]  # all but the banner
    assert (tmp_path / "curves.png").read_bytes() == picture


def test_tuning_finds_the_best_rate_on_images_it_does_not_train_on(tmp_path: Path):
    options = "--arms full:9:20 20:9:5 --trials 3 --tune --seeds 2 --tune-seeds 2 --hidden 5"
    record, printed = once(full_batch_vs_sgd, tmp_path, "--data", small_data(tmp_path), *options.split())
    for row, arm in zip(record["results"]["tuning"], record["results"]["arms"], strict=True):
        means = np.mean(row["accuracy"], axis=1)
        assert row["best"] == row["tried"][int(np.argmax(means))] == arm["numbers"]
        assert len(row["tried"]) == 3
        assert {number for (number,) in row["tried"]} < set(RULES["sgd"].numbers["rate"])
        assert row["examples"] == 6 * 50 * row["epochs"]  # three trials of two networks, without the last ten images
    assert "Tuning looked at" in printed
    assert "--arms full:sgd:" in printed
    assert (tmp_path / "tuning.png").read_bytes().startswith(PNG)


def way(batch_size: int, scale: int, end: float, rule: str = "sgd") -> dict:
    """Two networks that rise to the same end on a straight line."""
    along = {"examples": 100, "steps": 10, "passes": 20, "seconds": 1.0, "bytes": 40}
    accuracy = np.array([[0.0, 0.0], [end, end]])
    measured = {name: scale * np.array([0, last]) for name, last in along.items()}
    measured |= {"test_accuracy": accuracy, "train_cost": 1 - accuracy}
    return measured | {"batch_size": batch_size, "rule": rule, "name": f"{rule} {batch_size}"}


def concluded(*ways: dict) -> str:
    results = {"n": 60, "goals": [90.0], "arms": list(ways), "comparison": contest.compare(list(ways), [90.0])}
    return conclusion(results, 90.0, results["comparison"]["to"][0])


def test_the_conclusion_is_computed_from_the_numbers():
    said = concluded(way(60, 50, 1.0), way(10, 1, 1.0))
    assert "after 90 examples, sgd 60 after 4,500: 50 times as many (50 to 50 over the networks)" in said
    said = concluded(way(60, 50, 0.5), way(10, 1, 1.0))
    assert "sgd 60 did not with every network, after 5,000 examples" in said


def test_the_full_batch_is_judged_by_its_best_rule():
    said = concluded(way(60, 50, 1.0), way(60, 20, 1.0, "newton"), way(10, 1, 1.0), way(10, 2, 1.0, "adam"))
    assert "after 90 examples, newton 60 after 1,800: 20 times as many" in said
    assert "the quickest full batch, newton 60, took 20 times as long as sgd 10" in said
    assert "newton 60 needed 360 and sgd 10 18" in said
    ways = (way(60, 50, 0.3), way(60, 20, 0.8, "newton"), way(10, 1, 1.0), way(10, 2, 1.0, "adam"))
    assert "newton 60 did not with every network" in concluded(*ways)  # the one that came nearest


@pytest.mark.long
def test_the_strongest_rules_are_compared_at_what_they_cost(tmp_path: Path):
    options = "--fair --arms full:nesterov:1,0.9:30 full:lbfgs:1,5:12 full:newton:1,5:6 7:2:4 7:adam:0.02:4 --seeds 2"
    options += " --goals 30 50 --hidden 5 --tune --trials 2 --tune-seeds 1"
    record, printed = once(full_batch_vs_sgd, tmp_path, "--data", small_data(tmp_path), *options.split())
    results = record["results"]
    arms = {arm["rule"]: arm for arm in results["arms"]}
    price = results["prices"]
    for arm in results["arms"]:
        passes, examples, steps = (np.array(arm[name], float) for name in ("passes", "examples", "steps"))
        assert passes.shape == examples.shape == (len(steps), 2)
        if not RULES[arm["rule"]].full_batch:
            np.testing.assert_array_equal(passes, np.broadcast_to(steps[:, None], passes.shape))
    steps, passes, examples = (np.array(arms["newton"][name], float) for name in ("steps", "passes", "examples"))
    products = passes - 2 * steps[:, None]  # a gradient and a value each step
    assert products[-1].min() >= 6
    np.testing.assert_allclose(
        examples, 60 * (steps[:, None] * (1 + price["value"]) + products * price["product"]), rtol=1e-12
    )
    np.testing.assert_allclose(np.array(arms["lbfgs"]["examples"]), 60 * np.array(arms["lbfgs"]["passes"]), rtol=1e-12)
    assert np.min(arms["lbfgs"]["passes"][-1]) >= 13  # one gradient at the start, one each step at least
    for words in ("full batch, newton, radius", "To 30.00 %", "To 50.00 %", "bytes sent", "Passes are all of them"):
        assert words in printed
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_an_arm_that_diverges_stops_the_run_by_name_and_keeps_the_arms_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    descend = contest.descend

    def second_arm_without_numbers(arm: Arm, choices: Any, params: jaxnet.Params, *rest: Any) -> dict:
        if arm.batch_size == 10:
            params = jax.tree.map(lambda leaf: leaf * np.nan, params)
        return descend(arm, choices, params, *rest)

    monkeypatch.setattr(contest, "descend", second_arm_without_numbers)
    options = "--arms full:1:2 10:7:2 --seeds 2 --limit 100"
    said = refused(full_batch_vs_sgd, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert "batches of 10, rate 7: the cost is nan" in said
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["stopped"] in said
    assert [arm["batch_size"] for arm in record["results"]["arms"]] == [100]


def test_a_network_that_died_has_no_accuracy_and_is_counted():
    dead = {"train_cost": np.array([[1.0, 1.0], [0.1, np.nan]]), "test_accuracy": np.array([[0.1, 0.1], [0.8, 0.1]])}
    comparison = contest.compare([way(10, 1, 1.0) | dead], [50.0])
    assert tables.percent(comparison["end"][0]) == "80.00 (1 of 2)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--arms full:1:5", "at least two different batch sizes"),
        ("--arms full:1:5 100:1:5", "at least two different batch sizes"),
        ("--arms full:1 10:1:5", "arm full:1 is not BATCH:RULE:RATE:EPOCHS"),
        ("--arms full:sgd:newton:1:5 10:1:5", "arm full:sgd:newton:1:5 is not BATCH"),
        ("--arms full:rmsprop:1:5 10:1:5", "rule rmsprop; here can be sgd, momentum, nesterov, adam, lbfgs, newton"),
        ("--arms full:1,2:5 10:1:5", "arm full:1,2:5 has 2 numbers; sgd has rate"),
        ("--arms full:1:5 10:newton:1:5", "arm 10:newton:1:5 has batch size 10; newton needs the full batch"),
        ("--arms full:nesterov:1,1:5 10:1:5", "arm full:nesterov:1,1:5 has momentum 1; it must be below 1"),
        ("--arms full:lbfgs:1,2.5:5 10:1:5", "has memory 2.5; it must be a whole number"),
        ("--arms full:1:5 ten:1:5", "arm ten:1:5 is not"),
        ("--arms full:1:5 0:1:5", "arm 0:1:5 has batch size 0; it must be full or between 1 and 100"),
        ("--arms full:1:5 101:1:5", "arm 101:1:5 has batch size 101"),
        ("--arms full:1:5 10:1:0", "arm 10:1:0 has 0 epochs"),
        ("--arms full:1:5 10:inf:5", "rate is inf"),
        ("--seeds 0", "seeds is 0"),
        ("--goals 0", "goal is 0.0; it must be an accuracy in percent"),
        ("--tune --trials 0", "trials is 0"),
    ],
)
def test_full_batch_vs_sgd_refuses_wrong_input_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(full_batch_vs_sgd, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
