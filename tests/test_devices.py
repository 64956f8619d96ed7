"""Many devices and many processes come to the numbers of one, and send no more than the gradient."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments import train_digits
from jaxnet import devices
from tests.attacks.processes import free_port
from tests.experiments.commands import refused

EIGHT = """
import functools, jax, jax.numpy as jnp, jaxnet, numpy as np, optax
from jaxnet import devices
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
train, test = jaxnet.load()
few, tests = jaxnet.Dataset(*(part[:2003] for part in train)), jaxnet.Dataset(*(part[:203] for part in test))
start, order = jax.random.split(jax.random.key(0))
params = jaxnet.init(start)

def far(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in pairs)

def compare(*arguments, sharded=False, **choices):
    one = jaxnet.train(order, *arguments, epochs=1, test=tests, **choices)
    with jax.set_mesh(devices.mesh()):
        eight = jaxnet.train(order, *arguments, epochs=1, test=tests, shard_images=sharded, **choices)
    assert jax.tree.map(jnp.shape, one[0]) == jax.tree.map(jnp.shape, eight[0])
    return max(far(one[0], eight[0]), far(one[1].train_cost, eight[1].train_cost))

for batch_size in (10, 64, 2003):
    print(compare(params, few, optax.sgd(0.25), batch_size=batch_size, chunk_size=100))
wobble = functools.partial(jaxnet.distort, alpha=34.0, rotation=15.0)
print(compare(params, few, optax.sgd(0.25), batch_size=64, chunk_size=100, distort=wobble))
stacked, rates = jax.vmap(jaxnet.init)(jax.random.split(start, 10)), np.linspace(0.1, 1, 10)
for batch_size in (10, 64, 2003):
    print(compare(params, few, optax.sgd(0.25), batch_size=batch_size, chunk_size=100, evaluate_on=1001, sharded=True))
print(compare(params, few, optax.sgd(0.25), batch_size=64, chunk_size=100, distort=wobble, sharded=True))
print(compare(params, few, optax.lbfgs(), batch_size=2003, sharded=True))
five = jaxnet.Dataset(*(part[:5] for part in train))
print(compare(params, five, optax.sgd(0.25), batch_size=2, sharded=True))
print(compare(stacked, few, optax.sgd, rates=rates, batch_size=10))
"""


@pytest.mark.long
def test_eight_devices_come_to_the_numbers_of_one():
    found = subprocess.run([sys.executable, "-c", EIGHT], capture_output=True, text=True, check=True)
    differences = [float(line) for line in found.stdout.split()]
    assert len(differences) == 11
    assert max(differences) < 1e-5


TRAVELS = """
import re, sys, jax, jax.numpy as jnp, jaxnet, numpy as np, optax
from jaxnet import devices, programs, sharded
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
optimizer, n = optax.sgd(0.25), 2000
params = jaxnet.init(jax.random.key(0))
with jax.set_mesh(devices.mesh()):
    state = devices.replicate(jaxnet.State(params, optimizer.init(params)))
    examples = devices.replicate((jnp.zeros((n, 784), jnp.uint8), jnp.zeros((n, 10)), jnp.arange(n)))
    if len(sys.argv) > 1:
        examples = *(sharded.shard(np.zeros((n, size), kind)) for size, kind in ((784, "u1"), (10, "f4"))), examples[2]
    for batch_size in (10, 100, n):
        epoch = programs.epoch.lower(
            state, None, *examples, 0, size=n,
            over=programs.Over(125, population=False),
            batch_size=batch_size, optimizer=optimizer, cost=jaxnet.cost, gradient=None,
        ).compile()
        ways = "all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"
        print(*re.findall(rf"= (.*?) ({ways})(?:-start)?\\(", epoch.as_text()), sep="\\n")
        print("-", epoch.memory_analysis().argument_size_in_bytes)
