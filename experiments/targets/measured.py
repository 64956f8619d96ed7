"""On the device that is there: how long each program takes, and what the scripts say."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common import script, tables
from experiments.common.compiled import counted
from experiments.common.parts import Keep
from experiments.reports import targets as report
from experiments.targets import programs
from experiments.targets.accelerators import ACCELERATORS
from experiments.targets.programs import Program
from jaxnet import devices

REPEATS = 5
TOLERANCE = 1e-3
"""Between numbers of the same short run on this device and on a CPU, as a share of the larger of the number and 1."""
SECONDS = ("seconds", "compile_seconds", "times", "saved")
"""Entries of a record that no two runs share."""


@dataclass(frozen=True)
class Script:
    """What is run: with its defaults or these options, in a small form; and whether that is compared with a CPU's."""

    small: str
    options: str = ""
    compared: bool = True


SCRIPTS: Mapping[str, Script] = {
    "train_digits": Script("--limit 1000 --epochs 2"),
    "full_batch_vs_sgd": Script("--limit 1000 --arms full:1:4 50:1:2 --seeds 2"),
    "what_neurons_see": Script("--limit 300 --epochs 2 --noise 50 --memorise 100 --memory-epochs 5 --seeds 1"),
    "gradient_field": Script("--grid 15"),
    "importance": Script("--limit 300"),
    "nudges": Script("--limit 300"),
    "chain_rule": Script("--limit 300"),
    "drunk_walk": Script("--limit 300 --arms full:1:3 10:1:1 --grid 5 --close-steps 2 --drunks 1 --stages 2"),
    "steps_to_target": Script(
        "--limit 300 --held-out 100 --seeds 1 --goal 45 --hidden 8 --batch-sizes 60", compared=False
    ),
    "edge_of_stability": Script("--limit 300 --seeds 1 --steps 20 --every 10"),
    "explorer": Script("--limit 300", compared=False),
    "benchmark": Script(
        "--limit 60 --repeats 1 --trainings 1 --processes 1 --operations 1e6 --batches 10 --networks 784-16-16-10"
        " --populations 1 2 --programs numpy --parts speed populations precision",
        "--programs pytorch --parts speed populations precision --populations 1 1024 4096 --repeats 5",
        compared=False,
    ),
    "deep_big_simple": Script(
        "--limit 60 --hidden 10 --epochs 1 --batch-size 20", "--preset one_accelerator", compared=False
    ),
    "deep_big_simple record": Script(
        "--limit 60 --hidden 10 --epochs 1 --batch-size 20", "--preset record --epochs 200", compared=False
    ),
}


def run(labels: tuple[str, ...], scripts: tuple[str, ...], folder: Path, parts: Keep, *, small: bool) -> script.Record:
    """A row for each program, and one for each script."""
    results: script.Record = {"tolerance": TOLERANCE, "programs": [], "scripts": []}
    for label in labels:
        program = programs.NAMES[label]()
        if programs.belongs(program, devices.number()) and not (small and program.heavy):
            results["programs"].append(parts(label, timed, label, program))
    report.print_measured(results)
    for name in scripts:
        results["scripts"].append(parts(name.replace(" ", "-"), tried, name, folder / "scripts", small=small))
        report.print_script(results["scripts"][-1])
    return results


def timed(label: str, program: Program) -> script.Record:
    """Seconds a step, of some runs after one that does not count; its kernels; and what was projected, if anything."""
    with jax.set_mesh(jax.sharding.get_mesh() if devices.number() > 1 else devices.mesh(jax.devices()[:1])):
        lowered = program.lower()
        compiled = lowered.compile()
        seconds = []
        for _ in range(REPEATS + 1):
            arguments = jax.block_until_ready(jax.tree.map(_filled, lowered.args_info))
            started = time.perf_counter()
            jax.block_until_ready(compiled(*arguments[0], **arguments[1]))
            seconds.append((time.perf_counter() - started) / program.steps)
    counts = counted(compiled.as_text() or "").times(1 / program.steps)
    found: script.Record = {"program": label, "seconds": tables.middle(seconds[1:]), **counts._asdict()}
    kind = jax.devices()[0].device_kind.lower().removeprefix("nvidia ").replace(" ", "")
    for name, accelerator in ACCELERATORS.items():
        if kind.startswith(name.partition(":")[0]) and name.endswith(f":{devices.number()}"):
            found["bounds"] = accelerator.bounds(counts, program.operations / accelerator.chips)
    return found


def _filled(leaf: Any) -> jax.Array:
    """An array of this type and shape: integers count up, for examples are fetched by them."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key(0)
    array = np.zeros(leaf.shape, leaf.dtype)
    if leaf.dtype == np.int32:
        array = np.arange(max(1, array.size), dtype=np.int32).reshape(leaf.shape)
    return jax.device_put(array, leaf.sharding if getattr(leaf, "sharding", None) else None)


def tried(name: str, folder: Path, *, small: bool) -> script.Record:
    """Runs a script on this device, and a small form of it here and on a CPU; what it took, and how far they differ."""
    one, module = SCRIPTS[name], name.partition(" ")[0]
    found: script.Record = {"script": name}
    if one.compared:
        here = _ran(module, one.small, folder / f"{name} here")
        there = _ran(module, f"{one.small} --devices cpu:1", folder / f"{name} cpu")
        failed = here["failed"] or there["failed"]
        found |= {"small": here["seconds"], "failed": failed}
        if not failed:
            found["difference"] = difference(_results(here["folder"]), _results(there["folder"]))
    if not small or not one.compared:
        whole = _ran(module, one.small if small else one.options, folder / name)
        found |= {"seconds": whole["seconds"], "failed": whole["failed"], "said": whole["said"]}
    return found


def _ran(module: str, options: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", f"experiments.{module}", *options.split(), "--out", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own scripts)
    return {
        "seconds": time.perf_counter() - started,
        "failed": None if done.returncode == 0 else (done.stderr.strip() or "it says nothing").splitlines()[-1],
        "said": done.stdout.strip().splitlines()[-12:],
        "folder": folder,
    }


def _results(folder: Path) -> Any:
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))["results"]


def difference(one: Any, other: Any) -> float:
    """The largest between two records, number by number, as a share of the larger of the number and 1.

    Infinite where they have not the same entries. Seconds are left out.

    >>> difference({"cost": [0.5, 200.0], "seconds": 3}, {"cost": [0.5, 202.0], "seconds": 4})
    0.01
    """
    return max(_differences(one, other), default=0.0)


def _differences(one: Any, other: Any) -> Iterator[float]:
    match one, other:
        case dict(), dict():
            if one.keys() != other.keys():
                yield math.inf
            for name in one.keys() & other.keys():
                if name not in SECONDS:
                    yield from _differences(one[name], other[name])
        case list(), list():
            if len(one) != len(other):
                yield math.inf
            for a, b in zip(one, other, strict=False):
                yield from _differences(a, b)
        case ((int() | float()), (int() | float())):
            yield abs(one - other) / max(1.0, abs(one))
        case _:
            yield 0.0 if one == other else math.inf
