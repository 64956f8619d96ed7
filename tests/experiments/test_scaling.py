"""Scaling end to end on a slice, and the counting of what travels."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments import scaling
from experiments.reports import scaling as report
from tests.experiments.commands import PNG, main, refused

SMALL = "--limit 64 --hidden 5 --batch-size 8 --networks 1 --steps 2 --repeats 1"


def test_one_device_is_measured_recorded_printed_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    rows = main(scaling, monkeypatch, *SMALL.split(), "--out", str(tmp_path))["results"]["rows"]
    assert [(row["kind"], row["devices"], row["batch_size"], row["networks"], row["bytes"]) for row in rows] == [
        (kind, 1, 8, 1, 0) for kind in ("strong", "weak", "population")
    ]
    assert all(0 < row["seconds"][1] <= row["seconds"][0] <= row["seconds"][2] for row in rows)
    assert (tmp_path / "scaling.png").read_bytes().startswith(PNG)
    banner, printed = capsys.readouterr().out.split("drew")[0].split("\n", 1)
    assert banner.startswith("JAX")
    assert "A projection, measured nowhere" in printed
    monkeypatch.setattr(report, "figures", lambda _record, _folder: [])
    main(scaling, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert capsys.readouterr().out == printed


@pytest.mark.long
def test_every_kind_is_measured_on_one_two_and_four_devices(tmp_path: Path):
    options = [*SMALL.split(), "--devices", "cpu:4", "--out", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "experiments.scaling", *options], capture_output=True, check=True)
    rows = json.loads((tmp_path / "record.json").read_text())["results"]["rows"]
    gradient = 4 * (784 * 5 + 5 + 5 * 10 + 10)
    for row in rows:
        assert row["bytes"] == (0 if row["kind"] == "population" or row["devices"] == 1 else gradient)
        assert row["batch_size"] == 8 * (row["devices"] if row["kind"] == "weak" else 1)
        assert row["networks"] == (row["devices"] if row["kind"] == "population" else 1)
        assert row["seconds"][0] > 0
    assert [(row["kind"], row["devices"]) for row in rows] == [
        (kind, number) for kind in ("strong", "weak", "population") for number in (1, 2, 4)
    ]


def test_twice_the_work_in_the_same_time_is_a_speedup_of_two():
    one = {"kind": "weak", "batch_size": 8, "networks": 1, "seconds": [0.5, 0.4, 0.6]}
    two = one | {"batch_size": 16}
    other = one | {"kind": "population", "networks": 3, "seconds": [2.0, 2.0, 2.0]}
    assert [report.speedup(row, [other, one, two]) for row in (one, two, other)] == [1, 2, 1]
    assert report.speedup(two | {"seconds": [1.0, 1.0, 1.0]}, [one, two]) == 1


def test_a_projection_worked_out_on_paper():
    config = scaling.Config(batch_size=1000, link=1.0, latency=2.0, operations=1.0)
    found = scaling.project(config, (784, 100, 10), 2)
    gradient = 4 * (784 * 100 + 100 + 100 * 10 + 10)
    assert found["bytes"] == gradient == 318_040
    travel = 2e-6 + gradient / 1e9  # recursive doubling: one message of everything
    alone = 1000 * (4 * (784 * 100 + 100 * 10) + 2 * 100 * 10) / 1e12
    assert found["travel"] == pytest.approx(travel)
    assert found["strong"] == pytest.approx(alone / (alone / 2 + travel))
    assert found["weak"] == pytest.approx(2 * alone / (alone + travel))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--link 0", "link is 0.0; it must be a finite number above 0"),
        ("--steps 0", "steps is 0; it must be at least 1"),
    ],
)
def test_wrong_choices_are_refused(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert message in refused(scaling, monkeypatch, *options.split(), "--out", str(tmp_path))
