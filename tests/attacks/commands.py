"""Runs every script with wrong command lines, and sees that each is refused in words.

    python -m tests.attacks.commands

Each must end with exit status 1 or 2 and a message that names the option or its value: one line, or a box of the
command line's own parser. No traceback, and nothing written. The scripts run in this process's children, one for each,
where reading MNIST and starting Python count once; some command lines run as they are typed.
"""

import argparse
import dataclasses
import faulthandler
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np

import jaxnet
from experiments.common import tables
from experiments.common.machine import Machine
from experiments.common.script import Output

SECONDS = 60  # no wrong command line may take longer

# What follows is wrong for every script, with {dir} for a folder of files that are wrong in one way each.
EVERYWHERE = (
    "--nonsense", "nonsense", "--out", "--out {dir}/file", "--out {dir}/file/below", "--out /proc/results",
    "--redraw", "--redraw --out {dir}/of_another", "--redraw --out {dir}/cut", "--redraw --out {dir}/no_object",
    "--redraw --out {dir}/record_is_folder", "--redraw --out {dir}/absent", "--redraw=maybe",
    "--devices gpu:1", "--devices tpu:all", "--devices cpu:0", "--devices -1", "--devices 1000000000", "--devices x",
    "--devices cpu:", "--devices", "--process-id 0", "--num-processes 2", "--coordinator localhost:1",
    "--distributed --coordinator localhost:1", "--distributed --process-id 0 --num-processes 1",
    "--dtype float16", "--precision int8", "--profile", "--profile {dir}/file", "--profile {dir}/file/below",
)  # fmt: skip
SEED = ("--seed -1", "--seed 4294967296", f"--seed {10**30}", "--seed nan")
LIMIT = ("--limit 0", "--limit -1", "--limit 1e3")
HIDDEN = ("--hidden 0", "--hidden -5", "--hidden 16,16", "--hidden 1000000000", "--hidden 100000 100000 100000")
DATA = (
    "--data nonsense", "--data tfds:", "--data {dir}/absent.npz", "--data {dir}/folder.npz", "--data {dir}/empty.npz",
    "--data {dir}/cut.npz", "--data {dir}/file", "--data",
)  # fmt: skip
FILE = (
    "--from {dir}/absent.safetensors", "--from {dir}/folder.safetensors", "--from {dir}/empty.safetensors",
    "--from {dir}/cut.safetensors", "--from {dir}/other.safetensors", "--from {dir}/folder.npz", "--from",
)  # fmt: skip
NETWORK = (*SEED, *LIMIT, *HIDDEN, *DATA, *FILE, "--epochs -1", "--epochs 0.5")
COUNTS = ("0", "-1", "1.5", "many")
RATES = ("nan", "inf", "-inf", "-1", "fast")


def counts(*names: str, zero: bool = True) -> list[str]:
    """Numbers that count nothing."""
    return [f"--{name} {count}" for name in names for count in COUNTS if zero or count != "0"]


def positive(*names: str) -> list[str]:
    """Numbers that are not finite and above zero."""
    return [f"--{name} {number}" for name in names for number in ("0", *RATES)]


class Script(NamedTuple):
    """A script: what it runs with in a moment, and the command lines that are wrong."""

    small: str
    wrong: tuple[str, ...]


PARTS = ("--resume --out {dir}/parts_of_another", "--out {dir}/parts_of_another", "--resume --out {dir}/damaged_parts")
SAVING = (
    "--save-seconds -1", "--save-seconds nan", *counts("save-epochs", "keep"), "--resume-anyway",
    "--resume --out {dir}/checkpoints_of_another", "--out {dir}/checkpoints_of_another",
    "--resume --out {dir}/damaged_checkpoints",
)  # fmt: skip
ARMS = (
    "--arms", "--arms full:5:440", "--arms 10:1:5 10:2:5", "--arms full:1 10:1:5", "--arms full:1:5 ten:1:5",
    "--arms full:1:5 0:1:5", "--arms full:1:5 101:1:5", "--arms full:1:5 10:1:0", "--arms full:1:5 10:nan:5",
    "--arms full:1:5 10:-1:5", "--arms full:1:5 10:1:5:3", "--arms full:1:5 10:1:2.5",
)  # fmt: skip

