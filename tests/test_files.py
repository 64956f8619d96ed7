import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.common.choices import ChoiceError
from experiments.common.record import read_record, write_record
from jaxnet.files import write_whole
from tests.attacks import files, surroundings


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path):
    for content in (b"first", b"second"):
        assert write_whole(tmp_path / "file", content) == tmp_path / "file"
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_has_vanished_is_made_again(tmp_path: Path):
    write_whole(tmp_path / "results" / "run" / "file", b"content")
    assert (tmp_path / "results" / "run" / "file").read_bytes() == b"content"


def test_a_failure_leaves_the_old_file_whole_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_whole(tmp_path / "file", b"old")

    def full_disk(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match=r"No space left on device: '.*file'"):
        write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_record_comes_back_as_it_was_and_a_changed_one_is_refused(tmp_path: Path):
    results = {"rate": 0.1, "seconds": [1e-300, -0.0, np.inf], "name": "größer", "counts": np.arange(2)}
    path = write_record(tmp_path, {"experiment": "walk", "results": results})
    expected = {"rate": 0.1, "seconds": [1e-300, -0.0, None], "name": "größer", "counts": [0, 1]}
    assert read_record(tmp_path, "walk") == {"experiment": "walk", "results": expected}
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("0.1", "0.7"), encoding="utf-8")
    with pytest.raises(ChoiceError, match=r"record.json is damaged: it is not what its sha256 tells; run the exp"):
        read_record(tmp_path, "walk")
    path.write_text(whole.replace("0.1", "0.10"), encoding="utf-8")  # the same number
    read_record(tmp_path, "walk")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged"),
        (b'{"experiment": "w\xe4lk"}', "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b'{"experiment": "walk", "results": ' + b"9" * 5000 + b"}", "is damaged"),
        (b'["experiment"]', "is not a record of walk"),
        (b'{"experiment": "walk", "versions": {"jaxnet": 3}}', "was written by version 3"),
        (b'{"experiment": "walk", "versions": 3, "sha256": 3}', "is damaged"),
    ],
)
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(ChoiceError, match=f"record.json {message}"):
        read_record(tmp_path, "walk")


@pytest.mark.long
@pytest.mark.parametrize("kind", files.KINDS)
def test_a_damaged_file_of_any_kind_is_refused_by_name_or_is_as_it_was(kind: str):
    found = files.run(kind, times=200, seed=1)
    assert found["wrong"] == []
    assert found["outcomes"]["refused"] > 100


@pytest.mark.long
@pytest.mark.parametrize("case", surroundings.SHORT, ids=lambda case: case.what)
def test_scripts_work_where_little_is_as_it_should_be_or_say_why_not(case: Any):
    surroundings.run(case)


@pytest.mark.long
def test_a_script_run_twice_makes_equal_files_but_for_seconds(tmp_path: Path):
    command = [sys.executable, "-m", "experiments.train_digits", "--limit", "300", "--epochs", "2", "--out", "out"]
    made = []
    for turn in ("first", "second"):
        (tmp_path / turn).mkdir()
        environment = os.environ | {"PYTHONPATH": str(surroundings.ROOT)}
        subprocess.run(command, cwd=tmp_path / turn, env=environment, check=True, capture_output=True)
        made.append({path.name: path.read_bytes() for path in (tmp_path / turn / "out").iterdir()})
    records = [json.loads(each.pop("record.json")) for each in made]
    for record in records:
        del record["sha256"], record["results"]["history"]["seconds"], record["results"]["history"]["compile_seconds"]
    assert records[0] == records[1]
    assert made[0] == made[1]
    assert {Path(name).suffix for name in made[0]} == {".png", ".safetensors"}
