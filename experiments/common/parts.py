"""A long run kept part by part: what is finished is not computed again.

A part is what a script computes in one go: a row, a sweep, the descent of one arm. Each is a file of its own, with a
line for its SHA-256 and a line of JSON. What is computed goes the same way as what is read, so that all that follows
is the same to the last bit. The file `run` beside them says of which run they are.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.common.choices import ChoiceError
from jaxnet.files import write_whole
from jaxnet.identity import differences

Keep = Callable[..., Any]
"""Of a part's name, a function and its arguments: what it returns. `Parts` is one; another may keep nothing."""

_ARRAY = "array"


class Parts:
    """The parts of a run in a folder.

    `parts(name, compute, *arguments)` is the one of that name, read or else computed and kept.

    - `run`: what makes the run what it is, as JSON can hold it.
    - `resume`: goes on with the parts that are there, or begins where there are none.

    Raises ChoiceError where there are parts of another run, which is named, or damaged ones, and where there are some
    but `resume` was not chosen.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any], *, resume: bool):
        self._folder, self._run = folder, json.loads(json.dumps(dict(run)))
        self._there = names(folder)  # read once, so that all processes do the same
        if self._there and not resume:
            raise ChoiceError(
                f"{folder} has {len(self._there)} parts of an earlier run, the newest {self._there[-1]}: go on with"
                " --resume, or remove that folder to begin again"
            )
        if self._there:
            self._check_same()
        elif resume:
            print(f"there is nothing to resume in {folder.parent}: it begins with the first part")

    def __call__(self, name: str, compute: Callable[..., Any], *arguments: Any, **choices: Any) -> Any:
        path = self._folder / f"{name}.part"
        if name in self._there:
            return decoded(_read(path, remove=path))
        encoded = as_json(compute(*arguments, **choices))
        if jax.process_index() == 0:
            if not self._there:
                _write(self._folder / "run", self._run)
            _write(path, encoded)
        self._there.append(name)
        return decoded(json.loads(json.dumps(encoded)))

    def _check_same(self) -> None:
        path = self._folder / "run"
        if not path.exists():
            raise ChoiceError(f"{path} is not there, which says of which run the parts are: remove {self._folder}")
        theirs = _read(path, remove=self._folder)
        for name in differences(theirs, self._run):
            was, now = str(theirs.get(name))[:100], str(self._run.get(name))[:100]
            raise ChoiceError(f"{self._folder} is of a run with {name} {was}; this one has {now}")


def names(folder: Path) -> list[str]:
    """The parts that are there, the oldest first."""
    there = [(path.stat().st_mtime_ns, path.stem) for path in folder.glob("*.part")]
    return [name for _, name in sorted(there)]


def as_json(value: Any) -> Any:
    """As JSON has it: arrays with their type, shape and bytes; tuples as lists."""
    match value:
        case dict():
            if not all(isinstance(key, str) for key in value) or _ARRAY in value:
                raise TypeError(f"a part has the keys {list(value)}; expected texts, and none of them {_ARRAY!r}")
            return {key: as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item) for item in value]
        case np.ndarray() | np.generic() | jax.Array():
            array = np.asarray(value)
            if array.dtype.kind not in "biuf" or np.dtype(array.dtype.str) != array.dtype:
                raise TypeError(f"a part has an array of {array.dtype}; expected truth values, whole numbers or floats")
            return {_ARRAY: [array.dtype.str, array.shape, base64.b64encode(array.tobytes()).decode()]}
        case _:
            return value


def decoded(value: Any) -> Any:
    """What `as_json` took apart, with NumPy's arrays."""
    match value:
        case {"array": [dtype, shape, content]}:
            array = np.frombuffer(base64.b64decode(content), dtype).reshape(shape)
            return array.copy() if shape else array[()]
        case dict():
            return {key: decoded(item) for key, item in value.items()}
        case list():
            return [decoded(item) for item in value]
        case _:
            return value


def _write(path: Path, value: Any) -> None:
    content = json.dumps(value).encode()
    write_whole(path, f"{hashlib.sha256(content).hexdigest()}\n".encode() + content)


def _read(path: Path, *, remove: Path) -> Any:
    written, _, content = path.read_bytes().partition(b"\n")
    if written != hashlib.sha256(content).hexdigest().encode():
        raise ChoiceError(f"{path} is damaged: remove {remove}, and what it had is computed again")
    return json.loads(content)
