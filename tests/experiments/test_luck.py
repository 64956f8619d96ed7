"""A thousand networks: which they are, what is told of each, and what follows from it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import luck
from experiments.common import networks
from experiments.common.recipes import Recipe
from experiments.ninety_six import PLAIN, SWEEPS
from experiments.published.rows import RECIPES
from experiments.reports import luck as report
from jaxnet import Dataset
from tests import by_numpy
from tests.experiments.commands import PNG, main, refused


def read_by_chance(name: str, _recipe: Recipe, _start: Any, numbers: range, *_: Any) -> dict[str, np.ndarray]:
    """Networks that are not trained: the same for the same name and number; network 3 has lost the digit 5."""
    of_network = np.random.default_rng(0).normal(size=(1_000, 1))[list(numbers)]
    of_name = np.random.default_rng(list(name.encode()))
    halves = np.round(95.3 + 0.1 * of_network + 0.2 * of_name.normal(size=(len(numbers), 2)), 2)
    loses = np.arange(10) == np.where(np.array(numbers) == 3, 5, -1)[:, None]
    even, odd = (halves - 9.0 * loses.any(axis=1, keepdims=True)).T
    return {"test": (even + odd) / 2, "even": even, "odd": odd, "train": even + 2, "loses": loses}


def part(test: Any, lost: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """One of networks that read so much, of which some have lost the digit 7."""
    test = np.array(test, float)
    loses = np.zeros((len(test), 10), bool)
    loses[list(lost), 7] = True
    return {"test": test, "even": test - 1, "odd": test + 1, "train": test + 2, "loses": loses}


def test_the_recipes_are_the_best_plain_one_and_the_published_one():
    best = next(
        s.recipe for s in SWEEPS if s.departure == PLAIN and (s.recipe.batch_size, s.recipe.epochs) == (100, 60)
    )
    assert replace(best, rate=2.0, validated=False, epochs_per_evaluation=5) == luck.PLAIN
    assert replace(luck.PUBLISHED, epochs_per_evaluation=1) == RECIPES["lecture"]
    one, three = (
        replace(luck.PUBLISHED, weights=weights).init(jax.random.key(0))
        for weights in (luck.PUBLISHED.weights, jax.nn.initializers.normal(3.0))
    )
    for layer, larger in zip(one, three, strict=True):
        np.testing.assert_allclose(3 * layer.weights, larger.weights, rtol=1e-6)
        np.testing.assert_array_equal(layer.biases, larger.biases)


def test_a_network_is_the_same_whatever_others_there_are():
    assert [len(numbers) for numbers in luck.populations_of(1_000)] == [50] * 20
    assert luck.populations_of(120) == [range(50), range(50, 100), range(100, 120)]
    assert luck.populations_of(1_000)[:2] == luck.populations_of(120)[:2]
    many, few = (luck.starts(luck.PLAIN, jax.random.key(0), numbers) for numbers in (range(7), range(2, 4)))
    for one, other in zip(jax.tree.leaves(many), jax.tree.leaves(few), strict=True):
        np.testing.assert_array_equal(one[2:4], other)
        assert (one[0] != one[1]).all()


def test_what_is_told_of_a_network_is_what_it_reads_on_its_own(few: Dataset):
    recipe, start, order = Recipe(rate=2.0, batch_size=20, epochs=4), *jax.random.split(jax.random.key(0))
    test = Dataset(few.images[:41], few.labels[:41])
    found = luck.trained("name", recipe, start, range(3, 6), order, few, test)
    assert found["loses"].shape == (3, 10)
    for index, number in enumerate(range(3, 6)):
        params, history = jaxnet.train(
            order, recipe.init(jax.random.fold_in(start, number)), few, recipe.optimizer(103, 2.0),
            batch_size=20, epochs=4, test=test,
        )  # fmt: skip
        assert found["train"][index] == pytest.approx(100 * history.train_accuracy[-1], abs=1e-4)
        assert found["test"][index] == pytest.approx(100 * history.test_accuracy[-1], abs=1e-4)
        said = by_numpy.outputs(by_numpy.network(params), np.asarray(test.images))[-1].argmax(axis=1)
        assert found["even"][index] == pytest.approx(100 * np.mean((said == test.labels)[[*range(0, 41, 2)]]))
        assert found["odd"][index] == pytest.approx(100 * np.mean((said == test.labels)[[*range(1, 41, 2)]]))
        assert set(np.flatnonzero(found["loses"][index])) == set(range(10)) - set(said.tolist())


def test_what_stacked_networks_say_is_what_each_says(few: Dataset):
    params = networks.initial(jax.random.key(0), (784, 5, 10), 3)
    said = networks.guesses(params, few.images)
    assert said.shape == (103, 3)
    for index in range(3):
        one = jax.tree.map(lambda leaf, index=index: leaf[index], params)
        np.testing.assert_array_equal(said[:, index], networks.outputs(one, few.images).argmax(axis=1))


def test_a_goal_is_reached_by_whoever_reads_as_much_to_the_last_image():
    hits = np.arange(10_000)[:, None] < np.array([9_569, 9_570, 9_571])
    assert luck.in_percent(hits).tolist() == [95.69, 95.7, 95.71]
    assert luck.many([part(luck.in_percent(hits))], 95.7)["reach"].value == 2 / 3


def test_networks_that_lose_a_digit_count_but_say_nothing_of_halves():
    found = luck.many([part([90, 96, 80], lost=(2,)), part([97, 91])], 95.0)
    assert found["losing"].value == 1 / 5
    assert found["each"].tolist() == [0] * 7 + [1, 0, 0]
    assert found["reach"].value == 2 / 5
    assert found["loses"].tolist() == [False, False, True, False, False]
    halves = luck.halves([part([90, 96, 80], lost=(2,)), part([97, 91])], seed=0)
    assert halves["r"].value == pytest.approx(1)
    (lead,) = halves["leads"]
    assert lead == {"of": 4, "chosen": pytest.approx(3.5), "other": pytest.approx(3.5)}
    assert luck.halves([part([80], lost=(0,))], seed=0)["leads"] == []


def test_the_best_of_ten_of_a_hundred_and_of_all_are_chosen():
    values = np.random.default_rng(0).normal(95, 0.2, 150)
    assert [lead["of"] for lead in luck.halves([part(values)], 0)["leads"]] == [10, 100, 150]
    assert [lead["of"] for lead in luck.halves([part(values[:100])], 0)["leads"]] == [10, 100]
    assert [lead["of"] for lead in luck.halves([part(values[:4])], 0)["leads"]] == [4]


def test_a_start_that_loses_a_digit_in_one_order_is_left_out_of_all():
    orders = [part([95, 96, 80], lost=(2,)), part([94, 95.5, 95])]
    found = luck.crossed(orders)
    assert found["table"].tolist() == [[95, 94], [96, 95.5], [80, 95]]
    assert found["keeps"].tolist() == [True, True, False]
    # Of [[95, 94], [96, 95.5]] the mean squares are 1.5625, 0.5625 and 0.0625.
    assert found["rest"] == pytest.approx(0.0625)
    assert found["start"]["variance"] == pytest.approx(0.75)
    assert found["order"]["variance"] == pytest.approx(0.25)
    assert luck.crossed([part([95, 96], lost=(0,)), part([94, 95])])["rest"] is None


def test_how_many_networks_one_has_to_train_is_said():
    assert report.one_in([0.0, 0.0, 0.00368]).startswith("with 95 % confidence at most one in 271,")
    assert report.one_in([0.004, 0.001, 0.01]) == "one expects to train 250 networks to see one (100 to 1,000)"


def test_all_is_printed_drawn_and_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(luck, "trained", read_by_chance)
    out = ("--out", str(tmp_path))
    options = ["--networks", "120", "--crossed", "5", "--lost", "8", "--limit", "60", "--goal", "95.6"]
    results = main(luck, monkeypatch, *options, *out)["results"]
    printed = capsys.readouterr().out
    many = results["many"]
    reach = sum(each >= 95.6 for each in many["test"])
    assert many["reach"][0] == reach / 120 > 0
    assert len(many["even"]) == len(many["train"]) == 120
    assert many["losing"][0] == 1 / 120
    assert results["crossed"]["keeps"] == [True, True, True, False, True]
    assert [(cell["batch_size"], cell["gain"]) for cell in results["lost"]][::3] == [(10, 0.1), (10, 3), (100, 1)]
    assert all(cell["losing"][0] == 1 / 8 for cell in results["lost"])
    assert printed.count("population-") == 3
    quantiles = [f"{np.quantile(many['test'], level):.2f}" for level in (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)]
    assert " ".join(quantiles) in " ".join(printed.split())
    assert f"read 95.6 % or more of the test images: one expects to train {120 / reach:.3g} networks" in printed
    assert "lose a digit, and say it of no test image: 5 (1 times)." in printed
    assert "Starts left out, since they lose a digit in one order at least: 1." in printed
    start, order, rest = (f"{100 * share:.0f} %" for share in report.variance_shares(results["crossed"]))
    last = printed.splitlines()[-2]
    assert last.startswith(f"One in {120 / reach:.3g} such networks reads 95.6 %; the best of 100 leads by ")
    assert f"the start makes {start}, the order of the examples {order}, both together {rest}." in last
    picture = (tmp_path / "luck.png").read_bytes()
    assert picture.startswith(PNG)
    (tmp_path / "luck.png").unlink()
    main(luck, monkeypatch, "--redraw", *out)
    assert printed.endswith(capsys.readouterr().out)
    assert (tmp_path / "luck.png").read_bytes() == picture


@pytest.mark.long
def test_fewer_networks_are_the_first_of_more_and_parts_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    """The last population is smaller in one of them, and may be rounded otherwise: hence one epoch."""
    monkeypatch.setattr(luck, "_TOGETHER", 3)
    options = ["--limit", "100", "--epochs", "1"]
    first = ("--networks", "7", "--crossed", "2", "--lost", "2", "--out", str(tmp_path / "more"))
    more = main(luck, monkeypatch, *options, *first)["results"]
    assert "None of 7 such networks reads 96 %, and at most one in 2 does" in capsys.readouterr().out
    assert np.shape(more["crossed"]["table"]) == (2, 2)
    assert len(more["lost"]) == 8
    assert len(set(more["many"]["train"])) > 3
    second = ("--networks", "5", "--crossed", "0", "--lost", "0", "--out", str(tmp_path / "fewer"))
    fewer = main(luck, monkeypatch, *options, *second)["results"]
    assert (fewer["crossed"], fewer["lost"]) == (None, [])
    for name in ("test", "even", "odd", "train", "loses"):
        assert fewer["many"][name] == more["many"][name][:5]
    for folder in ("more", "fewer"):
        assert (tmp_path / folder / "luck.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--networks 2", "networks is 2; it must be at least 3"),
        ("--networks 1000000000", "networks is 1,000,000,000; it must be at most 1,000,000"),
        ("--crossed 1", "crossed is 1; it must be at least 2, or 0 to leave this out"),
        ("--lost -1", "lost is -1; it must be at least 0"),
        ("--lost 1000000000", "a population of 1,000,000,000 networks 784-16-16-10"),
        ("--limit 1", "limit is 1; it must be at least 2"),
        ("--epochs 0", "epochs is 0; it must be at least 1"),
        ("--goal 101", "goal is 101"),
    ],
)
def test_wrong_choices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str):
    assert message in refused(luck, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} <= {".lock"}