"""


def travelling(*arguments: str) -> list[tuple[list[tuple[str, str]], int]]:
    """Of epochs in batches of 10, of 100 and of all: shapes and ways of what travels, and what each device keeps."""
    found = subprocess.run([sys.executable, "-c", TRAVELS, *arguments], capture_output=True, text=True, check=True)
    *epochs, _ = re.split(r"(- \d+\n)", found.stdout)
    return [
        ([eval(line) for line in lines.splitlines()], int(size[2:]))  # noqa: S307
        for lines, size in zip(epochs[::2], epochs[1::2], strict=True)
    ]


def test_nothing_travels_between_devices_but_the_gradient():
    for messages, kept in travelling():
        assert {how for _, how in messages} == {"all-reduce"}
        assert {numbers(shapes) for shapes, _ in messages} == {13_002}
        assert kept > 2_000 * 784


def test_of_sharded_images_only_those_of_a_batch_travel_and_each_device_keeps_its_part():
    *batches, (of_all, kept) = travelling("sharded")
    assert [(numbers(shapes), how) for shapes, how in of_all] == [(13_002, "all-reduce")]
    assert 2_000 / 8 * 784 < kept < 2_000 / 8 * 784 + 150_000  # parameters, targets, order
    for messages, kept in batches:
        assert {how for _, how in messages} == {"all-reduce"}
        pixels = max(numbers(shapes) for shapes, _ in messages if shapes.startswith("u8"))
        assert pixels <= 160 * 784  # those of sixteen batches of 10, or of one of 100
        assert 2_000 / 8 * 784 < kept < 2_000 / 8 * 784 + 150_000


def numbers(shapes: str) -> int:
    """How many numbers arrays of these shapes hold together."""
    return sum(math.prod(map(int, sides.split(","))) for sides in re.findall(r"\[([\d,]+)\]", shapes))


SMALL = ("-m", "experiments.train_digits", "--limit", "500", "--epochs", "2", "--rate", "1")


@pytest.mark.long
@pytest.mark.parametrize(("processes", "choices"), [(2, ()), (2, ("--shard-images",)), (4, ("--shard-images",))])
def test_processes_come_to_the_numbers_of_one_and_write_one_record(
    processes: int, choices: tuple[str, ...], tmp_path: Path
):
    subprocess.run([sys.executable, *SMALL, "--out", str(tmp_path / "one")], check=True, capture_output=True)
    coordinator = f"127.0.0.1:{free_port()}"
    running = []
    for process in range(processes):
        options = (
            f"--distributed --coordinator {coordinator} --num-processes {processes} --process-id {process}".split()
        )
        command = [sys.executable, *SMALL, *options, *choices, "--out", str(tmp_path / f"many{process}")]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * processes, outputs
    assert f"{processes} x cpu (cpu) in {processes} processes" in outputs[0][0]
    assert not any("epoch" in printed for printed, _ in outputs[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many0", "one"]
    one, many = (json.loads((tmp_path / name / "record.json").read_text()) for name in ("one", "many0"))
    assert many["device"]["number"] == many["device"]["processes"] == processes
    for name in ("train_cost", "test_cost"):
        np.testing.assert_allclose(many["results"]["history"][name], one["results"]["history"][name], atol=1e-5)


def test_what_one_process_wishes_all_do(monkeypatch: pytest.MonkeyPatch):
    """As if there were three: this one, one that wishes the second thing and one that wishes nothing."""
    monkeypatch.setattr(devices, "processes", lambda: 3)
    monkeypatch.setattr(devices, "_of_all_processes", lambda mine: np.array([mine, [False, True, False], [False] * 3]))
    assert devices.any_process([True, False, False]) == [True, True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--devices 0", "devices is 0; expected a number, all"),
        ("--devices cuda:1", "devices is cuda:1; expected a number, all, or one of them after cpu:, gpu: or tpu:"),
        ("--devices gpu:1", "devices are to be of platform gpu; JAX found only cpu here"),
        ("--devices 99", "devices is 99; JAX found 1 x cpu here"),
        ("--process-id 1", "are for several processes; add --distributed"),
        ("--distributed --process-id 1", "belong together; give all three or none"),
        ("--distributed", "the other processes cannot be found"),
    ],
)
def test_what_is_not_there_is_refused(options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert message in refused(train_digits, monkeypatch, *options.split(), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_float64_and_a_trace_of_the_profiler(tmp_path: Path):
    command = [
        sys.executable,
        *SMALL,
        "--dtype",
        "float64",
        "--profile",
        str(tmp_path / "trace"),
        "--out",
        str(tmp_path),
    ]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "in float64" in found.stdout
    assert list((tmp_path / "trace").rglob("*.xplane.pb"))
    record = json.loads((tmp_path / "record.json").read_text())
    gradient = record["results"]["history"]["gradient_norm"][-1]
    assert gradient != float(np.float32(gradient))
    assert jax.numpy.zeros(1).dtype == np.float32
