"""The same networks rolling downhill in several ways: what each way took, and what it came to."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet
from experiments.common import networks, script
from experiments.common.arms import Arm, named, rule_of
from experiments.common.machine import side_by_side
from experiments.common.rules import Prices, work
from jaxnet import History
from jaxnet.history import Metrics, first_reach

MEASURES = ("examples", "steps", "passes", "seconds", "bytes")
"""What a way is measured by.

- examples: that were looked at for a gradient; a value of the cost and a Hessian-vector product count at their price.
- passes: gradients, values and products, each of which waits for the one before it.
- seconds: of all networks; those that cannot be trained side by side one after the other.
- bytes: that each device would send for its sums, if the examples were shared out among many.
"""


def descend(
    arm: Arm,
    tried: Sequence[tuple[float, ...]],
    params: jaxnet.Params,
    train: jaxnet.Dataset,
    test: jaxnet.Dataset,
    order: jax.Array,
    price: Prices,
    *,
    evaluations: int = 60,
    evaluate_on: int = 10_000,
) -> script.Record:
    """What stacked networks went through, every one with every choice of the numbers of the arm's rule.

    All the networks of the first choice come first. About so many evaluations, of the first so many training images at
    most, and of all test images.

    The seconds are those of the average pace, so that a single slow moment of the machine does not count.
    """
    numbers = jaxnet.count_params(params) // len(params[0].biases)
    params, places = networks.at_rates(params, range(len(tried)))
    choices = [tried[int(place)] for place in places]
    steps = arm.epochs * -(-len(train.images) // arm.batch_size)
    evaluated = {
        "evaluate_every": max(1, steps // evaluations),
        "evaluate_on": min(evaluate_on, len(train.images)),
    }
    trained = functools.partial(_trained, arm, train, test, order, **evaluated)
    if rule_of(arm).alone:
        make = functools.cache(rule_of(arm).make)  # one program for all networks with the same choice
        each = [
            trained(jax.tree.map(lambda leaf, i=i: leaf[i], params), make(*choice)) for i, choice in enumerate(choices)
        ]
        history = _side_by_side(each)
    else:
        columns = [jnp.array(column) for column in zip(*choices, strict=True)]
        with side_by_side(len(choices), arm.batch_size):
            history = trained(
                params,
                lambda index: rule_of(arm).make(*(column[index.astype(int)] for column in columns)),
                rates=np.arange(len(choices), dtype=np.float32),
            )
    asked = work(rule_of(arm), history)
    gradients = asked.gradients + price.value * asked.values + price.product * asked.products
    return {
        "examples": gradients * history.examples[-1] / history.steps[-1],
        "steps": history.steps,
        "passes": asked.gradients + asked.values + asked.products,
        "seconds": history.steps * (history.seconds[-1] / history.steps[-1]),
        "bytes": 4 * (numbers * (asked.gradients + asked.products) + asked.values),
        **{name: getattr(history, name) for name in ("train_cost", "train_accuracy", "test_cost", "test_accuracy")},
        "compile_seconds": history.compile_seconds,
    }


def _trained(
    arm: Arm,
    train: jaxnet.Dataset,
    test: jaxnet.Dataset,
    order: jax.Array,
    params: jaxnet.Params,
    optimizer: Any,
    **choices: Any,
) -> History:
    with script.progress(f"{named(arm, len(train.images))}, {arm.epochs} epochs", arm.epochs) as show:
        return jaxnet.train(
            order,
            params,
            train,
            optimizer,
            batch_size=arm.batch_size,
            epochs=arm.epochs,
            test=test,
            look=rule_of(arm).asked,
            progress=show,
            **choices,
        )[1]


def _side_by_side(each: list[History]) -> History:
    """Of networks that were trained one after the other."""
    stacked = {
        name: np.stack([getattr(history, name) for history in each], axis=1) for name in (*Metrics._fields, "looks")
    }
    sums = {name: sum(getattr(history, name) for history in each) for name in ("seconds", "compile_seconds")}
    return each[0]._replace(**stacked, **sums)


def reached(along: np.ndarray, curves: np.ndarray, level: float) -> np.ndarray:
    """Where the curve of each network first reaches the level; both are (evaluations, networks)."""
    return np.array([first_reach(*pair, level) for pair in zip(along.T, curves.T, strict=True)])


def compare(ways: list[script.Record], goals: Sequence[float]) -> script.Record:
    """Accuracy after as many examples, steps and so on; what each goal took, and where the best way ends."""
    # A network whose cost is no longer finite has no accuracy: its outputs are not even wrong.
    curves = [100 * np.where(np.isfinite(way["train_cost"]), way["test_accuracy"], np.nan) for way in ways]
    along = {
        measure: [
            np.broadcast_to(np.reshape(way[measure], (len(curve), -1)), curve.shape)
            for way, curve in zip(ways, curves, strict=True)
        ]
        for measure in MEASURES
    }
    budgets = {measure: min(each[-1].min() for each in along[measure]) for measure in MEASURES}
    best = max(range(len(ways)), key=lambda way: np.nan_to_num(curves[way][-1]).mean())
    levels = [*goals, np.nanmin(curves[best][-1])]
    return {
        "budgets": budgets,
        "levels": levels,
        "best": best,
        "end": [curve[-1] for curve in curves],
        "at": {
            measure: [
                np.array([np.interp(budgets[measure], *pair) for pair in zip(each.T, curve.T, strict=True)])
                for each, curve in zip(along[measure], curves, strict=True)
            ]
            for measure in MEASURES
        },
        "to": [
            {
                measure: [reached(each, curve, level) for each, curve in zip(along[measure], curves, strict=True)]
                for measure in MEASURES
            }
            for level in levels
        ],
    }
