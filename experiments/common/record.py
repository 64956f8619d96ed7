"""The record of a run: all its choices and numbers in one file, from which tables and pictures are made."""

import hashlib
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnet
from experiments.common.choices import ChoiceError
from jaxnet.files import write_whole

Record = dict[str, Any]


def check_writable(folder: Path) -> None:
    """Makes the folder, and raises OSError now, not after minutes of training, where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"cannot write to the output folder {folder}: {error.strerror}; choose another with --out"
        ) from error


def write_record(folder: Path, record: Record) -> Path:
    """Writes record.json, whole or not at all. Numbers that are not finite become null, as JSON has none.

    Its last entry, `sha256`, is that of all others, as JSON.
    """
    written = plain(record)
    written["sha256"] = _sha256(written)
    return write_whole(folder / "record.json", json.dumps(written, allow_nan=False).encode())


def _sha256(record: Record) -> str:
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def read_record(folder: Path, name: str) -> Record:
    """The record of an earlier run of this experiment.

    Raises ChoiceError where there is none to draw from, where it is damaged, or where another release wrote it, which
    had other entries.
    """
    path = folder / "record.json"
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ChoiceError(f"{path} does not exist; run the experiment before --redraw") from error
    except (ValueError, RecursionError) as error:
        raise ChoiceError(f"{path} is damaged: {error}; run the experiment again") from error
    if not isinstance(record, dict) or record.get("experiment") != name:
        raise ChoiceError(f"{path} is not a record of {name}; choose another folder with --out")
    ours, versions = jaxnet.__version__, record.get("versions")
    written_by = str(versions.get("jaxnet", ours)) if isinstance(versions, dict) else ours
    if written_by.split(".")[:2] != ours.split(".")[:2]:
        raise ChoiceError(f"{path} was written by version {written_by} and this is {ours}: run the experiment again")
    checksum = record.pop("sha256", None)
    if checksum is not None and checksum != _sha256(record):
        raise ChoiceError(f"{path} is damaged: it is not what its sha256 tells; run the experiment again")
    return record


def plain(value: Any) -> Any:
    """As JSON has it: arrays as lists, paths as text, numbers that are not finite as null."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case np.ndarray() | np.generic() | jax.Array():
            array = np.asarray(value)
            if array.dtype == np.float32:  # nine digits bring every float32 back, and do not look like more
                array = np.array([float(f"{number:.9g}") for number in array.ravel()]).reshape(array.shape)
            return plain(array.tolist())
        case float():
            return value if math.isfinite(value) else None
        case Path():
            return str(value)
        case _:
            return value
