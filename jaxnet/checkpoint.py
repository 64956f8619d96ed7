"""Nothing is lost: a run that is killed at any moment goes on as if nothing had happened.

A checkpoint is all that the rest of a run depends on: arrays, among them the parameters, the optimizer's state and the
key, and facts, such as how far it had come. Orbax writes it; SHA256SUMS, written last, tells that it is complete and
that every file still is what was written (as `sha256sum -c` can tell, too).
"""

import errno
import hashlib
import importlib.util
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnet import devices
from jaxnet.files import locked, write_whole
from jaxnet.identity import Identity, differences

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
    - `resume_anyway`: also where another version of JAX or optax makes another text of the program, so that it cannot
      be told whether it is the same one.
    - `configuration`: choices of your own, as JSON can hold them, so that a checkpoint of another run is refused by
      their names. What the run is made of is compared in any case.
    """

    folder: Path
    seconds: float | int | None = 60
    epochs: float | int | None = None
    keep: int = 3
    resume: bool = False
    resume_anyway: bool = False
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))


class Checkpoint(NamedTuple):
    """What a run goes on from.

    - `arrays`: by name, NumPy.
    - `facts`: as JSON can hold them.
    """

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from: of another run, or damaged."""


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, by Ctrl-C or SIGTERM, and has been saved."""


def _orbax() -> ModuleType:
    _check_installed()
    import orbax.checkpoint

    return orbax.checkpoint


def _check_installed() -> None:
    for package in ("orbax", "filelock"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                "runs are saved by Orbax, in a folder that is locked: pip install orbax-checkpoint filelock"
            )


@contextmanager
def _manager(checkpoints: Checkpoints) -> Iterator[Any]:
    ocp = _orbax()
    options = ocp.CheckpointManagerOptions(
        max_to_keep=checkpoints.keep, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    with ocp.CheckpointManager(checkpoints.folder.resolve(), options=options) as manager:
        yield manager


def save(checkpoints: Checkpoints, identity: Identity, steps: int, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint of this run after so many steps, whole or not at all, and removes those that are too old.

    Raises OSError where it cannot be written; the earlier ones are then untouched.
    """
    ocp = _orbax()
    facts = checkpoint.facts | {"identity": identity.facts()}
    items = {"arrays": ocp.args.StandardSave(checkpoint.arrays), "facts": ocp.args.JsonSave(facts)}
    path = checkpoints.folder / str(steps)
    _check_name(checkpoints.folder)
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


def _check_name(folder: Path) -> None:
    """The libraries that write it know names in UTF-8 only."""
    try:
        str(folder.resolve()).encode()
    except UnicodeEncodeError as error:
        raise OSError(f"no checkpoint could be written to {folder}: its name is not in UTF-8 here") from error


