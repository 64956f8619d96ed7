"""What does not fit is refused before any of it is made."""

import resource
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet import memory
from jaxnet.memory import TooLarge


def test_the_limit_is_that_of_the_machine_or_of_the_process():
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert memory.limit() == int(meminfo["MemTotal"].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    code = f"""
import resource, jaxnet.memory
resource.setrlimit(resource.RLIMIT_AS, ({8 * 10**9}, {hard}))
print(jaxnet.memory.limit())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == 8 * 10**9
    assert soft != 8 * 10**9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jaxnet.init(jax.random.key(0), (784, 10**9, 10)), r"a network of 784-1000000000-10 needs 3,180.0 GB"),
        (
            lambda: jaxnet.one_hot(np.arange(10**6), 10**6),
            "an array of targets for 1,000,000 labels and 1,000,000 classes needs 4,000.0 GB",
        ),
        (
            lambda: jaxnet.calculus.on_grid(jnp.sum, jnp.arange(1e6), jnp.arange(1e6)),
            "a grid of 1,000,000 by 1,000,000 points needs 56,000.0 GB",
        ),
        (
            lambda: jaxnet.descend(
                jax.random.key(0), jaxnet.init(jax.random.key(0)), np.ones((4, 784), np.float32), jnp.eye(4, 10),
                optax.sgd(0.1), batch_size=2, steps=10**8, every=1, look=lambda state: state.params,
            ),
            r"100,000,000 steps .* needs 5,201.6 GB",
        ),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_with_its_size(make, message: str):
    with pytest.raises(TooLarge, match=message):
        make()


def test_a_step_that_does_not_fit_is_refused_before_the_first(monkeypatch: pytest.MonkeyPatch):
    """What XLA says it needs: the images as bytes, and room for a batch."""
    data = jaxnet.Dataset(np.ones((500, 784), np.float32), np.zeros(500, np.int32))
    monkeypatch.setattr(memory, "limit", lambda: 100_000)
    with pytest.raises(TooLarge, match=r"an epoch in batches of 100 needs 0\.0 GB of memory"):
        jaxnet.train(jax.random.key(0), jaxnet.init(jax.random.key(0), (784, 4, 10)), data, optax.sgd(0.1),
                     batch_size=100, epochs=1)  # fmt: skip


def test_what_a_program_needs_is_at_least_its_arguments_and_results():
    program = jax.jit(lambda x: jnp.outer(x, x)).lower(jnp.ones(1000)).compile()
    assert 4 * 1_001_000 <= memory.needed_by(program) < 3 * 4 * 1_001_000


def test_a_result_that_takes_the_place_of_an_argument_needs_no_more_memory():
    program = jax.jit(lambda x: x + 1, donate_argnums=0).lower(jnp.ones(1000)).compile()
    assert memory.needed_by(program) == 4 * 1000
