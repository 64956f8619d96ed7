"""Nothing is lost: a run that is killed at any moment goes on as if nothing had happened.

A checkpoint is all that the rest of a run depends on: arrays, among them the parameters, the optimizer's state and the
key, and facts, such as how far it had come. Orbax writes it; SHA256SUMS, written last, tells that it is complete and
that every file still is what was written (as `sha256sum -c` can tell, too).
"""

import errno
import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnet import devices
from jaxnet.files import write_whole

_SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a run is saved; `train` takes one.

    - `folder`: has one folder for each checkpoint, named after the number of steps.
    - `seconds`, `epochs`: a checkpoint is due when so many have gone by since the last one, whichever comes first, at
      the end of an epoch or of a shorter stretch between two evaluations. None: that one does not count.
    - `keep`: so many stay, the newest.
    - `resume`: goes on from the newest checkpoint, or begins where there is none. Otherwise a folder with checkpoints
      in it is refused, so that none is lost.
    - `configuration`: what else makes the run what it is, as JSON can hold it; a checkpoint of another one is refused.
    """

    folder: Path
    seconds: float | int | None = 60
    epochs: float | int | None = None
    keep: int = 3
    resume: bool = False
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    def of_a_run(self, **configuration: Any) -> "Checkpoints":
        """The same, for a run that is this besides."""
        return replace(self, configuration=dict(self.configuration) | configuration)


class Checkpoint(NamedTuple):
    """What a run goes on from.

    - `arrays`: by name, NumPy.
    - `facts`: as JSON can hold them.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, by Ctrl-C or SIGTERM, and has been saved."""


def _orbax() -> ModuleType:
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("runs are saved by Orbax: pip install orbax-checkpoint") from error
    return orbax.checkpoint


@contextmanager
def _manager(checkpoints: Checkpoints) -> Iterator[Any]:
    ocp = _orbax()
    options = ocp.CheckpointManagerOptions(
        max_to_keep=checkpoints.keep, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    with ocp.CheckpointManager(checkpoints.folder.resolve(), options=options) as manager:
        yield manager


def save(checkpoints: Checkpoints, steps: int, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint after so many steps, whole or not at all, and removes those that are too old.

    Raises OSError where it cannot be written; the earlier ones are then untouched.
    """
    ocp = _orbax()
    facts = checkpoint.facts | {"configuration": dict(checkpoints.configuration)}
    items = {"arrays": ocp.args.StandardSave(checkpoint.arrays), "facts": ocp.args.JsonSave(facts)}
    path = checkpoints.folder / str(steps)
    _check_space(checkpoints.folder, 2**20 + 2 * sum(array.nbytes for array in checkpoint.arrays.values()))
    try:
        if jax.process_index() == 0 and path.exists():  # left by a run that was killed before it was complete
            shutil.rmtree(path)
        with _manager(checkpoints) as manager:
            manager.save(steps, args=ocp.args.Composite(**items), force=True)
        if jax.process_index() == 0:
            lines = [
                f"{_sha256(file)}  {file.relative_to(path)}\n" for file in sorted(path.rglob("*")) if file.is_file()
            ]
            write_whole(path / _SUMS, "".join(lines).encode())
    except Exception as error:  # tensorstore has exceptions of its own, for a full disk for instance
        full = os.strerror(errno.ENOSPC)
        reason = full if full in str(error) else str(error).splitlines()[0][:200]
        raise OSError(f"no checkpoint could be written to {checkpoints.folder}: {reason}") from error


