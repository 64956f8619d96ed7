"""Speed: seconds a step, and an epoch of a whole training, of every program, network and batch size, each in turn."""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar

import numpy as np

import jaxnet
from experiments.benchmark.peers import Params, by_numpy, initial
from experiments.benchmark.peers.programs import PROGRAMS, Program
from experiments.benchmark.peers.worker import Worker
from experiments.common import roofline, script, tables
from experiments.common.choices import ChoiceError
from experiments.common.parts import Keep

RATE = 0.1  # low, so that rounding errors do not grow and final costs can be compared
PAUSE = 0.1  # seconds before each run: OpenBLAS keeps its threads busy for some 30 ms after its last product
OPERATIONS = 1e10  # arithmetic in the steps that one call takes, which decides how many they are
TWIN = "jaxnet, cross-entropy"  # scikit-learn classifies with no other cost, so its final cost is compared with this
Name = TypeVar("Name", bound=Hashable)
KNOWN = PROGRAMS | {TWIN: Program(TWIN, "jaxnet", None, {"loss": jaxnet.cross_entropy})}


def sizes_of(name: str) -> tuple[int, ...]:
    """784-16-16-10 as numbers. Raises ChoiceError, naming it, for anything that cannot read the digits of MNIST."""
    parts = name.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ChoiceError(f"network {name} is not a row of neurons, such as 784-16-16-10")
    if (parts[0], parts[-1]) != ("784", "10"):
        raise ChoiceError(f"network {name} must begin with 784 pixels and end with 10 digits")
    return tuple(map(int, parts))


def parse_batch(name: str, n: int) -> int:
    """A batch size from its name. Raises ChoiceError, naming it, unless it is one for n examples."""
    if name == "full":
        return n
    if not name.isdecimal() or not 1 <= int(name) <= n:
        raise ChoiceError(f"batch {name} is not a batch size; it must be full or between 1 and {n}")
    return int(name)


@contextmanager
def workers(programs: list[str], limit: int | None) -> Iterator[dict[str, Worker]]:
    """A process for each program, and one more for the twin of scikit-learn."""
    with ExitStack() as stack:
        names = [*programs, TWIN] if "sklearn" in programs else programs
        yield {name: stack.enter_context(closing(Worker(KNOWN[name].peer, limit))) for name in names}


def threads(running: dict[str, Worker]) -> dict[str, int]:
    """How many the arithmetic of each program may use."""
    return {name: worker.threads() for name, worker in running.items()}


def measure(
    part: str,
    compare: Callable[..., script.Record],
    running: dict[str, Worker],
    networks: Sequence[tuple[int, ...]],
    batches: Sequence[int],
    keep: Keep,
    **choices: Any,
) -> Iterator[script.Record]:
    """A row for each network and batch size, each a part to keep; `choices` are those of `compare`."""
    for sizes in networks:
        for batch_size in batches:
            name = f"{part}-{'-'.join(map(str, sizes))}-{batch_size}"
            row = {"network": "-".join(map(str, sizes)), "batch_size": batch_size}
            yield row | keep(name, compare, running, sizes, batch_size, **choices)


