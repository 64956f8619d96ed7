"""What all scripts share: command line, device banner, progress, and the record of a run in its folder.

A script is a frozen dataclass of choices, `run(config, folder) -> results`, and `figures(record, folder)`, which draws
from the record alone.
"""

import io
import json
import math
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, make_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
from matplotlib.figure import Figure
from tqdm import tqdm

from jaxnet import Dataset, History
from jaxnet.files import write_whole

Config = TypeVar("Config")
Record = dict[str, Any]


@dataclass(frozen=True)
class Output:
    """Where the results go."""

    out: Path
    """Folder for record.json and the figures; it is made if it is not there."""
    redraw: bool = False
    """Only draw the figures again, from the record that lies in the folder."""


class Stopped(Exception):  # noqa: N818
    """The run could not go on; `results` is what it had by then, and is kept."""

    def __init__(self, reason: str, results: Record):
        super().__init__(reason)
        self.results = results


def main(
    name: str,
    description: str | None,
    config_type: type[Config],
    run: Callable[[Config, Path], Record],
    figures: Callable[[Record, Path], list[Path]],
) -> None:
    """Command line, run, record, figures. What a user can mend ends with one line of text and exit status 1."""
    both = make_dataclass("Arguments", [("experiment", config_type), ("output", Output)])
    arguments: Any = tyro.cli(
        both,
        prog=f"python -m experiments.{name}",
        description=description,
        default=both(config_type(), Output(Path("results") / name)),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
    )
    config: Any = arguments.experiment
    output: Output = arguments.output
    try:
        if not output.redraw:
            check_writable(output.out)
            print(banner(), flush=True)
            record = {"experiment": name, "config": asdict(config), **circumstances()}
            try:
                record["results"] = run(config, output.out)
            except Stopped as stop:
                write_record(output.out, record | {"stopped": str(stop), "results": stop.results})
                raise
            write_record(output.out, record)
        for path in figures(read_record(output.out), output.out):
            print(f"drew {path}")
    except (Stopped, ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")


def banner() -> str:
    """One line that says what this runs on."""
    device = jax.devices()[0]
    return f"JAX {jax.__version__} on {jax.device_count()} x {device.device_kind} ({device.platform})"


def circumstances() -> Record:
    """Versions and device, for the record."""
    device = jax.devices()[0]
    packages = ("jax", "jaxlib", "jaxnet", "numpy", "optax")
    return {
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "device": {"platform": device.platform, "kind": device.device_kind, "number": jax.device_count()},
    }


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
    """Writes record.json, whole or not at all. Numbers that are not finite become null, as JSON has none."""
    return write_whole(folder / "record.json", json.dumps(_plain(record), allow_nan=False).encode())


def read_record(folder: Path) -> Record:
    """The record of an earlier run. Raises ValueError where there is none to draw from."""
    path = folder / "record.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{path} does not exist; run the experiment before --redraw") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case np.ndarray() | np.generic() | jax.Array():
            return _plain(np.asarray(value).tolist())
        case float():
            return float(f"{value:.7g}") if math.isfinite(value) else None
        case Path():
            return str(value)
        case _:
            return value


@contextmanager
def progress(label: str, epochs: int) -> Iterator[Callable[[History], None]]:
    """A progress bar in epochs; what it yields is the `progress` of `train`. Silent where the output is no terminal."""
    with tqdm(total=epochs, desc=label, unit="epoch", leave=False, disable=None) as bar:

        def show(history: History) -> None:
            bar.update(history.epochs[-1] - bar.n)
            bar.set_postfix_str(f"train accuracy {100 * np.mean(history.train_accuracy[-1]):.2f} %")

        yield show


def limited(sets: tuple[Dataset, Dataset], limit: int | None) -> tuple[Dataset, Dataset]:
    """The first `limit` training and test examples, or all."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; it must be at least 1 example")
    train, test = sets
    return Dataset(train.images[:limit], train.labels[:limit]), Dataset(test.images[:limit], test.labels[:limit])


def check_rate(rate: float) -> None:
    """Raises ValueError unless the learning rate is one that descends."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"rate is {rate}; a learning rate is a finite number, zero or more")


def save_figure(figure: Figure, path: Path) -> Path:
    """Writes a PNG, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    plt.close(figure)
    return write_whole(path, content.getvalue())
