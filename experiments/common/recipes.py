"""How a network is trained, all of it as data: a recipe. What the field has published are recipes and numbers."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import jax
import numpy as np
import optax

import jaxnet
from experiments.common import networks
from experiments.common.machine import side_by_side
from jaxnet import Dataset, History, Loss, Params
from jaxnet.network import Activation, Initializer


@dataclass(frozen=True)
class Recipe:
    """What a result depends on, seeds aside. By default the lecture's network, its cost and plain descent."""

    rate: float
    """Learning rate, of a cost without the one-half."""
    hidden: tuple[int, ...] = (16, 16)
    batch_size: int = 10
    epochs: int = 30
    schedule: Literal["constant", "cosine"] = "constant"
    """The rate stays, or falls to zero along half a cosine."""
    momentum: float = 0.0
    """Each step adds so many times the step before."""
    activation: Activation = jaxnet.sigmoid
    output: Activation = jaxnet.sigmoid
    loss: Loss = jaxnet.squared_error
    decay: float = 0.0
    """The strength of L2 in the cost, as `jaxnet.l2` takes it."""
    weights: Initializer = jaxnet.scaled_normal
    biases: Initializer = jaxnet.unit_normal
    examples: int = 60_000
    """Trained on the first so many training images."""
    validated: bool = False
    """Judged by the last 10,000 training images, not by the test images."""
    white: int = 255
    """A pixel that is the byte 255 becomes the number 255 / white."""
    distortion: dict[str, float] = field(default_factory=dict)
    """Choices of `jaxnet.distort`; empty for the images as they are."""
    epochs_per_evaluation: int = 1
    """The history has a row for every so many epochs."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of neurons, for MNIST."""
        return (784, *self.hidden, 10)

    def facts(self) -> dict[str, Any]:
        """All of it, as a record can hold it: functions by their names."""
        return {each.name: _name(getattr(self, each.name)) for each in fields(self)}

    def init(self, key: jax.Array) -> Params:
        """The network before it has seen anything."""
        return jaxnet.init(
            key,
            self.sizes,
            activation=self.activation,
            output=self.output,
            weights=self.weights,
            biases=self.biases,
        )

    def starts(self, key: jax.Array, number: int) -> Params:
        """So many of them, stacked."""
        return networks.stacked(self.init, key, number)

    def steps(self, n: int) -> int:
        """Of the whole run, on n examples."""
        return self.epochs * -(-n // min(self.batch_size, n))

    def optimizer(self, n: int, rate: Any) -> optax.GradientTransformation:
        """Plain descent at this rate, with the schedule and the momentum, for n examples."""
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(rate, self.steps(n))
        return optax.sgd(rate, momentum=self.momentum or None)

    def choices(self, n: int) -> dict[str, Any]:
        """What `train` takes beside parameters, data and optimizer, for n examples."""
        penalty = jaxnet.l2(self.decay) if self.decay else None
        return {
            "batch_size": min(self.batch_size, n),
            "epochs": self.epochs,
            "cost": functools.partial(jaxnet.cost, loss=self.loss, penalty=penalty),
            "evaluate_every": self.epochs_per_evaluation * -(-n // min(self.batch_size, n)),
            "distort": functools.partial(jaxnet.distort, **self.distortion) if self.distortion else None,
        }

    def data(self, train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
        """What it learns from and what it is judged by, of the images there are."""
        held_out = len(train.images) - len(train.images) // 6
        judged = part(train, held_out, None) if self.validated else test
        learnt = part(train, 0, min(self.examples, held_out) if self.validated else self.examples)
        return self._scaled(learnt), self._scaled(judged)

    def _scaled(self, data: Dataset) -> Dataset:
        return data if self.white == 255 else data._replace(images=data.images * np.float32(255 / self.white))


def _name(value: Any) -> Any:
    if not callable(value):
        return value
    ours = (name for name in jaxnet.__all__ if getattr(jaxnet, name) is value)  # not all have a name of their own
    return next(ours, None) or value.__name__


def part(data: Dataset, start: int, stop: int | None) -> Dataset:
    """Some of the examples."""
    return Dataset(data.images[start:stop], data.labels[start:stop])


def descend(
    recipe: Recipe,
    order: jax.Array,
    params: Params,
    rates: Any,
    learnt: Dataset,
    judged: Dataset,
    progress: Callable[[History], None] | None = None,
    *,
    evaluate_on: int | None = None,
) -> tuple[Params, History]:
    """Trains stacked networks, each at its own rate, by the recipe in all else.

    `evaluate_on` is that of `train`: by default the history tells of all the examples that are learnt from.
    """
    n = len(learnt.images)
    choices = recipe.choices(n)
    with side_by_side(len(rates), choices["batch_size"]):
        return jaxnet.train(
            order,
            params,
            learnt,
            lambda rate: recipe.optimizer(n, rate),
            rates=rates,
            test=judged,
            evaluate_on=evaluate_on,
            progress=progress,
            **choices,
        )