SCRIPTS = {
    "train_digits": Script("--limit 100 --epochs 1", (
        *NETWORK, *SAVING, *counts("batch-size"), "--batch-size 101", "--batch-size half", *counts("epochs"),
        *(f"--rate {rate}" for rate in RATES), *(f"--l2 {rate}" for rate in RATES), "--optimizer nonsense",
        "--optimizer global_norm", "--optimizer=", "--loss cross_entropy --output tanh", "--activation step",
        "--output step", "--loss absolute", "--schedule never", "--initial-weights zero", "--gradient guessed",
    )),
    "full_batch_vs_sgd": Script("--limit 100 --arms full:1:1 50:1:1", (
        *SEED, *LIMIT, *HIDDEN, *DATA, *ARMS, *PARTS, *counts("seeds", "tune-seeds", "trials"),
        *positive("goals"), "--goals 90 101", "--goals", "--seeds 1000000000", "--tune --tune-seeds 1000000000",
        "--arms full:rmsprop:1:1 10:1:1",
        "--arms full:nesterov:1,1:1 10:1:1", "--arms full:1,2:1 10:1:1", "--arms full:1:1 10:newton:1:1",
        "--arms full:lbfgs:1,0:1 10:1:1", "--arms full:lbfgs:1,many:1 10:1:1",
    )),
    "crossover": Script("--sizes 20 --trials 1 --seeds 1 --steps 2 --arms full:sgd 10:sgd", (
        *SEED, *PARTS, *counts("trials", "seeds", "steps"), "--seeds 1000000000", "--sizes", "--sizes 1",
        "--sizes 50001", "--sizes many", *positive("goal"), "--goal 101", "--cost 0", "--cost -1", "--cost nan",
        "--arms", "--arms full:sgd", "--arms 10:sgd 20:sgd", "--arms full:sgd ten:sgd", "--arms full:sgd 10",
        "--arms full:sgd 10:rmsprop", "--arms full:sgd 10:newton", "--arms full:sgd 10:sgd:1:1",
    )),
    "reproduce": Script("--only lecture --limit 60 --seeds 1", (
        *SEED, *LIMIT, *PARTS, *counts("seeds"), "--seeds 1000000000", "--only einstein", "--quick yes",
        "--only shallue-plateau",
    )),
    "ninety_six": Script("--departures relu --limit 60", (
        *SEED, *LIMIT, *PARTS, *counts("seeds", "sweep-seeds"), "--seeds 1000000000", "--sweep-seeds 1000000000",
        "--departures dropout", *positive("goal"), "--goal 101",
    )),
    "luck": Script("--limit 60 --networks 3 --crossed 0 --lost 0 --epochs 1", (
        *SEED, *LIMIT, "--limit 1", *PARTS, *counts("networks", "epochs"), *counts("crossed", "lost", zero=False),
        "--networks 2", "--networks 1000000000", "--crossed 1", "--crossed 1000000000", "--lost 1000000000",
        *positive("goal"), "--goal 101",
    )),
    "deep_big_simple": Script("--limit 60 --hidden 10 --epochs 1 --batch-size 20", (
        *SEED, *LIMIT, *HIDDEN, *SAVING, *counts("epochs", "batch-size"), *counts("held-out", zero=False),
        "--held-out 60", "--batch-size 61", *(f"--rate {rate}" for rate in RATES), "--momentum 1", "--momentum nan",
        "--momentum -1", *(f"--decay {rate}" for rate in RATES), *(f"--shift {rate}" for rate in RATES),
        *(f"--rotation {rate}" for rate in RATES), *(f"--scale {rate}" for rate in RATES), "--scale 1",
        *(f"--shear {rate}" for rate in RATES), *(f"--alpha {rate}" for rate in RATES), *positive("sigma"),
        "--preset four_cores", "--activation softmax", "--schedule never",
    )),
    "steps_to_target": Script("--limit 60 --held-out 40 --seeds 1 --goal 45 --hidden 8 --batch-sizes 60", (
        *SEED, *LIMIT, *HIDDEN, *DATA, *PARTS, *counts("seeds", "max-steps", "max-epochs", "held-out", "batch-sizes"),
        "--seeds 1000000000", "--limit 60001", "--held-out 60000", "--batch-sizes 61", "--goal 1", "--goal 101",
        *positive("goal", "rate", "factor"), "--factor 1", "--factor 0.5",
    )),
    "benchmark": Script("--limit 60 --repeats 1 --processes 1 --programs numpy --parts speed --batches 10", (
        *SEED, *LIMIT, *PARTS, *counts("repeats", "processes", "populations"), *positive("seconds", "goal"),
        "--goal 101", "--networks 784-0-10", "--networks 783-10", "--networks 784", "--networks", "--networks ten",
        "--networks 784-1000000000-10", "--batches 0", "--batches 61", "--batches", "--batches half", "--parts noise",
        "--parts", "--programs theano", "--populations 1000000000 --parts populations", "--race jaxnet:10",
        "--race theano:10:1", "--race jaxnet:0:1", "--race jaxnet:10:nan", "--race-hidden 0", "--race-hidden -1",
        "--race-hidden 1000000000",
    )),
    "scaling": Script("--limit 60 --steps 1 --repeats 1 --hidden 5", (
        *SEED, *LIMIT, *HIDDEN, *counts("batch-size", "networks", "steps", "repeats"), "--networks 1000000000",
        *positive("link", "operations"), *(f"--latency {rate}" for rate in RATES),
    )),
    "gradient_field": Script("--grid 5 --steps 5", (
        "--surface nonsense", "--surface no_module:f", "--surface math:sin", "--surface math:pi", "--surface json:",
        "--point 1", "--point 1 2 3", "--point nan 1", "--point 100 100", "--point", "--x-range 2 1", "--x-range 1",
        "--x-range nan 1", "--x-range -inf inf", "--y-range 1 1", "--rates", "--rates 1 nan", "--rates -1",
        "--rates inf", *counts("steps", "grid"), "--steps 1000000000", "--grid 1", "--grid 1000000000",
    )),
    "importance": Script("--limit 60 --epochs 0", (
        *NETWORK, *counts("top"), "--top 1000000000", "--nudges", "--nudges 0", "--nudges nan", "--nudges -1",
        "--nudges 1 inf", "--nudges small",
    )),
    "nudges": Script("--limit 60 --epochs 0", (
        *NETWORK, *counts("batch", "strongest"), "--batch 61", "--image -1", "--image 60", "--image 1000000000",
        "--image two",
    )),
    "chain_rule": Script("--limit 60 --epochs 0 --sample 5", (
        *NETWORK, *counts("sample"), "--sample 13003", "--image -1", "--image 60", "--image two", "--weights",
        "--weights 0:5", "--weights 0:5:nine", "--weights 3:0:0", "--weights 0:16:0", "--weights 0:0:784",
        "--weights -1:0:0", "--weights 0:-1:0", "--weights 0:0:-1", "--weights 0:0:0 3:0:bias", "--chain-input 2",
        "--chain-input nan", "--chain-target -1", "--chain-target inf", "--hidden 1000 1000 1000",
    )),
    "drunk_walk": Script("--limit 60 --arms full:1:3 10:1:1 --grid 3 --close-steps 2 --drunks 1 --stages 2", (
        *SEED, *LIMIT, *HIDDEN, *DATA, *ARMS, "--arms full:0:3 10:1:1", "--points 2", "--points 1000000000",
        "--close-steps 1", "--close-steps 1000000000", "--stages 1",
        "--stages 1000000000", "--batches 1", "--batches 1000000000", "--grid 1",
        "--grid 1000000000", "--drunks 1000000000", "--limit 2",
        *counts("points", "close-steps", "drunks", "stages", "batches", "grid", "plane-images"),
    )),
    "edge_of_stability": Script("--limit 60 --steps 2 --every 1 --seeds 1 --batch-size 10 --rates 1", (
        *SEED, *LIMIT, *HIDDEN, *DATA, *counts("batch-size", "steps", "every", "iterations", "seeds"),
        "--batch-size 60", "--steps 1", "--steps 3 --every 2", "--every 3", "--seeds 1000000000", *positive("rates"),
        "--rates", "--rates 1 nan",
    )),
    "what_neurons_see": Script("--limit 60 --epochs 0 --noise 5 --memorise 10 --memory-epochs 1 --seeds 1", (
        *NETWORK, *counts("shown", "noise", "memorise", "memory-epochs", "seeds"), "--noise 1000000000",
        "--memorise 61", "--seeds 1000000000", *(f"--memory-rate {rate}" for rate in RATES),
    )),
    "targets": Script("--measure --small --programs order --scripts gradient_field", (
        "--accelerators v4:1", "--accelerators v5e", "--accelerators h200:2", "--accelerators v5e:1 gpu",
        "--programs epoch-7", "--programs epoch", "--programs order inference nonsense", "--scripts theano",
        "--scripts train-digits", "--scripts gradient_field scaling", "--measure yes", "--small no", *PARTS,
    )),
    "explorer": Script("--limit 60 --epochs 0 --images 5", (
        *NETWORK, *counts("images"), "--images 61", "--images 1000000000", "--hidden", "--hidden 2000",
        "--data {dir}/small.npz", "--language {dir}/absent.json", "--language {dir}/small.npz", "--language {dir}",
    )),
    "to_pytorch": Script("", (
        "", "{dir}/file --help-me", "{dir}/absent.safetensors", "{dir}/folder.safetensors", "{dir}/empty.safetensors",
        "{dir}/cut.safetensors", "{dir}/other.safetensors", "{dir}/file", "{dir}/small.npz", "{dir}/empty.npz",
        "{dir}/unknown.safetensors", "{dir}/sizeless.safetensors", "{dir}", "{dir}/file/below",
        "{dir}/other.safetensors {dir}/other.safetensors", "--out {dir}",
    )),
    "__main__": Script("", (
        "--only", "--only nonsense", "--only train_digits nonsense", "--only benchmark", "--only scaling",
        "--only TRAIN_DIGITS", "--only train_digits.py", "--only ../train_digits", "--only drunk-walk", "--only 0",
        "--only all",
        "--nonsense", "nonsense", "train_digits", "--out {dir}/x", "--redraw", "--seed 0", "-1",
    )),
}  # fmt: skip

