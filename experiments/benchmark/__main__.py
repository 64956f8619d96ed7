"""How fast is it, and next to whom?

    pip install -e '.[experiments,benchmark]'
    python -m experiments.benchmark

The same network, images, batches, rate and number of steps in jaxnet and in other software, in turn, on this machine:
NumPy, PyTorch, scikit-learn, JAX the usual way, and plain C on one core. Then from a cold process to 95 % of the test
images; many networks at once; what time and memory grow with; and what part each reaches of what the machine could do.
Some eleven minutes on two cores; what is not installed is left out, and said.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxnet
from experiments import cold, drawing, roofline, script, tables
from experiments.networks import initial as stacked
from experiments.peers import Params, by_jaxnet, by_numpy
from experiments.peers.programs import PROGRAMS, Program, available
from experiments.peers.race import initial
from experiments.peers.worker import Worker

Part = Literal["speed", "race", "compile", "populations", "growth", "precision"]


RATE = 0.1  # low, so that rounding errors do not grow and final costs can be compared
TWIN = "jaxnet, cross-entropy"  # scikit-learn classifies with no other cost, so its final cost is compared with this
KNOWN = PROGRAMS | {TWIN: Program(TWIN, "jaxnet", None, {"loss": jaxnet.cross_entropy})}


@dataclass(frozen=True)
class Config:
    """The choices."""

    parts: tuple[Part, ...] = ("speed", "race", "compile", "populations", "growth")
    """What to measure; precision (float32, TF32 and bfloat16 products) is for accelerators."""
    networks: tuple[str, ...] = ("784-16-16-10", "784-30-10", "784-100-10", "784-800-10")
    """Neurons in each layer, of the networks of the first part."""
    batches: tuple[str, ...] = ("10", "32", "100", "1000", "full")
    """Batch sizes of the first part."""
    programs: tuple[str, ...] = tuple(PROGRAMS)
    """Whom to compare; jaxnet is always there."""
    repeats: int = 11
    """Runs of each program that count, one of each in turn, after one that does not."""
    processes: int = 5
    """Cold processes of each kind."""
    operations: float = 1e9
    """Arithmetic in one run of the first part, which decides how many steps it takes (one to 2,000)."""
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


def run(config: Config, _folder: Path) -> script.Record:
    """Measures the parts one after the other."""
    script.check_at_least(config, repeats=1, processes=1)
    programs = available(config.programs)
    networks = [sizes_of(name) for name in config.networks]
    entrants = [cold.entrant(text) for text in config.race]
    if not networks or not config.batches:
        raise ValueError("there is nothing to measure; name at least one of --networks and one of --batches")
    if min(config.populations, default=1) < 1:
        raise ValueError(f"populations are {config.populations}; there must be at least 1 network")
    train, _, _ = script.load("mnist", config.limit)
    n = len(train.images)
    batches = [parse_batch(name, n) for name in config.batches]
    machine = roofline.measure()
    print(
        f"{os.cpu_count()} cores; a matrix product reaches {machine.operations / 1e9:.0f} billion operations a second,"
        f" a copy {machine.bytes / 1e9:.0f} GB/s"
    )
    results: script.Record = {"n": n, "cores": os.cpu_count(), "machine": machine._asdict()}
    packages = {"torch": "torch", "sklearn": "scikit-learn"}
    results["packages"] = {packages[name]: version(packages[name]) for name in packages if find_spec(name)}
    images, targets = np.asarray(train.images), np.asarray(jaxnet.one_hot(train.labels))
    pixels, answers = jaxnet.as_bytes(images), jnp.asarray(targets)
    if "speed" in config.parts:
        with workers(config, programs) as running:
            results["threads"] = {name: worker.threads() for name, worker in running.items()}
            print("threads: " + ", ".join(f"{KNOWN[name].label} {k}" for name, k in results["threads"].items()))
            results["speed"] = speed(config, running, networks, batches, images, targets, machine)
    if "race" in config.parts:
        racing = [entrant for entrant in entrants if entrant.program in programs]
        results["race"] = cold.race(
            racing, goal=config.goal, hidden=config.race_hidden, seed=config.seed, repeats=config.processes
        )
    if "compile" in config.parts:
        results["compile"] = cold.compile_times(config.processes)
    if "populations" in config.parts:
        results["populations"] = populations(config, programs, pixels, answers, machine)
    if "growth" in config.parts:
        results["growth"] = growth(config, pixels, answers)
    if "precision" in config.parts:
        results["precision"] = precisions(config)
    return results


def sizes_of(name: str) -> tuple[int, ...]:
    """784-16-16-10 as numbers. Raises ValueError, naming it, for anything that cannot read the digits of MNIST."""
    parts = name.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"network {name} is not a row of neurons, such as 784-16-16-10")
    if (parts[0], parts[-1]) != ("784", "10"):
        raise ValueError(f"network {name} must begin with 784 pixels and end with 10 digits")
    return tuple(map(int, parts))


def parse_batch(name: str, n: int) -> int:
    """A batch size from its name. Raises ValueError, naming it, unless it is one for n examples."""
    if name == "full":
        return n
    if not name.isdecimal() or not 1 <= int(name) <= n:
        raise ValueError(f"batch {name} is not a batch size; it must be full or between 1 and {n}")
    return int(name)


def batch_name(batch_size: int, n: int) -> str:
    """The batch size as `parse_batch` reads it, for people."""
    return "full" if batch_size == n else f"{batch_size:,}"


@contextmanager
def workers(config: Config, programs: list[str]) -> Iterator[dict[str, Worker]]:
    """A process for each program, and one more for the twin of scikit-learn."""
    with ExitStack() as stack:
        names = [*programs, TWIN] if "sklearn" in programs else programs
        yield {name: stack.enter_context(closing(Worker(KNOWN[name].peer, config.limit))) for name in names}


def speed(
    config: Config,
    running: dict[str, Worker],
    networks: list[tuple[int, ...]],
    batches: list[int],
    images: np.ndarray,
    targets: np.ndarray,
    machine: roofline.Machine,
) -> list[script.Record]:
    """Seconds a step of every program, network and batch size, in turn; and whether all ended at the same cost."""
    rows = []
    names = [name for name in running if name != TWIN]
    print("\nMicroseconds a step: median of the runs in turn. In brackets: how many times as long as jaxnet.\n")
    print(
        "  ".join(
            [f"{'network':14}", f"{'batch':>6}", *(f"{KNOWN[name].label:>22}" for name in names), "of the roofline"]
        )
    )
    for sizes in networks:
        for batch_size in batches:
            row = compare(config, running, sizes, batch_size, images, targets)
            row["share"] = roofline.share(roofline.step_work(sizes, batch_size), machine, row["seconds"]["jaxnet"][0])
            rows.append(row)
            cells = [f"{1e6 * row['seconds'][name][0]:,.1f} ({row['ratio'][name]:.2f})" for name in names]
            columns = [
                f"{row['network']:14}",
                f"{batch_name(batch_size, len(images)):>6}",
                *(f"{cell:>22}" for cell in cells),
            ]
            print("  ".join([*columns, f"{row['share']:15.0%}"]), flush=True)
    warm_up = {name: tables.middle([row["warm_up"][name] for row in rows]) for name in names}
    print("\nNot in these times: what a first run takes longer, to compile and to warm up (median, least and most):")
    print(
        "; ".join(
            f"{KNOWN[name].label} {median:.2f} s ({low:.2f}, {high:.2f})"
            for name, (median, low, high) in warm_up.items()
        )
    )
    return rows


def compare(
    config: Config,
    running: dict[str, Worker],
    sizes: tuple[int, ...],
    batch_size: int,
    images: np.ndarray,
    targets: np.ndarray,
) -> script.Record:
    """One network and batch size: every program takes the same steps from the same start, one run of each in turn.

    Raises RuntimeError where a program ends its first run at another cost than jaxnet: it would have done other work.
    """
    n = len(images)
    steps = steps_of(config.operations, roofline.step_work(sizes, batch_size), 2_000, n // batch_size)
    random = np.random.default_rng(config.seed)
    params = initial(random, list(sizes))
    order = np.arange(n) if batch_size == n else random.permutation(n)[: steps * batch_size]
    for name, worker in running.items():
        worker.start(params, batch_size, RATE, **KNOWN[name].choices)
    first = {name: worker.run(order) for name, worker in running.items()}
    costs = {name: cost(worker.params(), images[:10_000], targets[:10_000]) for name, worker in running.items()}
    runs: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(config.repeats):
        for name, worker in running.items():
            runs[name].append(worker.run(order))
    for name, found in costs.items():
        same = costs[TWIN if name == "sklearn" else "jaxnet"]
        if name != TWIN and not abs(found - same) < 1e-3 * same:
            raise RuntimeError(f"{name} ended its first run at the cost {found}, jaxnet at {same}: not the same work")
    seconds = {name: tables.middle([value / steps for value in values]) for name, values in runs.items()}
    return {
        "network": "-".join(map(str, sizes)),
        "batch_size": batch_size,
        "steps": steps,
        "seconds": seconds,
        "ratio": {name: seconds[name][0] / seconds["jaxnet"][0] for name in seconds},
        "warm_up": {name: first[name] - steps * seconds[name][0] for name in seconds},
        "cost": costs,
    }


def steps_of(operations: float, work: roofline.Work, *most: int) -> int:
    """As many steps as so much arithmetic makes, at least one, and no more than any of these."""
    return int(np.clip(operations / work.operations, 1, min(most)))


def cost(params: Params, images: np.ndarray, targets: np.ndarray) -> float:
    """The squared error of a network, in NumPy."""
    return float(np.mean(np.sum((by_numpy.activations(params, images)[-1] - targets) ** 2, axis=1, dtype=np.float64)))


def populations(
    config: Config, programs: list[str], pixels: jax.Array, targets: jax.Array, machine: roofline.Machine
) -> list[script.Record]:
    """Seconds a step of many default networks in one call, batches of 10, against as many single runs, in turn."""
    sizes, batch_size = (784, 16, 16, 10), min(10, len(pixels))
    steps = min(1_000, len(pixels) // batch_size)
    order = np.random.default_rng(config.seed).permutation(len(pixels))[: steps * batch_size]
    examples = pixels, targets, jnp.asarray(order)
    numbers = sorted({1, *config.populations})
    walks = {}
    for number in numbers:
        epoch, state = at_once(number, sizes, batch_size, config.seed)
        compiled = jax.jit(epoch).lower(state, *examples).compile()
        walks[number] = functools.partial(compiled, state, *examples)
    runs: dict[int, list[float]] = {number: [] for number in numbers}
    for repeat in range(config.repeats + 1):
        for number, walk in walks.items():
            seconds = roofline.timed(walk) / steps
            if repeat:  # the first is to warm up
                runs[number].append(seconds)
    single = tables.middle(runs[1])
    rows, lines = [], []
    for number, values in runs.items():
        seconds = tables.middle(values)
        share = roofline.share(roofline.step_work(sizes, batch_size, number), machine, seconds[0])
        ratio = number * single[0] / seconds[0]
        rows.append({"networks": number, "seconds": seconds, "ratio": ratio, "share": share})
        micro = 1e6 * seconds[0]
        lines.append([f"{number:,}", f"{micro:,.1f}", f"{micro / number:,.2f}", f"{ratio:.2f}", f"{share:.0%}"])
    print(f"\nMany networks in one call, 784-16-16-10, batches of {batch_size}.\n")
    tables.table(["networks", "us a step", "us a step and network", "single runs / one call", "of the roofline"], lines)
    if "pytorch" in programs:
        with closing(Worker("pytorch", config.limit)) as worker:
            worker.start(initial(np.random.default_rng(config.seed), list(sizes)), batch_size, RATE)
            pytorch = tables.middle([worker.run(order) / steps for _ in range(config.repeats + 1)][1:])
        rows[-1]["pytorch"] = pytorch
        epochs = 30 * len(pixels) / batch_size
        print(
            f"30 epochs of {len(pixels):,} images: {epochs * rows[-1]['seconds'][0]:,.0f} s for"
            f" {numbers[-1]:,} networks here, {epochs * pytorch[0]:,.0f} s for one in PyTorch"
        )
    return rows


def at_once(
    networks: int, sizes: tuple[int, ...], batch_size: int, seed: int
) -> tuple[Callable[..., jaxnet.State], jaxnet.State]:
    """An epoch and a state to begin with: of one network as `train` has it, or of several as `train_population` has."""
    optimizer, epoch = by_jaxnet.descent(batch_size, RATE)
    params = stacked(jax.random.key(seed), sizes, networks)
    if networks == 1:
        params = jax.tree.map(lambda leaf: leaf[0], params)
        return epoch, jaxnet.State(params, optimizer.init(params))
    return jax.vmap(epoch, in_axes=(0, None, None, None)), jaxnet.State(params, jax.vmap(optimizer.init)(params))


def growth(config: Config, pixels: jax.Array, targets: jax.Array) -> list[script.Record]:
    """How time and memory grow with batch size, width, depth and number of networks."""
    n = len(pixels)
    cases = [("batch size", size, (784, 16, 16, 10), size, 1) for size in (1, 10, 100, 1_000, 10_000, n) if size <= n]
    cases += [("width", width, (784, width, width, 10), 10, 1) for width in (16, 64, 256, 1_024)]
    cases += [("hidden layers", depth, (784, *depth * (16,), 10), 10, 1) for depth in (1, 2, 4, 8, 16)]
    cases += [("networks", number, (784, 16, 16, 10), 10, number) for number in config.populations]
    rows, lines = [], []
    for axis, value, sizes, batch_size, networks in cases:
        batch_size = min(batch_size, n)
        row = {"axis": axis, "value": value} | grown(config, sizes, batch_size, networks, pixels, targets)
        rows.append(row)
        lines.append(
            [
                f"{axis} {value:,}",
                f"{1e6 * row['seconds'][0]:,.1f}",
                f"{1e6 * row['seconds'][0] / batch_size / networks:,.2f}",
                f"{row['data_bytes'] / 2**20:,.1f}",
                f"{row['work_bytes'] / 2**20:,.2f}",
            ]
        )
    print("\nWhat grows with what: from 784-16-16-10, batches of 10, one network, one thing at a time.\n")
    tables.table(["", "us a step", "us an example and network", "data MB", "parameters and work MB"], lines)
    return rows


def grown(
    config: Config, sizes: tuple[int, ...], batch_size: int, networks: int, pixels: jax.Array, targets: jax.Array
) -> script.Record:
    """One case: seconds a step, and the bytes that the compiled program asks for."""
    steps = steps_of(
        config.operations, roofline.step_work(sizes, batch_size, networks), 1_000, len(pixels) // batch_size
    )
    order = np.random.default_rng(config.seed).permutation(len(pixels))[: steps * batch_size]
    examples = pixels, targets, jnp.asarray(order)
    epoch, state = at_once(networks, sizes, batch_size, config.seed)
    compiled = jax.jit(epoch).lower(state, *examples).compile()
    runs = [roofline.timed(compiled, state, *examples) for _ in range(4)][1:]
    memory: Any = compiled.memory_analysis()
    data = sum(array.nbytes for array in examples)
    return {
        "sizes": sizes,
        "batch_size": batch_size,
        "networks": networks,
        "seconds": tables.middle([value / steps for value in runs]),
        "data_bytes": data,
        "work_bytes": memory.argument_size_in_bytes - data + memory.output_size_in_bytes + memory.temp_size_in_bytes,
    }


def precisions(config: Config) -> list[script.Record]:
    """A full run of the default network with products in float32, TF32 and bfloat16: seconds and test accuracy."""
    train, test, _ = script.load("mnist", config.limit)
    start, order = jax.random.split(jax.random.key(config.seed))
    params = jaxnet.init(start)
    rate = optax.cosine_decay_schedule(0.25, 30 * -(-len(train.images) // 10))
    rows = []
    for name, precision in (("float32", "highest"), ("TF32", "tensorfloat32"), ("bfloat16", "bfloat16")):
        with jax.default_matmul_precision(precision):
            history = jaxnet.train(order, params, train, optax.sgd(rate), batch_size=10, epochs=30, test=test)[1]
        rows.append(
            {"precision": name, "seconds": history.seconds[-1], "test_accuracy": float(history.test_accuracy[-1])}
        )
    print("\nThe default network, 30 epochs, with products in\n")
    tables.table(
        ["", "seconds", "test accuracy (%)"],
        [[row["precision"], f"{row['seconds']:.2f}", f"{100 * row['test_accuracy']:.2f}"] for row in rows],
    )
    return rows


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws how many times as long as jaxnet every program takes."""
    if "speed" not in record["results"]:
        return []
    rows = record["results"]["speed"]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    names = [name for name in PROGRAMS if name != "jaxnet" and any(name in row["ratio"] for row in rows)]
    figure, panels = plt.subplots(
        -(-len(networks) // 2), min(2, len(networks)), figsize=(12, 4 * -(-len(networks) // 2)),
        layout="constrained", squeeze=False, sharey=True,
    )  # fmt: skip
    for axes in panels.flat[len(networks) :]:
        axes.axis("off")
    colours = dict(zip(names, [colour for colour, _ in drawing.STYLES], strict=False))
    for axes, network in zip(panels.flat, networks, strict=False):
        chosen = [row for row in rows if row["network"] == network]
        width = 0.8 / max(len(names), 1)
        for place, name in enumerate(names):
            here = [(x, row["ratio"][name]) for x, row in enumerate(chosen) if name in row["ratio"]]
            positions = [x + (place - (len(names) - 1) / 2) * width for x, _ in here]
            bars = axes.bar(positions, [ratio - 1 for _, ratio in here], width, bottom=1, color=colours[name])
            bars.set_label(PROGRAMS[name].label)
        axes.axhline(1, color="black", linewidth=1)
        axes.set_yscale("log")
        axes.set_title(network, fontsize=10)
        names_of_batches = [batch_name(row["batch_size"], record["results"]["n"]) for row in chosen]
        axes.set_xticks(range(len(chosen)), names_of_batches)
        axes.set_xlabel("batch size")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    for axes in panels[:, 0]:
        axes.set_ylabel("time, jaxnet = 1")
    panels.flat[0].legend(fontsize=8)
    machine = f"{record['results']['cores']} cores, {record['device']['kind']}"
    figure.suptitle(f"How many times as long as jaxnet a step takes ({machine})", fontsize=11)
    return [drawing.save_figure(figure, folder / "speed.png")]


def main() -> None:
    """The command line."""
    script.main("benchmark", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
