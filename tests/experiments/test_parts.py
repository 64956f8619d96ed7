"""Long runs kept part by part: what is read is what was computed, and a stopped run ends as one that was not."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments import full_batch_vs_sgd, luck, ninety_six, reproduce, steps_to_target
from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import speed
from experiments.common import parts as kept
from experiments.common import recipes, roofline
from experiments.common.choices import ChoiceError
from experiments.common.parts import Parts
from experiments.published.rows import RECIPES
from tests.experiments.commands import main, refused, small_data, timeless
from tests.experiments.test_benchmark import SMALL, InThisProcess
from tests.experiments.test_luck import read_by_chance

RUN = {"rate": 0.1, "hidden": [16, 16]}


def bits(value: Any) -> Any:
    """The same value only where type, shape and bits are the same."""
    match value:
        case dict():
            return {key: bits(item) for key, item in value.items()}
        case list():
            return [bits(item) for item in value]
        case np.ndarray() | np.generic():
            return type(value).__name__, value.dtype.str, value.shape, value.tobytes()
        case _:
            return type(value).__name__, repr(value)


def found() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    odd = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 5e-324, 0.1])
    return {
        "arrays": [odd, odd.astype(np.float32), np.arange(6, dtype=np.int8).reshape(2, 3), np.zeros((0, 3)), odd > 0],
        "numbers": (np.float32(0.1), np.int64(2**62), np.bool_(True), 0.1, float("nan"), float("-inf"), 2**70, True),
        "others": {"none": None, "text": "ä\n", "transposed": rng.random((3, 4)).T, "of jax": jnp.arange(3.0)},
    }


def test_a_part_is_the_same_to_the_last_bit_whether_computed_or_read(tmp_path: Path):
    computed = Parts(tmp_path / "parts", RUN, resume=False)("all", found)
    read = Parts(tmp_path / "parts", RUN, resume=True)("all", lambda: pytest.fail("computed again"))
    assert bits(read) == bits(computed)
    expected = found()
    assert bits(read["arrays"]) == bits(expected["arrays"])
    assert bits(read["numbers"]) == bits(list(expected["numbers"]))
    assert bits(read["others"]["transposed"]) == bits(expected["others"]["transposed"])
    assert bits(read["others"]["of jax"]) == bits(np.arange(3, dtype=np.float32))
    read["arrays"][0][0] = 1.0  # what comes out can be written to, as if it had just been made


@pytest.mark.parametrize("value", [np.array(["text"]), np.array([object()]), {1: 2}, {"array": []}, {1, 2}])
def test_what_would_not_come_back_as_it_was_is_not_kept(tmp_path: Path, value: Any):
    with pytest.raises(TypeError):
        Parts(tmp_path, RUN, resume=False)("odd", lambda: value)
    assert kept.names(tmp_path) == []


def test_parts_are_never_lost_nor_mixed_with_those_of_another_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "parts"
    parts = Parts(folder, RUN, resume=True)
    assert f"there is nothing to resume in {tmp_path}: it begins with the first part" in capsys.readouterr().out
    assert not folder.exists()
    parts("one", lambda: 1)
    parts("two", lambda number: 2 * number, 1)
    assert kept.names(folder) == ["one", "two"]
    with pytest.raises(ChoiceError, match="has 2 parts of an earlier run, the newest two: go on with --resume, or rem"):
        Parts(folder, RUN, resume=False)
    with pytest.raises(ChoiceError, match=r"is of a run with rate 0\.1; this one has 0\.2"):
        Parts(folder, RUN | {"rate": 0.2}, resume=True)
    with pytest.raises(ChoiceError, match="is of a run with more None; this one has 1"):
        Parts(folder, RUN | {"more": 1}, resume=True)
    (folder / "run").unlink()
    with pytest.raises(ChoiceError, match="run is not there, which says of which run the parts are: remove"):
        Parts(folder, RUN, resume=True)
    assert kept.names(folder) == ["one", "two"]


def test_a_damaged_part_is_refused_and_named(tmp_path: Path):
    Parts(tmp_path, RUN, resume=False)("one", lambda: [1.5, "text"])
    path = tmp_path / "one.part"
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 3)]
    for damaged in (*flipped, whole[:-1], whole[:40], b"", whole + b" "):
        path.write_bytes(damaged)
        with pytest.raises(ChoiceError, match=r"one\.part is damaged: remove .*one\.part, and what it had is computed"):
            Parts(tmp_path, RUN, resume=True)("one", lambda: pytest.fail("computed again"))
    path.unlink()
    assert Parts(tmp_path, RUN, resume=True)("one", lambda: 3) == 3
    (tmp_path / "run").write_bytes(b"")
    with pytest.raises(ChoiceError, match=rf"run is damaged: remove {tmp_path}, and"):
        Parts(tmp_path, RUN, resume=True)


def stop_before(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C would, before that part."""
    keep = Parts.__call__
    asked = []

    def counted(self: Parts, name: str, compute: Any, *arguments: Any, **choices: Any) -> Any:
        asked.append(name)
        if len(asked) > number:
            raise KeyboardInterrupt
        return keep(self, name, compute, *arguments, **choices)

    monkeypatch.setattr(Parts, "__call__", counted)