def compare_steps(
    running: dict[str, Worker],
    sizes: tuple[int, ...],
    batch_size: int,
    *,
    images: np.ndarray,
    targets: np.ndarray,
    machine: roofline.Machine,
    repeats: int,
    seconds: float,
    seed: int,
) -> script.Record:
    """One network and batch size: every program takes the same steps from the same start, one run of each in turn.

    A run takes them again and again for about so many `seconds`. Raises RuntimeError where a program ends its first run
    at another cost than jaxnet: it would have done other work.
    """
    n = len(images)
    work = roofline.step_work(sizes, batch_size)
    steps = steps_of(work, 2_000, n // batch_size)
    random = np.random.default_rng(seed)
    params = initial(random, sizes)
    order = np.arange(n) if batch_size == n else random.permutation(n)[: steps * batch_size]
    for name, worker in running.items():
        worker.start(params, batch_size, RATE, **KNOWN[name].choices)
    first = {name: worker.run(order) for name, worker in running.items()}
    costs = {name: cost(worker.params(), images[:10_000], targets[:10_000]) for name, worker in running.items()}
    for name, found in costs.items():
        same = costs[TWIN if name == "sklearn" else "jaxnet"]
        if name != TWIN and not abs(found - same) < 1e-3 * same:
            raise RuntimeError(f"{name} ended its first run at the cost {found}, jaxnet at {same}: not the same work")
    rounds, middle = seconds_a_step(running, order, steps, repeats=repeats, seconds=seconds)
    return {
        "steps": steps,
        "rounds": rounds,
        "seconds": middle,
        "ratio": ratios(middle),
        "share": roofline.share(work, machine, middle["jaxnet"][0]),
        "warm_up": {name: first[name] - steps * middle[name][0] for name in middle},
        "cost": costs,
    }


def seconds_a_step(
    running: dict[str, Worker], order: np.ndarray, steps: int, *, repeats: int, seconds: float
) -> tuple[dict[str, int], dict[str, tuple[float, float, float]]]:
    """How often each takes these steps in a run, and how long it takes for one: median, least and most."""
    rounds = rounds_of(seconds, {name: worker.run(order) for name, worker in running.items()})

    def a_step(name: str) -> float:
        return sum(running[name].run(order) for _ in range(rounds[name])) / (rounds[name] * steps)

    return rounds, in_turn(list(running), repeats, a_step)


def compare_trainings(
    running: dict[str, Worker], sizes: tuple[int, ...], batch_size: int, *, repeats: int, seconds: float, seed: int
) -> script.Record:
    """Seconds an epoch of a whole training, evaluated over all examples before the first epoch and after each.

    One training of each in turn, of as many epochs as last about so many `seconds`, after two that do not count. Raises
    RuntimeError where a program finds another cost or accuracy than jaxnet before the first step: it would be another
    evaluation.
    """
    params = initial(np.random.default_rng(seed), sizes)
    for name, worker in running.items():
        worker.start(params, batch_size, RATE, **KNOWN[name].choices)
    begin = {name: worker.train(1, seed)[1][0] for name, worker in running.items()}
    for name, found in begin.items():
        same = begin[TWIN if name == "sklearn" else "jaxnet"]
        if name != TWIN and not np.allclose(found, same, rtol=1e-3):
            raise RuntimeError(f"{name} finds {found} before the first step, jaxnet {same}: not the same evaluation")
    epochs = rounds_of(seconds, {name: worker.train(1, seed)[0] for name, worker in running.items()})
    middle = in_turn(list(running), repeats, lambda name: running[name].train(epochs[name], seed)[0] / epochs[name])
    return {"epochs": epochs, "seconds": middle, "ratio": ratios(middle)}


def rounds_of(seconds: float, once: dict[Name, float]) -> dict[Name, int]:
    """How often each has to run to last about so long, by how long it took `once`.

    For some 40 ms after a rest the threads of a program often share one core: a short run would measure that.
    """
    return {name: max(1, math.ceil(seconds / took)) for name, took in once.items()}


def in_turn(
    names: Sequence[Name], repeats: int, run: Callable[[Name], float]
) -> dict[Name, tuple[float, float, float]]:
    """Median, least and most of so many runs of each, one of each after the other, when the one before is quiet."""
    runs: dict[Name, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, values in runs.items():
            time.sleep(PAUSE)
            values.append(run(name))
    return {name: tables.middle(values) for name, values in runs.items()}


def ratios(seconds: dict[str, tuple[float, float, float]]) -> dict[str, float]:
    """How many times as long as jaxnet each takes, by their medians."""
    return {name: each[0] / seconds["jaxnet"][0] for name, each in seconds.items()}


def steps_of(work: roofline.Work, *most: int) -> int:
    """As many steps as make so much arithmetic, at least one, and no more than any of these."""
    return int(np.clip(OPERATIONS / work.operations, 1, min(most)))


def cost(params: Params, images: np.ndarray, targets: np.ndarray) -> float:
    """The squared error of a network, in NumPy."""
    return float(np.mean(np.sum((by_numpy.activations(params, images)[-1] - targets) ** 2, axis=1, dtype=np.float64)))
