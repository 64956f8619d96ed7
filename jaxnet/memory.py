"""Does it fit? What cannot is refused before any of it is made, with its size."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

_CGROUP = Path("/sys/fs/cgroup/memory.max")


class TooLarge(MemoryError):  # noqa: N818
    """More than the memory of this machine or of its device."""


def limit() -> int | None:
    """Bytes that the device of this process has: its own, or of a CPU those of the machine; None if it does not say.

    A limit for this process (`ulimit -v`) or for its container is the limit of a CPU.
    """
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"]
    limits = []
    with suppress(ImportError, AttributeError, ValueError, OSError):  # not all systems have all of it
        import resource

        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        limits += [soft for soft in [resource.getrlimit(resource.RLIMIT_AS)[0]] if soft != resource.RLIM_INFINITY]
        limits.append(int(_CGROUP.read_text(encoding="ascii")))
    return min(limits, default=None)


def needed_by(compiled: Any) -> int:
    """Bytes that a compiled function of `jax.jit` takes on each device: for arguments, results and what is between."""
    found = compiled.memory_analysis()
    if found is None:
        return 0
    made = found.output_size_in_bytes + found.temp_size_in_bytes - found.alias_size_in_bytes
    return found.argument_size_in_bytes + made


def check_fits(what: str, size: float | int) -> None:
    """Raises TooLarge, with the figure, where so many bytes cannot lie in memory at once.

    >>> check_fits("the lecture's network", 4 * 13_002)
    """
    most = limit()
    if most is not None and size > most:
        raise TooLarge(f"{what} needs {size / 1e9:,.1f} GB of memory; there are {most / 1e9:,.1f} GB")
