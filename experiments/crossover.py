"""When does the full batch win?

    python -m experiments.crossover

Networks of the lecture learn from 100, 300 ... 30,000 images, in small batches and with the full batch at its best
(L-BFGS, Newton's method). What comes first to a given cost on the images learnt from, and to a given accuracy on images
held out? That depends on the machine. A pass over b examples takes the time 1 + b/P here, where P is how many examples
the machine takes in the time that every pass needs, however few they are. With unlimited parallel arithmetic only the
passes count, with none only the examples; every machine lies in between, and this one's P is measured. Each way is at
the best of the rates that it was tried with, at every P. Ten minutes on two cores. It showed that with 100 images the
full batch wins from P = 191 on, with 30,000 from P = 11,100 on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
import optax

import jaxnet
from experiments.common import contest, networks, script
from experiments.common.arms import Arm, named, parse_arms, rule_of
from experiments.common.choices import ChoiceError, check_at_least, check_goal, random_key
from experiments.common.recipes import part
from experiments.common.rules import Prices, prices, trials
from experiments.common.saving import Resuming, parts_of
from experiments.reports import crossover as report
from jaxnet import Dataset, identity

EXAMPLES = 60_000
"""Small batches look at about so many, at least ten times at each."""
EVALUATIONS = 200
"""Of each way, so that the place where it reaches a goal is known well."""
MOST = 4
"""Ways of each kind whose colours can be told apart."""
READ = 2_000
"""So many of the images learnt from, and of those held out, are read at each evaluation."""
PARALLELISM = np.geomspace(0.1, 1e6, 141)
"""What is compared: P from nearly none to more than there are examples."""


@dataclass(frozen=True)
class Config:
    """The choices."""

    sizes: tuple[int, ...] = (100, 300, 1_000, 3_000, 10_000, 30_000)
    """Numbers of training images."""
    arms: tuple[str, ...] = ("10:sgd", "100:sgd", "10:adam", "full:lbfgs", "full:newton")
    """Ways downhill, each as BATCH:RULE; rules are sgd, momentum, nesterov, adam, lbfgs, newton."""
    cost: float = 0.1
    """Cost on the images learnt from, to be reached."""
    goal: float = 75.0
    """Accuracy in percent on the images held out, to be reached."""
    trials: int = 4
    """Choices of its numbers that each way is tried with, drawn at random from those of its rule."""
    seeds: int = 3
    """Initial networks; every way starts from the same ones."""
    steps: int = 150
    """Of a full batch with L-BFGS and plainer rules; Newton's method takes half as many."""
    seed: int = 0
    """Decides the initial networks, the order of the examples and the trials."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Every way with every number of images, and what comes first."""
    check(config)
    data, _, classes = script.load("mnist", None)
    most = len(data.images) * 5 // 6
    ways = ways_of(config, most)
    start, order = jax.random.split(random_key(config.seed))
    params = networks.initial(start, (data.images.shape[1], 16, 16, classes), config.seeds)
    price = prices(params, data)
    parts = parts_of(folder, config, examples=identity.of_arrays(data))
    held_out = part(data, most, most + READ)
    rows = []
    for size in sorted(set(config.sizes)):
        learnt = part(data, 0, size)
        for number, way in enumerate(ways):
            full = way.batch_size == most
            if full or way.batch_size < size:
                arm = way._replace(batch_size=size if full else way.batch_size, epochs=epochs(way, size, full, config))
                reached = parts(
                    f"{size}-{number}", reaches, config, number, arm, params, learnt, held_out, order, price
                )
                name = named(arm._replace(numbers=()), size)
                rows.append({"size": size, "way": number, "full": full, "name": name} | reached)
    here = parts("here", parallelism_here, params, part(data, 0, most), order)
    return {"cost": config.cost, "goal": config.goal, "rows": rows, "here": here, "maps": maps(rows)}


def check(config: Config) -> None:
    """Raises ChoiceError, naming the choice, where one makes no sense."""
    check_at_least(config, trials=1, seeds=1, steps=2)
    check_goal(config.goal)
    if not 0 < config.cost < math.inf:
        raise ChoiceError(f"cost is {config.cost}; it must be a finite number above 0")
    if not config.sizes:
        raise ChoiceError("sizes is empty; name at least one number of images")


def ways_of(config: Config, most: int) -> list[Arm]:
    """The ways downhill that are compared, of which at most so many images are full batches. Raises ChoiceError."""
    for size in config.sizes:
        if not 2 <= size <= most:
            raise ChoiceError(f"sizes has {size}; each must be between 2 and {most}: the others are held out")
    for text in config.arms:
        if text.count(":") != 1:
            raise ChoiceError(f"arms has {text}; expected BATCH:RULE, such as 10:sgd or full:lbfgs")
    ways = parse_arms(tuple(f"{text}:1:1" for text in config.arms), most)
    number = sum(way.batch_size == most for way in ways)
    if number == 0:
        raise ChoiceError(f"arms are {' '.join(config.arms)}; one of them must be of the full batch, full:RULE")
    if max(number, len(ways) - number) > MOST:
        raise ChoiceError(f"arms are {' '.join(config.arms)}; at most {MOST} full batches and {MOST} smaller ones")
    return ways


