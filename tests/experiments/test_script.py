"""Both scripts end to end on a small slice, and each kind of wrong input."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments import __main__ as everything
from experiments import full_batch_vs_sgd, tables, train_digits

PNG = b"\x89PNG\r\n\x1a\n"


def main(module: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict:
    """Runs a script as the command line would, in its own main, and returns what it recorded."""
    name = module.__name__.removeprefix("experiments.")
    monkeypatch.setattr(sys, "argv", [name, *options])
    with jax.numpy_dtype_promotion("standard"):  # as everybody runs it; optax's schedules mix integers and floats
        module.main()
    return json.loads((Path(options[options.index("--out") + 1]) / "record.json").read_text())


SMALL = ("--limit", "300", "--epochs", "3", "--rate", "1.0")


@pytest.mark.long
def test_train_digits_trains_records_draws_and_classifies_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "new" / "folder"
    record = main(train_digits, monkeypatch, *SMALL, "--out", str(out))
    assert record["config"]["batch_size"] == 10
    assert record["versions"]["jax"] == jax.__version__
    assert record["device"]["platform"] == "cpu"
    results = record["results"]
    assert results["sizes"] == [784, 16, 16, 10]
    assert results["history"]["epochs"] == [0, 1, 2, 3]
    confusion = np.array(results["confusion"])
    assert confusion.sum() == 300
    assert np.trace(confusion) / 300 == pytest.approx(results["test_accuracy"])
    assert results["history"]["test_accuracy"][-1] == pytest.approx(results["test_accuracy"])
    for mistake in results["mistakes"]:
        assert mistake["label"] != mistake["predicted"]
    names = {"history.png", "confusion.png", "first_layer.png", "mistakes.png"}
    assert {path.name for path in out.iterdir()} == names | {"record.json", "parameters.safetensors"}
    assert all((out / name).read_bytes().startswith(PNG) for name in names)
    printed = capsys.readouterr().out
    for part in ("13,002 weights and biases", "Confusion matrix", "test accuracy", "trained in"):
        assert part in printed

    monkeypatch.chdir(tmp_path)
    saved = str(out / "parameters.safetensors")
    again = main(train_digits, monkeypatch, "--limit", "300", "--from", saved, "--out", str(tmp_path / "again"))
    assert again["results"]["confusion"] == results["confusion"]
    assert "history" not in again["results"]

    monkeypatch.setattr(sys, "argv", ["train_digits", "--limit", "300", "--from", saved])
    train_digits.main()
    assert (tmp_path / "results/train_digits/classified/record.json").exists()  # not over a training's record


@pytest.mark.long
def test_figures_are_drawn_again_from_the_record_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    main(train_digits, monkeypatch, *SMALL, "--out", str(tmp_path))
    pictures = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    for path in pictures:
        path.unlink()
    monkeypatch.setattr(train_digits, "run", None)
    main(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))
    said = refused(full_batch_vs_sgd, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert "record.json is not a record of full_batch_vs_sgd" in said
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == pictures


@pytest.mark.long
def test_every_choice_of_train_digits_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = (
        "--hidden 12 --activation relu --output softmax --loss cross_entropy --l2 0.001 --initial-weights unit_normal"
        " --optimizer adam --rate 0.01 --schedule constant --batch-size full --epochs 30 --gradient by_hand --seed 3"
        " --limit 200"
    )
    record = main(train_digits, monkeypatch, *options.split(), "--out", str(tmp_path))
    cost = record["results"]["history"]["train_cost"]
    assert cost[-1] < 0.5 * cost[0]
    assert record["results"]["sizes"] == [784, 12, 10]
    _, metadata = jaxnet.load_params(tmp_path / "parameters.safetensors")
    assert metadata == {"sizes": "784-12-10", "activation": "relu", "output": "softmax", "loss": "cross_entropy"}


def test_a_digit_that_is_never_predicted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    record = main(train_digits, monkeypatch, "--limit", "100", "--epochs", "1", "--rate", "0", "--out", str(tmp_path))
    never = record["results"]["never_predicted"]
    assert never == [digit for digit in range(10) if not np.array(record["results"]["confusion"])[:, digit].any()]
    assert never
    assert f"the digit {never[0]} is never predicted" in capsys.readouterr().out


@pytest.mark.long
def test_images_in_colour_and_of_odd_sizes_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    for shape in ((4, 4, 3), (3, 5)):
        arrays = {f"x_{part}": rng.random((20, *shape), np.float32) for part in ("train", "test")}
        labels = {f"y_{part}": np.arange(20) % 3 for part in ("train", "test")}
        np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
        record = main(
            train_digits, monkeypatch, "--data", str(tmp_path / "own.npz"), "--epochs", "1", "--out", str(tmp_path)
        )
        assert record["results"]["sizes"] == [int(np.prod(shape)), 16, 16, 3]


@pytest.mark.long
def test_full_batch_vs_sgd_compares_records_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = "--arms full:2:60 50:2:10 7:1:4 --seeds 2 --limit 300 --goal 40"
    record = main(full_batch_vs_sgd, monkeypatch, *options.split(), "--out", str(tmp_path))
    results = record["results"]
    assert [arm["batch_size"] for arm in results["arms"]] == [300, 50, 7]
    budgets = results["comparison"]["budgets"]
    assert (budgets["examples"], budgets["steps"]) == (1200, 60)
    first_rows = [[arm["history"][name][0] for name in ("test_cost", "test_accuracy")] for arm in results["arms"]]
    assert first_rows[0] == first_rows[1] == first_rows[2]  # the same initial networks for every arm
    for arm in results["arms"]:
        for measure in ("examples", "steps", "seconds"):
            assert np.all(np.diff(arm["history"][measure]) > 0)
    printed = capsys.readouterr().out
    for part in ("full batch, rate 2", "batches of 50, rate 2", "60 steps", "1,200 examples", "To 40.00 %"):
        assert part in printed
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
    assert not (tmp_path / "tuning.png").exists()


@pytest.mark.long
def test_tuning_finds_the_best_rate_on_images_it_does_not_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = "--arms full:9:20 20:9:5 --grid 0.001 1 --tune --seeds 2 --tune-seeds 2 --limit 300"
    record = main(full_batch_vs_sgd, monkeypatch, *options.split(), "--out", str(tmp_path))
    for row, arm in zip(record["results"]["tuning"], record["results"]["arms"], strict=True):
        means = np.mean(row["accuracy"], axis=1)
        assert row["best"] == row["grid"][int(np.argmax(means))] == arm["rate"]
    printed = capsys.readouterr().out
    assert "the best rate lies at the end of the grid" in printed
    assert "--arms full:" in printed
    assert (tmp_path / "tuning.png").read_bytes().startswith(PNG)


def test_first_reach_is_on_the_line_between_two_evaluations():
    along, curve = np.array([0.0, 10.0, 20.0, 30.0]), np.array([0.1, 0.5, 0.9, 0.8])
    assert full_batch_vs_sgd.first_reach(along, curve, 0.7) == pytest.approx(15)
    assert full_batch_vs_sgd.first_reach(along, curve, 0.05) == 0
    assert np.isnan(full_batch_vs_sgd.first_reach(along, curve, 0.95))


def test_the_conclusion_is_computed_from_the_numbers():
    along = {"examples": np.array([0, 100]), "steps": np.array([0, 10]), "seconds": np.array([0.0, 1.0])}

    def arm(batch_size: int, scale: int, end: float) -> dict:
        accuracy = np.array([[0.0, 0.0], [end, end]])
        history = {name: scale * values for name, values in along.items()}
        history |= {"test_accuracy": accuracy, "train_cost": 1 - accuracy}
        return {"batch_size": batch_size, "rate": 1.0, "history": history}

    def conclude(end: float) -> str:
        results = {"n": 60, "goal": 90, "arms": [arm(60, 50, end), arm(10, 1, 1.0)]}
        results["comparison"] = full_batch_vs_sgd.compare(results["arms"], 90)
        return full_batch_vs_sgd.conclusion(results)

    assert "after 90 examples, full batch after 4,500: 50 times as many (50 to 50 over the networks)" in conclude(1.0)
    assert "full batch did not with every network, after 5,000 examples" in conclude(0.5)


def test_an_arm_that_diverges_stops_the_run_by_name_and_keeps_the_arms_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    descend = full_batch_vs_sgd.descend

    def second_arm_without_numbers(arm: full_batch_vs_sgd.Arm, params: jaxnet.Params, *rest: Any) -> dict:
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
    comparison = full_batch_vs_sgd.compare([{"history": along | dead}], goal=50)
    assert tables.percent(comparison["end"][0]) == "80.00 (1 of 2)"


def refused(module: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(module, monkeypatch, *options)
    assert isinstance(stop.value.code, str)  # a message, hence exit status 1
    return stop.value.code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--batch-size 0", "batch_size is 0; it must be between 1 and 100"),
        ("--batch-size -1", "batch_size is -1; it must be between 1 and 100"),
        ("--batch-size 101", "batch_size is 101; it must be between 1 and 100"),
        ("--rate nan", "rate is nan"),
        ("--rate -1", "rate is -1.0; a learning rate is a finite number, zero or more"),
        ("--epochs 0", "epochs is 0; it must be at least 1"),
        ("--optimizer nonsense", "optimizer is nonsense; expected one of optax"),
        ("--optimizer lbfgs", "optimizer is lbfgs, which needs more than the gradient"),
        ("--optimizer global_norm", "optimizer is global_norm; expected one of optax"),
        ("--l2 -1", "strength is -1.0"),
        ("--hidden 0", "must name at least two layers, each of at least one neuron"),
        (
            "--loss cross_entropy --output tanh",
            "cross_entropy is defined for output=jaxnet.sigmoid or output=jaxnet.softmax",
        ),
        ("--data nonsense", 'data set "nonsense" is unknown'),
        ("--data absent.npz", "absent.npz"),
        ("--from absent.safetensors", "absent.safetensors does not exist"),
        ("--limit 0", "limit is 0"),
    ],
)
def test_train_digits_refuses_wrong_input_in_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(train_digits, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path / "out"))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())


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
        ("--goal 0", "goal is 0.0; it must be a test accuracy in percent"),
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


def test_parameters_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for sizes, found in (((100, 10), "100 inputs and 10 outputs"), ((784, 5), "784 inputs and 5 outputs")):
        jaxnet.save_params(tmp_path / "other.safetensors", jaxnet.init(jax.random.key(0), sizes))
        said = refused(
            train_digits, monkeypatch, "--from", str(tmp_path / "other.safetensors"), "--out", str(tmp_path / "out")
        )
        assert found in said
        assert "784 pixels and 10 classes" in said
    jaxnet.save_params(tmp_path / "odd.safetensors", jaxnet.init(jax.random.key(0)), {"activation": "gelu"})
    said = refused(
        train_digits, monkeypatch, "--from", str(tmp_path / "odd.safetensors"), "--out", str(tmp_path / "out")
    )
    assert 'names the activation "gelu"' in said


def test_an_output_folder_that_cannot_be_written_stops_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(jaxnet, "train", None)
    said = refused(train_digits, monkeypatch, "--out", str(tmp_path / "file" / "out"))
    assert f"cannot write to the output folder {tmp_path / 'file' / 'out'}" in said


def test_a_run_that_diverges_says_when_and_at_which_rate_and_keeps_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    options = "--activation relu --output relu --rate 1e8 --schedule constant --batch-size full --epochs 50 --limit 100"
    said = refused(train_digits, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert "by epoch" in said
    assert "smaller learning rate than 1e+08" in said
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["stopped"] in said
    history = record["results"]["history"]
    assert history["train_cost"][-1] is None
    assert all(value is not None for value in history["train_cost"][:-1])
    assert not (tmp_path / "parameters.safetensors").exists()


def test_redraw_without_a_record_and_with_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = refused(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert "record.json does not exist; run the experiment before --redraw" in said
    (tmp_path / "record.json").write_text("{")
    assert "record.json is damaged" in refused(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))


SCRIPTS = sorted(
    path.stem
    for path in Path(full_batch_vs_sgd.__file__).parent.glob("*.py")
    if "script.main(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_tells_the_question_and_every_choice(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    module = importlib.import_module(f"experiments.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 0
    said = capsys.readouterr().out
    fields = [field.name for field in dataclasses.fields(module.Config) if field.name not in ("network", "from_file")]
    for part in (f"python -m experiments.{name}", "?", "--out", "--redraw", *fields):
        assert part.replace("_", "-") in said.replace("_", "-")


def test_one_command_runs_every_script_but_those_that_measure_the_machine_or_take_long():
    others = ("benchmark", "scaling", "ninety_six", "reproduce", "deep_big_simple")
    assert sorted((*everything.ORDER, *others)) == SCRIPTS


def test_one_command_says_what_there_is_and_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["experiments", "--only", "nonsense"])
    with pytest.raises(SystemExit, match="there is no experiment nonsense; there are train_digits"):
        everything.main()
    monkeypatch.setattr(sys, "argv", ["experiments", "--only", "train_digits"])
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(SystemExit) as stop:
        everything.main()
    assert stop.value.code == 1
    assert "failed" in capsys.readouterr().out


def test_a_script_runs_as_a_module():
    command = [sys.executable, "-m", "experiments.train_digits", "--help"]
    assert "--from" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_was_compiled_is_kept_in_the_users_cache_folder_or_where_jax_is_told(tmp_path: Path):
    code = "import jax; from experiments import script; script.keep_compiled(); jax.jit(lambda x: x + 1)(1.0)"
    mine, told = tmp_path / "mine", tmp_path / "told"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"XDG_CACHE_HOME": str(mine)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert any((mine / "jaxnet").iterdir())
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(told), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    kept = len(list((mine / "jaxnet").iterdir()))
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert any(told.iterdir())
    assert len(list((mine / "jaxnet").iterdir())) == kept
