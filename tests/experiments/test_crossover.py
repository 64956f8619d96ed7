"""Where the full batch wins: the turning point, the best of the trials at every P, and the script."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import crossover
from experiments.reports.crossover import conclusion, fewest
from jaxnet import Dataset
from tests.experiments.commands import PNG, main, refused


def row(way: int, passes: list[list[float]], examples: list[list[float]], size: int = 100) -> dict[str, Any]:
    reached = {"passes": np.array(passes), "examples": np.array(examples)}
    name = ("batches of 10", "full batch, newton")[way]
    return {"size": size, "way": way, "full": way == 1, "name": name, "cost": reached, "accuracy": reached}


def test_the_full_batch_wins_where_its_few_passes_weigh_more_than_its_many_examples():
    """400 + 4,000 / P = 20 + 40,000 / P at P = 36,000 / 380."""
    rows = [row(0, [[400, 400]], [[4_000, 4_000]]), row(1, [[20, 20]], [[40_000, 40_000]])]
    found = crossover.maps(rows)
    assert found["cost"][0]["turns"] == pytest.approx(36_000 / 380, rel=0.01)
    for parallelism, first in zip(found["parallelism"], found["cost"][0]["first"], strict=True):
        assert first == (parallelism > 36_000 / 380)
    results = {"cost": 0.1, "goal": 80.0, "rows": rows, "here": {"parallelism": 100.0}, "maps": found}
    assert "with 100 images: from P = 94.7 on. On this machine (P = 100) that is with 100 images" in conclusion(
        results, "cost"
    )


def test_each_way_is_at_its_best_trial_at_every_p_and_a_trial_that_fails_once_does_not_count():
    nan = float("nan")
    found = row(0, [[100, 100], [10, 10], [1, nan]], [[100, 100], [1_000, 1_000], [1, 1]])
    best = crossover.best(found, "cost", np.array([0.1, 1e6]))
    np.testing.assert_allclose(best, [100 + 1_000, 10 + 0.001])
    np.testing.assert_array_equal(fewest(found, "cost", "passes"), [10, 10])
    assert not np.isfinite(fewest(row(0, [[nan, 1]], [[1, 1]]), "cost", "passes")).any()


@pytest.mark.parametrize(
    ("small", "full", "turns"),
    [
        ([[400]], [[float("nan")]], None),  # the full batch does not get there
        ([[float("nan")]], [[20]], 0.0),  # the small ones do not
        ([[400]], [[500]], None),
        ([[float("nan")]], [[float("nan")]], None),
    ],
)
def test_where_one_of_them_never_gets_there_or_is_always_ahead(small: Any, full: Any, turns: float | None):
    rows = [row(0, small, small), row(1, full, [[40_000.0 if turns is None else 1.0]])]
    found = crossover.maps(rows)["cost"][0]
    assert found["turns"] == turns
    if np.isnan(small[0][0]) and np.isnan(full[0][0]):
        assert set(found["first"]) == {None}


@pytest.mark.long
def test_the_script_tells_for_every_number_of_images_what_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, mnist: tuple[Dataset, Dataset]
):
    small = [Dataset(data.images[:1_200], data.labels[:1_200]) for data in mnist]
    monkeypatch.setattr("experiments.common.script.load", lambda name, limit: (*small, 10))
    monkeypatch.setattr(crossover, "EXAMPLES", 600)
    options = "--sizes 30 300 --arms 10:sgd 100:sgd full:newton --cost 0.85 --goal 15 --trials 2 --seeds 2 --steps 8"
    results = main(crossover, monkeypatch, *options.split(), "--out", str(tmp_path))["results"]
    assert [(row["size"], row["name"]) for row in results["rows"]] == [
        (30, "batches of 10"),
        (30, "full batch, newton"),
        (300, "batches of 10"),
        (300, "batches of 100"),
        (300, "full batch, newton"),
    ]
    for each in results["rows"]:
        assert np.shape(each["cost"]["passes"]) == np.shape(each["accuracy"]["examples"]) == (2, 2)
        for goal in ("cost", "accuracy"):
            passes, examples = (np.array(each[goal][name], float) for name in ("passes", "examples"))
            if not each["full"]:
                batch = 100 if "100" in each["name"] else 10
                np.testing.assert_allclose(examples, batch * passes, rtol=1e-6)
    assert results["here"]["parallelism"] > 0
    printed = capsys.readouterr().out
    for words in ("Passes to cost 0.85", "Examples to 15 % of the images held out", "On this machine a pass takes"):
        assert words in printed
    picture = (tmp_path / "crossover.png").read_bytes()
    assert picture.startswith(PNG)
    main(crossover, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert capsys.readouterr().out in printed
    assert (tmp_path / "crossover.png").read_bytes() == picture


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--arms 10:sgd", "at least two different batch sizes"),
        ("--arms 10:sgd 20:sgd", "one of them must be of the full batch, full:RULE"),
        ("--arms full:sgd 10", "arms has 10; expected BATCH:RULE"),
        ("--arms full:sgd 10:sgd 20:sgd 30:sgd 40:sgd 50:sgd", "at most 4 full batches and 4 smaller ones"),
        ("--sizes 1 100", "sizes has 1; each must be between 2 and 50000"),
        ("--sizes 60000", "sizes has 60000"),
        ("--cost 0", "cost is 0.0; it must be a finite number above 0"),
        ("--goal 101", "goal is 101"),
        ("--trials 0", "trials is 0"),
    ],
)
def test_crossover_refuses_wrong_input_in_one_line(tmp_path: Path, monkeypatch, options: str, message: str):
    said = refused(crossover, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
