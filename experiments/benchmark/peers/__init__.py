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


class Trainer(NamedTuple):
    """A network that is being trained.

    - `run`: visits the examples in this order, an array of integers (m,), batch after batch, the last one smaller where
      the batch size does not divide m. Returns when the work is done.
    - `params`: the weights and biases now, as arrays of their own.
    """

    run: Callable[[np.ndarray], None]
    params: Callable[[], Params]


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
