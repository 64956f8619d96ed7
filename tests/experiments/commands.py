"""Scripts, run as the command line would, in the process of the tests."""

import json
import sys
from pathlib import Path
from typing import Any

import jax
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