TYPED = (
    "full_batch_vs_sgd --arms full:5:440", "train_digits --rate nan", "train_digits --distributed",
    "explorer --devices cpu:x", "to_pytorch {dir}/absent.safetensors", "__main__ --only nonsense",
    "gradient_field --grid 0", "benchmark --networks 784-0-10",
)  # fmt: skip
"""Some as they are typed."""


def module(name: str) -> Any:
    """The one that has the script's `main`."""
    if name == "__main__":
        return importlib.import_module("experiments.__main__")
    package = importlib.import_module(f"experiments.{name}")
    return importlib.import_module(f"{package.__name__}.__main__") if hasattr(package, "__path__") else package


def lines(name: str) -> list[str]:
    """The wrong command lines of a script; no value and a text for a number are wrong for all its options."""
    script = SCRIPTS[name]
    if name in ("to_pytorch", "__main__"):
        return list(script.wrong)
    found = [*EVERYWHERE, *script.wrong]
    for option, kind in options(module(name).Config):
        found += [f"--{option} text"] * ("int" in kind or "float" in kind) + [f"--{option}="] * (
            "tuple" not in kind and "Path" not in kind
        )
    return list(dict.fromkeys(found))


def options(config: Any) -> Iterator[tuple[str, str]]:
    """Each with its type in words; not those that need no value."""
    for each in (*dataclasses.fields(config), *dataclasses.fields(Machine), *dataclasses.fields(Output)):
        if each.name in ("network", "saving"):
            made: Any = each.default_factory
            yield from ((option, kind) for option, kind in own(type(made())))
        elif each.type is not bool and each.name not in ("data", "surface"):
            yield each.name.replace("_", "-"), str(each.type)


