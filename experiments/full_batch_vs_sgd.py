"""Careful steps or a drunk walk: why does everybody train with mini-batches?

    python -m experiments.full_batch_vs_sgd

Five copies of the lecture's network, each from its own random start, roll downhill four times: with all 60,000 images
for every step, and with random batches of 1,000, 100 and 10, each at its own best learning rate. They are compared
after as many examples, as many steps, and as many seconds. A minute and a half on two cores; batches of 10 get to 90 %
after some 300 times fewer examples than the full batch.

    python -m experiments.full_batch_vs_sgd --fair

The same with the best weapons that each has: momentum, Adam, L-BFGS and Newton's method on the full batch, plain steps
and Adam in batches. Line searches and Hessian-vector products are counted at what they cost.
"""

from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

import jaxnet
from experiments.common import contest, networks, script
from experiments.common.arms import Arm, named, parse_arms, rule_of
from experiments.common.choices import ChoiceError, check_at_least, check_goal, random_key
from experiments.common.recipes import part
from experiments.common.rules import Prices, prices, trials
from experiments.common.saving import Resuming, parts_of
from experiments.reports import full_batch_vs_sgd as report
from jaxnet import identity

PLAIN = ("full:5:440", "1000:4:40", "100:1:30", "10:0.25:15")
"""The rates are those that --tune found."""
FAIR = (
    "full:sgd:6:1000", "full:nesterov:2,0.5:700", "full:adam:0.02,0.5:700", "full:lbfgs:1,40:120",
    "full:newton:3,10:60", "1000:sgd:5:30", "1000:adam:0.02,0.5:30", "100:sgd:2:8", "100:adam:0.005,0.5:8",
    "10:sgd:0.5:4", "10:adam:0.002,0.5:4",
)  # fmt: skip
"""The numbers are those that --fair --tune found. Short: what counts is the way to 93 %, not the end of a long run."""


@dataclass(frozen=True)
class Config:
    """The choices."""

    arms: tuple[str, ...] | None = None
    """What to compare, each as BATCH:RULE:RATE:EPOCHS, plain descent as BATCH:RATE:EPOCHS; by default full:5:440
    1000:4:40 100:1:30 10:0.25:15. Rules are sgd, momentum, nesterov, adam, lbfgs, newton; RATE can be all numbers of a
    rule: nesterov:1,0.9."""
    fair: bool = False
    """Compare the strongest of each instead, eleven of them."""
    seeds: int = 5
    """Initial networks; every arm starts from the same ones."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    goals: tuple[float, ...] | None = None
    """Test accuracies in percent to be reached; by default 90, and with --fair 90 and 93."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = None
    """Only the first so many training and test images."""
    tune: bool = False
    """First find each arm's best numbers: trained without the last sixth of the training images, judged by them."""
    trials: int = 10
    """Choices that --tune tries for each arm, drawn at random from those of its rule."""
    tune_seeds: int = 3
    """Initial networks that --tune tries each choice from, none of them among those compared."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Tunes if asked to, descends every arm, compares."""
    check_at_least(config, seeds=1, trials=1, tune_seeds=1)
    goals = ((90.0, 93.0) if config.fair else (90.0,)) if config.goals is None else config.goals
    if not goals:
        raise ChoiceError("goals is empty; name at least one accuracy, or leave the option out")
    for goal in goals:
        check_goal(goal)
    train, test, classes = script.load(config.data, config.limit)
    n, sizes = len(train.images), (train.images.shape[1], *config.hidden, classes)
    arms = parse_arms((FAIR if config.fair else PLAIN) if config.arms is None else config.arms, n)
    compared, tuned_on, order = jax.random.split(random_key(config.seed), 3)
    parts = parts_of(folder, config, examples=identity.of_arrays((train, test)))
    params = networks.initial(compared, sizes, config.seeds)
    price = prices(params, train)
    results: script.Record = {"n": n, "goals": goals, "prices": price._asdict()}
    if config.tune:
        starts = networks.initial(tuned_on, sizes, config.tune_seeds)
        results["tuning"] = [
            parts(f"tuning-{number}", tune, config, number, arm, starts, train, order, price)
            for number, arm in enumerate(arms, 1)
        ]
        arms = [arm._replace(numbers=tuple(row["best"])) for arm, row in zip(arms, results["tuning"], strict=True)]
    results["arms"] = []
    for number, arm in enumerate(arms, 1):
        try:
            way = parts(f"arm-{number}", contest.descend, arm, [arm.numbers], params, train, test, order, price)
        except jaxnet.Diverged as diverged:
            raise script.Stopped(f"{named(arm, n)}: {diverged}", results) from None
        results["arms"].append(arm._asdict() | {"name": named(arm, n)} | way)
    results["comparison"] = contest.compare(results["arms"], goals)
    return results


def tune(
    config: Config,
    number: int,
    arm: Arm,
    params: jaxnet.Params,
    train: jaxnet.Dataset,
    order: jax.Array,
    price: Prices,
) -> script.Record:
    """Trials for one arm, judged on the last sixth of the training images, which they do not see."""
    n = len(train.images) * 5 // 6
    batch_size = n if arm.batch_size == len(train.images) else min(arm.batch_size, n)
    tried = trials(rule_of(arm), config.trials, np.random.default_rng([config.seed, number]))
    seen, held_out = part(train, 0, n), part(train, n, None)
    way = contest.descend(arm._replace(batch_size=batch_size), tried, params, seen, held_out, order, price)
    alive = np.isfinite(way["train_cost"][-1])  # the outputs of a dead network are not even wrong
    accuracy = 100 * np.where(alive, way["test_accuracy"][-1], 0).reshape(len(tried), config.tune_seeds)
    best = tried[int(np.argmax(accuracy.mean(axis=1)))]
    cost = {"seconds": way["seconds"][-1], "examples": np.sum(way["examples"][-1])}
    return arm._asdict() | {"tried": tried, "accuracy": accuracy, "best": best, **cost}


def main() -> None:
    """The command line."""
    script.main("full_batch_vs_sgd", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
