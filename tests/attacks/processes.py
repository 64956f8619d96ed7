"""What several processes do where one of them dies, stops, was started otherwise, or never comes.

    python -m tests.attacks.processes

Trains with two and with four processes, and does it to one of them. Each of the others has to end within 30 seconds,
with one line that says which process and why, and where the newest checkpoint lies.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LIMIT = 30.0
RUN = "--data digits.npz --batch-size 100 --epochs 100000 --rate 1 --save-epochs 1"
ROOT = Path(__file__).parents[2]
CHECKPOINT = r"so this one ends, too; the newest checkpoint is \S*checkpoints/\d+: go on with --resume"
SILENT = "has not answered for (?:SECONDS) seconds"
BEGAN = r"so this one ends, too; nothing is kept in \S*out"


@dataclass(frozen=True)
class Attack:
    """What is done to one process, and what the others are to say."""

    victim: int
    says: str
    signal: int | None = None
    options: tuple[str, ...] = ()
    other_data: bool = False
    absent: bool = False


@dataclass(frozen=True)
class Ending:
    """Of one process: seconds until it had ended, its exit status, what it wrote to its standard error."""

    seconds: float
    status: int
    said: str


ATTACKS = {
    "the last one killed": Attack(-1, f"process VICTIM {SILENT}, {CHECKPOINT}", signal.SIGKILL),
    "the first one killed": Attack(0, f"process 0 has ended or cannot be reached, {CHECKPOINT}", signal.SIGKILL),
    "the last one stopped": Attack(-1, f"process VICTIM {SILENT}, {CHECKPOINT}", signal.SIGSTOP),
    "the first one stopped": Attack(0, f"process 0 {SILENT}, {CHECKPOINT}", signal.SIGSTOP),
    "another seed": Attack(
        -1, "process VICTIM was started with seed 5 and process 0 with 0; start all of them alike",
        options=("--seed", "5"),
    ),
    "one pixel of the data": Attack(
        -1, "process VICTIM was not started as process 0 was: it has not the same training images", other_data=True
    ),
    "an error of its own": Attack(
        -1, rf"process VICTIM has ended \(.*\), {BEGAN}", options=("--save-seconds", "-1")
    ),
    "no coordinator": Attack(0, "did not find each other at .* within PATIENCE seconds", absent=True),
    "the last one missing": Attack(-1, "did not find each other at .* within PATIENCE seconds", absent=True),
}  # fmt: skip


def attacked(attack: Attack, number: int, folder: Path, patience: int) -> dict[int, Ending]:
    """The endings of all but the victim, and of that one too where it was only started otherwise."""
    victim, port = attack.victim % number, free_port()
    started, running = time.monotonic(), {}
    for process in range(number):
        here = folder / f"process{process}"
        here.mkdir()
        odd = process == victim
        write_data(here / "digits.npz", other=odd and attack.other_data)
        if odd and attack.absent:
            continue
        address = f"--coordinator 127.0.0.1:{port} --num-processes {number} --process-id {process}"
        command = [sys.executable, "-m", "experiments.train_digits", *RUN.split(), "--distributed", *address.split()]
        command += ["--patience", str(patience), "--out", str(folder / "out"), *(attack.options if odd else ())]
        with (here / "said").open("w") as said:
            running[process] = subprocess.Popen(
                command, cwd=here, stdout=subprocess.DEVNULL, stderr=said, env=os.environ | {"PYTHONPATH": str(ROOT)}
            )
    try:
        if attack.signal is not None:
            wait_for_checkpoint(folder / "out/checkpoints", running)
            running[victim].send_signal(attack.signal)
            started = time.monotonic()
        watched = [process for process in running if attack.signal is None or process != victim]
        found = {}
        while len(found) < len(watched) and time.monotonic() < started + 2 * LIMIT:
            for process in watched:
                status = running[process].poll()
                if status is not None and process not in found:
                    found[process] = Ending(time.monotonic() - started, status, "")
            time.sleep(0.05)
        time.sleep(0.2)  # the program that has the last word of a process ends after it
        return {
            process: Ending(end.seconds, end.status, (folder / f"process{process}/said").read_text())
            for process, end in sorted(found.items())
        } | {process: Ending(2 * LIMIT, 0, "it has not ended") for process in watched if process not in found}
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def faults(attack: Attack, number: int, endings: dict[int, Ending], patience: int) -> list[str]:
    """What is not as it should be."""
    victim, found = attack.victim % number, []
    for process, end in endings.items():
        lines = end.said.strip().splitlines()
        says = attack.says.replace("VICTIM", str(victim)).replace("PATIENCE", str(patience))
        says = says.replace("SECONDS", "|".join(map(str, range(5, patience + 6))))
        own = process == victim and attack.options  # it has an error of its own to tell
        if end.seconds > LIMIT or end.status == 0:
            found.append(f"process {process}: status {end.status} after {end.seconds:.1f} s")
        if len(lines) != 1 or not (lines[0].startswith("error: ") and (own or re.search(says, lines[0]))):
            found.append(f"process {process} said, instead of {says!r}:\n{end.said}")
    return found


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def write_data(path: Path, *, other: bool) -> None:
    """Some images of noise; the other ones differ by one pixel."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (1200, 28, 28), np.uint8), rng.integers(0, 10, 1200)
    images[7, 3, 5] = 1 if other else 0
    np.savez(path, x_train=images[:1000], y_train=labels[:1000], x_test=images[1000:], y_test=labels[1000:])


def wait_for_checkpoint(folder: Path, running: dict[int, subprocess.Popen]) -> None:
    """Until there is one. Raises AssertionError where the run ends before."""
    while not any(folder.glob("*/SHA256SUMS")):
        assert all(process.poll() is None for process in running.values()), "it ended by itself"
        time.sleep(0.05)
    time.sleep(1.5)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--patience", type=int, default=15, help="seconds, as of the scripts")
    parser.add_argument("--only", nargs="+", choices=list(ATTACKS), default=list(ATTACKS), metavar="ATTACK")
    choices = parser.parse_args()
    bad = 0
    for number in choices.processes:
        for name in choices.only:
            with tempfile.TemporaryDirectory() as folder:
                endings = attacked(ATTACKS[name], number, Path(folder), choices.patience)
            wrong = faults(ATTACKS[name], number, endings, choices.patience)
            slowest = max(end.seconds for end in endings.values())
            said = next((end.said.strip() for process, end in endings.items() if process != ATTACKS[name].victim), "")
            print(f"{number} processes, {name}: all ended after {slowest:.1f} s\n    {said}", flush=True)
            for fault in wrong:
                print(f"    WRONG: {fault}", flush=True)
            bad += bool(wrong)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
