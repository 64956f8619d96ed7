"""What all scripts share: command line, device banner, progress, and the record of a run in its folder.

A script is a frozen dataclass of choices and `run(config, folder) -> results`. Its report, in `reports/`, prints tables
and draws figures from the record alone, as it was read from record.json.
"""

import functools
import gc
import io
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, make_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import jax
import numpy as np
import platformdirs
import tyro
from tqdm import tqdm

import jaxnet
from experiments.common import saving
from experiments.common.choices import ChoiceError, refused
from experiments.common.machine import Machine, banner, described, running_on
from experiments.common.record import Record, check_writable, read_record, write_record
from experiments.common.saving import CHECKPOINTS, PARTS
from jaxnet import Dataset, History, devices
from jaxnet.checkpoint import CheckpointError, Interrupted
from jaxnet.files import locked

Config = TypeVar("Config")


@dataclass(frozen=True)
class Output:
    """Where the results go."""

    out: Path | None = None
    """Folder for record.json and the figures; made if it is not there. By default below results/."""
    redraw: bool = False
    """Only print the tables and draw the figures again, from the record that lies in the folder."""


class Stopped(Exception):  # noqa: N818
    """The run could not go on; `results` is what it had by then, and is kept."""

    def __init__(self, reason: str, results: Record):
        super().__init__(reason)
        self.results = results


class Report(Protocol):
    """What a record shows: a module of `reports/`."""

    def print_tables(self, record: Record, /) -> None:
        """Prints what a complete record says."""

    def figures(self, record: Record, folder: Path, /) -> list[Path]:
        """Draws what the record has; the files."""
        ...


def main(
    name: str,
    description: str | None,
    config_type: type[Config],
    run: Callable[[Config, Path], Record],
    report: Report,
    default_folder: Callable[[Any], str] | None = None,
    while_running: Callable[[Record], None] | None = None,
) -> None:
    """Command line, run, record, tables, figures.

    `while_running` prints from the record what a run prints as it goes on; --redraw prints that as well. What a user
    can mend, ChoiceError and OSError for instance, ends with one line of text and exit status 1; all else is a bug, and
    shows where it comes from.
    """
    _leave_imports_alone()
    _mend_streams()
    arguments = _arguments(name, description, config_type)
    config: Any = arguments.experiment
    folder = arguments.output.out or Path("results") / (default_folder(config) if default_folder else name)
    try:
        if arguments.output.redraw:
            _redraw(name, folder, report, while_running)
            return
        alike = saving.choices_of(config)
        there = functools.partial(saving.newest, folder)
        with running_on(arguments.machine, alike, there), _only_the_first_writes(folder) as folder:
            keep_compiled()
            print(banner(arguments.machine), flush=True)
            record = {"experiment": name, **saving.facts(config), **environment(arguments.machine)}
            try:
                record["results"] = run(config, folder)
            except Stopped as stop:
                record |= {"stopped": str(stop), "results": stop.results}
            write_record(folder, record)
            if jax.process_index() > 0:
                return
            for done in (CHECKPOINTS, PARTS):  # all that they had is in the results
                shutil.rmtree(folder / done, ignore_errors=True)
            _show(read_record(folder, name), folder, report)
    except KeyboardInterrupt as stop:
        there = saving.kept(folder)
        advice = "; go on with --resume" if there or isinstance(stop, Interrupted) else ""
        print(f"{str(stop) or 'stopped'}{there}{advice}", file=sys.stderr)
        sys.exit(130)
    except (ChoiceError, CheckpointError, devices.Mismatch, OSError, jaxnet.Diverged) as error:
        sys.exit(f"error: {error}")
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        full = any(words in str(error) for words in ("RESOURCE_EXHAUSTED", "Out of memory"))
        if isinstance(error, jax.errors.JaxRuntimeError) and not full:
            raise
        sys.exit(f"error: not enough memory: {str(error) or 'it gave out during the run'}")


@functools.cache
def _leave_imports_alone() -> None:
    """What was imported stays: collections need not look at it, above all not the last one (0.3 s)."""
    gc.freeze()


