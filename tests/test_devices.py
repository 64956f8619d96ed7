"""Many devices and many processes come to the numbers of one, and send no more than the gradient."""

import json
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

def compare(*arguments, **choices):
    one = jaxnet.train(order, *arguments, epochs=1, test=tests, **choices)
    with jax.set_mesh(devices.mesh()):
        eight = jaxnet.train(order, *arguments, epochs=1, test=tests, **choices)
    assert jax.tree.map(jnp.shape, one[0]) == jax.tree.map(jnp.shape, eight[0])
    return max(far(one[0], eight[0]), far(one[1].train_cost, eight[1].train_cost))

for batch_size in (10, 64, 2003):
    print(compare(params, few, optax.sgd(0.25), batch_size=batch_size, chunk_size=100))
wobble = functools.partial(jaxnet.distort, alpha=34.0, rotation=15.0)
print(compare(params, few, optax.sgd(0.25), batch_size=64, chunk_size=100, distort=wobble))
stacked, rates = jax.vmap(jaxnet.init)(jax.random.split(start, 10)), np.linspace(0.1, 1, 10)
print(compare(stacked, few, optax.sgd, rates=rates, batch_size=10))
"""


@pytest.mark.long
def test_eight_devices_come_to_the_numbers_of_one():
    found = subprocess.run([sys.executable, "-c", EIGHT], capture_output=True, text=True, check=True)
    differences = [float(line) for line in found.stdout.split()]
    assert len(differences) == 5
    assert max(differences) < 1e-5


TRAVELS = """
import re, jax, jax.numpy as jnp, jaxnet, optax
from jaxnet import devices, programs
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
optimizer, n = optax.sgd(0.25), 2000
params = jaxnet.init(jax.random.key(0))
with jax.set_mesh(devices.mesh()):
    state = devices.replicate(jaxnet.State(params, optimizer.init(params)))
    examples = devices.replicate((jnp.zeros((n, 784), jnp.uint8), jnp.zeros((n, 10)), jnp.arange(n)))
    for batch_size in (10, 100, n):
        epoch = programs.epoch.lower(
            state, None, *examples, 0, size=n,
            over=programs.Over(125, population=False),
            batch_size=batch_size, optimizer=optimizer, cost=jaxnet.cost, gradient=None,
        )
        text = epoch.compile().as_text()
        ways = "all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"
        print(*re.findall(rf"= (.*?) ({ways})(?:-start)?\\(", text), sep="\\n")
        print("-")
"""


def test_nothing_travels_between_devices_but_the_gradient():
    found = subprocess.run([sys.executable, "-c", TRAVELS], capture_output=True, text=True, check=True)
    for travelling in found.stdout.split("-\n")[:-1]:
        assert travelling
        for line in travelling.splitlines():
            shapes, how = eval(line)  # noqa: S307
            assert how == "all-reduce"
            assert sum(np.prod([int(side) for side in shape.split(",")]) for shape in shapes_of(shapes)) == 13_002


def shapes_of(text: str) -> list[str]:
    return [part.split("]")[0] for part in text.split("[")[1:]]


SMALL = ("-m", "experiments.train_digits", "--limit", "500", "--epochs", "2", "--rate", "1")


@pytest.mark.long
def test_processes_come_to_the_numbers_of_one_and_write_one_record(tmp_path: Path):
    processes = 2
    subprocess.run([sys.executable, *SMALL, "--out", str(tmp_path / "one")], check=True, capture_output=True)
    coordinator = f"127.0.0.1:{free_port()}"
    running = []
    for process in range(processes):
        options = (
            f"--distributed --coordinator {coordinator} --num-processes {processes} --process-id {process}".split()
        )
        command = [sys.executable, *SMALL, *options, "--out", str(tmp_path / f"many{process}")]
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
