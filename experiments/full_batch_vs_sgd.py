"""Careful steps or a drunk walk: why does everybody train with mini-batches?

    python -m experiments.full_batch_vs_sgd

Five copies of the lecture's network, each from its own random start, roll downhill four times: with all 60,000 images
for every step, and with random batches of 1,000, 100 and 10, each at its own best learning rate. They are compared
after as many examples, as many steps, and as many seconds. A minute and a half on two cores; batches of 10 get to 90 %
after some 300 times fewer examples than the full batch.
"""

from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
import optax

import jaxnet
from experiments.common import networks, script, tables
from experiments.common.arms import Arm, parse_arms
from experiments.common.choices import ChoiceError, check_at_least, check_goal, check_rate, random_key
from experiments.common.machine import side_by_side
from experiments.common.saving import Resuming, parts_of
from experiments.reports import full_batch_vs_sgd as report
from jaxnet import identity
from jaxnet.history import first_reach


@dataclass(frozen=True)
class Config:
    """The choices."""

    arms: tuple[str, ...] = ("full:5:440", "1000:4:40", "100:1:30", "10:0.25:15")
    """What to compare, each as BATCH_SIZE:RATE:EPOCHS. The rates are those that --tune found."""
    seeds: int = 5
    """Initial networks; every arm starts from the same ones."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    goal: float = 90.0
    """Test accuracy in percent to be reached."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = None
    """Only the first so many training and test images."""
    tune: bool = False
    """First find each arm's best rate: trained without the last sixth of the training images, judged by them."""
    grid: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    """Rates that --tune tries."""
    tune_seeds: int = 3
    """Initial networks that --tune tries each rate from, none of them among those compared."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Tunes if asked to, descends every arm, compares."""
    check_at_least(config, seeds=1, tune_seeds=1)
    if not config.grid:
        raise ChoiceError("grid is empty; name at least one rate, or leave the option out")
    for rate in config.grid:
        check_rate(rate)
    check_goal(config.goal)
    train, test, classes = script.load(config.data, config.limit)
    sizes = (train.images.shape[1], *config.hidden, classes)
    arms = parse_arms(config.arms, len(train.images))
    compared, tuned_on, order = jax.random.split(random_key(config.seed), 3)
    parts = parts_of(folder, config, examples=identity.of_arrays((train, test)))
    results: script.Record = {"n": len(train.images), "goal": config.goal}
    if config.tune:
        starts = networks.initial(tuned_on, sizes, config.tune_seeds)
        results["tuning"] = [
            parts(f"tuning-{number}", tune, config, arm, starts, train, order) for number, arm in enumerate(arms, 1)
        ]
        arms = [arm._replace(rate=row["best"]) for arm, row in zip(arms, results["tuning"], strict=True)]
    params = networks.initial(compared, sizes, config.seeds)
    results["arms"] = []
    for number, arm in enumerate(arms, 1):
        try:
            history = parts(f"arm-{number}", descend, arm, params, train, test, order)
        except jaxnet.Diverged as diverged:
            name = tables.batch_name(arm.batch_size, len(train.images))
            raise script.Stopped(f"{name}, rate {arm.rate:g}: {diverged}", results) from None
        results["arms"].append(arm._asdict() | {"history": history})
    results["comparison"] = compare(results["arms"], config.goal)
    return results


