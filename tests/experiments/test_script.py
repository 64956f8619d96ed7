"""What all scripts share: the command line, the record, what is refused, the one command that runs them all."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

import jaxnet
from experiments import __main__ as everything
from experiments import full_batch_vs_sgd, gradient_field, train_digits
from experiments.common import saving
from experiments.common.choices import ChoiceError
from tests.attacks import commands
from tests.experiments.commands import main, refused


def test_an_output_folder_that_cannot_be_written_stops_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(jaxnet, "train", None)
    said = refused(train_digits, monkeypatch, "--out", str(tmp_path / "file" / "out"))
    assert f"cannot write to the output folder {tmp_path / 'file' / 'out'}" in said


def test_redraw_without_a_record_and_with_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = refused(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert "record.json does not exist; run the experiment before --redraw" in said
    (tmp_path / "record.json").write_text('{"experiment": "train_digits"}')
    said = refused(full_batch_vs_sgd, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert "record.json is not a record of full_batch_vs_sgd" in said
    (tmp_path / "record.json").write_text('{"experiment": "train_digits", "versions": {"jaxnet": "0.6.0"}}')
    said = refused(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert f"was written by version 0.6.0 and this is {jaxnet.__version__}: run the experiment again" in said
    (tmp_path / "record.json").write_text("{")
    assert "record.json is damaged" in refused(train_digits, monkeypatch, "--redraw", "--out", str(tmp_path))


@pytest.mark.parametrize("bug", [ValueError, KeyError, IndexError, ImportError, RuntimeError])
def test_a_bug_shows_where_it_comes_from(bug: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise bug("inside")

    options = ("--grid", "5", "--steps", "2", "--out", str(tmp_path))
    for module, name in ((gradient_field, "field"), (gradient_field.report, "print_tables")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, broken)
            with pytest.raises(bug, match="inside"):
                main(gradient_field, patched, *options)


def test_a_record_that_does_not_have_what_is_drawn_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record = main(gradient_field, monkeypatch, "--grid", "5", "--steps", "2", "--out", str(tmp_path))
    del record["sha256"]
    results = record["results"]
    others = [[], {}, results | {"walks": [1]}, results | {"sharpness": "high"}, results | {"gradient_length": None}]
    for other in others:
        (tmp_path / "record.json").write_text(json.dumps(record | {"results": other}))
        said = refused(gradient_field, monkeypatch, "--redraw", "--out", str(tmp_path))
        assert str(tmp_path / "record.json") in said
        assert "\n" not in said


def test_a_second_run_in_the_same_folder_is_refused_and_a_redraw_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    options = ("--grid", "5", "--steps", "2", "--out", str(tmp_path))
    main(gradient_field, monkeypatch, *options)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not any(name.startswith(".") for name in before)
    with filelock.FileLock(tmp_path / ".lock"):
        said = refused(gradient_field, monkeypatch, *options)
        assert said == f"error: another run is writing to {tmp_path}: wait for it, or choose another folder with --out"
        main(gradient_field, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".lock"} == before
    main(gradient_field, monkeypatch, *options)
    assert not (tmp_path / ".lock").exists()


@pytest.mark.long
def test_the_lock_of_a_run_that_was_killed_does_not_stand_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = [sys.executable, "-m", "experiments.train_digits", "--epochs", "1000", "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("JAX")
        options = ("--limit", "100", "--epochs", "1", "--out", str(tmp_path))
        assert f"another run is writing to {tmp_path}" in refused(train_digits, monkeypatch, *options)
        running.kill()
    main(train_digits, monkeypatch, *options)


def test_a_resume_without_a_checkpoint_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = train_digits.Config(saving=saving.Saving(resume=True))
    saving.checkpoints(tmp_path, config)
    assert f"there is nothing to resume in {tmp_path}: it begins with the first epoch" in capsys.readouterr().out
    (tmp_path / "checkpoints" / "5").mkdir(parents=True)
    saving.checkpoints(tmp_path, config)
    assert capsys.readouterr().out == ""


def test_what_went_on_anyway_is_told_by_the_record_and_only_goes_with_a_resume(tmp_path: Path):
    config = train_digits.Config(saving=saving.Saving(resume=True, resume_anyway=True))
    assert saving.facts(config)["resumed_anyway"] is True
    assert saving.checkpoints(tmp_path, config).resume_anyway
    config = train_digits.Config(saving=saving.Saving(resume_anyway=True))
    with pytest.raises(ChoiceError, match="resume_anyway is chosen without resume; add --resume"):
        saving.checkpoints(tmp_path, config)
    assert saving.facts(train_digits.Config()).keys() == {"config"}


SCRIPTS = sorted(
    path.stem if path.stem != "__main__" else path.parent.name
    for pattern in ("*.py", "*/__main__.py")
    for path in Path(full_batch_vs_sgd.__file__).parent.glob(pattern)
    if "script.main(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_tells_the_question_and_every_choice(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    module = commands.module(name)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 0
    said = capsys.readouterr().out
    fields = [field.name for field in dataclasses.fields(module.Config) if field.name not in ("network", "from_file")]
    for part in (f"python -m experiments.{name}", "?", "--out", "--redraw", *fields):
        assert part.replace("_", "-") in said.replace("_", "-")


def test_one_command_runs_every_script_but_those_that_measure_the_machine_or_take_long():
    others = ["crossover", "luck", "ninety_six", "reproduce", "deep_big_simple", "benchmark", "targets", "scaling"]
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
    code = "import jax; from experiments.common import script; script.keep_compiled(); jax.jit(lambda x: x + 1)(1.0)"
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


SIDE_BY_SIDE = """
import jax, numpy as np, optax, jaxnet
from experiments.common.machine import Machine, cores, running_on, side_by_side

def number(networks, batch_size):
    with side_by_side(networks, batch_size):
        return jaxnet.devices.number()

with running_on(Machine(devices=DEVICES), {}, str):
    most = min(cores(), 16) if DEVICES is None else 1
    assert jax.device_count() == most, jax.devices()
    assert [number(64, 10), number(64, 1000), number(1, 10)] == [most, 1, 1]
    if DEVICES is None:
        start, order = jax.random.split(jax.random.key(0))
        params = jax.vmap(lambda key: jaxnet.init(key, (4, 8, 4)))(jax.random.split(start, 5))
        data = jaxnet.dataset(np.eye(4), np.arange(4))
        def run():
            return jaxnet.train(order, params, data, optax.sgd, rates=[1.0] * 5, batch_size=2, epochs=50)[0]
        alone = run()
        with side_by_side(5, 2):
            assert jaxnet.devices.number() == min(most, 5)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), run(), alone)
"""


@pytest.mark.parametrize("devices", [None, "1"])
def test_many_networks_in_small_batches_have_the_cores_of_a_cpu_unless_devices_are_chosen(devices: str | None):
    code = SIDE_BY_SIDE.replace("DEVICES", repr(devices))
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
