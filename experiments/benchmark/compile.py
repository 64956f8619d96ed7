"""Compiling: how long `train` compiles the default network, in new processes, with nothing and with all of it kept."""

import tempfile

from experiments.benchmark import cold
from experiments.common import script, tables

_PROGRAM = """
import jax, optax, jaxnet
train, test = jaxnet.load()
start, order = jax.random.split(jax.random.key(0))
params = jaxnet.init(start)
rate = optax.cosine_decay_schedule(0.25, 30 * 6000)
print(jaxnet.train(order, params, train, optax.sgd(rate), batch_size=10, epochs=1, test=test)[1].compile_seconds)
"""


def compile_times(repeats: int) -> script.Record:
    """Seconds that `train` spends on compiling, so many times with nothing kept and with all kept."""
    found: dict[str, list[float]] = {"new": [], "kept": []}
    with tempfile.TemporaryDirectory() as folder:
        cold.output(["-c", _PROGRAM], folder)
        for _ in range(repeats):
            for name, kept in (("new", None), ("kept", folder)):
                found[name].append(float(cold.output(["-c", _PROGRAM], kept)))
    return {name: tables.middle(seconds) for name, seconds in found.items()}
