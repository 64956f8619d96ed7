"""The sweep towards the lecture's 96 %: what is plain in it, what it is judged by, and the script."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import ninety_six
from experiments.common import recipes
from experiments.common.recipes import Recipe
from experiments.ninety_six import MOMENTUM, PLAIN, SWEEPS
from jaxnet import Dataset
from tests.experiments.commands import PNG, main, refused


def test_what_is_called_plain_is_the_lectures_network_cost_and_descent():
    for sweep in SWEEPS:
        free = {
            name: getattr(sweep.recipe, name)
            for name in ("rate", "batch_size", "epochs", "schedule", "epochs_per_evaluation")
        }
        momentum = 0.9 if sweep.departure == MOMENTUM else 0.0
        lecture = Recipe(**free, validated=True, momentum=momentum)
        assert (sweep.recipe == lecture) == (sweep.departure in (PLAIN, MOMENTUM))
    network = jax.eval_shape(Recipe(rate=1.0).init, jax.random.key(0))
    assert jaxnet.sizes_of(network) == (784, 16, 16, 10)
    assert all(layer.activation is jaxnet.sigmoid for layer in network)


def test_every_point_of_a_sweep_is_that_network_on_its_own(few: Dataset):
    recipe = replace(SWEEPS[0].recipe, epochs=3, batch_size=20)
    sweep = replace(SWEEPS[0], recipe=recipe, rates=(0.5, 2.0), gains=(1.0, 3.0))
    config = ninety_six.Config(sweep_seeds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ninety_six, "SWEEPS", (sweep,))
        points = ninety_six.swept(sweep, config, jax.random.key(0), few)
    assert [(point["rate"], point["gain"]) for point in points] == [(0.5, 1.0), (2.0, 1.0), (0.5, 3.0), (2.0, 3.0)]

    start, order = jax.random.split(jax.random.fold_in(jax.random.key(0), 0))
    one = jax.tree.map(lambda leaf: leaf[1], ninety_six.scaled(recipe.starts(start, 2), 3.0))
    learnt, held_out = Dataset(few.images[:86], few.labels[:86]), Dataset(few.images[86:], few.labels[86:])
    optimizer = recipe.optimizer(86, 2.0)
    _, history = jaxnet.train(order, one, learnt, optimizer, batch_size=20, epochs=3, test=held_out)
    assert points[3]["held_out"][1] == pytest.approx(100 * history.test_accuracy[-1], abs=1e-4)
    assert points[3]["train"][1] == pytest.approx(100 * history.train_accuracy[-1], abs=1e-4)


def test_the_choice_is_made_by_the_held_out_images_and_read_on_the_test_images(tmp_path: Path, monkeypatch, capsys):
    """Networks that are not trained: held-out images are read well near a rate of 0.25 and from large weights."""
    judged_by, biases = [], []

    def descend(
        recipe: Recipe,
        _order: jax.Array,
        params: jaxnet.Params,
        rates: np.ndarray,
        learnt: Dataset,
        judged: Dataset,
        _progress: Any,
    ) -> tuple[jaxnet.Params, jaxnet.History]:
        judged_by.append((recipe.validated, len(learnt.images), len(judged.images), set(rates.tolist())))
        biases.append(np.asarray(params[0].biases))
        deviation = np.std(params[0].weights, axis=(1, 2)) * 28
        held_out = 0.9 - np.abs(np.log2(rates / 0.25)) / 100 + deviation / 1000
        rows = np.stack([held_out, held_out])
        progress = np.arange(2)
        return params, jaxnet.History(*[progress] * 4, *[rows] * 5, compile_seconds=0.0, evaluated=600)._replace(
            train_accuracy=1 - rows
        )

    monkeypatch.setattr(recipes, "descend", descend)
    plain, momentum = ([sweep for sweep in SWEEPS if sweep.departure == name] for name in (PLAIN, MOMENTUM))
    monkeypatch.setattr(ninety_six, "SWEEPS", (*plain[1:3], momentum[0]))
    out = ["--limit", "120", "--sweep-seeds", "2", "--seeds", "2", "--out", str(tmp_path)]
    momentum, plain = main(ninety_six, monkeypatch, "--departures", MOMENTUM, PLAIN, *out)["results"]["departures"]
    assert (momentum["departure"], plain["departure"]) == ("momentum 0.9", "none")
    chosen = plain["points"][plain["best"]]
    assert (chosen["rate"], chosen["gain"]) == (0.25, 3.0)
    assert np.mean(chosen["held_out"]) == max(np.mean(point["held_out"]) for point in plain["points"])
    assert chosen["sweep"] == 1
    assert plain["at_an_end"] == ["gain"]
    assert len(plain["test"]) == 2
    assert judged_by[-1] == (False, 120, 120, {0.25})  # all training images, the test images, the chosen rate
    assert all(judged[:3] == (True, 100, 20) for judged in judged_by[-3:-1])
    assert not np.isin(biases[-1], biases[-2][:2]).any()  # new networks
    printed = capsys.readouterr().out
    assert "Departure from the lecture: momentum 0.9" in printed
    assert "The best gain is the least or greatest that was tried." in printed
    picture = (tmp_path / "ninety_six.png").read_bytes()
    assert picture.startswith(PNG)
    (tmp_path / "ninety_six.png").unlink()
    main(ninety_six, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert capsys.readouterr().out in printed
    assert (tmp_path / "ninety_six.png").read_bytes() == picture


@pytest.mark.long
def test_the_script_sweeps_chooses_and_reads_the_test_images(tmp_path: Path, monkeypatch, capsys):
    small = tuple(
        replace(sweep, recipe=replace(sweep.recipe, epochs=2), rates=sweep.rates[:2])
        for sweep in SWEEPS
        if sweep.departure in ("none", "images shifted")
    )[-2:]
    monkeypatch.setattr(ninety_six, "SWEEPS", small)
    out = ["--out", str(tmp_path)]
    main(ninety_six, monkeypatch, "--limit", "120", "--sweep-seeds", "2", "--seeds", "3", "--goal", "1", *out)
    printed = capsys.readouterr().out
    departures = json.loads((tmp_path / "record.json").read_text())["results"]["departures"]
    assert [row["departure"] for row in departures] == ["none", "images shifted"]
    for row in departures:
        means = [np.mean(point["held_out"]) for point in row["points"]]
        assert row["best"] == int(np.argmax(means))
        assert np.shape(row["test"]) == (3,)
        chosen = row["points"][row["best"]]
        assert row["at_an_end"] == ["rate"]  # of two rates each is an end
        assert chosen["rate"] in small[chosen["sweep"]].rates
    assert "1 %?" in printed
    assert (tmp_path / "ninety_six.png").exists()


def test_a_choice_at_an_end_of_what_was_tried_is_told(monkeypatch):
    sweep = replace(SWEEPS[0], rates=(0.25, 0.5, 1.0), gains=(1.0, 3.0))
    monkeypatch.setattr(ninety_six, "SWEEPS", (sweep, replace(sweep, gains=(1.0,))))
    point = {"sweep": 0, "rate": 0.5, "gain": 3.0}
    assert ninety_six.at_an_end(point) == ["gain"]
    assert ninety_six.at_an_end(point | {"rate": 0.25}) == ["rate", "gain"]
    assert ninety_six.at_an_end(point | {"sweep": 1, "gain": 1.0}) == []


def test_a_departure_that_is_not_there_is_refused(tmp_path: Path, monkeypatch):
    message = refused(ninety_six, monkeypatch, "--departures", "dropout", "--out", str(tmp_path))
    assert "there is no departure dropout; there are none, momentum 0.9, cross-entropy" in message
