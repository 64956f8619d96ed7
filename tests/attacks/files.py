"""Damages files of every kind, again and again, and sees what reading them says.

    python -m tests.attacks.files --times 20000

Allowed is an error of our own that names the file, and the same contents as if nothing had been done. Other contents
are allowed where the kind has no checksum, or where it was made anew. The files are read in a process of their own with
a limit on its memory, so that a crash of native code is seen, and a header that promises 10^12 numbers.
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np
from safetensors.numpy import save_file

import jaxnet
from experiments import gradient_field, train_digits
from experiments.common import script
from jaxnet import checkpoint, data
from jaxnet.identity import Identity
from tests.attacks import mutations
from tests.attacks.mutations import Mutant

MEMORY = {"checkpoint": 4.0}  # GB more than what the process has at the start; Orbax has threads, each with its own
SECONDS = 20  # longer than this no file may take


class Original(NamedTuple):
    """A whole file.

    - `read`: its contents, as one fingerprint. It is the path's file that gets damaged.
    - `checked`: whether it has a checksum; `mark`, then, is the name under which the file has it, where it has one.
    - `named`: what a message names, the file if nothing else.
    """

    path: Path
    read: Callable[[Path], str]
    aware: Callable[..., Mutant]
    checked: bool = True
    mark: bytes = b""
    named: str = ""


class Refused(Exception):  # noqa: N818
    """What a script says in one line."""


def fingerprint(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in jax.tree.leaves(parts):
        array = np.asarray(part)
        found.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def npz(folder: Path) -> Iterator[Original]:
    chance = np.random.default_rng(0)
    images, labels = chance.integers(0, 256, (24, 5, 5), np.uint8), np.arange(24) % 3
    for name, save, pixels in (
        ("stored", np.savez, images), ("packed", np.savez_compressed, images), ("floats", np.savez, images / 255),
    ):  # fmt: skip
        path = folder / f"{name}.npz"
        save(path, x_train=pixels[:16], y_train=labels[:16], x_test=pixels[16:], y_test=labels[16:])
        yield Original(path, lambda path: fingerprint(jaxnet.load(path)), mutations.npz_anew)


def idx(folder: Path) -> Iterator[Original]:
    def read(path: Path) -> str:
        array = data.parse_idx(path.read_bytes(), str(path))
        assert array.dtype == np.uint8
        assert array.ndim in (1, 3)
        return fingerprint(array)

    for name, values in (("images", np.arange(60).reshape(5, 3, 4)), ("labels", np.arange(30))):
        (folder / name).write_bytes(bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes())
        with (folder / name).open("ab") as file:
            file.write(values.astype(np.uint8).tobytes())
        yield Original(folder / name, read, mutations.idx_sizes, checked=False)


def mnist(folder: Path) -> Iterator[Original]:
    """Small files in the place of the original four, checked in the same way."""
    sums = {}
    for name in data.SHA256:
        values = np.arange(12).reshape(3, 2, 2) if "images" in name else np.arange(3)
        header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        (folder / name).write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0))
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    for name in sums:
        read = mock.patch.object(data, "SHA256", sums)(lambda path: fingerprint(data.load_mnist(path.parent)))
        yield Original(folder / name, read, mutations.gzip_anew)


def safetensors(folder: Path, older: bool = False) -> Iterator[Original]:
    def read(path: Path) -> str:
        params, metadata = jaxnet.load_params(path)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
        assert metadata["sizes"] == "-".join(map(str, jaxnet.sizes_of(params)))
        assert metadata["activations"] == ",".join(layer.activation.name for layer in params)
        return fingerprint(params, [json.dumps(metadata, sort_keys=True)])

    for name, sizes in (("two", (6, 5, 3)), ("one", (3, 2)), ("equal", (4, 4, 4, 4))):
        path = folder / f"{name}.safetensors"
        params = jaxnet.init(jax.random.key(len(sizes)), sizes)
        if older:  # as version 0.6.0 wrote it
            arrays = {
                f"layers.{index}.{name}": np.asarray(array)
                for index, layer in enumerate(params)
                for name, array in zip(("weights", "biases"), layer[:2], strict=True)
            }
            metadata = {"sizes": "-".join(map(str, sizes)), "activation": "sigmoid", "output": "sigmoid"}
            save_file(arrays, path, metadata)
            yield Original(path, read, mutations.safetensors_header, checked=False)
        else:
            jaxnet.save_params(path, params, {"loss": "squared_error", "rate": "0.25"})
            yield Original(path, read, mutations.safetensors_header, mark=b'"sha256"')


def older_safetensors(folder: Path) -> Iterator[Original]:
    return safetensors(folder, older=True)


def record(folder: Path) -> Iterator[Original]:
    """Of a script that trains and of one that does not; whoever reads one draws from it."""
    chance = np.random.default_rng(0)
    images, labels = chance.random((30, 3, 3), np.float32), np.arange(30) % 3
    small = folder / "small.npz"
    np.savez(small, x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])
    for module, choices in (
        (train_digits, f"--data {small} --hidden 2 --epochs 2 --out {folder / 'train_digits'}"),
        (gradient_field, f"--grid 4 --steps 3 --out {folder / 'gradient_field'}"),
    ):
        with mock.patch.object(sys, "argv", ["script", *choices.split()]), silent():
            module.main()
        path = folder / module.__name__.rpartition(".")[2] / "record.json"
        yield Original(path, redrawing(module, path.parent), mutations.json_anew, mark=b'"sha256"')


def redrawing(module: Any, folder: Path) -> Callable[[Path], str]:
    """What the script prints with --redraw; every hundredth time it draws as well, which takes longer."""
    turns = iter(range(10**9))
    arguments = mock.Mock(experiment=module.Config())
    arguments.output = script.Output(folder, redraw=True)

    def read(_: Path) -> str:
        drawn = mock.patch.object(module.report, "figures", return_value=[])
        with silent() as said, mock.patch("tyro.cli", return_value=arguments):
            try:
                if next(turns) % 100:
                    drawn.start()
                module.main()
            except SystemExit as stop:
                if isinstance(stop.code, str):
                    raise Refused(stop.code) from stop
                raise
            finally:
                mock.patch.stopall()
        return fingerprint([line for line in said if not line.startswith("drew ")])

    return read


@contextmanager
def silent() -> Iterator[list[str]]:
    """What is printed goes nowhere."""
    said: list[str] = []
    listen = mock.patch("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), listen:
        yield said


def checkpoints(folder: Path) -> Iterator[Original]:
    kept = checkpoint.Checkpoints(folder / "run", resume=True)
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "key": np.arange(2, dtype=np.uint32)}
    identity = Identity({"rate": 0.1})
    for steps in (1, 2):
        checkpoint.save(kept, identity, steps, checkpoint.Checkpoint(arrays, {"epochs": steps}))

    def read(_: Path) -> str:
        found = checkpoint.newest(kept, lambda: identity, arrays)
        assert found is not None
        return fingerprint(found.arrays, json.dumps(found.facts, sort_keys=True))

    for path in sorted((folder / "run" / "2").rglob("*")):
        if path.is_file():
            yield Original(path, read, mutations.any_text, named=str(folder / "run" / "2"))


KINDS: dict[str, Callable[[Path], Iterator[Original]]] = {
    "npz": npz, "idx": idx, "mnist": mnist, "safetensors": safetensors, "safetensors of 0.6.0": older_safetensors,
    "record": record, "checkpoint": checkpoints,
}  # fmt: skip


def attack(kind: str, times: int, seed: int, first: int, progress: Path) -> None:
    """In a process of its own: a line in `progress` for every file, written before it is read and completed after."""
    with tempfile.TemporaryDirectory() as folder, progress.open("a", encoding="utf-8") as file:
        originals = list(KINDS[kind](Path(folder)))
        whole = [original.path.read_bytes() for original in originals]
        expected = {original.read(original.path) for original in originals}
        limit_memory(MEMORY.get(kind, 1.0))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(first, times):
            chance = random.Random(f"{kind} {seed} {number}")  # noqa: S311
            original, content = chance.choice(list(zip(originals, whole, strict=True)))
            mutant = mutations.mutate(chance, content, whole, original.aware)
            file.write(f"{number}\t{original.path.name}\t{mutant.what}\t")
            file.flush()
            original.path.write_bytes(mutant.content)
            file.write(f"{outcome(original, mutant, expected)}\n")
            original.path.write_bytes(content)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        file.write(f"done\t{used * 1024 / 1e9:.2f}\n")


def limit_memory(gigabytes: float) -> None:
    """So much more than it has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    limit = pages * resource.getpagesize() + int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class TooLong(BaseException):
    """It took longer than any file may."""


