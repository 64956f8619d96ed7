"""Programs in cold processes."""

import os
import subprocess
import sys


def output(arguments: list[str], kept: str | None) -> str:
    """What a new Python prints that keeps what JAX compiles in this folder, or keeps nothing."""
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "true" if kept else "false"}
    if kept:
        environment |= {"JAX_COMPILATION_CACHE_DIR": kept, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, *arguments]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {found.stderr.strip()[-500:]}")
    return found.stdout
