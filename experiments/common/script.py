"""What all scripts share: command line, device banner, progress, and the record of a run in its folder.

A script is a frozen dataclass of choices and `run(config, folder) -> results`. Its report, in `reports/`, prints tables
and draws figures from the record alone, as it was read from record.json.
"""

import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, make_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import jax
import numpy as np
import platformdirs
import tyro
from tqdm import tqdm

import jaxnet
from experiments.common.machine import Machine, banner, described, running_on
from experiments.common.record import Record, check_writable, plain, read_record, write_record
from jaxnet import Dataset, History
from jaxnet.checkpoint import Checkpoints, Interrupted

Config = TypeVar("Config")
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Output:
    """Where the results go."""

    out: Path | None = None
    """Folder for record.json and the figures; made if it is not there. By default below results/."""
    redraw: bool = False
    """Only print the tables and draw the figures again, from the record that lies in the folder."""


@dataclass(frozen=True)
class Saving:
    """How a run is saved while it goes on."""

    resume: bool = False
    """Go on from the newest checkpoint in the output folder, to the very bits of a run that never stopped."""
    save_seconds: float | None = 60.0
    """A checkpoint when so many seconds have gone by, at the end of an epoch. Ctrl-C and SIGTERM save as well."""
    save_epochs: int | None = None
    """A checkpoint when so many epochs have gone by."""
    keep: int = 3
    """So many checkpoints stay, until the run is done."""


def checkpoints(folder: Path, config: Any) -> Checkpoints:
    """Those of a run of which `config` has all choices, and has its `saving` among them."""
    check_at_least(config.saving, save_seconds=0, save_epochs=1, keep=1)
    chosen = {name: value for name, value in asdict(config).items() if name != "saving"}
    saving: Saving = config.saving
    if saving.resume and not any((folder / CHECKPOINTS).glob("*")):
        print(f"there is nothing to resume in {folder}: it begins with the first epoch")
    return Checkpoints(
        folder / CHECKPOINTS,
        seconds=saving.save_seconds,
        epochs=saving.save_epochs,
        keep=saving.keep,
        resume=saving.resume,
        configuration=plain(chosen),
    )


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
    can mend ends with one line of text and exit status 1.
    """
    parts = {"experiment": config_type, "output": Output, "machine": Machine}
    every = make_dataclass("Arguments", parts.items())
    arguments: Any = tyro.cli(
        every,
        prog=f"python -m experiments.{name}",
        description=description,
        default=every(*(part() for part in parts.values())),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
    )
    config: Any = arguments.experiment
    folder = arguments.output.out or Path("results") / (default_folder(config) if default_folder else name)
    try:
        if not arguments.output.redraw:
            with running_on(arguments.machine), _only_the_first_writes(folder) as folder:
                check_writable(folder)
                keep_compiled()
                print(banner(arguments.machine), flush=True)
                record = {"experiment": name, "config": asdict(config), **environment(arguments.machine)}
                try:
                    record["results"] = run(config, folder)
                except Stopped as stop:
                    record |= {"stopped": str(stop), "results": stop.results}
                write_record(folder, record)
                if jax.process_index() > 0:
                    return
                shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # all that they had is in the results
        record = read_record(folder, name)
        if arguments.output.redraw and while_running is not None:
            while_running(record)
        if "stopped" not in record:
            report.print_tables(record)
        for path in report.figures(record, folder):
            print(f"drew {path}")
        if "stopped" in record:
            sys.exit(f"error: {record['stopped']}")
    except KeyboardInterrupt as stop:
        print(f"{stop or 'stopped'}{'; go on with --resume' if isinstance(stop, Interrupted) else ''}", file=sys.stderr)
        sys.exit(130)
    except (ValueError, IndexError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        sys.exit(f"error: not enough memory: {error}")


@contextmanager
def _only_the_first_writes(folder: Path) -> Iterator[Path]:
    """Of several processes the first has the folder; what the others write and print is dropped, for it is the same."""
    if jax.process_index() == 0:
        yield folder
        return
    with tempfile.TemporaryDirectory() as dropped, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        (Path(dropped) / CHECKPOINTS).symlink_to(folder.absolute() / CHECKPOINTS)  # those are written together
        yield Path(dropped)


def keep_compiled() -> None:
    """Keeps what JAX compiles in the user's cache folder, so that the next run does not compile it again.

    JAX's own settings come first: JAX_COMPILATION_CACHE_DIR chooses the folder, JAX_ENABLE_COMPILATION_CACHE=false
    does without.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("jaxnet")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


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
        raise ValueError(f"limit is {limit}; it must be at least 1 example")
    train, test = jaxnet.load(name)
    classes = 1 + int(max(np.max(train.labels), np.max(test.labels)))
    few = slice(limit)
    return Dataset(train.images[few], train.labels[few]), Dataset(test.images[few], test.labels[few]), classes


def check_at_least(config: Any, **least: int) -> None:
    """Raises ValueError, naming the choice, where one of these is set to less than that."""
    for name, number in least.items():
        value = getattr(config, name)
        if value is not None and value < number:
            raise ValueError(f"{name} is {value}; it must be at least {number}")


def check_rate(rate: float) -> None:
    """Raises ValueError unless the learning rate is one that descends."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"rate is {rate}; a learning rate is a finite number, zero or more")