def descend(
    arm: Arm, params: jaxnet.Params, train: jaxnet.Dataset, test: jaxnet.Dataset, order: jax.Array
) -> script.Record:
    """The history of one arm: some ten evaluations in the first epoch, twenty on the rest of the way.

    Its seconds are those of the arm's average pace, so that a single slow moment of the machine does not count.
    """
    steps = -(-len(train.images) // arm.batch_size)
    number = len(params[0].biases)

    def trained(
        key: jax.Array, params: jaxnet.Params, epochs: int, evaluations: int
    ) -> tuple[jaxnet.Params, jaxnet.History]:
        label = f"{tables.batch_name(arm.batch_size, len(train.images))}, {epochs} epochs"
        # Whole epochs apart, or parts of one.
        every = -(-epochs // evaluations) * steps if epochs >= evaluations else max(1, epochs * steps // evaluations)
        with script.progress(label, epochs) as show, side_by_side(number, arm.batch_size):
            return jaxnet.train(
                key,
                params,
                train,
                optax.sgd,
                rates=np.full(number, arm.rate, np.float32),
                batch_size=arm.batch_size,
                epochs=epochs,
                test=test,
                evaluate_every=every,
                progress=show,
            )

    first, rest = jax.random.split(order)
    params, history = trained(first, params, 1, 10)
    rows, last = history._asdict(), history
    if arm.epochs > 1:
        _, last = trained(rest, params, arm.epochs - 1, 20)
        rows["compile_seconds"] += last.compile_seconds
        for name, column in rows.items():
            if np.ndim(column) > 0:
                before = column[-1] if name in ("epochs", "steps", "examples") else 0
                rows[name] = np.concatenate([column, before + getattr(last, name)[1:]])
    return rows | {"seconds": rows["steps"] * (last.seconds[-1] / last.steps[-1])}


def tune(config: Config, arm: Arm, params: jaxnet.Params, train: jaxnet.Dataset, order: jax.Array) -> script.Record:
    """Every rate of the grid for one arm, judged on the last sixth of the training images, which it does not see."""
    n = len(train.images) * 5 // 6
    seen, held_out = (jaxnet.Dataset(train.images[rows], train.labels[rows]) for rows in (slice(n), slice(n, None)))
    stacked, rates = networks.at_rates(params, config.grid)
    batch_size = n if arm.batch_size == len(train.images) else min(arm.batch_size, n)
    label = f"tuning {tables.batch_name(batch_size, n)}"
    with script.progress(label, arm.epochs) as show, side_by_side(len(rates), batch_size):
        _, history = jaxnet.train(
            order,
            stacked,
            seen,
            optax.sgd,
            rates=rates,
            batch_size=batch_size,
            epochs=arm.epochs,
            test=held_out,
            evaluate_every=max(1, arm.epochs * -(-n // batch_size) // 4),
            progress=show,
        )
    alive = np.isfinite(history.train_cost[-1])  # the outputs of a dead network are not even wrong
    accuracy = 100 * np.where(alive, history.test_accuracy[-1], 0).reshape(len(config.grid), config.tune_seeds)
    best = config.grid[int(np.argmax(accuracy.mean(axis=1)))]
    return arm._asdict() | {"grid": config.grid, "accuracy": accuracy, "best": best}


def compare(arms: list[script.Record], goal: float) -> script.Record:
    """Accuracy after as many examples, steps and seconds; what it took to the goal, and to where the best arm ends."""
    measures = ("examples", "steps", "seconds")
    # A network whose cost is no longer finite has no accuracy: its outputs are not even wrong.
    curves = [
        100 * np.where(np.isfinite(arm["history"]["train_cost"]), arm["history"]["test_accuracy"], np.nan)
        for arm in arms
    ]
    budgets = {measure: min(arm["history"][measure][-1] for arm in arms) for measure in measures}
    best = max(range(len(arms)), key=lambda arm: np.nan_to_num(curves[arm][-1]).mean())
    levels = {"goal": goal, "best": np.nanmin(curves[best][-1])}

    def at(arm: int, measure: str) -> np.ndarray:
        along = arms[arm]["history"][measure]
        return np.array([np.interp(budgets[measure], along, curve) for curve in curves[arm].T])

    return {
        "budgets": budgets,
        "levels": levels,
        "best": best,
        "end": [curve[-1] for curve in curves],
        "at": {measure: [at(arm, measure) for arm in range(len(arms))] for measure in measures},
        "to": {
            level: {
                measure: [
                    [first_reach(arm["history"][measure], curve, value) for curve in each.T]
                    for arm, each in zip(arms, curves, strict=True)
                ]
                for measure in measures
            }
            for level, value in levels.items()
        },
    }


def main() -> None:
    """The command line."""
    script.main("full_batch_vs_sgd", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
