"""Precision: a full run of the default network with products in float32, TF32 and bfloat16, for accelerators."""

import jax
import optax

import jaxnet
from experiments.common import script


def measure(train: jaxnet.Dataset, test: jaxnet.Dataset, *, seed: int) -> list[script.Record]:
    """Seconds and test accuracy of each."""
    start, order = jax.random.split(jax.random.key(seed))
    params = jaxnet.init(start)
    optimizer = optax.sgd(optax.cosine_decay_schedule(0.25, 30 * -(-len(train.images) // 10)))
    rows = []
    for name, precision in (("float32", "highest"), ("TF32", "tensorfloat32"), ("bfloat16", "bfloat16")):
        with jax.default_matmul_precision(precision):
            history = jaxnet.train(order, params, train, optimizer, batch_size=10, epochs=30, test=test)[1]
        rows.append(
            {"precision": name, "seconds": history.seconds[-1], "test_accuracy": float(history.test_accuracy[-1])}
        )
    return rows
