"""Several processes: where one of them ends or does not answer any more, all end, and each says why in one line.

What they compute they compute together, so that all wait for one that is missing, for ever. Every second each writes
how often it has done so to the store of `jax.distributed`, and reads what the others have written.
"""

import atexit
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax

from experiments.common import last_words
from experiments.common.choices import ChoiceError

BEAT = 1.0
"""Seconds from one sign of life to the next."""
_ALIVE, _ENDED, _CHOICES = "jaxnet/alive/", "jaxnet/ended/", "jaxnet/choices/"
_DONE = "done"


def find_others(explicit: tuple[str | None, int | None, int | None], patience: float) -> None:
    """Connects this process with the others by `jax.distributed`; `explicit` are coordinator, processes and process.

    Raises ValueError or RuntimeError where there is nothing by which to find them. Where they do not come, JAX ends
    this process natively; `last_words` then says so.
    """
    sys.stderr.flush()
    own = os.dup(2)
    program = [sys.executable, "-I", last_words.__file__]
    speaker = subprocess.Popen(program, stdin=subprocess.PIPE, stderr=own)  # noqa: S603 (our own program)
    assert speaker.stdin is not None  # noqa: S101
    os.dup2(speaker.stdin.fileno(), 2)
    speaker.stdin.close()
    where, number, process = explicit
    who = "the processes" if where is None else f"process {process} and the others of {number}"
    at = "" if where is None else f" at {where}"
    last_words.prepare(
        f"{who} did not find each other{at} within {patience:g} seconds: start all of them, or choose a longer"
        " --patience"
    )
    try:
        jax.distributed.initialize(
            *explicit,
            initialization_timeout=max(1, int(patience / 2)),  # it tries twice
            heartbeat_timeout_seconds=int(2 * patience) + 10,  # ours come first
            shutdown_timeout_seconds=3600,  # process 0 draws while the others wait
        )
    except BaseException:
        os.dup2(own, 2)
        speaker.wait()
        raise
    finally:
        os.close(own)


@contextmanager
def all_or_none(choices: dict[str, Any], patience: float, kept: Callable[[], str]) -> Iterator[None]:
    """Within, this process ends where another has ended, or has given no sign of life for so many seconds.

    Raises ChoiceError, in all of them, where not all were started with the same choices. `kept` says what the run can
    go on from.
    """
    watch = _Watch(patience, kept)
    watch.start()
    try:
        _check_same(_store(), choices, patience)
        yield
        watch.done()
    except BaseException as error:
        if is_of_others(error):
            watch.find_who_is_missing()
        watch.tell(str(error) or type(error).__name__)
        atexit.register(_leave, 130 if isinstance(error, KeyboardInterrupt) else 1)
        raise


def is_of_others(error: BaseException | None) -> bool:
    """Whether the end of another process may be its cause: whether something that JAX did with them has failed.

    What fails in XLA begins with the name of its status, and comes as JaxRuntimeError or, while an array is gathered,
    as ValueError. Another error may have been made of it.
    """
    if error is None or isinstance(error, jax.errors.JaxRuntimeError) or re.match("[A-Z_]{4,}: ", str(error)):
        return error is not None
    return is_of_others(error.__cause__) or is_of_others(error.__context__)


def _check_same(store: Any, choices: dict[str, Any], patience: float) -> None:
    store.key_value_set(f"{_CHOICES}{jax.process_index()}", json.dumps(choices, default=str), allow_overwrite=True)
    first, *others = (
        json.loads(store.blocking_key_value_get(f"{_CHOICES}{process}", int(1000 * patience)))
        for process in range(jax.process_count())
    )
    for process, theirs in enumerate(others, start=1):
        for name in first:
            if theirs.get(name) != first[name]:
                raise ChoiceError(
                    f"process {process} was started with {name} {theirs.get(name)} and process 0 with {first[name]};"
                    " start all of them alike"
                )


