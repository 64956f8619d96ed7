"""Peers: the same network, trained by the same descent, in other software, each as its own users write it.

Every module `by_NAME` has a function `trainer(params, images, targets, batch_size, rate) -> Trainer` and a function
`threads() -> int`, how many threads of the CPU its arithmetic may use. What is common to them, so that speed alone
differs:

- `params`: weights (n_out, n_in) and biases (n_out,), float32, layer after layer; they are copied, never changed.
- `images` float32 (n, n_in) and `targets` float32 (n, n_out), in memory; what a library needs made of them is made by
  `trainer`, not by `run`.
- Every neuron is a sigmoid. The cost of a batch is the mean over its examples of sum_j (a_j - y_j)^2, without one-half
  (scikit-learn has no such cost for classification, and takes cross-entropy). Each step is w <- w - rate dC/dw.

They import neither `jaxnet` nor one another's libraries, so that each can be started in a process of its own;
`by_jaxnet` is jaxnet itself in the same shape.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Params = list[tuple[np.ndarray, np.ndarray]]
"""Weights (n_out, n_in) and biases (n_out,), layer after layer, float32."""


Evaluation = Callable[[], tuple[float, float]]
"""What one forward pass over some examples finds: their mean cost, and the share whose largest output is right."""


class Trainer(NamedTuple):
    """A network that is being trained.

    - `run`: visits the examples in this order, an array of integers (m,), batch after batch, the last one smaller where
      the batch size does not divide m. Returns when the work is done.
    - `params`: the weights and biases now, as arrays of their own.
    - `evaluation`: of (images, targets), for as often as it is wanted; what a library needs made of them is made once.
    - `train`: a whole training, from the beginning, by a function that the program has for it; it takes what `train` of
      this module takes after the trainer, which trains all others.
    """

    run: Callable[[np.ndarray], None]
    params: Callable[[], Params]
    evaluation: Callable[[np.ndarray, np.ndarray], Evaluation]
    train: Callable[..., list[list[float]]] | None = None


Examples = tuple[np.ndarray, np.ndarray]


def train(
    trainer: Trainer, examples: Examples, tests: Examples, epochs: int, seed: int, told: Callable[[], None]
) -> list[list[float]]:
    """So many epochs, each in an order of its own, evaluated over all examples before the first one and after each.

    The history: training cost and accuracy, test cost and accuracy. `told` is called after each evaluation.
    """
    if trainer.train is not None:
        return trainer.train(examples, tests, epochs, seed, told)
    random, history = np.random.default_rng(seed), []
    evaluations = [trainer.evaluation(*each) for each in (examples, tests)]
    for epoch in range(epochs + 1):
        if epoch > 0:
            trainer.run(random.permutation(len(examples[0])))
        history.append([number for evaluate in evaluations for number in evaluate()])
        told()
    return history


def initial(random: np.random.Generator, sizes: Sequence[int]) -> Params:
    """Normal weights with standard deviation 1/sqrt(n_in), normal(0, 1) biases."""
    return [
        (
            random.normal(0, n_in**-0.5, (n_out, n_in)).astype(np.float32),
            random.normal(0, 1, n_out).astype(np.float32),
        )
        for n_in, n_out in itertools.pairwise(sizes)
    ]


def batches(order: Any, batch_size: int, n: int) -> Iterator[Any]:
    """The rows of each batch; of a batch of all n examples as they lie, so that none is moved."""
    if batch_size == len(order) == n:
        yield slice(None)
    else:
        yield from (order[start : start + batch_size] for start in range(0, len(order), batch_size))
