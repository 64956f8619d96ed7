"""Runs scripts where little is as it should be: no home, full disks, closed pipes, few files, a clock that jumps back.

    python -m tests.attacks.surroundings

Each has to work, or to say in one line why it does not. Takes three minutes. As root, permissions count only without
the capabilities that override them (setpriv), and small disks are mounted where nobody else sees them (unshare).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRAIN = "train_digits --limit 500 --epochs 2 --save-epochs 1"
DRAW = "gradient_field --grid 4 --steps 3"
COMPARE = "full_batch_vs_sgd --limit 200 --arms full:2:20 20:2:10 --seeds 2 --goals 20 --hidden 5"
BOUND = "setpriv --bounding-set=-dac_override,-dac_read_search" if os.geteuid() == 0 else ""
ONE_LINE = r"error: [^\n]+\n"

# Whatever asks for the time is told that an hour less has gone by each time.
BACKWARDS = "import itertools, time; t, n = time.time, itertools.count(); time.time = lambda: t() - 3600 * next(n)"


@dataclass(frozen=True)
class Case:
    """One way in which things may be.

    - `shell`: what bash is given, with the script's command as "$@" and its output folder as $OUT; $TEMPORARY is a
      folder for this case alone.
    - `says`: a regular expression for all that it says where it does not work; None where it has to work.
    """

    what: str
    shell: str = '"$@"'
    script: str = TRAIN
    environment: Mapping[str, str | None] = field(default_factory=dict)
    out: str = "out"
    says: str | None = None
    check: Callable[[Path], None] = lambda out: None


def seconds_go_on(out: Path) -> None:
    """A duration is never negative."""
    seconds = json.loads((out / "record.json").read_text(encoding="utf-8"))["results"]["history"]["seconds"]
    assert seconds == sorted(seconds), seconds
    assert 0 <= seconds[0] <= seconds[-1] < 600, seconds


def nothing_there(out: Path) -> None:
    """No run has begun."""
    assert not (out / "record.json").exists()


def small_disk(folder: str, size: str) -> str:
    """The shell's words for a command with a disk of its own in this folder."""
    return f'mkdir -p "{folder}"; unshare -m sh -c \'mount -t tmpfs -o size={size} none "{folder}" && "$@"\' sh "$@"'


NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
RESUMED = """
"$@" 2>/dev/null & run=$!
until ls "$OUT"/checkpoints/*/SHA256SUMS >/dev/null 2>&1; do sleep 0.1; kill -0 $run || exit 9; done
kill -TERM $run; wait $run; [ $? = 130 ] || exit 8
"$@" --resume
"""
LONG = "train_digits --limit 500 --epochs 60 --save-epochs 1"