def _arguments(name: str, description: str | None, config_type: type[Config]) -> Any:
    """What the command line chooses: of the experiment, the output and the machine."""
    parts = {"experiment": config_type, "output": Output, "machine": Machine}
    every = make_dataclass("Arguments", parts.items())
    try:
        return tyro.cli(
            every,
            prog=f"python -m experiments.{name}",
            description=description,
            default=every(*(part() for part in parts.values())),
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
        )
    except OSError as error:  # the help goes to a pipe that is closed
        sys.exit(f"error: {error}")


def _mend_streams() -> None:
    """What cannot be printed is no reason to lose a run."""
    if sys.stderr is None:  # closed, as by 2>&-
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (as long as the program runs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ± shows a question mark


def _redraw(name: str, folder: Path, report: Report, while_running: Callable[[Record], None] | None) -> None:
    """Raises ChoiceError where the record is not one that this version can draw from."""
    record = read_record(folder, name)
    try:
        if while_running is not None:
            while_running(record)
        _show(record, folder, report)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ChoiceError(
            f"{folder / 'record.json'} does not have what this version draws from: run the experiment again"
        ) from error


def _show(record: Record, folder: Path, report: Report) -> None:
    if "stopped" not in record:
        report.print_tables(record)
    for path in report.figures(record, folder):
        print(f"drew {path}")
    if "stopped" in record:
        sys.exit(f"error: {record['stopped']}")


@contextmanager
def _only_the_first_writes(folder: Path) -> Iterator[Path]:
    """Of several processes the first has the folder; what the others write and print is dropped, for it is the same.

    Raises OSError where the folder cannot be written to, ChoiceError where another run is writing to it.
    """
    first, refusal = jax.process_index() == 0, None
    with ExitStack() as stack:
        try:
            if first:
                check_writable(folder)
                busy = ChoiceError(
                    f"another run is writing to {folder}: wait for it, or choose another folder with --out"
                )
                stack.enter_context(locked(folder / ".lock", busy))
        except (OSError, ChoiceError) as error:
            refusal = error
        if devices.any_process([refusal is not None])[0]:
            raise refusal or ChoiceError(f"the first process cannot write to {folder}")
        if first:
            yield folder
            return
        dropped = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        for shared in (CHECKPOINTS, PARTS):  # those are read by all, and checkpoints written together
            (dropped / shared).symlink_to(folder.absolute() / shared)
        yield dropped


def keep_compiled() -> None:
    """Keeps what JAX compiles in the user's cache folder, so that the next run does not compile it again.

    JAX's own settings come first: JAX_COMPILATION_CACHE_DIR chooses the folder, JAX_ENABLE_COMPILATION_CACHE=false
    does without.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("jaxnet")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        # Where the folder cannot be used, it is compiled again; JAX would say so for every function.
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")


def environment(machine: Machine) -> Record:
    """Versions and device, for the record."""
    packages = {package: version(package) for package in ("jax", "jaxlib", "numpy", "optax")}
    return {
        "versions": {"python": platform.python_version(), "jaxnet": jaxnet.__version__, **packages},
        "device": described(machine),
    }


@contextmanager
def progress(label: str, epochs: int) -> Iterator[Callable[[History], None]]:
    """A progress bar in epochs; what it yields is the `progress` of `train`. Silent where the output is no terminal."""
    with tqdm(total=epochs, desc=label, unit="epoch", leave=False, disable=jax.process_index() > 0 or None) as bar:

        def show(history: History) -> None:
            bar.update(history.epochs[-1] - bar.n)
            bar.set_postfix_str(f"train accuracy {100 * np.mean(history.train_accuracy[-1]):.2f} %")

        yield show


def load(name: str, limit: int | None) -> tuple[Dataset, Dataset, int]:
    """Training and test examples, the first `limit` of each or all, and the number of classes of the whole set."""
    if limit is not None and limit < 1:
        raise ChoiceError(f"limit is {limit}; it must be at least 1 example")
    with refused():
        train, test = jaxnet.load(name)
    classes = 1 + int(max(np.max(train.labels), np.max(test.labels)))
    few = slice(limit)
    return Dataset(train.images[few], train.labels[few]), Dataset(test.images[few], test.labels[few]), classes