class _Watch:
    """Two threads: one writes and reads the signs of life, one sees what is missing, also where the first one hangs."""

    def __init__(self, patience: float, kept: Callable[[], str]):
        self._client: Any = _store()
        self._patience, self._kept, self._over = patience, kept, threading.Event()
        self._others = set(range(jax.process_count())) - {jax.process_index()}
        self._heard = dict.fromkeys(self._others, time.monotonic())
        self._read_at = time.monotonic()
        self._last: dict[int, str] = {}
        self._ended: dict[int, str] = {}
        self._failed = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._seeing = threading.Thread(target=self._see, daemon=True)

    def start(self) -> None:
        self._beating.start()
        self._seeing.start()

    def find_who_is_missing(self) -> None:
        """Ends this process, where a process that is missing is the cause of its error, and otherwise returns."""
        self._patience = min(self._patience, 5 * BEAT)
        self._failed.set()
        self._seeing.join(self._patience + 10 * BEAT)  # where one is missing, that thread ends this process

    def tell(self, reason: str) -> None:
        """The others why this one ends; long enough before it does."""
        self._over.set()
        with suppress(jax.errors.JaxRuntimeError):  # process 0 may be gone
            self._write(_ENDED, f"has ended ({reason.splitlines()[0]})")
            time.sleep(3 * BEAT)

    def done(self) -> None:
        """This process has done its part, and waits at its end until all have."""
        self._over.set()
        self._beating.join()
        self._write(_ALIVE, _DONE)

    def _write(self, folder: str, value: str, process: int | None = None) -> None:
        process = jax.process_index() if process is None else process
        self._client.key_value_set(f"{folder}{process}", value, allow_overwrite=True)

    def _beat(self) -> None:
        count = 0
        while not self._over.is_set():
            count += 1
            try:
                self._write(_ALIVE, str(count))
                alive = _read(self._client, _ALIVE)
                self._ended.update(_read(self._client, _ENDED))
                self._read_at = time.monotonic()
            except jax.errors.JaxRuntimeError:
                continue  # process 0 is gone; `last_words` says so, or `_see` does
            finally:
                self._over.wait(BEAT)
            for process in self._others & alive.keys():
                if alive[process] == _DONE:
                    self._heard[process] = math.inf
                elif alive[process] != self._last.get(process):
                    self._last[process], self._heard[process] = alive[process], time.monotonic()

    def _see(self) -> None:
        prepared = ""
        while not self._over.wait(BEAT / 2):
            if prepared != self._kept():
                prepared = self._kept()
                last_words.prepare(f"process 0 has ended or cannot be reached, so this one ends, too; {prepared}")
            for process, how in sorted(self._ended.items()):
                if process not in self._others:
                    continue
                if self._failed.is_set() or not self._over.wait(3 * BEAT):  # it may end by the same cause by itself
                    self._end(process, how)
            process, seconds = most_silent(self._heard, self._read_at, time.monotonic())
            if seconds > self._patience and not self._over.is_set():
                self._end(process, f"has not answered for {seconds:.0f} seconds")

    def _end(self, process: int, how: str) -> None:
        os.write(2, f"error: process {process} {how}, so this one ends, too; {self._kept()}\n".encode())
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)  # what JAX says from here on would be a second reason
        if process > 0:
            with suppress(jax.errors.JaxRuntimeError):
                self._write(_ENDED, how, process)
        if jax.process_index() == 0:
            time.sleep(8 * BEAT)  # its store goes with it, by which the others find out
        os._exit(1)


def most_silent(heard: dict[int, float], read_at: float, now: float) -> tuple[int, float]:
    """Which process has given no sign of life for longest, and for how many seconds, by when each was last `heard`.

    The store is in process 0. Where that one is silent no other is heard, so that of the others it is known only how it
    was when the store was last read.
    """
    silent = {process: (read_at if process else now) - last for process, last in heard.items()}
    return max(silent.items(), key=lambda each: each[1])


def _store() -> Any:
    from jax._src import distributed  # JAX has no other name for it; Orbax uses it as well

    return distributed.global_state.client


def _read(client: Any, folder: str) -> dict[int, str]:
    return {int(name.rpartition("/")[2]): value for name, value in client.key_value_dir_get(folder)}


def _leave(status: int) -> None:
    """Ends this process, which has said why, without waiting for others that will not come."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
