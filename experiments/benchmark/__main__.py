"""How fast is it, compared with other software?

    pip install -e '.[experiments,benchmark]'
    python -m experiments.benchmark

The same network, images, batches, rate and number of steps in jaxnet and in other software, in turn, on this machine:
NumPy, PyTorch, scikit-learn, JAX the usual way, and plain C on one core. Then the same for whole trainings, with an
evaluation after each epoch; from a cold process to 95 % of the test images; many networks at once; what time and memory
grow with; and what part each reaches of what the machine could do. Some 80 minutes on two cores; what is not installed
is left out, and said. Stopped by Ctrl-C, it goes on with --resume.
"""

import functools
import math
import os
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet
from experiments.benchmark import growth, populations, precision, race, speed
from experiments.benchmark.compile import compile_times
from experiments.benchmark.peers.programs import PROGRAMS, available
from experiments.common import roofline, script
from experiments.common.choices import ChoiceError, check_at_least, check_goal, check_seed
from experiments.common.networks import check_population
from experiments.common.saving import Resuming, parts_of
from experiments.reports import benchmark as report
from jaxnet.data import as_bytes

Part = Literal["speed", "train", "race", "compile", "populations", "growth", "precision"]


@dataclass(frozen=True)
class Config:
    """The choices."""

    parts: tuple[Part, ...] = ("speed", "train", "race", "compile", "populations", "growth")
    """What to measure; precision (float32, TF32 and bfloat16 products) is for accelerators."""
    networks: tuple[str, ...] = ("784-16-16-10", "784-30-10", "784-100-10", "784-800-10")
    """Neurons in each layer, of the networks of the first two parts."""
    batches: tuple[str, ...] = ("10", "32", "100", "1000", "full")
    """Batch sizes of the first two parts."""
    programs: tuple[str, ...] = tuple(PROGRAMS)
    """Whom to compare; jaxnet is always there."""
    repeats: int = 11
    """Runs of each program that count, one of each in turn, after one or two that do not."""
    trainings: int = 5
    """Whole trainings of each program that count, one of each in turn, after two that do not."""
    processes: int = 5
    """Cold processes of each kind."""
    seconds: float = 0.3
    """About how long each of these runs and trainings lasts, by taking its steps or epochs again and again.

    How often is judged by one that does not count. For some 40 ms after a rest the threads of a program often share
    one core.
    """
    populations: tuple[int, ...] = (1, 4, 16, 64)
    """Numbers of networks to train at once; on an accelerator up to 4096."""
    race: tuple[str, ...] = (
        "jaxnet:10:1",
        "jaxnet:32:2",
        "pytorch:32:2",
        "pytorch:100:4",
        "sklearn:32:1",
        "sklearn:100:1",
    )
    """Who races from a cold process to the goal, as PROGRAM:BATCH_SIZE:RATE; the fastest of each program counts."""
    goal: float = 95.0
    """Test accuracy in percent at which the race ends."""
    race_hidden: tuple[int, ...] = (30,)
    """Neurons in each hidden layer of the network that races."""
    seed: int = 0
    """Decides the initial weights and the order of the examples."""
    limit: int | None = None
    """Only the first so many training and test images; the race always takes all."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Measures the parts one after the other, and prints each as it is done."""
    check_at_least(config, repeats=1, trainings=1, processes=1)
    check_seed(config.seed)
    check_goal(config.goal)
    if not 0 < config.seconds < math.inf:
        raise ChoiceError(f"seconds is {config.seconds}; it must be a finite number above 0")
    programs, left_out = available(config.programs)
    networks = [speed.sizes_of(name) for name in config.networks]
    entrants = [race.entrant(text) for text in config.race]
    if not (config.parts and networks and config.batches):
        raise ChoiceError("there is nothing to measure; name at least one of --parts, --networks and --batches")
    if min(config.populations, default=1) < 1:
        raise ChoiceError(f"populations are {config.populations}; there must be at least 1 network")
    if min(config.race_hidden, default=1) < 1:
        raise ChoiceError(f"race_hidden is {config.race_hidden}; a layer has at least 1 neuron")
    for sizes in (*networks, (784, *config.race_hidden, 10)):
        jax.eval_shape(functools.partial(jaxnet.init, sizes=sizes), jax.random.key(0))  # raises where it does not fit
    for number in config.populations:
        check_population(jaxnet.init, jax.random.key(0), number)
    train, test, _ = script.load("mnist", config.limit)
    n = len(train.images)
    batches = [speed.parse_batch(name, n) for name in config.batches]
    installed = {"torch": "torch", "sklearn": "scikit-learn"}
    packages = {package: version(package) for name, package in installed.items() if find_spec(name)}
    parts = parts_of(folder, config, packages=packages, left_out=left_out)
    machine = roofline.Machine(*parts("machine", roofline.measure))
    results: script.Record = {
        "n": n,
        "cores": os.cpu_count(),
        "machine": machine._asdict(),
        "packages": packages,
        "programs": {name: PROGRAMS[name].label for name in programs},
        "left_out": {PROGRAMS[name].label: needs for name, needs in left_out.items()},
    }
    report.print_machine(results)
    images, targets = np.asarray(train.images), np.asarray(jaxnet.one_hot(train.labels))
    examples = as_bytes(images), jnp.asarray(targets)
    if "speed" in config.parts:
        with speed.workers(programs, config.limit) as running:
            results |= {"threads": parts("threads", speed.threads, running), "speed": []}
            report.print_speed(results)
            for row in speed.measure(
                "speed", speed.compare_steps, running, networks, batches, parts,
                images=images, targets=targets, machine=machine,
                repeats=config.repeats, seconds=config.seconds, seed=config.seed,
            ):  # fmt: skip
                results["speed"].append(row)
                report.print_speed_row(results, row)
    if "train" in config.parts:
        with speed.workers(programs, config.limit) as running:
            results["train"] = []
            report.print_trainings(results)
            for row in speed.measure(
                "train", speed.compare_trainings, running, networks, batches, parts,
                repeats=config.trainings, seconds=config.seconds, seed=config.seed,
            ):  # fmt: skip
                results["train"].append(row)
                report.print_training(results, row)
    if "race" in config.parts:
        racing = [entrant for entrant in entrants if entrant.program in programs]
        results["goal"] = config.goal
        chosen = {"goal": config.goal, "hidden": config.race_hidden, "seed": config.seed, "repeats": config.processes}
        results["race"] = parts("race", race.measure, racing, **chosen)
        report.print_race(results)
    if "compile" in config.parts:
        results["compile"] = parts("compile", compile_times, config.processes)
        report.print_compile(results)
    if "populations" in config.parts:
        again = {"repeats": config.repeats, "seconds": config.seconds, "seed": config.seed}
        results["populations"] = parts("populations", populations.measure, config.populations, train, machine, **again)
        if "pytorch" in programs:
            with speed.workers(["pytorch"], config.limit) as running:
                peer = parts("populations-pytorch", populations.measure_peer, running["pytorch"], n, **again)
            results["populations"][-1]["pytorch"] = peer
        report.print_populations(results)
    if "growth" in config.parts:
        results["growth"] = parts("growth", growth.measure, config.populations, *examples, seed=config.seed)
        report.print_growth(results)
    if "precision" in config.parts:
        results["precision"] = parts("precision", precision.measure, train, test, seed=config.seed)
        report.print_precision(results)
    return results


def main() -> None:
    """The command line."""
    script.main("benchmark", __doc__, Config, run, report, while_running=report.print_parts)


if __name__ == "__main__":
    main()
