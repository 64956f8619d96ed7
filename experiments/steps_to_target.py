"""Does a batch twice as large need half as many steps?

    python -m experiments.steps_to_target

Counts the steps that five copies of the lecture's network take to 85 % on held-out images, for batches of 1, 2, 4 ...
and all 10,000 images at once, each at the best of the constant learning rates that are tried side by side: the curve of
Shallue et al. 2019 (JMLR 20:112), for plain descent. Some 90 seconds on two cores. Up to batches of 16 a batch
twice as large needs nearly half as many steps; the bend, twice the steps of perfect scaling, lies at batches of 37 (32
to 40 over the networks); from 64 on it is a plateau of some 240 steps, where the full batch costs 400 times the
examples of batches of 1 for 25 times fewer steps.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

from experiments.common import networks, script, steps_to_goal
from experiments.common.choices import ChoiceError, check_at_least, check_goal, random_key
from experiments.common.recipes import part
from experiments.common.saving import Resuming, parts_of
from experiments.reports import steps_to_target as report
from jaxnet import identity

DEPARTURE = 2.0
"""At the bend, steps are so many times those of perfect scaling."""
SAVED = 0.1
"""On the plateau, no doubling of the batch saves a larger share of the steps."""
SCALES = 0.4
"""There is a bend only where some doubling before it saves this share; half would be perfect scaling."""


@dataclass(frozen=True)
class Config:
    """The choices."""

    goal: float = 85.0
    """Accuracy in percent, on held-out images, to be reached."""
    batch_sizes: tuple[int, ...] = ()
    """What to compare; where none are named, 1, 2, 4 ... and all images at once."""
    seeds: int = 5
    """Initial networks; every batch size and every rate starts from the same ones."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    rate: float = 0.25
    """Where the search for the best rate of the smallest batch begins."""
    factor: float = 2.0
    """Each rate that is tried is so many times the one below it."""
    max_steps: int = 20_000
    """Give up after so many steps."""
    max_epochs: int = 500
    """Give up when so many times as many examples have been seen as there are."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int = 10_000
    """Train on the first so many training images."""
    held_out: int = 2_000
    """Judge by so many training images after those; no test image is touched."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Finds the best rate for every batch size, and from the steps that it takes the bend and the plateau."""
    check(config)
    data, _, classes = script.load(config.data, None)
    n, available = config.limit, len(data.images)
    if n + config.held_out > available:
        raise ChoiceError(
            f"limit is {n} and held_out is {config.held_out}, together more than the {available} training images"
        )
    batch_sizes = sorted(set(config.batch_sizes)) or steps_to_goal.doublings(n)
    for batch_size in batch_sizes:
        if not 1 <= batch_size <= n:
            raise ChoiceError(f"batch_sizes has {batch_size}; each must be between 1 and {n}, the training images used")
    start, order = jax.random.split(random_key(config.seed))
    params = networks.initial(start, (data.images.shape[1], *config.hidden, classes), config.seeds)
    search = steps_to_goal.Search(config.goal, config.rate, config.factor, config.max_steps, config.max_epochs)
    train, held_out = part(data, 0, n), part(data, n, n + config.held_out)
    parts = parts_of(folder, config, examples=identity.of_arrays(data))
    rows = steps_to_goal.fewest_steps(search, batch_sizes, params, train, held_out, order, parts)

    results = {"n": n, "goal": config.goal, "departure": DEPARTURE, "saved": SAVED, "rows": rows}
    reached = [row for row in rows if np.isfinite(row["steps"]).all()]
    if len(reached) > 1:
        sizes, steps = [row["batch_size"] for row in reached], np.array([row["steps"] for row in reached])
        results["curve"] = curve(sizes, steps.mean(axis=1))
        results["bends"] = [curve(sizes, of_one)["bend"] for of_one in steps.T]
    return results


def check(config: Config) -> None:
    """Raises ChoiceError, naming the choice, where one makes no sense."""
    check_at_least(config, seeds=1, max_steps=1, max_epochs=1, limit=1, held_out=1)
    check_goal(config.goal)
    if not 0 < config.rate < math.inf:
        raise ChoiceError(f"rate is {config.rate}; the search begins at a finite number above 0")
    if not 1 < config.factor < math.inf:
        raise ChoiceError(f"factor is {config.factor}; it must be a finite number above 1")


def curve(batch_sizes: list[int], steps: np.ndarray) -> script.Record:
    """Perfect scaling, bend and plateau of steps against batch sizes, by rules; nothing is fitted.

    Perfect scaling is the fewest examples to the goal at any batch size. At the bend the steps are DEPARTURE times
    those of perfect scaling, on the straight line between two batch sizes on logarithmic axes; for steps =
    S (1 + B / batch), with 1 the smallest batch, that is B + 2. On the plateau no doubling of the batch saves more than
    the share SAVED of the steps. Where the batch sizes do not show it, bend or plateau is None.
    """
    sizes = np.array(batch_sizes, float)
    examples = sizes * steps
    excess = examples / examples.min()
    inside = np.flatnonzero(excess <= DEPARTURE)[-1]
    # A pair is a batch size and the next one that is at least its double, for a smaller step would show noise alone.
    pairs = [(i, int(np.argmax(sizes >= 2 * size))) for i, size in enumerate(sizes) if sizes[-1] >= 2 * size]
    saved = np.array([1 - (steps[j] / steps[i]) ** (1 / np.log2(sizes[j] / sizes[i])) for i, j in pairs])
    bend = plateau = None
    if inside + 1 < len(sizes) and (saved[:inside] >= SCALES).any():
        two = slice(inside, inside + 2)
        bend = float(np.exp(np.interp(np.log(DEPARTURE), np.log(excess[two]), np.log(sizes[two]))))
    flat = int(np.max(np.flatnonzero(saved > SAVED), initial=-1)) + 1
    if flat < len(saved):
        plateau = {"from": batch_sizes[flat], "steps": float(np.mean(steps[flat:]))}
    return {"examples": float(examples.min()), "bend": bend, "plateau": plateau}


def main() -> None:
    """The command line."""
    script.main("steps_to_target", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
