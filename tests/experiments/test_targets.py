"""Programs compiled for accelerators: the counting against programs written by hand, and the programs themselves."""

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import experiments.targets.__main__ as targets
from experiments.common.compiled import Counts, counted, size
from experiments.reports import targets as report
from experiments.targets import compiling, measured, programs
from experiments.targets.accelerators import ACCELERATORS
from tests.experiments.commands import PNG, main, refused

PROGRAM = """HloModule jit_epoch, entry_computation_layout={(f32[8,4]{1,0})->f32[4]{0}}

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %c = f32[] add(%a, %b)
}

%fetch (images: f32[100,4], row: s32[]) -> f32[1,4] {
  %images = f32[100,4]{1,0} parameter(0)
  %row = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %slice = f32[1,4]{1,0} dynamic-slice(%images, %row, %zero), dynamic_slice_sizes={1,4}
}

%body (state: (s32[], f32[100,4])) -> (s32[], f32[100,4]) {
  %state = (s32[], f32[100,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = f32[100,4]{1,0} get-tuple-element(%state), index=1
  %one = f32[1,4]{1,0} fusion(%x, %i), kind=kLoop, calls=%fetch
  %all = f32[1,4]{1,0:T(8,128)S(1)} all-reduce-start(%one), to_apply=%sum
  %done = f32[1,4]{1,0:T(8,128)S(1)} all-reduce-done(%all)
  %bit = f32[4]{0} bitcast(%done)
  ROOT %next = (s32[], f32[100,4]{1,0}) tuple(%i, %x)
}

%condition (state: (s32[], f32[100,4])) -> pred[] {
  %state.1 = (s32[], f32[100,4]{1,0}) parameter(0)
  %i.1 = s32[] get-tuple-element(%state.1), index=0
  %n = s32[]{:T(128)} constant(60)
  ROOT %less = pred[] compare(%i.1, %n), direction=LT
}

ENTRY %main (x: f32[100,4]) -> f32[100,4] {
  %x.2 = f32[100,4]{1,0} parameter(0)
  %start = (s32[], f32[100,4]{1,0}) tuple(%x.2)
  %loop = (s32[], f32[100,4]{1,0}) while(%start), condition=%condition, body=%body, backend_config={KNOWN}
  %found = f32[100,4]{1,0} get-tuple-element(%loop), index=1
  ROOT %copy = f32[100,4]{1,0} copy(%found)
}
"""


@pytest.mark.parametrize(("known", "rounds"), [('"known_trip_count":{"n":"7"}', 7), ("", 60)])
def test_a_loop_counts_as_often_as_it_goes_round(known: str, rounds: int):
    """Each round reads 16 bytes of the images and the 4 of a row's number, writes 16, and sends 16."""
    found = counted(PROGRAM.replace("KNOWN", known))
    copied = 2 * 1_600
    assert found == Counts(rounds + 1, rounds, 16 * rounds, rounds * (16 + 4 + 16) + copied)


def test_what_lies_on_the_chip_is_not_in_main_memory():
    assert size("(f32[2,3]{1,0:T(8,128)S(1)}, u8[5]{0}, pred[], bf16[3])") == 24 + 5 + 1 + 6
    assert size("(f32[2,3]{1,0:T(8,128)S(1)}, u8[5]{0}, pred[], bf16[3])", main_memory=True) == 5 + 1 + 6


def test_a_scan_of_jax_is_counted():
    """Of one product, as XLA compiles it for this machine."""

    def run(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, _: (x @ x, None), x, length=30)[0]

    kernels = counted(jax.jit(run).lower(jnp.eye(200)).compile().as_text() or "").kernels
    assert 30 <= kernels < 120


def test_a_projection_worked_out_on_paper():
    gpu = ACCELERATORS["h200:8"]
    found = gpu.bounds(Counts(kernels=10, messages=2, sent=900, moved=4.8e6), operations=67e6)
    assert found == pytest.approx(
        {
            "starting kernels": 30e-6,
            "memory": 1e-6,
            "arithmetic": 1e-6,
            "messages": 2 * 10e-6 * 3 + 2 * 900 * 7 / 8 / 450e9,
        }
    )


