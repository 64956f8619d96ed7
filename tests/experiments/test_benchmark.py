"""The benchmark end to end on a small slice, what it counts, and each kind of wrong input."""

import functools
import importlib
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxnet
from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import growth, peers, race, speed
from experiments.benchmark.peers import programs
from experiments.common import roofline
from experiments.reports import benchmark as report
from jaxnet.data import as_bytes
from tests.experiments.commands import PNG, main, refused

SMALL = (
    "--limit 160 --repeats 1 --trainings 1 --seconds 1e-3 --networks 784-16-16-10 --batches 10 full"
    " --populations 1 2 --parts speed train populations --programs numpy c"
)


class InThisProcess:
    """A worker without a process of its own."""

    def __init__(self, name: str, limit: int):
        self.peer = importlib.import_module(f"experiments.benchmark.peers.by_{name}")
        train, _ = jaxnet.load("mnist")
        self.examples = np.asarray(train.images[:limit]), np.eye(10, dtype=np.float32)[train.labels[:limit]]

    def threads(self) -> int:
        return self.peer.threads()

    def start(self, params: Any, *choices: Any, **more: Any) -> None:
        self.trainer = self.peer.trainer(params, *self.examples, *choices, **more)

    def run(self, order: np.ndarray) -> float:
        started = time.perf_counter()
        self.trainer.run(order)
        return time.perf_counter() - started

    def train(self, epochs: int, seed: int) -> Any:
        return 1.0, peers.train(self.trainer, self.examples, self.examples, epochs, seed, told=lambda: None)

    def params(self) -> Any:
        return self.trainer.params()

    def close(self) -> None:
        pass


def check_speed_and_populations(results: Any) -> None:
    assert [(row["network"], row["batch_size"]) for row in results["speed"]] == [
        ("784-16-16-10", 10),
        ("784-16-16-10", 160),
    ]
    for row in results["speed"]:
        assert 1 <= row["steps"] <= 160 // row["batch_size"]
        assert {"jaxnet", "numpy"} <= set(row["seconds"])
        for name, (median, least, most) in row["seconds"].items():
            assert 0 < least <= median <= most
            assert row["ratio"][name] == pytest.approx(median / row["seconds"]["jaxnet"][0])
            assert row["cost"][name] == pytest.approx(row["cost"]["jaxnet"], rel=1e-3)
        assert row["share"] > 0
    for row in results["train"]:
        assert row["seconds"].keys() == row["ratio"].keys() == results["speed"][0]["seconds"].keys()
    assert [row["networks"] for row in results["populations"]] == [1, 2]
    assert results["populations"][0]["ratio"] == 1
    assert results["populations"][1]["ratio"] > 0