CASES = [
    Case("nothing special"),
    Case("no HOME", environment={"HOME": None}),
    Case("no HOME, a script that draws", script=DRAW, environment={"HOME": None}),
    Case("HOME cannot be", environment={"HOME": "/dev/null/home"}),
    Case("HOME is read-only", f'mkdir -m 555 $TEMPORARY/fixed; HOME=$TEMPORARY/fixed {BOUND} "$@"'),
    Case("HOME is read-only, draws", f'mkdir -m 555 $TEMPORARY/fixed; HOME=$TEMPORARY/fixed {BOUND} "$@"', DRAW),
    Case("the disk of the cache is full", small_disk("$HOME/.cache/jaxnet", "200k")),
    Case(
        "what is in the cache was cut",
        '"$@" >/dev/null; for f in $HOME/.cache/jaxnet/*-cache; do truncate -s 1000 $f; done; rm -r "$OUT"; "$@"',
    ),
    Case("the disk of the results is full", small_disk("$OUT", "300k"), says=ONE_LINE),
    Case("the same, a script that draws", small_disk("$OUT", "4k"), DRAW, says=r"error: .*No space left .*/out/.*\n"),
    Case("LC_ALL=C", script=COMPARE, environment={"LC_ALL": "C", "LANG": "C"}),
    Case("a terminal that knows ASCII only", script=COMPARE, environment=NO_UTF8),
    Case("an output folder with umlauts and spaces", out="größer als/ö ü"),
    Case("the same where there is ASCII only", out="größer als/ö ü", environment=NO_UTF8, says=ONE_LINE),
    Case("a closed pipe", '"$@" | head -1; exit ${PIPESTATUS[0]}', says=ONE_LINE),
    Case("a closed pipe, tables", '"$@" | head -3; exit ${PIPESTATUS[0]}', COMPARE, says=ONE_LINE),
    Case("a closed pipe, help", '"$@" --help | true; exit ${PIPESTATUS[0]}', says=ONE_LINE, check=nothing_there),
    Case("output to a full disk", '"$@" >/dev/full', says=ONE_LINE, check=nothing_there),
    Case("no standard output", '"$@" >&-'),
    Case("no standard error", '"$@" 2>&-'),
    Case("no standard input", '"$@" <&-'),
    Case("40 columns", script=COMPARE, environment={"COLUMNS": "40"}),
    Case("40 columns, help", '"$@" --help >&2; exit 7', environment={"COLUMNS": "40"}, says=r"(?s)usage: .*--redraw.*"),
    Case("64 open files", 'ulimit -n 64; "$@"'),
    Case("64 open files, resumed", f"ulimit -n 64; {RESUMED}", LONG),
    Case("umlauts, no HOME, resumed", RESUMED, LONG, {"HOME": None}, out="größer als/ö ü"),
    Case("4 GB of memory", 'ulimit -v 4000000; "$@"'),
    Case("1 GB of memory", 'ulimit -v 1000000; "$@"', says="error: not enough memory: [^\n]+\n"),
    Case("0.5 GB of data", 'ulimit -d 500000; "$@"', says="error: not enough memory: [^\n]+\n"),
    Case(
        "a clock that jumps back",
        f'echo "{BACKWARDS}" >$TEMPORARY/sitecustomize.py; PYTHONPATH=$TEMPORARY:$PYTHONPATH "$@"',
        check=seconds_go_on,
    ),
    Case("a clock that jumps back, resumed", f'echo "{BACKWARDS}" >$TEMPORARY/sitecustomize.py; '
         f"export PYTHONPATH=$TEMPORARY:$PYTHONPATH; {RESUMED}", LONG, check=seconds_go_on),
    Case("another working folder", 'mkdir $TEMPORARY/elsewhere; cd $TEMPORARY/elsewhere; "$@"'),
    Case("a read-only working folder", f'mkdir -m 555 $TEMPORARY/here; cd $TEMPORARY/here; {BOUND} "$@"'),
    Case(
        "a read-only output folder",
        f'mkdir -m 555 "$OUT"; {BOUND} "$@"',
        says="error: cannot write to the output folder [^\n]+\n",
        check=nothing_there,
    ),
]  # fmt: skip
NAMED = ("no HOME", "a terminal that knows ASCII only", "a closed pipe", "64 open files, resumed", "1 GB of memory")
SHORT = [case for case in CASES if case.what in NAMED]


def run(case: Case) -> str:
    """What came, in a few words. Raises AssertionError where that is not what it has to be."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder)
        (temporary / "home").mkdir()
        out = temporary / case.out
        out.parent.mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "XDG", "MPL"))}
        environment |= {"HOME": str(temporary / "home"), "TEMPORARY": folder, "OUT": str(out), "PYTHONPATH": str(ROOT)}
        for name, value in case.environment.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        name, *choices = case.script.split()
        command = [sys.executable, "-m", f"experiments.{name}", *choices, "--out", str(out)]
        found = subprocess.run(
            ["/bin/bash", "-c", case.shell, "bash", *command],
            cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
            timeout=300,
        )  # fmt: skip
        said = found.stderr
        for word in ("Traceback", "Exception ignored", "core dumped", "terminate called"):
            assert word not in said, said
        if case.says is not None:
            assert found.returncode in (0, 1, 7), f"status {found.returncode}: {said}"
            assert re.fullmatch(case.says, said) or (found.returncode == 0 and not said), said
        else:
            assert found.returncode == 0, f"status {found.returncode}: {said}"
            assert said.count("\n") <= 4, said  # what the libraries have to say
            assert (out / "record.json").exists()
            assert [*out.glob("*.png"), *out.glob("*.gif")], [*out.iterdir()]
            assert not [*out.glob("checkpoints/*"), *out.glob(".*.[0-9]*")]
        case.check(out)
    first = said.splitlines()[0][:150] if said else ""
    return ("works" if found.returncode == 0 else "says") + (f": {first}" if first else "")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="a part of the name of those to be run")
    chosen, failed = parser.parse_args().only, 0
    for case in CASES:
        if chosen is None or chosen in case.what:
            try:
                print(f"{case.what}: {run(case)}", flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"{case.what}: FAILED {str(error)[-1500:]}", flush=True)
    print(f"{failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
