"""Programs compiled for accelerators that are not there, and counted."""

import os
import signal
import time
from concurrent.futures import Executor
from typing import Any

import jax

from experiments.common import script
from experiments.common.compiled import counted
from experiments.targets import programs
from experiments.targets.accelerators import ACCELERATORS

TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_MIN_LOG_LEVEL": "3",
}
"""Without these libtpu looks for the machine that it runs on."""


def prepare() -> None:
    """Before JAX looks for devices: what is compiled for needs none."""
    os.environ |= TPU
    jax.config.update("jax_platforms", "cpu")


def prepare_worker() -> None:
    """A process that compiles: its parent hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()


def compiled(workers: Executor, name: str, labels: tuple[str, ...]) -> list[script.Record]:
    """A row for each program that is another one there."""
    rows = workers.map(row, [name] * len(labels), labels)
    return [each for each in rows if each is not None]


def row(name: str, label: str) -> script.Record | None:
    """What one program is there, and how long a step takes at least; or why it does not compile."""
    accelerator, program = ACCELERATORS[name], programs.NAMES[label]()
    if not programs.belongs(program, accelerator.chips):
        return None
    found: script.Record = {"accelerator": name, "program": label}
    started = time.perf_counter()
    try:
        with jax.set_mesh(accelerator.mesh()), jax.default_matmul_precision("float32"):
            made: Any = program.lower().compile()
    except jax.errors.JaxRuntimeError as error:  # too little memory, above all
        return found | {"failed": str(error).splitlines()[0]}
    text, memory = made.as_text(), made.memory_analysis()
    counts = counted(text).times(1 / program.steps)
    return found | {
        "seconds": time.perf_counter() - started,
        "memory": memory.argument_size_in_bytes + memory.temp_size_in_bytes,
        **counts._asdict(),
        "operations": program.operations / accelerator.chips,
        "float64": "f64[" in text,
        "callbacks": text.count("callback"),
        "bounds": accelerator.bounds(counts, program.operations / accelerator.chips),
    }