def _check_space(folder: Path, needed: int) -> None:
    """Sooner than when half of it is written, which leaves pages of messages by the libraries that write it."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"no checkpoint could be written to {folder}: {os.strerror(errno.ENOSPC)}, {free / 2**20:.1f} MB are free"
            f" and {needed / 2**20:.1f} MB needed"
        )


def newest(
    checkpoints: Checkpoints, identity: Callable[[], Identity], like: Mapping[str, np.ndarray]
) -> Checkpoint | None:
    """The newest checkpoint of this run, or None where there is none, and everything begins.

    `identity` is only called where there is one to compare with: it takes some time. `like` has arrays that it must
    have too, of the same shapes and types. Raises CheckpointError where the newest one is of another run, naming what
    differs, or is damaged (then also naming the newest whole one before it), and where there are checkpoints but
    `resume` was not chosen.
    """
    _check_installed()
    folder = checkpoints.folder
    there = complete(folder)
    if not there:
        return None
    steps, *earlier = there
    if not checkpoints.resume:
        raise CheckpointError(
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
        raise CheckpointError(f"the newest checkpoint is damaged: {damage}; {advice}")
    ocp = _orbax()
    with _manager(checkpoints) as manager:
        items = {"arrays": ocp.args.StandardRestore(), "facts": ocp.args.JsonRestore()}
        restored = manager.restore(steps, args=ocp.args.Composite(**items))
    found = Checkpoint({name: np.asarray(array) for name, array in restored["arrays"].items()}, restored["facts"])
    _check_same(path, found, identity().facts(), like, anyway=checkpoints.resume_anyway)
    return found


def complete(folder: Path) -> list[int]:
    """After how many steps the complete checkpoints in a folder were written, the newest first."""
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
    return sorted((number for number in numbers if (folder / str(number) / _SUMS).exists()), reverse=True)


def _damage(path: Path) -> str | None:
    """What is wrong with the files of a complete checkpoint."""
    lines = (path / _SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}
    present = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} - {_SUMS}
    for name in sorted(listed.keys() | present):
        if name not in present:
            return f"{path} has no file {name[:100]!r}, which its {_SUMS} names"
        if listed.get(name) != _sha256(path / name):
            return f"{path / name} is not what was written"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_same(
    path: Path, found: Checkpoint, ours: Mapping[str, Any], like: Mapping[str, np.ndarray], *, anyway: bool
) -> None:
    theirs = {"choices": {}, "data": {}, "programs": {}, "versions": {}} | found.facts.get("identity", {})
    for name in differences(theirs["choices"], ours["choices"]):
        was, now = (str(choices.get(name))[:100] for choices in (theirs["choices"], ours["choices"]))
        raise CheckpointError(f"{path} is of a run with {name} {was}; this one has {now}")
    for name in differences(theirs["data"], ours["data"]):
        raise CheckpointError(f"{path} is of another run: it has not the same {name}")
    for name in differences(theirs["programs"], ours["programs"]):
        versions = ", ".join(
            f"{package} {theirs['versions'].get(package)} instead of {ours['versions'][package]}"
            for package in differences(theirs["versions"], ours["versions"])
        )
        if not versions:
            raise CheckpointError(f"{path} is of another run: it has not the same {name}")
        if not anyway:
            raise CheckpointError(
                f"{path} was made by {versions}, which may be why its program differs ({name}): go on by"
                " resume_anyway (--resume-anyway) if all else is the same"
            )
    for name, array in like.items():
        other = found.arrays.get(name)
        if other is None or (other.shape, other.dtype) != (array.shape, array.dtype):
            has = "nothing" if other is None else f"{other.dtype} {other.shape}"
            raise CheckpointError(f"{path} has {has} as {name}; this run has {array.dtype} {array.shape}")


class Keeper:
    """Knows when a checkpoint is due, and writes it. Without checkpoints none ever is."""

    def __init__(self, checkpoints: Checkpoints | None, identity: Callable[[], Identity], asked: Callable[[], bool]):
        self._checkpoints, self._identity, self._asked, self._stopping = checkpoints, identity, asked, False
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
        save(self._checkpoints, self._identity(), steps, checkpoint)
        self._seconds, self._epochs = time.monotonic(), epochs
        if self._stopping:
            raise Interrupted(f"stopped after {steps:,} steps, saved in {self._checkpoints.folder}")


@contextmanager
def keeping(checkpoints: Checkpoints | None, identity: Callable[[], Identity]) -> Iterator[Keeper]:
    """Within, where there are checkpoints, Ctrl-C and SIGTERM wait until it is saved; a second one does not.

    `identity` is called when the first one is written.

    Raises CheckpointError where another run saves into the same folder at this time.
    """
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
        with nullcontext() if checkpoints is None else _alone(checkpoints.folder):
            yield Keeper(checkpoints, identity, lambda: bool(asked))
    finally:
        restore()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder is this run's."""
    if jax.process_index() > 0:
        yield
        return
    refusal = CheckpointError(f"another run saves its checkpoints in {folder}: wait for it, or choose another")
    with ExitStack() as stack:
        try:
            folder.resolve().parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder.resolve().with_name(f".{folder.name}.lock"), refusal))
        except OSError as error:
            raise OSError(f"no checkpoint could be written to {folder}: {error.strerror}") from error
        yield
