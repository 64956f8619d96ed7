"""Speed: seconds a step, and an epoch of a whole training, of every program, network and batch size, each in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

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
TWIN = "jaxnet, cross-entropy"  # scikit-learn classifies with no other cost, so its final cost is compared with this
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
    operations: float,
    seed: int,
) -> script.Record:
    """One network and batch size: every program takes the same steps from the same start, one run of each in turn.

    Raises RuntimeError where a program ends its first run at another cost than jaxnet: it would have done other work.
    """
    n = len(images)
    work = roofline.step_work(sizes, batch_size)
    steps = steps_of(operations, work, 2_000, n // batch_size)
    random = np.random.default_rng(seed)
    params = initial(random, sizes)
    order = np.arange(n) if batch_size == n else random.permutation(n)[: steps * batch_size]
    for name, worker in running.items():
        worker.start(params, batch_size, RATE, **KNOWN[name].choices)
    first = {name: worker.run(order) for name, worker in running.items()}
    costs = {name: cost(worker.params(), images[:10_000], targets[:10_000]) for name, worker in running.items()}
    rounds = 3 if batch_size == n else 1  # one step alone is nearly over when all cores are awake
    runs = in_turn(running, repeats, lambda worker: sum(worker.run(order) for _ in range(rounds)))
    for name, found in costs.items():
        same = costs[TWIN if name == "sklearn" else "jaxnet"]
        if name != TWIN and not abs(found - same) < 1e-3 * same:
            raise RuntimeError(f"{name} ended its first run at the cost {found}, jaxnet at {same}: not the same work")
    seconds = {name: tables.middle([value / (rounds * steps) for value in values]) for name, values in runs.items()}
    return {
        "steps": steps,
        "seconds": seconds,
        "ratio": ratios(seconds),
        "share": roofline.share(work, machine, seconds["jaxnet"][0]),
        "warm_up": {name: first[name] - steps * seconds[name][0] for name in seconds},
        "cost": costs,
    }


def compare_trainings(
    running: dict[str, Worker], sizes: tuple[int, ...], batch_size: int, *, repeats: int, seed: int
) -> script.Record:
    """Seconds an epoch of a whole training, evaluated over all examples before the first epoch and after each.

    One run of each in turn, an epoch long, after one that does not count. Raises RuntimeError where a program finds
    another cost or accuracy than jaxnet before the first step: it would be another evaluation.
    """
    params = initial(np.random.default_rng(seed), sizes)
    for name, worker in running.items():
        worker.start(params, batch_size, RATE, **KNOWN[name].choices)
    begin = {name: worker.train(1, seed)[1][0] for name, worker in running.items()}
    for name, found in begin.items():
        same = begin[TWIN if name == "sklearn" else "jaxnet"]
        if name != TWIN and not np.allclose(found, same, rtol=1e-3):
            raise RuntimeError(f"{name} finds {found} before the first step, jaxnet {same}: not the same evaluation")
    runs = in_turn(running, repeats, lambda worker: worker.train(1, seed)[0])
    seconds = {name: tables.middle(values) for name, values in runs.items()}
    return {"seconds": seconds, "ratio": ratios(seconds)}


def in_turn(running: dict[str, Worker], repeats: int, run: Callable[[Worker], float]) -> dict[str, list[float]]:
    """The seconds of so many runs of each program, one of each after the other, each when the one before is quiet."""
    runs: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(repeats):
        for name, worker in running.items():
            time.sleep(PAUSE)
            runs[name].append(run(worker))
    return runs


def ratios(seconds: dict[str, tuple[float, float, float]]) -> dict[str, float]:
    """How many times as long as jaxnet each takes, by their medians."""
    return {name: each[0] / seconds["jaxnet"][0] for name, each in seconds.items()}


def steps_of(operations: float, work: roofline.Work, *most: int) -> int:
    """As many steps as so much arithmetic makes, at least one, and no more than any of these."""
    return int(np.clip(operations / work.operations, 1, min(most)))


def cost(params: Params, images: np.ndarray, targets: np.ndarray) -> float:
    """The squared error of a network, in NumPy."""
    return float(np.mean(np.sum((by_numpy.activations(params, images)[-1] - targets) ** 2, axis=1, dtype=np.float64)))
