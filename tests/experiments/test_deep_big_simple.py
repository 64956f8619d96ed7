"""Ciresan's networks: presets and what replaces them, the error's interval, speed, and the script."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments import deep_big_simple
from experiments.common import roofline
from experiments.common.recipes import Recipe
from experiments.deep_big_simple import PRESETS, Config, recipe_of
from experiments.reports import deep_big_simple as report
from jaxnet import Dataset
from tests.experiments.commands import main, refused, timeless

SMALL = ("--limit", "120", "--hidden", "20", "--epochs", "3", "--batch-size", "20")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch):
    """Measuring this one takes longer than all else here."""
    monkeypatch.setattr(roofline, "measure", lambda: roofline.Machine(operations=1e11, bytes=1e10))


def test_what_is_not_chosen_is_the_presets():
    assert recipe_of(Config()) == PRESETS["two_cores"]
    chosen = recipe_of(Config(hidden=(30, 20), momentum=0.0, activation="tanh", alpha=0.0, rotation=5.0))
    preset = PRESETS["two_cores"]
    assert chosen == replace(
        preset,
        hidden=(30, 20),
        momentum=0.0,
        activation=jaxnet.tanh,
        distortion={"alpha": 0.0, "rotation": 5.0, "scale": 0.1},
    )


def test_the_presets_are_multilayer_perceptrons_with_distortions():
    for recipe in PRESETS.values():
        assert isinstance(recipe, Recipe)
        assert (recipe.output, recipe.loss) == (jaxnet.softmax, jaxnet.cross_entropy)
        assert recipe.distortion["alpha"] > 0
    assert PRESETS["record"].sizes == (784, 2500, 2000, 1500, 1000, 500, 10)
    shapes = jax.eval_shape(PRESETS["record"].init, jax.random.key(0))
    assert jaxnet.count_params(shapes) == 11_972_510  # 12.11 million with the paper's 29 x 29 inputs


def test_the_error_and_its_interval(few: Dataset):
    """A network that says 7 first and 1 second, whatever it sees."""
    biases = jnp.zeros(10).at[7].set(5.0).at[1].set(4.0)
    params = (jaxnet.Layer(jnp.zeros((10, 784)), biases, jaxnet.softmax),)
    found = deep_big_simple.examine(params, few, most=12)
    n, wrong = len(few.labels), int(np.sum(few.labels != 7))
    assert (found["of"], found["wrong"], found["second_right"]) == (n, wrong, int(np.sum(few.labels == 1)))
    assert found["error"] == pytest.approx(100 * wrong / n)
    share, z = wrong / n, 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert found["interval"] == pytest.approx([100 * (middle - half), 100 * (middle + half)], abs=1e-4)
    assert len(found["mistakes"]) == 12
    assert all(list(mistake["guesses"]) == [7, 1] and mistake["label"] != 7 for mistake in found["mistakes"])


@pytest.mark.long
def test_the_script_trains_with_distortions_reads_the_test_images_once_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    record = main(deep_big_simple, monkeypatch, *SMALL, "--out", str(tmp_path))
    results = record["results"]
    assert results["judged"] == "test"
    assert results["history"]["test_accuracy"] == [None] * len(results["history"]["epochs"])  # not evaluated
    banner, printed = capsys.readouterr().out.split("drew")[0].split("\n", 1)
    assert banner.startswith("JAX")
    assert printed.startswith("784-20-10: 15,910 weights and biases, 120 images\n")
    assert f"{results['wrong']} of 120 test images" in printed
    chosen = {"hidden": [20], "epochs": 3, "batch_size": 20}
    preset = {"rate": 0.1, "momentum": 0.9, "schedule": "cosine", "activation": "relu", "loss": "cross_entropy"}
    weights = {"weights": "scaled_normal", "biases": "zeros"}
    distortion = {"alpha": 34.0, "rotation": 10.0, "scale": 0.1}
    everything = chosen | preset | weights | {"distortion": distortion}
    assert {name: results["recipe"][name] for name in everything} == everything
    params, metadata = jaxnet.load_params(tmp_path / "parameters.safetensors")
    assert jaxnet.sizes_of(params) == (784, 20, 10)
    assert {name: metadata[name] for name in ("activations", "loss")} == {
        "activations": "relu,softmax", "loss": "cross_entropy",
    }  # fmt: skip
    assert np.shape(results["samples"]) == (10, 10, 784)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["distortions.png", "history.png", "mistakes.png"]
    monkeypatch.setattr(report, "figures", lambda _record, _folder: [])
    main(deep_big_simple, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert capsys.readouterr().out == printed


def test_without_distortions_every_sample_is_the_image_itself(few: Dataset):
    def samples(**bounds: float) -> np.ndarray:
        recipe = replace(PRESETS["two_cores"], distortion=bounds)
        return deep_big_simple.distorted_samples(recipe, few, jax.random.key(0), versions=2)

    same = samples(alpha=0.0, rotation=0.0, scale=0.0)
    assert (same == same[:, :1]).all()
    assert (same[:, 0] == samples(rotation=10.0)[:, 0]).all()
    assert (same[:, 1:] != samples(rotation=10.0)[:, 1:]).any(axis=2).all()


@pytest.mark.long
def test_the_same_seed_without_distortions_is_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    none = ("--alpha", "0", "--rotation", "0", "--scale", "0")
    costs = [
        main(deep_big_simple, monkeypatch, *SMALL, *options, "--out", str(tmp_path))["results"]["history"]["train_cost"]
        for options in ((), none)
    ]
    assert costs[0][0] == costs[1][0]
    assert costs[0][-1] != costs[1][-1]


def test_speed_is_the_arithmetic_of_the_network_over_the_time():
    columns = {name: np.array([0.0, 3.0]) for name in jaxnet.History._fields[:9]}
    history = jaxnet.History(**columns, compile_seconds=0.0, evaluated=600)._replace(examples=np.array([0, 600]))
    found = deep_big_simple.speed(replace(PRESETS["two_cores"], hidden=(20, 30)), history)
    # Three products for every weight (output, its gradient, the layer before), but two in the first layer.
    operations = 600 * 2 * (2 * 784 * 20 + 3 * 20 * 30 + 3 * 30 * 10)
    assert found["images_per_second"] == 200
    assert found["operations_per_second"] == pytest.approx(operations / 3)
    assert found["share"] == pytest.approx(operations / 3 / 1e11)


@pytest.mark.long
def test_held_out_images_are_judged_and_not_learnt_from(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(report, "figures", lambda _record, _folder: [])
    options = (*SMALL, "--limit", "160", "--held-out", "40")  # learnt from are 120 as without them: compiled already
    results = main(deep_big_simple, monkeypatch, *options, "--out", str(tmp_path))["results"]
    assert (results["judged"], results["of"]) == ("held-out", 40)
    assert f"{results['error']:.2f} %  " in capsys.readouterr().out.split("\n\n")[0].splitlines()[-1]
    assert results["history"]["examples"][-1] == 3 * 120
    assert 100 - 100 * results["history"]["test_accuracy"][-1] == pytest.approx(results["error"], abs=1e-4)


@pytest.mark.long
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch, capsys):
    options = (*SMALL, "--save-epochs", "1", "--rate", "0.2")
    preset = replace(PRESETS["two_cores"], epochs_per_evaluation=1)
    monkeypatch.setitem(PRESETS, "two_cores", preset)
    main(deep_big_simple, monkeypatch, *options, "--out", str(tmp_path / "whole"))
    tell = deep_big_simple.tqdm.write

    def stop(text: str) -> None:
        tell(text)
        if text.lstrip().startswith("2 "):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deep_big_simple.tqdm, "write", stop)
        with pytest.raises(SystemExit):
            main(deep_big_simple, patched, *options, "--out", str(tmp_path / "cut"))
    go_on = (*options, "--resume", "--out", str(tmp_path / "cut"))
    with monkeypatch.context() as patched:  # what the preset stands for may have changed since
        patched.setitem(PRESETS, "two_cores", replace(preset, momentum=0.5))
        assert "is of a run with recipe.momentum 0.9; this one has 0.5" in refused(deep_big_simple, patched, *go_on)
    capsys.readouterr()
    main(deep_big_simple, monkeypatch, *go_on)
    epochs = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdecimal()]
    assert epochs == ["1", "2", "3"]
    whole, resumed = (json.loads((tmp_path / name / "record.json").read_text()) for name in ("whole", "cut"))
    assert json.dumps(timeless(whole)) == json.dumps(timeless(resumed))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--momentum 1", "momentum is 1.0; it must be zero or more, and less than one"),
        ("--rate nan", "rate is nan; a learning rate is a finite number"),
        ("--held-out 120", "held_out is 120; there are 120 training images"),
        ("--scale 1", "scale is 1.0; at one and above nothing would be left"),
        ("--batch-size 121", "batch_size is 121; there are 120 images to learn from"),
        ("--batch-size 0", "batch_size is 0; it must be at least 1"),
        ("--decay -1", "strength is -1.0; it must be a finite number, zero or more"),
        pytest.param("--rate 1e30", "the cost became", marks=pytest.mark.long),
    ],
)
def test_what_makes_no_sense_is_refused(options: str, message: str, tmp_path: Path, monkeypatch):
    assert message in refused(deep_big_simple, monkeypatch, *SMALL, *options.split(), "--out", str(tmp_path))
