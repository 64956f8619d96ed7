"""Published numbers: the table, the comparison, the script."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from experiments import reproduce, steps_to_target
from experiments.common import networks, recipes, steps_to_goal
from experiments.published import rows as published
from experiments.published.rows import RECIPES, ROWS, Row
from experiments.reports import reproduce as report
from jaxnet import Dataset
from tests.experiments.commands import main, refused


def test_rows_have_names_of_their_own_recipes_and_curves_that_are_there():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert {row.recipe for row in ROWS} == {*RECIPES, published.SHALLUE}
    for row in ROWS:
        assert (row.statistic == "curve") == isinstance(row.published, str)
        if isinstance(row.published, str):
            assert len(published.curves()[row.published]) == RECIPES[row.recipe].epochs
        assert row.tolerance > 0
    assert sum(row.time == "quick" for row in ROWS) >= 12


def test_the_published_curves_are_those_that_the_field_quotes():
    """Numbers that stand in the text of Nielsen's book, read there apart from the files."""
    curves = published.curves()
    assert curves["overfitting-test"][-1] == 82.23
    assert curves["overfitting-train"][-1] == 100
    assert curves["all-images"][-1] == 95.31
    assert curves["all-images-l2"].max() == 96.49
    assert (curves["weights-normal"][0], curves["weights-scaled"][0]) == (86.43, 92.7)