def epochs(way: Arm, size: int, full: bool, config: Config) -> int:
    """How long a way is followed."""
    if full:
        return config.steps // 2 if way.rule == "newton" else config.steps
    return max(10, EXAMPLES // size)


def reaches(
    config: Config,
    number: int,
    arm: Arm,
    params: jaxnet.Params,
    learnt: Dataset,
    held_out: Dataset,
    order: jax.Array,
    price: Prices,
) -> script.Record:
    """Passes and examples to both goals, for every trial and network (trials, networks)."""
    tried = trials(rule_of(arm), config.trials, np.random.default_rng([config.seed, number]))
    way = contest.descend(arm, tried, params, learnt, held_out, order, price, evaluations=EVALUATIONS, evaluate_on=READ)
    finite = np.isfinite(way["train_cost"])
    curves = {
        "cost": (np.where(finite, -way["train_cost"], -np.inf), -config.cost),
        "accuracy": (np.where(finite, 100 * way["test_accuracy"], 0), config.goal),
    }
    found: script.Record = {"tried": tried}
    for goal, (curve, level) in curves.items():
        found[goal] = {
            measure: contest.reached(way[measure], curve, level).reshape(len(tried), -1)
            for measure in ("passes", "examples")
        }
    return found


def parallelism_here(params: jaxnet.Params, data: Dataset, order: jax.Array) -> script.Record:
    """This machine's P, of the first of these networks: a step takes the time fixed + b each, and P is fixed/each."""
    params = jax.tree.map(lambda leaf: leaf[0], params)

    def seconds_a_step(batch_size: int, examples: int, epochs: int) -> float:
        some = part(data, 0, examples)
        times = []
        for _ in range(3):
            _, history = jaxnet.train(
                order, params, some, optax.sgd(0.25), batch_size=batch_size, epochs=epochs, evaluate_on=1
            )
            times.append(history.seconds[-1] / history.steps[-1])
        return min(times)

    small, large = 10, len(data.images)
    few, many = seconds_a_step(small, 20_000, 1), seconds_a_step(large, large, 5)
    each = (many - few) / (large - small)
    return {"each": each, "fixed": few - small * each, "parallelism": few / each - small}


def best(row: script.Record, goal: str, parallelism: np.ndarray) -> np.ndarray:
    """The mean time to the goal of all networks, at the best of the trials for each P; infinite where one fails."""
    passes, examples = (np.array(row[goal][measure], float).mean(axis=1) for measure in ("passes", "examples"))
    times = passes[:, None] + examples[:, None] / parallelism[None]
    return np.where(np.isfinite(times), times, np.inf).min(axis=0)


def maps(rows: list[script.Record]) -> script.Record:
    """For both goals and each number of images: what comes first at every P, and from which P on the full batch."""
    found: script.Record = {"parallelism": PARALLELISM}
    for goal in ("cost", "accuracy"):
        found[goal] = []
        for size in dict.fromkeys(row["size"] for row in rows):
            these = [row for row in rows if row["size"] == size]
            times = np.array([best(row, goal, PARALLELISM) for row in these])
            full = np.array([row["full"] for row in these])
            first = np.where(np.isfinite(times.min(axis=0)), times.argmin(axis=0), -1)
            with np.errstate(invalid="ignore"):  # where neither gets there
                ratio = times[full].min(axis=0) / times[~full].min(axis=0, initial=np.inf)
            found[goal].append(
                {
                    "size": size,
                    "first": [these[index]["way"] if index >= 0 else None for index in first],
                    "turns": turning(PARALLELISM, ratio),
                }
            )
    return found


def turning(parallelism: Sequence[float] | np.ndarray, ratio: np.ndarray) -> float | None:
    """The P from which on the full batch is first, on a straight line of logarithms; 0 where always, None where never.

    `ratio` is its time over that of the small batches.
    """
    ahead = np.flatnonzero(np.nan_to_num(ratio, nan=np.inf) < 1)
    if len(ahead) == 0:
        return None
    if ahead[0] == 0:
        return 0.0
    two = slice(ahead[0] - 1, ahead[0] + 1)
    if not np.isfinite(ratio[two]).all():
        return float(parallelism[ahead[0]])
    return float(np.exp(np.interp(0, -np.log(ratio[two]), np.log(np.asarray(parallelism)[two]))))


def main() -> None:
    """The command line."""
    script.main("crossover", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
