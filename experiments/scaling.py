"""What do more devices bring?

    python -m experiments.scaling --devices cpu:8

The lecture's network and a wider one on 1, 2, 4 ... devices. Strong scaling: the same batch, shared out among more
devices. Weak scaling: as many more examples a step. Populations: as many more networks, each device its own. Next to
the times, what travels between the devices in one step, counted in the compiled program, and from that a projection to
8 and 256 accelerators. Less than a minute on two cores, where eight devices share two cores, so that at best nothing is
lost.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from experiments.common import networks, roofline, script, tables
from experiments.common.choices import ChoiceError, check_at_least, check_seed, refused
from experiments.common.compiled import counted
from experiments.reports import scaling as report
from jaxnet import devices
from jaxnet.data import as_bytes, on_bytes

KINDS = ("strong", "weak", "population")


@dataclass(frozen=True)
class Config:
    """The choices."""

    hidden: tuple[int, ...] = (100,)
    """Neurons in each hidden layer."""
    batch_size: int = 1000
    """Examples a step; of weak scaling and of a population, those of each device."""
    networks: int = 4
    """Networks on each device, of a population."""
    steps: int = 20
    """Steps in one run."""
    repeats: int = 5
    """Runs that count, after one that does not."""
    link: float = 50.0
    """Of the projection: GB/s that an accelerator sends and receives."""
    latency: float = 5.0
    """Of the projection: microseconds until one message arrives."""
    operations: float = 20.0
    """Of the projection: float32 operations that an accelerator reaches on this network, in units of 10^12 a second."""
    seed: int = 0
    """Decides the initial weights and the order of the examples."""
    limit: int | None = None
    """Only the first so many training images."""


def run(config: Config, _folder: Path) -> script.Record:
    """Times every kind on every number of devices."""
    check_at_least(config, batch_size=1, networks=1, steps=1, repeats=1)
    check_seed(config.seed)
    for name in ("link", "latency", "operations"):
        if not 0 < getattr(config, name) < math.inf:
            raise ChoiceError(f"{name} is {getattr(config, name)}; it must be a finite number above 0")
    train, _, _ = script.load("mnist", config.limit)
    present = list(jax.sharding.get_mesh().devices.flat) if devices.number() > 1 else jax.devices()[:1]
    numbers = [2**power for power in range(len(present).bit_length()) if 2**power <= len(present)]
    sizes = (784, *config.hidden, 10)
    examples = jax.device_get((as_bytes(train.images), jaxnet.one_hot(train.labels)))
    rows = []
    for kind in KINDS:
        for number in numbers:
            with jax.set_mesh(devices.mesh(present[:number])):
                rows.append(measure(config, kind, number, sizes, examples))
    return {"sizes": sizes, "rows": rows, "projection": [project(config, sizes, number) for number in (8, 256)]}


def measure(config: Config, kind: str, number: int, sizes: tuple[int, ...], examples: Any) -> script.Record:
    """Seconds a step, and bytes that travel in one, on the devices of the mesh."""
    n = len(examples[0])
    batch_size = min(n, config.batch_size * (number if kind == "weak" else 1))
    steps = max(1, min(config.steps, n // batch_size))
    order = np.random.default_rng(config.seed).permutation(n)[: steps * batch_size]
    cost, gradient = on_bytes(jaxnet.cost), on_bytes(jax.grad(jaxnet.cost))
    optimizer = optax.sgd(0.1)
    epoch: Callable[..., Any] = functools.partial(jaxnet.epoch, batch_size=batch_size, optimizer=optimizer)
    if kind == "population":
        epoch = jax.vmap(functools.partial(epoch, cost=cost, gradient=gradient), in_axes=(0, None, None, None))
        params: Any = networks.initial(jax.random.key(config.seed), sizes, config.networks * number)
        state = devices.shard(jaxnet.State(params, jax.vmap(optimizer.init)(params)))
    else:
        epoch = functools.partial(epoch, cost=devices.data_parallel(cost), gradient=devices.data_parallel(gradient))
        with refused():
            params: Any = jaxnet.init(jax.random.key(config.seed), sizes)
        state = devices.replicate(jaxnet.State(params, optimizer.init(params)))
    arguments = state, *devices.replicate(jax.tree.map(jnp.asarray, (*examples, order)))
    compiled = jax.jit(epoch).lower(*arguments).compile()
    seconds = tables.middle([roofline.timed(compiled, *arguments) / steps for _ in range(config.repeats + 1)][1:])
    return {
        "kind": kind,
        "devices": number,
        "batch_size": batch_size,
        "networks": config.networks * number if kind == "population" else 1,
        "seconds": seconds,
        "bytes": round(counted(compiled.as_text() or "").sent / steps),
    }


def project(config: Config, sizes: tuple[int, ...], number: int) -> script.Record:
    """Seconds a step on so many accelerators, by arithmetic and the time of an all-reduce: a projection.

    An all-reduce of B bytes takes 2 (N - 1) messages of B / N bytes around a ring, or log2(N) of B bytes by recursive
    doubling, whichever is sooner (Thakur, Rabenseifner and Gropp 2005).
    """
    size = 4 * sum(n_out * (n_in + 1) for n_in, n_out in itertools.pairwise(sizes))

    def message(size: float) -> float:
        return 1e-6 * config.latency + size / (1e9 * config.link)

    travel = min(2 * (number - 1) * message(size / number), np.ceil(np.log2(number)) * message(size))
    one = roofline.step_work(sizes, config.batch_size).operations / (1e12 * config.operations)
    return {
        "devices": number,
        "bytes": size,
        "strong": one / (one / number + travel),
        "weak": number * one / (one + travel),
        "travel": travel,
        "alone": one,
    }


def main() -> None:
    """The command line."""
    script.main("scaling", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
