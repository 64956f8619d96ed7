"""Strict JAX, and the shapes in the annotations of the whole package checked at run time."""

import os
import shutil
from pathlib import Path

# What one test has compiled, the next need not, nor the processes that they start, nor the same tests the next time.
# pytest's own workers inherit this.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
    if sum(program.stat().st_size for program in compiled.glob("*")) > 300e6:  # all of them take 30 MB
        shutil.rmtree(compiled)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(compiled)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    # What a killed process has not written to the end is compiled again; JAX would say so each time.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Error reading persistent compilation cache")

# Most of the time goes to compiling, and less of it does for tests; what takes long .ci/run compiles as everybody does.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

install_import_hook("jaxnet", "beartype.beartype")

import jaxnet  # noqa: E402 (the hook has to come first)


@pytest.fixture(scope="session")
def mnist() -> tuple[jaxnet.Dataset, jaxnet.Dataset]:
    """The embedded digits."""
    return jaxnet.load("mnist")


@pytest.fixture(scope="session")
def few(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]) -> jaxnet.Dataset:
    """The first 103 digits: a prime, so that no batch size but 1 and 103 divides it."""
    return jaxnet.Dataset(mnist[0].images[:103], mnist[0].labels[:103])