def test_differences_between_records_leave_out_seconds():
    one = {"cost": [1.0, 20.0], "seconds": 3.0, "name": "a"}
    assert measured.difference(one, one | {"seconds": 4.0}) == 0
    assert measured.difference(one, one | {"cost": [1.5, 20.0]}) == 0.5
    assert measured.difference(one, one | {"cost": [1.0, 21.0]}) == 0.05
    for other in (one | {"name": "b"}, one | {"cost": [1.0]}, one | {"more": 1}):
        assert measured.difference(one, other) == math.inf


@pytest.mark.long
def test_programs_run_here_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    options = ["--measure", "--small", "--programs", "order", "inference", "sharded-full", "--scripts"]
    results = main(targets, monkeypatch, *options, "gradient_field", "--out", str(tmp_path))["results"]
    assert [row["program"] for row in results["programs"]] == ["order", "inference"]
    for row in results["programs"]:
        assert 0 < row["seconds"][1] <= row["seconds"][0] <= row["seconds"][2]
        assert row["kernels"] > 0
    (row,) = results["scripts"]
    assert row["difference"] <= measured.TOLERANCE
    assert "gradient_field: in a small form" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--accelerators v4:1", "accelerators has v4:1; there are v5e:1"),
        ("--programs epoch-7", "programs has epoch-7; there are epoch-10"),
        ("--programs", "there is nothing to compile"),
        ("--measure --scripts theano", "scripts has theano; there are train_digits"),
    ],
)
def test_what_is_not_there_is_refused(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiling, "prepare", lambda: None)
    assert message in refused(targets, monkeypatch, *options.split(), "--out", str(tmp_path / "out"))


@pytest.mark.skipif(find_spec("libtpu") is not None, reason="there is one")
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiling, "prepare", lambda: None)
    said = refused(targets, monkeypatch, "--accelerators", "v5e:1", "--out", str(tmp_path / "out"))
    assert "to compile for v5e:1 takes libtpu: pip install -e '.[experiments,targets]'" in said


ALLOWED = {
    "v5e:1": {
        "epoch-10": (16, 0, 0),
        "epoch-full": (100, 0, 0),
        "evaluation": (110, 0, 0),
        "distortion": (2_200, 0, 0),
    },
    "h200:8": {
        "epoch-1000": (30, 1, 52_008),
        "epoch-full": (40, 1, 52_008),
        "population-10": (17.5, 0, 0),
        "evaluation": (26, 1, 16),
        "sharded-1000": (33, 3, 52_008 + 1_000 * 930),
        "sharded-full": (40, 1, 52_008),
        "sharded-evaluation": (26, 1, 16),
    },
}
"""Kernels, messages and bytes sent a step, at most: what they are today, with a little room for XLA's next version."""


@pytest.mark.long
@pytest.mark.skipif(find_spec("libtpu") is None, reason="takes the packages of pip install -e '.[targets]'")
def test_all_programs_compile_and_none_does_more_than_it_should(tmp_path: Path):
    command = [sys.executable, "-m", "experiments.targets", "--accelerators", *ALLOWED, "--out", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    record = json.loads((tmp_path / "record.json").read_text())
    rows = record["results"]["rows"]
    assert {row["program"] for row in rows} == set(programs.NAMES)
    assert not [row for row in rows if "failed" in row]
    for row in rows:
        kernels, messages, sent = ALLOWED[row["accelerator"]].get(row["program"], (math.inf, math.inf, math.inf))
        assert row["kernels"] <= kernels, row
        assert row["messages"] <= messages, row
        assert row["sent"] <= sent, row
        assert not row["float64"]
        assert not row["callbacks"]
    bytes_to_distort = {row["accelerator"]: row["moved"] for row in rows if row["program"] == "distortion"}
    assert bytes_to_distort["v5e:1"] < 695e9 / 20
    assert (tmp_path / "targets.png").read_bytes().startswith(PNG)
    assert "v5e:1: one chip" in done.stdout
    assert report.figures({"results": {}}, tmp_path) == []
