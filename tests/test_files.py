from pathlib import Path

import pytest

from jaxnet.files import write_whole


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
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