@pytest.mark.long
def test_what_it_prints_while_it_measures_is_printed_again_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    monkeypatch.setattr(speed, "Worker", InThisProcess)
    monkeypatch.setattr(roofline, "measure", lambda: roofline.Machine(operations=1e11, bytes=1e10))
    record = main(benchmark, monkeypatch, *SMALL.split(), "--out", str(tmp_path))
    check_speed_and_populations(record["results"])
    banner, printed = capsys.readouterr().out.split("drew")[0].split("\n", 1)
    assert banner.startswith("JAX")
    for part in (
        "100 billion operations a second",
        "threads: jaxnet",
        "784-16-16-10      full",
        "Milliseconds an epoch",
        "Many networks",
    ):
        assert part in printed
    (picture,) = tmp_path.glob("*.png")
    assert picture.read_bytes().startswith(PNG)
    with monkeypatch.context() as patched:
        patched.setattr(report, "figures", lambda _record, _folder: [])
        main(benchmark, patched, "--redraw", "--out", str(tmp_path))
    assert capsys.readouterr().out == printed

    del record["results"]["speed"], record["results"]["train"], record["results"]["populations"], record["sha256"]
    (tmp_path / "record.json").write_text(json.dumps(record))
    main(benchmark, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert "drew" not in capsys.readouterr().out  # without that part there is nothing to draw


@pytest.mark.long
def test_it_measures_programs_in_processes_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    check_speed_and_populations(main(benchmark, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"])


def test_memory_grows_with_the_networks_and_not_with_their_data():
    examples = as_bytes(np.zeros((30, 784), np.float32)), jax.numpy.zeros((30, 10))
    one, four = (growth.measure_one((784, 16, 10), 10, k, *examples, seed=0) for k in (1, 4))
    assert one["data_bytes"] == four["data_bytes"] == 30 * (784 + 40 + 4)
    parameters = 4 * (784 * 16 + 16 + 16 * 10 + 10)
    assert one["work_bytes"] >= 2 * parameters  # those that come in and those that go out
    assert four["work_bytes"] >= 8 * parameters
    assert four["seconds"][0] > 0


@pytest.mark.long
def test_a_race_ends_at_the_goal_and_what_is_compiled_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    options = "--parts race compile --processes 1 --goal 80 --race jaxnet:32:2"
    record = main(benchmark, monkeypatch, *options.split(), "--out", str(tmp_path))
    rows = record["results"]["race"]
    assert [(row["batch_size"], row["kept"]) for row in rows] == [(32, False), (32, True)]
    assert all(row["accuracy"] >= 80 for row in rows)
    found = record["results"]["compile"]
    assert found["kept"][0] < found["new"][0]
    assert "Compiling the default network" in capsys.readouterr().out


def test_in_a_race_every_process_has_its_turn_and_only_jaxnet_has_a_second_one(monkeypatch: pytest.MonkeyPatch):
    calls = []

    def output(arguments: list[str], kept: str | None) -> str:
        calls.append((arguments[2], arguments[4], kept is not None))
        return '{"epochs": 2, "accuracy": 96.0}'

    monkeypatch.setattr(race.cold, "output", output)
    entrants = [race.Entrant("jaxnet", 10, 1.0), race.Entrant("numpy", 32, 2.0)]
    rows = race.measure(entrants, goal=95, hidden=(30,), seed=0, repeats=2)
    assert calls == 2 * [("jaxnet", "10", False), ("jaxnet", "10", True), ("numpy", "32", False)]
    assert [(row["program"], row["kept"], row["epochs"]) for row in rows] == [
        ("jaxnet", False, 2),
        ("jaxnet", True, 2),
        ("numpy", False, 2),
    ]


def test_the_fastest_of_each_program_are_compared(capsys: Any):
    def row(program: str, kept: bool, accuracy: float, median: float) -> Any:
        choices = {"program": program, "batch_size": 10, "rate": 1.0, "kept": kept}
        return choices | {"epochs": 3, "accuracy": accuracy, "seconds": [median, median - 1, median + 1]}

    rows = [row("jaxnet", False, 96, 4.0), row("jaxnet", False, 94, 3.0), row("jaxnet", True, 96, 2.0)]
    rows += [row("numpy", False, 96, 9.0), row("numpy", False, 95, 8.0)]
    report.print_race({"goal": 95.0, "programs": {"jaxnet": "jaxnet", "numpy": "NumPy"}, "race": rows})
    printed = capsys.readouterr().out
    assert "NumPy takes 2.00 times as long as jaxnet, 4.00 times as long as jaxnet that was compiled before" in printed
    assert printed.count("not reached") == 1  # the one with 94 %, which is not the fastest jaxnet either


def test_a_program_that_does_other_work_is_found_out(monkeypatch: pytest.MonkeyPatch):
    class Fake:
        def __init__(self, error: float):
            self.error = error

        def start(self, params: Any, *_: Any, **__: Any) -> None:
            self.now = [(w + np.float32(self.error), b) for w, b in params]

        def run(self, order: np.ndarray) -> float:
            return 1e-3 * len(order)

        def params(self) -> Any:
            return self.now

    images, targets = np.ones((20, 784), np.float32), np.eye(10, dtype=np.float32)[np.arange(20) % 10]
    running: Any = {"jaxnet": Fake(0), "numpy": Fake(0)}
    monkeypatch.setattr(speed, "PAUSE", 0.0)
    machine = roofline.Machine(operations=1e9, bytes=1e9)
    case: Any = functools.partial(speed.compare_steps, running, (784, 5, 10), 10, images=images, targets=targets)
    row = case(machine=machine, repeats=3, seconds=0.1, seed=0)
    assert row["steps"] == 2
    assert row["rounds"] == {"jaxnet": 5, "numpy": 5}  # a run of 0.02 s, to last 0.1 s
    assert row["seconds"]["numpy"] == pytest.approx((0.01, 0.01, 0.01))
    running["numpy"] = Fake(0.1)
    with pytest.raises(RuntimeError, match="numpy ended its first run at the cost .* not the same work"):
        case(machine=machine, repeats=1, seconds=0.1, seed=0)


def test_a_program_that_evaluates_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch):
    class Fake:
        def __init__(self, seconds: float, cost: float):
            self.seconds, self.history = seconds, [[cost, 0.1, cost, 0.1], [cost / 2, 0.5, cost / 2, 0.5]]

        def start(self, *_: Any, **__: Any) -> None: ...

        def train(self, epochs: int, _: int) -> Any:
            return epochs * self.seconds, self.history

    monkeypatch.setattr(speed, "PAUSE", 0.0)
    running: Any = {"jaxnet": Fake(1.0, 2.5), "numpy": Fake(3.0, 2.5)}
    row = speed.compare_trainings(running, (784, 5, 10), 10, repeats=3, seconds=4.0, seed=0)
    assert row["epochs"] == {"jaxnet": 4, "numpy": 2}
    assert row["ratio"] == {"jaxnet": 1.0, "numpy": 3.0}
    running["numpy"] = Fake(3.0, 2.6)
    with pytest.raises(RuntimeError, match=r"numpy finds \[2.6, .* jaxnet \[2.5, .* not the same evaluation"):
        speed.compare_trainings(running, (784, 5, 10), 10, repeats=1, seconds=1.0, seed=0)


def test_arithmetic_and_bytes_are_those_counted_on_paper():
    work = roofline.step_work((784, 30, 10), batch_size=10)
    assert work.operations == 2 * 10 * (784 * 30 + 30 * 10) * 2 + 2 * 10 * 30 * 10
    assert work.bytes == 10 * (784 + 40) + 8 * (784 * 30 + 30 + 30 * 10 + 10)
    many = roofline.step_work((784, 30, 10), batch_size=10, networks=5)
    assert many.operations == 5 * work.operations
    assert many.bytes - 10 * (784 + 40) == 5 * (work.bytes - 10 * (784 + 40))


@pytest.mark.parametrize("sizes", [(784, 100, 10), (784, 64, 64, 10)])
def test_arithmetic_is_what_the_compiler_counts(sizes: tuple[int, ...]):
    params = jaxnet.init(jax.random.key(0), sizes)
    images, targets = np.zeros((50, 784), np.float32), np.zeros((50, 10), np.float32)
    counted: Any = jax.jit(jax.grad(jaxnet.cost)).lower(params, images, targets).compile().cost_analysis()
    assert counted["flops"] == pytest.approx(roofline.step_work(sizes, 50).operations, rel=0.03)


def test_the_roof_is_the_slower_of_arithmetic_and_memory():
    machine = roofline.Machine(operations=100.0, bytes=10.0)
    assert roofline.share(roofline.Work(200, 1), machine, seconds=4.0) == 0.5
    assert roofline.share(roofline.Work(1, 20), machine, seconds=4.0) == 0.5
    found = roofline.measure(side=64, copied=2**16, repeats=2)
    assert found.operations > 1e6
    assert found.bytes > 1e6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--networks 784-0-10", "network 784-0-10 is not a row of neurons"),
        ("--networks 783-10", "network 783-10 must begin with 784 pixels"),
        ("--batches", "there is nothing to measure"),
        ("--batches 0", "batch 0 is not a batch size; it must be full or between 1 and 100"),
        ("--batches 101", "batch 101 is not a batch size"),
        ("--programs theano", "program theano is unknown; expected some of jaxnet, numpy"),
        ("--race jaxnet:10", "race jaxnet:10 is not PROGRAM:BATCH_SIZE:RATE"),
        ("--race theano:10:1", "race theano:10:1 names no program"),
        ("--populations 0", "populations are (0,); there must be at least 1 network"),
        ("--repeats 0", "repeats is 0; it must be at least 1"),
        ("--trainings 0", "trainings is 0; it must be at least 1"),
        ("--processes 0", "processes is 0; it must be at least 1"),
    ],
)
def test_wrong_choices_are_refused_by_name(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert message in refused(benchmark, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path))
    assert not (tmp_path / "record.json").exists()


def test_what_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    monkeypatch.setattr(programs.by_c, "available", lambda: False)
    there, left_out = programs.available(list(programs.PROGRAMS))
    assert there == ["jaxnet", "numpy", "jax_loop"]
    assert left_out == {"pytorch": "torch", "pytorch_compiled": "torch", "sklearn": "sklearn", "c": "cc"}
    machine = {"operations": 1.0, "bytes": 1.0}
    report.print_machine({"left_out": {"PyTorch eager": "torch"}, "cores": 2, "machine": machine})
    assert "left out: PyTorch eager, for there is no torch" in capsys.readouterr().out
