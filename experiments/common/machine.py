"""What a script runs on: which devices, how many processes, how precisely; and the one line that says so."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax

import jaxnet.devices
from experiments.common import processes
from experiments.common.choices import ChoiceError

_MOST = 1024
"""Devices of a CPU: each takes memory, also where it has nothing to do."""
_CORES = 16
"""Of a CPU, at most, that take networks apart."""
_SMALL = 100
"""Examples a step up to which that is faster: all cores would wait for one another at each of the small products."""


@dataclass(frozen=True)
class Machine:
    """What it runs on."""

    devices: str | None = None
    """Devices that share the work: a number, all, or PLATFORM:NUMBER (gpu:2, tpu:all, cpu:8); by default one, and for
    many networks in small batches each core of a CPU."""
    distributed: bool = False
    """One of several processes, started by Slurm, Open MPI, Kubernetes or a TPU pod, or with the next three."""
    coordinator: str | None = None
    """HOST:PORT on which process 0 is waiting for the others."""
    num_processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which of them this is, from 0. Only process 0 prints and writes."""
    patience: float = 15.0
    """Seconds without a sign of life from one of several processes, after which all end. More for a slow network."""
    dtype: Literal["float32", "float64"] = "float32"
    """Of weights, biases and all that is computed from them."""
    precision: Literal["float32", "tensorfloat32", "bfloat16"] = "float32"
    """Of matrix products on an accelerator, where less is faster; a CPU knows float32 only."""
    profile: Path | None = None
    """Folder for a trace of the run by JAX's profiler, to be opened with xprof or Perfetto."""


@contextmanager
def running_on(machine: Machine, choices: dict[str, Any], kept: Callable[[], str]) -> Iterator[None]:
    """Within, scripts run as chosen. Raises ChoiceError where that cannot be, never does with less.

    Of several processes all have to have the same `choices`; should one of them end, the others say what `kept` says.
    """
    by_default = "all" if machine.distributed else "1"
    platform, number = _parsed(by_default if machine.devices is None else machine.devices)
    if machine.profile is not None:
        try:
            machine.profile.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ChoiceError(
                f"profile is {machine.profile}, which cannot be written to: {error.strerror}; choose another folder"
            ) from error
    if platform == "cpu":
        jax.config.update("jax_platforms", "cpu")
        if number is not None and number > 1:
            _split_cpu(number)
    if machine.devices is None and not machine.distributed:
        _split_cpu(min(_CORES, cores()))
    if machine.distributed:
        _find_others(machine)
    elif (machine.coordinator, machine.num_processes, machine.process_id) != (None, None, None):
        raise ChoiceError("coordinator, num_processes and process_id are for several processes; add --distributed")
    chosen = _chosen(platform, number)
    with ExitStack() as stack:
        if jax.process_count() > 1:
            alike = choices | {"dtype": machine.dtype, "precision": machine.precision, "devices": machine.devices}
            stack.enter_context(processes.all_or_none(alike, machine.patience, kept))
        if len(chosen) > 1:
            stack.enter_context(jax.set_mesh(jaxnet.devices.mesh(chosen)))
        stack.enter_context(jax.enable_x64(machine.dtype == "float64"))
        stack.enter_context(jax.default_matmul_precision(machine.precision))
        if machine.profile is not None:
            stack.enter_context(jax.profiler.trace(machine.profile))
        yield


@contextmanager
def side_by_side(networks: int, batch_size: int) -> Iterator[None]:
    """Within, many networks in small batches are shared out among the cores of a CPU, unless devices were chosen."""
    devices = jax.devices()[:networks]
    if batch_size > _SMALL or jaxnet.devices.number() > 1 or devices[0].platform != "cpu":
        devices = devices[:1]
    with jax.set_mesh(jaxnet.devices.mesh(devices)) if len(devices) > 1 else nullcontext():
        yield


def cores() -> int:
    """Of this machine, those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parsed(text: str) -> tuple[str | None, int | None]:
    """PLATFORM and NUMBER; None where any platform will do, and for all devices."""
    platform, _, number = text.rpartition(":")
    if text in ("cpu", "gpu", "tpu"):
        platform, number = text, "1"
    if platform not in ("", "cpu", "gpu", "tpu") or not (number == "all" or (number.isdecimal() and int(number) > 0)):
        raise ChoiceError(f"devices is {text}; expected a number, all, or one of them after cpu:, gpu: or tpu:")
    return platform or None, None if number == "all" else int(number)


def _split_cpu(number: int) -> None:
    if number > _MOST:
        raise ChoiceError(f"devices is cpu:{number}; a CPU can be split into at most {_MOST}")
    with suppress(RuntimeError):  # where JAX has counted its devices already; too few of them are refused later
        jax.config.update("jax_num_cpu_devices", number)


def _find_others(machine: Machine) -> None:
    explicit = machine.coordinator, machine.num_processes, machine.process_id
    if None in explicit and explicit != (None, None, None):
        raise ChoiceError("coordinator, num_processes and process_id belong together; give all three or none")
    if not (math.isfinite(machine.patience) and machine.patience >= 2):
        raise ChoiceError(f"patience is {machine.patience}; it must be at least 2 seconds")
    try:
        processes.find_others(explicit, machine.patience)
    except (ValueError, RuntimeError) as error:
        raise ChoiceError(
            f"distributed: the other processes cannot be found: {error}; start this by srun or mpirun, or give"
            " --coordinator, --num-processes and --process-id"
        ) from error


def _chosen(platform: str | None, number: int | None) -> list[Any]:
    """So many devices of every process. Raises ChoiceError where there are not so many, or none of that platform."""
    devices = jax.devices()
    if platform not in (None, jax.default_backend()):
        raise ChoiceError(f"devices are to be of platform {platform}; JAX found only {jax.default_backend()} here")
    each = [[device for device in devices if device.process_index == p] for p in range(jax.process_count())]
    least = min(map(len, each))
    if number is not None and number > least:
        raise ChoiceError(
            f"devices is {number}; JAX found {least} x {devices[0].device_kind} here (cpu:{number} splits a CPU)"
        )
    return [device for own in each for device in own[:number]]


def banner(machine: Machine) -> str:
    """One line that says what this runs on."""
    found = described(machine)
    spare = found["present"] - found["number"] if found["platform"] != "cpu" or machine.devices else 0
    parts = [
        f"{found['number']} x {found['kind']} ({found['platform']})",
        f"of {found['present']} (--devices all takes all)" if spare else "",
        f"in {found['processes']} processes" if found["processes"] > 1 else "",
        f"in {found['dtype']}",
        f"with products in {found['precision']}" if found["precision"] != "float32" else "",
    ]
    return f"JAX {jax.__version__} on " + " ".join(part for part in parts if part)


def described(machine: Machine) -> dict[str, Any]:
    """The same, for the record."""
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "kind": device.device_kind,
        "number": jaxnet.devices.number(),
        "present": jax.device_count(),
        "processes": jax.process_count(),
        "dtype": machine.dtype,
        "precision": machine.precision,
    }