def own(config: Any) -> Iterator[tuple[str, str]]:
    """Those of a part of the choices."""
    for each in dataclasses.fields(config):
        if each.type is not bool and each.name not in ("data", "from_file"):
            yield each.name.replace("_", "-"), str(each.type)


def make(folder: Path) -> None:
    """Files and folders that are wrong in one way each."""
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.random((40, 2, 2)), "x_test": rng.random((20, 2, 2))}
    np.savez(folder / "small.npz", allow_pickle=False, **arrays, y_train=np.arange(40) % 4, y_test=np.arange(20) % 4)
    jaxnet.save_params(folder / "other.safetensors", jaxnet.init(jax.random.key(0), (100, 5)))
    jaxnet.save_params(folder / "unknown.safetensors", jaxnet.init(jax.random.key(0), activation=jax.nn.gelu))
    whole = (folder / "unknown.safetensors").read_bytes()
    (folder / "sizeless.safetensors").write_bytes(whole.replace(b'"sizes"', b'"sizer"'))
    for suffix, content in (("npz", (folder / "small.npz").read_bytes()), ("safetensors", whole)):
        (folder / f"empty.{suffix}").write_bytes(b"")
        (folder / f"cut.{suffix}").write_bytes(content[: len(content) // 2])
        (folder / f"folder.{suffix}").mkdir()
    (folder / "file").write_text("a file", encoding="utf-8")
    for name, content in (
        ("of_another", '{"experiment": "another", "results": {}}'), ("cut", '{"experiment": '), ("no_object", "[]"),
    ):  # fmt: skip
        (folder / name).mkdir()
        (folder / name / "record.json").write_text(content, encoding="utf-8")
    (folder / "record_is_folder" / "record.json").mkdir(parents=True)
    from experiments.common.parts import Parts

    for name in ("parts_of_another", "damaged_parts"):
        Parts(folder / name / "parts", {"experiment": "another"}, resume=False)("one", lambda: 1)
    (folder / "damaged_parts" / "parts" / "run").write_bytes(b"{}")
    data, key = jaxnet.load(folder / "small.npz")[0], jax.random.key(0)
    for name in ("checkpoints_of_another", "damaged_checkpoints"):
        import optax

        jaxnet.train(
            key, jaxnet.init(key, (4, 3, 4)), data, optax.sgd(1.0), batch_size=10, epochs=1,
            checkpoints=jaxnet.Checkpoints(folder / name / "checkpoints", epochs=1),
        )  # fmt: skip
    for path in (folder / "damaged_checkpoints").rglob("*"):
        if path.is_file() and path.name != "SHA256SUMS":
            path.write_bytes(b"")


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that lies in it."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def outcome(name: str, line: str, folder: Path, out: Path) -> str | None:
    """What is wrong with how a script refuses a command line; None where nothing is."""
    typed = line.format(dir=folder).split()
    arguments = [*SCRIPTS[name].small.split(), *typed]
    if name not in ("to_pytorch", "__main__") and not any(word.split("=")[0] == "--out" for word in typed):
        arguments += ["--out", str(out)]
    before = contents(out.parent)
    printed, written, code = io.StringIO(), io.StringIO(), "it was not refused"

    def late(*_: Any) -> None:
        raise TimeoutError(f"not refused within {SECONDS} s")

    print("\n" + line, file=sys.stderr, flush=True)  # the last one, should native code end the process
    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True, file=2)  # native code hears no signal
    try:
        with redirect_stdout(printed), redirect_stderr(written), mock.patch.object(sys, "argv", [name, *arguments]):
            module(name).main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        return "\n".join(traceback.format_exc().splitlines()[-6:])
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
    said = code if isinstance(code, str) else printed.getvalue() + written.getvalue()
    return judged(typed, code, said, changed(before, contents(out.parent)))


def changed(before: dict[str, bytes | None], after: dict[str, bytes | None]) -> list[str]:
    """What was written, changed or removed."""
    return [path for path in {**before, **after} if before.get(path, "") != after.get(path, "")]


def judged(typed: list[str], code: Any, said: str, written: list[str]) -> str | None:
    """What is wrong with an exit code, a message and what was written."""
    if not (isinstance(code, str) and code.startswith("error: ")) and code not in (1, 2):
        return f"exit status {code!r}: {said[-300:]}"
    if isinstance(code, str) and len(code.strip().splitlines()) > 1:
        return f"more than one line: {code}"
    words = {part for word in typed for part in word.lstrip("-").split("=") if part}
    plain = said.replace("_", "-").replace(",", "").lower()
    if typed and not any(word.replace("_", "-").replace(",", "").lower() in plain for word in words):
        return f"names neither option nor value: {said}"
    return f"{', '.join(written)} was written: {said}" if written else None


def attack(name: str, folder: Path) -> list[tuple[str, str | None]]:
    """Each wrong command line of a script, and what is wrong with how it is refused."""
    load, out = cache(jaxnet.load), folder / "out" / "results"
    make(files := folder / "files")
    out.mkdir(parents=True)
    os.chdir(out.parent)
    with mock.patch.object(jaxnet, "load", load):
        return [(line, outcome(name, line, files, out)) for line in lines(name)]


def as_typed(line: str, folder: Path) -> str | None:
    """What is wrong with how a command line is refused by a process of its own."""
    name, *typed = line.format(dir=folder).split()
    command = [sys.executable, "-m", "experiments" if name == "__main__" else f"experiments.{name}", *typed]
    if name not in ("to_pytorch", "__main__"):
        command += ["--out", str(folder / "typed")]
    before = contents(folder)
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Traceback" in found.stderr:
        return "\n".join(found.stderr.splitlines()[-6:])
    written = [path for path in changed(before, contents(folder)) if path != str(folder / "typed")]
    return judged(typed, found.returncode, found.stdout + found.stderr, written)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*SCRIPTS, "typed"], default=[*SCRIPTS, "typed"])
    parser.add_argument("--here", action="store_true", help="in this process, and say how it went as JSON")
    choices = parser.parse_args()
    if choices.here:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "files").mkdir()
            print(json.dumps(attack(choices.only[0], Path(folder))), flush=True)
            os.chdir("/")
        return
    rows, failed = [], False
    left_out = ["to_pytorch"] if find_spec("torch") is None else []
    for name in choices.only:
        if name in left_out:
            print(f"{name} is left out, for there is no torch")
            continue
        if name == "typed":
            with tempfile.TemporaryDirectory() as folder:
                found = [(line, as_typed(line, Path(folder))) for line in TYPED if line.split()[0] not in left_out]
        else:
            command = [sys.executable, "-m", "tests.attacks.commands", "--here", "--only", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{name}: {done.stderr}")
            found = json.loads(done.stdout.splitlines()[-1])
        for line, wrong in found:
            if wrong is not None:
                failed = True
                print(f"\n{name} {line}\n    {wrong}")
        rows.append([name, str(len(found)), str(sum(wrong is None for _, wrong in found))])
        print(f"{name}: {rows[-1][2]} of {rows[-1][1]}", flush=True)
    print()
    tables.table(["script", "wrong command lines", "refused in words"], rows)
    sys.exit(failed)


if __name__ == "__main__":
    main()
