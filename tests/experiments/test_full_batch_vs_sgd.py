"""The comparison of batch sizes, on a small slice; its numbers, its words, each kind of wrong input."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import full_batch_vs_sgd
from experiments.common import tables
from experiments.common.arms import Arm
from experiments.reports.full_batch_vs_sgd import conclusion
from tests.experiments.commands import PNG, once, refused, small_data


def test_full_batch_vs_sgd_compares_records_draws_and_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = "--arms full:2:60 20:2:10 7:1:4 --seeds 2 --goal 20 --hidden 5"
    record, printed = once(full_batch_vs_sgd, tmp_path, "--data", small_data(tmp_path), *options.split())
    results = record["results"]
    assert [arm["batch_size"] for arm in results["arms"]] == [60, 20, 7]
    budgets = results["comparison"]["budgets"]
    assert (budgets["examples"], budgets["steps"]) == (240, 30)
    first_rows = [[arm["history"][name][0] for name in ("test_cost", "test_accuracy")] for arm in results["arms"]]
    assert first_rows[0] == first_rows[1] == first_rows[2]  # the same initial networks for every arm
    for arm in results["arms"]:
        for measure in ("examples", "steps", "seconds"):
            assert np.all(np.diff(arm["history"][measure]) > 0)
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
    options = "--arms full:9:20 20:9:5 --grid 0.001 1 --tune --seeds 2 --tune-seeds 2 --hidden 5"
    record, printed = once(full_batch_vs_sgd, tmp_path, "--data", small_data(tmp_path), *options.split())
    for row, arm in zip(record["results"]["tuning"], record["results"]["arms"], strict=True):
        means = np.mean(row["accuracy"], axis=1)
        assert row["best"] == row["grid"][int(np.argmax(means))] == arm["rate"]
    assert "the best rate lies at the end of the grid" in printed
    assert "--arms full:" in printed
    assert (tmp_path / "tuning.png").read_bytes().startswith(PNG)


def test_the_conclusion_is_computed_from_the_numbers():
    along = {"examples": np.array([0, 100]), "steps": np.array([0, 10]), "seconds": np.array([0.0, 1.0])}

    def arm(batch_size: int, scale: int, end: float) -> dict:
        accuracy = np.array([[0.0, 0.0], [end, end]])
        history = {name: scale * values for name, values in along.items()}
        history |= {"test_accuracy": accuracy, "train_cost": 1 - accuracy}
        return {"batch_size": batch_size, "rate": 1.0, "history": history}

    def conclude(end: float) -> str:
        results = {"n": 60, "goal": 90, "arms": [arm(60, 50, end), arm(10, 1, 1.0)]}
        results["comparison"] = full_batch_vs_sgd.compare(results["arms"], 90.0)
        return conclusion(results)

    assert "after 90 examples, full batch after 4,500: 50 times as many (50 to 50 over the networks)" in conclude(1.0)
    assert "full batch did not with every network, after 5,000 examples" in conclude(0.5)


def test_an_arm_that_diverges_stops_the_run_by_name_and_keeps_the_arms_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    descend = full_batch_vs_sgd.descend

    def second_arm_without_numbers(arm: Arm, params: jaxnet.Params, *rest: Any) -> dict:
        if arm.batch_size == 10:
            params = jax.tree.map(lambda leaf: leaf * np.nan, params)
        return descend(arm, params, *rest)

    monkeypatch.setattr(full_batch_vs_sgd, "descend", second_arm_without_numbers)
    options = "--arms full:1:2 10:7:2 --seeds 2 --limit 100"
    said = refused(full_batch_vs_sgd, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert "batches of 10, rate 7: the cost is nan" in said
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["stopped"] in said
    assert [arm["batch_size"] for arm in record["results"]["arms"]] == [100]


def test_a_network_that_died_has_no_accuracy_and_is_counted():
    along = {name: np.array([0, 10]) for name in ("examples", "steps", "seconds")}
    dead = {"train_cost": np.array([[1.0, 1.0], [0.1, np.nan]]), "test_accuracy": np.array([[0.1, 0.1], [0.8, 0.1]])}
    comparison = full_batch_vs_sgd.compare([{"history": along | dead}], goal=50.0)
    assert tables.percent(comparison["end"][0]) == "80.00 (1 of 2)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--arms full:1:5", "at least two different batch sizes"),
        ("--arms full:1:5 100:1:5", "at least two different batch sizes"),
        ("--arms full:1 10:1:5", "arm full:1 is not BATCH_SIZE:RATE:EPOCHS"),
        ("--arms full:1:5 ten:1:5", "arm ten:1:5 is not"),
        ("--arms full:1:5 0:1:5", "arm 0:1:5 has batch size 0; it must be full or between 1 and 100"),
        ("--arms full:1:5 101:1:5", "arm 101:1:5 has batch size 101"),
        ("--arms full:1:5 10:1:0", "arm 10:1:0 has 0 epochs"),
        ("--arms full:1:5 10:inf:5", "rate is inf"),
        ("--seeds 0", "seeds is 0"),
        ("--goal 0", "goal is 0.0; it must be an accuracy in percent"),
        ("--tune --arms full:1:5 10:1:5 --grid -1 2", "rate is -1.0"),
    ],
)
def test_full_batch_vs_sgd_refuses_wrong_input_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(full_batch_vs_sgd, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