def stopped(module: Any, number: int, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    with monkeypatch.context() as patched:
        stop_before(number, patched)
        with pytest.raises(SystemExit) as stop:
            main(module, patched, *options)
    assert stop.value.code == 130


def check_resumed(module: Any, number: int, monkeypatch: pytest.MonkeyPatch, capsys: Any, out: Path, options: str):
    """A run that is stopped before its part of that number and goes on writes the record of one that is not stopped."""
    whole = main(module, monkeypatch, *options.split(), "--out", str(out / "whole"))
    cut = (*options.split(), "--out", str(out / "cut"))
    stopped(module, number, monkeypatch, *cut)
    there = kept.names(out / "cut" / "parts")
    assert len(there) == number
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"stopped; kept in {out / 'cut' / 'parts'}: {', '.join(there)}; go on with --resume"
    assert f"the newest {there[-1]}: go on with --resume" in refused(module, monkeypatch, *cut)
    assert kept.names(out / "cut" / "parts") == there
    resumed = main(module, monkeypatch, *cut, "--resume")
    assert json.dumps(timeless(resumed)) == json.dumps(timeless(whole))
    assert not (out / "cut" / "parts").exists()
    assert not (out / "whole" / "parts").exists()


def test_full_batch_vs_sgd_goes_on_arm_by_arm_and_not_with_other_choices_or_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    data = small_data(tmp_path)
    options = f"--arms full:2:4 20:2:2 --seeds 2 --hidden 5 --tune --trials 2 --tune-seeds 2 --data {data}"
    check_resumed(full_batch_vs_sgd, 3, monkeypatch, capsys, tmp_path, options)
    cut = (*options.split(), "--out", str(tmp_path / "cut"))
    stopped(full_batch_vs_sgd, 1, monkeypatch, *cut)
    said = refused(full_batch_vs_sgd, monkeypatch, *cut, "--resume", "--goals", "80")
    assert f"{tmp_path / 'cut' / 'parts'} is of a run with goals None; this one has [80.0]" in said
    assert "with dtype float32; this one has float64" in refused(
        full_batch_vs_sgd, monkeypatch, *cut, "--resume", "--dtype", "float64"
    )
    small_data(tmp_path, train=80)
    assert "is of a run with examples " in refused(full_batch_vs_sgd, monkeypatch, *cut, "--resume")


def history(epochs: int, seeds: int, seed: int) -> jaxnet.History:
    """Of networks that are not trained: any numbers, the same for the same seed."""
    rng = np.random.default_rng(seed)
    along = dict.fromkeys(jaxnet.History._fields[:4], np.arange(1 + epochs))
    columns = {name: rng.random((1 + epochs, seeds), np.float32) for name in jaxnet.History._fields[4:9]}
    return jaxnet.History(**along, **columns, compile_seconds=0.5, evaluated=600)


def test_reproduce_goes_on_recipe_by_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    def any_history(name: str, _key: Any, seeds: int, *_: Any) -> jaxnet.History:
        return history(RECIPES[name].epochs, seeds, len(name))

    monkeypatch.setattr(reproduce, "history", any_history)
    monkeypatch.setattr(reproduce.report, "figures", lambda _record, _folder: [])
    options = "--only lecture nielsen-30 rate-0.025 all-images --limit 60 --seeds 2"
    check_resumed(reproduce, 2, monkeypatch, capsys, tmp_path, options)


def test_ninety_six_goes_on_sweep_by_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    def descend(recipe: Any, _order: Any, params: Any, rates: Any, *_: Any) -> tuple[Any, jaxnet.History]:
        return params, history(2, len(rates), recipe.epochs)

    monkeypatch.setattr(recipes, "descend", descend)
    monkeypatch.setattr(ninety_six.report, "figures", lambda _record, _folder: [])
    options = "--departures none relu --limit 60 --sweep-seeds 2 --seeds 2"
    check_resumed(ninety_six, 8, monkeypatch, capsys, tmp_path, options)


def test_luck_goes_on_population_by_population(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(luck, "trained", read_by_chance)
    monkeypatch.setattr(luck.report, "figures", lambda _record, _folder: [])
    options = "--networks 120 --crossed 3 --lost 4 --limit 60"
    check_resumed(luck, 2, monkeypatch, capsys, tmp_path / "many", options)
    check_resumed(luck, 5, monkeypatch, capsys, tmp_path / "crossed", options)


@pytest.mark.long
def test_steps_to_target_goes_on_batch_size_by_batch_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(steps_to_target.report, "figures", lambda _record, _folder: [])
    options = "--limit 60 --held-out 40 --seeds 2 --goal 45 --hidden 8 --batch-sizes 60 30 7 --rate 2"
    check_resumed(steps_to_target, 2, monkeypatch, capsys, tmp_path, options)


def test_the_benchmark_measures_no_part_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(speed, "Worker", InThisProcess)
    monkeypatch.setattr(roofline, "measure", lambda: roofline.Machine(operations=1e11, bytes=1e10))
    monkeypatch.setattr(benchmark.report, "figures", lambda _record, _folder: [])
    options = (*SMALL.split(), "--out", str(tmp_path))
    stopped(benchmark, 4, monkeypatch, *options)
    there = kept.names(tmp_path / "parts")
    assert there == ["machine", "threads", "speed-784-16-16-10-10", "speed-784-16-16-10-160"]
    measured = json.loads((tmp_path / "parts" / f"{there[-1]}.part").read_text().splitlines()[1])
    assert "go on with --resume" in capsys.readouterr().err
    monkeypatch.setattr(speed, "compare_steps", lambda *_, **__: pytest.fail("measured again"))
    results = main(benchmark, monkeypatch, *options, "--resume")["results"]
    assert results["speed"][-1].items() >= measured.items()
    assert [row["networks"] for row in results["populations"]] == [1, 2]