def outcome(original: Original, mutant: Mutant, expected: set[str]) -> str:
    """What reading it came to, in words; what is wrong begins with WRONG."""

    def ring(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        found = original.read(original.path)
    except (ValueError, OSError, Refused) as error:
        ours = (
            (original.named or original.path.name) in str(error)
            and len(str(error)) < 1000
            and type(error) in OUR_ERRORS
        )
        return "refused" if ours else f"WRONG error {type(error).__name__}: {str(error)[:300]!r}"
    except TooLong:
        return "WRONG took too long"
    except BaseException as error:
        return f"WRONG traceback {type(error).__name__}: {str(error)[:300]!r}"
    finally:
        signal.alarm(0)
    if found in expected:
        return "unchanged"
    if mutant.anew:
        return "changed, its checksum made anew"
    if not original.checked:
        return "changed, there is no checksum"
    if original.mark and original.mark not in mutant.content:
        return "changed, its checksum was lost"
    return "WRONG changed"


OUR_ERRORS = (ValueError, OSError, FileNotFoundError, Refused, checkpoint.CheckpointError)


def run(kind: str, times: int, seed: int) -> dict[str, Any]:
    """Attacks one kind; what came of it."""
    started, crashes = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        progress.touch()
        lines: list[str] = []
        while not (lines and lines[-1].startswith("done")):
            command = [sys.executable, "-m", "tests.attacks.files", "--worker", kind, "--times", str(times)]
            command += ["--seed", str(seed), "--first", str(len(lines)), "--progress", str(progress)]
            found = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
            lines = progress.read_text(encoding="utf-8").splitlines()
            if found.returncode:
                if not lines or lines[-1].count("\t") != 3 or not lines[-1].endswith("\t"):
                    raise RuntimeError(f"the attack on {kind} fails: {found.stderr[-3000:]}")
                lines[-1] += f"WRONG crash, status {found.returncode}"
                crashes.append(lines[-1])
                progress.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    fields = [line.split("\t") for line in lines[:-1]]
    return {
        "kind": kind,
        "files": len(fields),
        "outcomes": Counter(outcome if not outcome.startswith("WRONG") else "WRONG" for *_, outcome in fields),
        "wrong": [" | ".join(line) for line in fields if line[-1].startswith("WRONG")],
        "crashes": len(crashes),
        "memory": float(lines[-1].split("\t")[1]),
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20_000, help="files of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0, help="decides the damage")
    for name, kind in (("--worker", str), ("--first", int), ("--progress", Path)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    choices = parser.parse_args()
    if choices.worker:
        attack(choices.worker, choices.times, choices.seed, choices.first, choices.progress)
        return
    sys.exit(any(table(run(kind, choices.times, choices.seed)) for kind in choices.kinds))


def table(found: dict[str, Any]) -> Sequence[str]:
    """Prints one kind's results; returns what is wrong."""
    counts, wrong = found["outcomes"], found["wrong"]
    accepted = sum("| WRONG changed" in line for line in wrong)
    parts = [
        f"{found['files']} files",
        *(f"{number} {what}" for what, number in sorted(counts.items()) if what != "WRONG"),
    ]
    parts += [f"{found['crashes']} crashes", f"{len(wrong) - found['crashes'] - accepted} tracebacks"]
    parts += [
        f"{accepted} changed against a checksum",
        f"{found['memory']:.2f} GB more memory",
        f"{found['seconds']:.0f} s",
    ]
    print(f"{found['kind']}: {'; '.join(parts)}", flush=True)
    for line in wrong[:20]:
        print(f"  {line}")
    return wrong


if __name__ == "__main__":
    main()
