"""Populations: many default networks at once, as the scripts train them, against as many single runs."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax

import jaxnet
from experiments.benchmark.peers import initial
from experiments.benchmark.peers.worker import Worker
from experiments.benchmark.speed import RATE, in_turn, rounds_of, seconds_a_step
from experiments.common import networks, roofline, script
from experiments.common.machine import side_by_side

SIZES = (784, 16, 16, 10)


def measure(
    numbers: Sequence[int],
    train: jaxnet.Dataset,
    machine: roofline.Machine,
    *,
    repeats: int,
    seconds: float,
    seed: int,
) -> list[script.Record]:
    """Seconds a step of so many networks at once, batches of 10, each number of networks in turn, by `jaxnet.train`.

    A run is as many epochs as last about so many `seconds`.
    """
    batch_size, steps, _ = batches(len(train.images), seed)
    some = jaxnet.Dataset(train.images[: steps * batch_size], train.labels[: steps * batch_size])
    key, one = jax.random.key(seed), optax.sgd(RATE)
    starts = {number: networks.initial(key, SIZES, number) for number in sorted({1, *numbers})}

    def run(number: int, epochs: int) -> float:
        params = starts[number]
        choices: dict[str, Any] = {"batch_size": batch_size, "epochs": epochs, "evaluate_on": 1}
        with side_by_side(number, batch_size):
            if number == 1:
                only = jax.tree.map(lambda leaf: leaf[0], params)
                return jaxnet.train(key, only, some, one, **choices)[1].seconds[-1]
            rates = np.full(number, RATE, np.float32)
            return jaxnet.train(key, params, some, optax.sgd, rates=rates, **choices)[1].seconds[-1]

    epochs = rounds_of(seconds, {number: run(number, 1) for number in starts})
    found = in_turn(list(starts), repeats, lambda number: run(number, epochs[number]) / (epochs[number] * steps))
    rows = []
    for number, middle in found.items():
        ratio = number * found[1][0] / middle[0]
        share = roofline.share(roofline.step_work(SIZES, batch_size, number), machine, middle[0])
        rows.append({"networks": number, "seconds": middle, "ratio": ratio, "share": share})
    return rows


def measure_peer(worker: Worker, n: int, *, repeats: int, seconds: float, seed: int) -> tuple[float, float, float]:
    """Seconds a step of one network in another program, on as many examples: median, least and most."""
    batch_size, steps, order = batches(n, seed)
    worker.start(initial(np.random.default_rng(seed), SIZES), batch_size, RATE)
    worker.run(order)
    _, middle = seconds_a_step({"peer": worker}, order, steps, repeats=repeats, seconds=seconds)
    return middle["peer"]


def batches(n: int, seed: int) -> tuple[int, int, np.ndarray]:
    """Batch size, number of steps, and the order of the examples."""
    batch_size = min(10, n)
    steps = min(1_000, n // batch_size)
    return batch_size, steps, np.random.default_rng(seed).permutation(n)[: steps * batch_size]
