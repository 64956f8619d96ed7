"""Scripts, run as the command line would, in the process of the tests."""

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

PNG = b"\x89PNG\r\n\x1a\n"


def main(module: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict:
    """Runs a script, in its own main, and returns what it recorded."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *options])
    with jax.numpy_dtype_promotion("standard"):  # as everybody runs it; optax's schedules mix integers and floats
        module.main()
    return json.loads((Path(options[options.index("--out") + 1]) / "record.json").read_text())


def refused(module: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """The one line with which a script refuses these options."""
    with pytest.raises(SystemExit) as stop:
        main(module, monkeypatch, *options)
    assert isinstance(stop.value.code, str)  # a message, hence exit status 1
    return stop.value.code


def once(module: Any, folder: Path, *options: str) -> tuple[dict, str]:
    """For a fixture that many tests share: what a script recorded in this folder, and what it printed."""
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(io.StringIO()) as printed:
        record = main(module, monkeypatch, *options, "--out", str(folder))
    return record, printed.getvalue()


def timeless(value: Any) -> Any:
    """A record without what a clock has measured, and without the sum over all of it."""
    match value:
        case dict():
            clocks = ("sha256", "share", *(key for key in value if "second" in key))
            return {key: timeless(item) for key, item in value.items() if key not in clocks}
        case list():
            return [timeless(item) for item in value]
        case _:
            return value


def small_data(folder: Path, side: int = 2, classes: int = 4, train: int = 60) -> str:
    """The path of a data set of noise, with a pixel that is always zero: smaller than MNIST, hence faster."""
    rng = np.random.default_rng(0)
    images = rng.random((train + 20, side, side), np.float32)
    images[:, 0, 0] = 0
    labels = np.arange(train + 20) % classes
    arrays = {"x_train": images[:train], "x_test": images[train:], "y_train": labels[:train], "y_test": labels[train:]}
    np.savez(folder / "small.npz", allow_pickle=False, **arrays)
    return str(folder / "small.npz")