def test_the_best_of_three_on_average_is_that_of_all_threes():
    assert published.best_of_three(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx((3 + 4 + 4 + 4) / 4)
    assert published.best_of_three(np.array([1.0, 2.0])) == 2


def history(accuracies: np.ndarray) -> jaxnet.History:
    epochs = np.arange(len(accuracies))
    return jaxnet.History(epochs, epochs, epochs, epochs, *([accuracies] * 5), compile_seconds=0.0, evaluated=600)


@pytest.mark.parametrize(
    ("unit", "values", "verdict"),
    [
        ("accuracy", [0.955, 0.957], "reproduced"),
        ("accuracy", [0.940, 0.942], "not reproduced, worse"),
        ("accuracy", [0.970, 0.972], "not reproduced, better"),
        ("error", [0.955, 0.957], "reproduced"),
        ("error", [0.940, 0.942], "not reproduced, better"),
    ],
)
def test_the_verdict_is_that_of_the_tolerance(unit: str, values: list[float], verdict: str):
    row = replace(ROWS[0], measure=published.last, published=95.5, tolerance=0.5, unit=unit, finding="why")
    found = reproduce.compare(row, history(np.array([[0.0, 0.0], values])))
    assert found["verdict"] == verdict
    assert found["difference"] == pytest.approx(100 * np.mean(values) - 95.5)
    assert found["finding"] == ("" if verdict == "reproduced" else "why")


def test_the_best_of_three_is_what_is_compared_and_told():
    row = replace(ROWS[0], measure=published.last, published=95.0, statistic="best of three", finding="why")
    found = reproduce.compare(row, history(np.array([[0.0] * 4, [0.90, 0.92, 0.94, 0.96]])))
    assert found["ours"] == pytest.approx((94 + 96 + 96 + 96) / 4)
    assert found["difference"] == pytest.approx(0.5)
    assert report.numbers(found) == ["95.00", "95.50", "93.00 ± 2.58", "+0.50", "0.50"]


def test_where_networks_have_no_number_the_row_does_not_reproduce():
    row = next(row for row in ROWS if row.name == "shallue-scaling")
    steps = [{"batch_size": 1, "steps": [800, np.nan]}, {"batch_size": 8, "steps": [100, np.nan]}]
    found = reproduce.compare(row, steps)
    assert found["verdict"] == "not reproduced"
    assert "did not reach the goal" in found["finding"]
    written = json.loads(json.dumps(found | {"ours": None, "values": [3.0, None, None], "difference": None}))
    assert report.numbers(written)[1:4] == ["nan", "3.00 (1 of 3)", "+nan"]


def test_a_curve_is_compared_point_by_point():
    row = next(row for row in ROWS if row.name == "all-images")
    theirs = published.curves()["all-images"]
    ours = np.stack([theirs + 0.4, theirs - 0.2], axis=1) / 100
    found = reproduce.compare(row, history(np.concatenate([np.zeros((1, 2)), ours])))
    assert found["difference"] == pytest.approx(0.1)
    assert found["verdict"] == "reproduced"


def nielsen(params: jaxnet.Params, x: np.ndarray, y: np.ndarray, rate: float, decay: float) -> list:
    """One step of the book's network2.py, written from its equations: columns are examples, the cost cross-entropy."""
    wb = [(np.asarray(w, float), np.asarray(b, float)[:, None]) for w, b, _ in params]
    activations = [x.T]
    for w, b in wb:
        activations.append(1 / (1 + np.exp(-(w @ activations[-1] + b))))
    delta = activations[-1] - y.T
    stepped = []
    for layer in reversed(range(len(wb))):
        w, b = wb[layer]
        grad_w, grad_b = delta @ activations[layer].T / len(x), delta.mean(axis=1, keepdims=True)
        delta = (w.T @ delta) * activations[layer] * (1 - activations[layer])
        stepped.insert(0, ((1 - rate * decay) * w - rate * grad_w, (b - rate * grad_b)[:, 0]))
    return stepped


def test_a_recipe_of_nielsens_takes_his_step(few: Dataset):
    recipe = replace(RECIPES["weights-scaled"], validated=False, batch_size=103, epochs=1, examples=103)
    learnt, judged = recipe.data(few, few)
    params = recipe.starts(jax.random.key(0), 1)
    stepped, _ = recipes.descend(recipe, jax.random.key(1), params, [recipe.rate], learnt, judged)
    x = np.rint(255 * few.images) / 256
    expected = nielsen(jax.tree.map(lambda leaf: leaf[0], params), x, np.eye(10)[few.labels], 0.1, 5 / 50_000)
    for layer, (w, b) in zip(stepped, expected, strict=True):
        np.testing.assert_allclose(layer.weights[0], w, atol=1e-6)
        np.testing.assert_allclose(layer.biases[0], b, atol=1e-6)


def test_data_is_split_as_nielsen_splits_it(mnist: tuple[Dataset, Dataset]):
    train, test = mnist
    learnt, judged = RECIPES["weights-scaled"].data(train, test)
    assert len(learnt.images) == 50_000
    np.testing.assert_array_equal(judged.labels, train.labels[50_000:])
    assert float(learnt.images.max()) == pytest.approx(255 / 256)
    learnt, judged = RECIPES["overfitting"].data(train, test)
    np.testing.assert_array_equal(learnt.labels, train.labels[:1_000])
    assert judged.labels is test.labels


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_schedules_start_at_the_rate_and_end_where_they_should(schedule):
    recipe = recipes.Recipe(rate=2.0, schedule=schedule, batch_size=10, epochs=3)
    optimizer = recipe.optimizer(25, 2.0)
    assert recipe.steps(25) == 9
    state, rates = optimizer.init(jnp.zeros(())), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(10):
            update, state = optimizer.update(jnp.ones(()), state)
            rates.append(-np.asarray(update).item())
    last = {"constant": 2.0, "cosine": 0.0}[schedule]
    assert rates[0] == 2
    assert rates[-1] == pytest.approx(last, abs=1e-6)


def test_momentum_is_that_of_optax():
    gradient, recipe = jnp.ones(()), recipes.Recipe(rate=0.5, momentum=0.9)
    ours, theirs = recipe.optimizer(10, 0.5), optax.trace(decay=0.9)
    state, their_state = ours.init(gradient), theirs.init(gradient)
    for _ in range(3):
        update, state = ours.update(gradient, state)
        their_update, their_state = theirs.update(gradient, their_state)
        np.testing.assert_allclose(np.asarray(update), -0.5 * np.asarray(their_update), rtol=1e-6)


def test_what_a_run_prints_and_draws_comes_from_its_record_alone(tmp_path: Path, monkeypatch, capsys):
    """Networks that are not trained: at 95 % throughout, at a cost of 0.3."""

    def history_of(name: str, _key: jax.Array, seeds: int, *_: Dataset) -> jaxnet.History:
        flat = np.ones((1 + RECIPES[name].epochs, seeds))
        epochs = np.arange(len(flat))
        percents, costs = 0.95 * flat, 0.3 * flat
        return jaxnet.History(epochs, epochs, epochs, epochs, costs, percents, costs, costs, percents, 0.0, 60)

    monkeypatch.setattr(reproduce, "history", history_of)
    only, out = ("lecture", "nielsen-30", "rate-0.25", "all-images"), ["--out", str(tmp_path)]
    rows = main(reproduce, monkeypatch, "--only", *only, "--limit", "60", *out)["results"]["rows"]
    assert [row["name"] for row in rows] == list(only)
    assert np.shape(rows[3]["values"]) == (30, 6)
    assert rows[0]["recipe"] | {"hidden": [16, 16], "white": 256, "loss": "squared_error"} == rows[0]["recipe"]
    assert [row["verdict"] for row in rows[:2]] == ["not reproduced, worse", "reproduced"]
    printed = capsys.readouterr().out
    assert "lecture (lecture, chapter 1 and 2): compared is the mean over the networks; allowed is 0.5" in printed
    assert "    not reproduced, worse. The recipe published with the lecture" in printed
    good = sum(row["verdict"] == "reproduced" for row in rows)
    assert f"{good} of 4 published numbers and curves reproduced." in printed
    pictures = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert set(pictures) == {"curves.png", "published.png"}
    for name in pictures:
        (tmp_path / name).unlink()
    main(reproduce, monkeypatch, "--redraw", *out)
    assert capsys.readouterr().out in printed
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == pictures


@pytest.mark.long
def test_the_script_trains_the_networks_of_its_rows(tmp_path: Path, monkeypatch, capsys):
    options = ["--only", "lecture", "all-images", "--limit", "60", "--seeds", "2", "--out", str(tmp_path)]
    rows = main(reproduce, monkeypatch, *options)["results"]["rows"]
    assert np.shape(rows[1]["values"]) == (30, 2)
    assert len(np.unique(rows[1]["values"])) > 2
    assert "0 of 2 published numbers and curves reproduced." in capsys.readouterr().out


def test_shallues_rows_are_searched_with_the_choices_of_steps_to_target(monkeypatch, mnist):
    taken = []
    monkeypatch.setattr(networks, "initial", lambda key, *choices: (jax.random.key_data(key).tolist(), *choices))
    for module in (reproduce, steps_to_goal):
        monkeypatch.setattr(module, "fewest_steps", lambda *arguments: taken.append(arguments) or [])
    reproduce.shallue(jax.random.key(0), 3, mnist[0])
    steps_to_target.run(steps_to_target.Config(seeds=3, seed=0), Path())
    (*ours, learnt, held_out, order, _), (*theirs, their_learnt, their_held_out, their_order, _) = taken
    assert ours == theirs  # the search, the batch sizes, the networks
    assert (order == their_order).all()
    np.testing.assert_array_equal(learnt.labels, their_learnt.labels)
    np.testing.assert_array_equal(held_out.labels, their_held_out.labels)


def test_a_row_that_is_not_there_is_refused(tmp_path: Path, monkeypatch):
    message = refused(reproduce, monkeypatch, "--only", "einstein", "--out", str(tmp_path))
    assert "there is no row einstein; there are lecture, nielsen-30-first" in message


def test_the_rows_of_another_script_take_no_limit(tmp_path: Path, monkeypatch):
    message = refused(reproduce, monkeypatch, "--only", "shallue-plateau", "--limit", "60", "--out", str(tmp_path))
    assert "limit is 60; row shallue-plateau takes 12,000 images" in message


def test_quick_leaves_out_what_takes_long():
    assert all(row.time == "quick" for row in reproduce.chosen(reproduce.Config(quick=True)))
    assert {row.time for row in reproduce.chosen(reproduce.Config())} == {"quick", "minutes"}
    named = reproduce.chosen(reproduce.Config(only=("ciresan-2500",)))
    assert [row.name for row in named] == ["ciresan-2500"]
    assert isinstance(named[0], Row)
