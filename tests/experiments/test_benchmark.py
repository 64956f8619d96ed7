"""The benchmark end to end on a small slice, what it counts, and each kind of wrong input."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tests.experiments.commands import main, refused

import jaxnet
from experiments import benchmark, roofline
from experiments.peers import programs

pytestmark = pytest.mark.long

SMALL = (
    "--limit 200 --repeats 1 --operations 1e6 --networks 784-16-16-10 --batches 10 full"
    " --populations 1 2 --parts speed populations --programs numpy c"
)


def test_it_measures_every_program_records_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    record = main(benchmark, monkeypatch, *SMALL.split(), "--out", str(tmp_path))
    results = record["results"]
    assert [(row["network"], row["batch_size"]) for row in results["speed"]] == [
        ("784-16-16-10", 10),
        ("784-16-16-10", 200),
    ]
    for row in results["speed"]:
        assert row["steps"] == (1 if row["batch_size"] == 200 else row["steps"])
        assert {"jaxnet", "numpy"} <= set(row["seconds"])
        for name, (median, least, most) in row["seconds"].items():
            assert 0 < least <= median <= most
            assert row["ratio"][name] == pytest.approx(median / row["seconds"]["jaxnet"][0])
            assert row["cost"][name] == pytest.approx(row["cost"]["jaxnet"], rel=1e-3)
        assert 0 < row["share"] < 2
    assert [row["networks"] for row in results["populations"]] == [1, 2]
    printed = capsys.readouterr().out
    assert "NumPy 2" in printed or "NumPy 1" in printed
    (picture,) = tmp_path.glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")

    record["results"] = {}
    (tmp_path / "record.json").write_text(json.dumps(record))
    main(benchmark, monkeypatch, "--redraw", "--out", str(tmp_path))  # without that part there is nothing to draw


def test_memory_grows_with_the_networks_and_not_with_their_data():
    images, targets = jaxnet.as_bytes(np.zeros((30, 784), np.float32)), jax.numpy.zeros((30, 10))
    config = benchmark.Config(operations=1e6)
    one, four = (benchmark.grown(config, (784, 16, 10), 10, networks, images, targets) for networks in (1, 4))
    assert one["data_bytes"] == four["data_bytes"] == 30 * (784 + 40) + 10 * 4  # one step
    parameters = 4 * (784 * 16 + 16 + 16 * 10 + 10)
    assert one["work_bytes"] >= 2 * parameters  # those that come in and those that go out
    assert four["work_bytes"] >= 8 * parameters
    assert four["seconds"][0] > 0


def test_a_race_ends_at_the_goal_and_names_the_fastest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    options = "--parts race compile --processes 1 --goal 80 --race jaxnet:32:2"
    record = main(benchmark, monkeypatch, *options.split(), "--out", str(tmp_path))
    rows = record["results"]["race"]
    assert [(row["batch_size"], row["kept"]) for row in rows] == [(32, False), (32, True)]
    assert all(row["accuracy"] >= 80 for row in rows)
    found = record["results"]["compile"]
    assert found["kept"][0] < found["new"][0]
    assert "Compiling the default network" in capsys.readouterr().out


def test_a_program_that_does_other_work_is_found_out():
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
    row = benchmark.compare(benchmark.Config(repeats=3), running, (784, 5, 10), 10, images, targets)
    assert row["steps"] == 2
    assert row["seconds"]["numpy"] == pytest.approx((0.01, 0.01, 0.01))
    running["numpy"] = Fake(0.1)
    with pytest.raises(RuntimeError, match="numpy ended its first run at the cost .* not the same work"):
        benchmark.compare(benchmark.Config(repeats=1), running, (784, 5, 10), 10, images, targets)


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
        ("--processes 0", "processes is 0; it must be at least 1"),
    ],
)
def test_wrong_choices_are_refused_by_name(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert message in refused(benchmark, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path))
    assert not (tmp_path / "record.json").exists()


def test_what_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    monkeypatch.setattr(programs.by_c, "available", lambda: False)
    assert programs.available(list(programs.PROGRAMS)) == ["jaxnet", "numpy", "jax_loop"]
    assert "left out: PyTorch eager, for there is no torch" in capsys.readouterr().out
