"""Growth: what time and memory grow with, from the default network in batches of 10, one thing at a time."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet
from experiments.benchmark.peers import by_jaxnet
from experiments.benchmark.speed import RATE, steps_of
from experiments.common import networks, roofline, script, tables


def measure(populations: Sequence[int], pixels: jax.Array, targets: jax.Array, *, seed: int) -> list[script.Record]:
    """A row for each batch size, width, depth and number of networks."""
    n = len(pixels)
    cases = [("batch size", size, (784, 16, 16, 10), size, 1) for size in (1, 10, 100, 1_000, 10_000, n) if size <= n]
    cases += [("width", width, (784, width, width, 10), 10, 1) for width in (16, 64, 256, 1_024)]
    cases += [("hidden layers", depth, (784, *depth * (16,), 10), 10, 1) for depth in (1, 2, 4, 8, 16)]
    cases += [("networks", number, (784, 16, 16, 10), 10, number) for number in populations]
    return [
        {"axis": axis, "value": value} | measure_one(sizes, min(batch_size, n), number, pixels, targets, seed=seed)
        for axis, value, sizes, batch_size, number in cases
    ]


def measure_one(
    sizes: tuple[int, ...],
    batch_size: int,
    number: int,
    pixels: jax.Array,
    targets: jax.Array,
    *,
    seed: int,
) -> script.Record:
    """One case: seconds a step, and the bytes that the compiled program asks for."""
    n = len(pixels)
    steps = steps_of(roofline.step_work(sizes, batch_size, number), 1_000, n // batch_size)
    order = np.random.default_rng(seed).permutation(n)[: steps * batch_size]
    examples = pixels, targets, jnp.asarray(order)
    epoch, state = compiled(number, sizes, batch_size, seed, *examples)
    runs = [roofline.timed(epoch, state, *examples) for _ in range(4)][1:]
    memory: Any = epoch.memory_analysis()
    data = sum(array.nbytes for array in examples)
    return {
        "sizes": sizes,
        "batch_size": batch_size,
        "networks": number,
        "seconds": tables.middle([value / steps for value in runs]),
        "data_bytes": data,
        "work_bytes": memory.argument_size_in_bytes - data + memory.output_size_in_bytes + memory.temp_size_in_bytes,
    }


def compiled(
    number: int, sizes: tuple[int, ...], batch_size: int, seed: int, *examples: jax.Array
) -> tuple[jax.stages.Compiled, jaxnet.State]:
    """An epoch and a state to begin with: of one network as `train` has it, or of several with their `rates`."""
    optimizer, epoch = by_jaxnet.descent(batch_size, RATE)
    params: Any = networks.initial(jax.random.key(seed), sizes, number)
    if number == 1:
        params = jax.tree.map(lambda leaf: leaf[0], params)
        state = jaxnet.State(params, optimizer.init(params))
    else:
        epoch = jax.vmap(epoch, in_axes=(0, None, None, None))
        state = jaxnet.State(params, jax.vmap(optimizer.init)(params))
    return jax.jit(epoch).lower(state, *examples).compile(), state