def _check_space(folder: Path, needed: int) -> None:
    """Sooner than when half of it is written, which leaves pages of messages by the libraries that write it."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"no checkpoint could be written to {folder}: {os.strerror(errno.ENOSPC)}, {free / 2**20:.1f} MB are free"
            f" and {needed / 2**20:.1f} MB needed"
        )


def newest(checkpoints: Checkpoints, like: Mapping[str, np.ndarray]) -> Checkpoint | None:
    """The newest checkpoint, or None where there is none, and everything begins.

    `like` has arrays that it must have too, of the same shapes and types. Raises ValueError, naming it, where the
    newest one is of another run, or is damaged (then also naming the newest whole one before it), and where there are
    checkpoints but `resume` was not chosen.
    """
    folder = checkpoints.folder
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    complete = sorted((number for number in numbers if (folder / str(number) / _SUMS).exists()), reverse=True)
    if not complete:
        return None
    steps, *earlier = complete
    if not checkpoints.resume:
        raise ValueError(
            f"{folder} has checkpoints of an earlier run, the newest after {steps:,} steps: resume it, or remove that"
            " folder to begin again"
        )
    path = folder / str(steps)
    damage = _damage(path)
    if damage is not None:
        whole = next((number for number in earlier if _damage(folder / str(number)) is None), None)
        advice = "there is no whole one before it: remove that folder to begin again"
        if whole is not None:
            advice = f"remove {path} to go on from {whole:,} steps, the newest whole one before it"
        raise ValueError(f"the newest checkpoint is damaged: {damage}; {advice}")
    ocp = _orbax()
    with _manager(checkpoints) as manager:
        items = {"arrays": ocp.args.StandardRestore(), "facts": ocp.args.JsonRestore()}
        restored = manager.restore(steps, args=ocp.args.Composite(**items))
    found = Checkpoint({name: np.asarray(array) for name, array in restored["arrays"].items()}, restored["facts"])
    _check_same(path, found, checkpoints.configuration, like)
    return found


def _damage(path: Path) -> str | None:
    """What is wrong with the files of a complete checkpoint."""
    lines = (path / _SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}
    present = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} - {_SUMS}
    for name in sorted(listed.keys() | present):
        if name not in present:
            return f"{path / name} is not there"
        if listed.get(name) != _sha256(path / name):
            return f"{path / name} is not what was written"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_same(
    path: Path, found: Checkpoint, configuration: Mapping[str, Any], like: Mapping[str, np.ndarray]
) -> None:
    theirs, ours = found.facts["configuration"], json.loads(json.dumps(dict(configuration)))
    for name in sorted({*theirs, *ours}):
        if theirs.get(name) != ours.get(name):
            was, now = str(theirs.get(name))[:100], str(ours.get(name))[:100]
            raise ValueError(f"{path} is of a run with {name} {was}; this one has {now}")
    for name, array in like.items():
        other = found.arrays.get(name)
        if other is None or (other.shape, other.dtype) != (array.shape, array.dtype):
            has = "nothing" if other is None else f"{other.dtype} {other.shape}"
            raise ValueError(f"{path} has {has} as {name}; this run has {array.dtype} {array.shape}")


class Keeper:
    """Knows when a checkpoint is due, and writes it. Without checkpoints none ever is."""

    def __init__(self, checkpoints: Checkpoints | None, asked: Callable[[], bool]):
        self._checkpoints, self._asked, self._stopping = checkpoints, asked, False
        self._seconds, self._epochs = time.monotonic(), 0.0

    def due(self, epochs: float) -> bool:
        """Whether it is time, after so many epochs, or the run was asked to stop; in all processes alike."""
        if self._checkpoints is None:
            return False
        after, every = self._checkpoints.seconds, self._checkpoints.epochs
        now = after is not None and time.monotonic() - self._seconds >= after
        now = now or (every is not None and epochs - self._epochs >= every)
        self._stopping, now = devices.any_process([self._asked(), now])
        return now or self._stopping

    def save(self, steps: int, epochs: float, checkpoint: Checkpoint) -> None:
        """Writes it. Raises `Interrupted` where the run was asked to stop, OSError where it cannot be written."""
        if self._checkpoints is None:
            raise ValueError("there is no folder to save in")
        save(self._checkpoints, steps, checkpoint)
        self._seconds, self._epochs = time.monotonic(), epochs
        if self._stopping:
            raise Interrupted(f"stopped after {steps:,} steps, saved in {self._checkpoints.folder}")


@contextmanager
def keeping(checkpoints: Checkpoints | None) -> Iterator[Keeper]:
    """Within, where there are checkpoints, Ctrl-C and SIGTERM wait until it is saved; a second one does not."""
    asked: list[int] = []
    before: dict[int, Any] = {}

    def ask(number: int, _frame: Any) -> None:
        asked.append(number)
        restore()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    if checkpoints is not None and threading.current_thread() is threading.main_thread():  # no other hears signals
        for each in (signal.SIGINT, signal.SIGTERM):
            before[each] = signal.signal(each, ask)
    try:
        yield Keeper(checkpoints, lambda: bool(asked))
    finally:
        restore()
