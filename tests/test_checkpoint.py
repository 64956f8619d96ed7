"""A run that was stopped ends with the bits of one that was not; what cannot be gone on from is refused by name."""

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import jaxnet
from experiments import train_digits
from jaxnet import Dataset, History, Params, State, identity
from jaxnet.checkpoint import CheckpointError, Checkpoints, Interrupted
from tests.attacks import kills
from tests.experiments.commands import main, refused

Run = Callable[..., tuple[Params, History]]


def _data() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.random((23, 6), np.float32), rng.integers(0, 3, 23).astype(np.int32))


@pytest.fixture
def data() -> Dataset:
    return _data()


class Killed(Exception):  # noqa: N818
    pass


def killed_after(epochs: float) -> Callable[[History], None]:
    def kill(history: History) -> None:
        if history.epochs[-1] >= epochs:
            raise Killed

    return kill


def one(data: Dataset, **choices: Any) -> tuple[Params, History]:
    start, order = jax.random.split(jax.random.key(0))
    params = jaxnet.init(start, (6, 4, 3))
    choices = {"batch_size": 5, "epochs": 6, "test": data} | choices
    return jaxnet.train(order, params, data, optax.sgd(0.5, momentum=0.9), **choices)


def many(data: Dataset, **choices: Any) -> tuple[Params, History]:
    start, order = jax.random.split(jax.random.key(0))
    params = jax.vmap(lambda key: jaxnet.init(key, (6, 4, 3)))(jax.random.split(start, 3))
    choices = {"batch_size": 5, "epochs": 6} | choices
    optimizer = functools.partial(optax.sgd, momentum=0.9)
    return jaxnet.train(order, params, data, optimizer, rates=[0.1, 0.5, 1.0], look=seen, **choices)


def seen(state: State) -> dict[str, jax.Array]:
    return {"biases": state.params[0].biases, "moved": optax.tree.norm(state.optimizer_state)}


@pytest.mark.parametrize(
    ("run", "evaluate_every"),
    [
        (one, 2),
        (many, None),
        (one, 10),
        *(pytest.param(*rest, marks=pytest.mark.long) for rest in ((one, None), (many, 2), (many, 10))),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(run: Run, evaluate_every: int | None, data: Dataset, tmp_path: Path):
    choices = {"evaluate_every": evaluate_every}
    params, history = run(data, **choices)
    with pytest.raises(Killed):
        run(data, **choices, checkpoints=Checkpoints(tmp_path, seconds=0), progress=killed_after(4))
    again, its_history = run(data, **choices, checkpoints=Checkpoints(tmp_path, resume=True))
    jax.tree.map(np.testing.assert_array_equal, again, params)
    for name in set(History._fields) - {"seconds", "compile_seconds"}:
        jax.tree.map(np.testing.assert_array_equal, getattr(its_history, name), getattr(history, name))
    assert (np.diff(its_history.seconds) >= 0).all()


def stopped(folder: Path, data: Dataset, **choices: Any) -> list[int]:
    with pytest.raises(Killed):
        one(data, checkpoints=Checkpoints(folder, seconds=0, **choices), progress=killed_after(5))
    return sorted(int(path.name) for path in folder.iterdir())


def test_the_newest_are_kept_and_as_often_as_asked_for(data: Dataset, tmp_path: Path):
    assert stopped(tmp_path / "every", data) == [10, 15, 20]  # 5 steps an epoch, 4 epochs saved before the kill
    assert stopped(tmp_path / "two", data, keep=2) == [15, 20]
    one(data, checkpoints=Checkpoints(tmp_path / "epochs", seconds=None, epochs=4))
    assert [path.name for path in (tmp_path / "epochs").iterdir()] == ["20"]
    one(data, checkpoints=Checkpoints(tmp_path / "never"))  # it took less than a minute
    assert not (tmp_path / "never").exists()


def test_what_is_not_this_run_is_refused_by_name(data: Dataset, tmp_path: Path):
    stopped(tmp_path, data, configuration={"loss": "squared_error"})

    def resume(configuration: Any, **choices: Any) -> None:
        one(data, checkpoints=Checkpoints(tmp_path, resume=True, configuration=configuration), **choices)

    with pytest.raises(ValueError, match="an earlier run, the newest after 20 steps: resume it, or remove"):
        one(data, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(ValueError, match="20 is of a run with loss squared_error; this one has cross_entropy"):
        resume({"loss": "cross_entropy"})
    with pytest.raises(ValueError, match="20 is of a run with batch_size 5; this one has 10"):
        resume({"loss": "squared_error"}, batch_size=10)


def distorted(scale: float, _key: jax.Array, image: jax.Array) -> jax.Array:
    return scale * image


def labelled(data: Dataset, label: int) -> Dataset:
    return data._replace(labels=np.append(data.labels[:-1], np.int32(label)))


def one_pixel(data: Dataset) -> Dataset:
    images = data.images.copy()
    images[7, 3] += np.float32(1e-6)
    return data._replace(images=images)


def right(_params: Params, _images: jax.Array, _labels: jax.Array) -> jax.Array:
    return jax.numpy.float32(1)


HALF = functools.partial(optax.sgd, 0.5)
START = jaxnet.init(jax.random.key(0), (6, 4, 3))
OPTIMIZER = r"not the same optimizer \(its rule, rate, momentum or schedule\)"
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "rate": ({"optimizer": optax.sgd(0.25, momentum=0.9)}, OPTIMIZER),
    "schedule": ({"optimizer": optax.sgd(optax.cosine_decay_schedule(0.5, 30), momentum=0.9)}, OPTIMIZER),
    "momentum": ({"optimizer": HALF(momentum=0.8)}, OPTIMIZER),
    "rule": ({"optimizer": HALF(momentum=0.9, nesterov=True)}, OPTIMIZER),
    "state": ({"optimizer": optax.adam(0.5)}, OPTIMIZER),
    "cost": ({"cost": functools.partial(jaxnet.cost, loss=jaxnet.cross_entropy)}, "not the same cost$"),
    "penalty": ({"cost": functools.partial(jaxnet.cost, penalty=jaxnet.l2(1e-9))}, "not the same cost$"),
    "gradient by hand": ({"gradient": jaxnet.average_gradient}, "not the same gradient"),
    "images": ({"dataset": lambda data: data._replace(images=data.images[::-1])}, "not the same training images"),
    "one pixel": ({"dataset": one_pixel}, "not the same training images"),
    "labels": ({"dataset": lambda data: labelled(data, (data.labels[-1] + 1) % 3)}, "not the same training labels"),
    "test images": ({"test": one_pixel}, "not the same test images and labels"),
    "no test images": ({"test": lambda data: None}, "not the same test images and labels"),
    "start": ({"params": jaxnet.init(jax.random.key(1), (6, 4, 3))}, "not the same starting parameters"),
    "sizes": ({"params": jaxnet.init(jax.random.key(0), (6, 5, 3))}, r"sizes \[6, 4, 3\]; this one has \[6, 5, 3\]"),
    "activation": ({"params": jaxnet.init(jax.random.key(0), (6, 4, 3), activation=jaxnet.relu)}, "with activations"),
    "key": ({"key": jax.random.key(5)}, r"with key \[.*\]; this one has \[0, 5\]"),
    "batch size": ({"batch_size": 6}, "with batch_size 5; this one has 6"),
    "epochs": ({"epochs": 7}, "with epochs 6; this one has 7"),
    "evaluated examples": ({"evaluate_on": 7}, "with evaluate_on 23; this one has 7"),
    "evaluations": ({"evaluate_every": 2}, "with evaluate_every 5; this one has 2"),
    "chunk": ({"chunk_size": 2}, "with chunk_size 2000; this one has 2"),
    "distortion": ({"distort": functools.partial(distorted, 0.5)}, "with distort None; this one has distorted"),
    "history": ({"accuracy": right}, "not the same cost, accuracy or gradient_norm of the history"),
    "look": ({"look": lambda state: seen(state)}, "not the same look"),
    "gradient_norm": ({"gradient_norm": True}, "not the same cost, accuracy or gradient_norm of the history"),
}


MORE = ("rule", "state", "penalty", "images", "no test images", "sizes", "epochs", "evaluations", "chunk", "history")
"""Changes like others, which take as long."""


def trained(folder: Path, data: Dataset, changed: dict[str, Any], **choices: Any) -> tuple[Params, History]:
    given = {"key": jax.random.key(3), "params": START, "dataset": lambda data: data, "optimizer": HALF(momentum=0.9)}
    given |= {"batch_size": 5, "epochs": 6, "test": lambda data: data} | changed
    given |= {name: given[name](data) for name in ("dataset", "test")}
    with jax.numpy_dtype_promotion("standard"):  # optax relies on it
        return jaxnet.train(**given, checkpoints=Checkpoints(folder, seconds=0, **choices))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a run that was killed."""
    folder, data = tmp_path_factory.mktemp("saved"), _data()
    with pytest.raises(Killed):
        trained(folder, data, {"progress": killed_after(5)})
    return folder


@pytest.mark.parametrize(
    "change", [pytest.param(change, marks=pytest.mark.long if change in MORE else ()) for change in CHANGES]
)
def test_a_run_with_anything_changed_is_refused_by_name(change: str, saved: Path, data: Dataset):
    changed, message = CHANGES[change]
    with pytest.raises(CheckpointError, match=message):
        trained(saved, data, changed, resume=True)


def test_another_dtype_is_refused(saved: Path, data: Dataset):
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: leaf.astype(np.float64), START)
        with pytest.raises(CheckpointError, match="with dtype float32; this one has float64"):
            trained(saved, data, {"params": params}, resume=True)


DEVICES = """
import sys, jax, jaxnet, numpy as np, optax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 4)
rng = np.random.default_rng(0)
data = jaxnet.Dataset(rng.random((40, 6), np.float32), rng.integers(0, 3, 40).astype(np.int32))
params, seen = jaxnet.init(jax.random.key(0), (6, 4, 3)), []

def run(epochs, folder):
    def stop(history):
        if history.epochs[-1] >= epochs:
            raise StopIteration
    kept = jaxnet.Checkpoints(folder, epochs=1, resume=True)
    return jaxnet.train(
        jax.random.key(3), params, data, optax.sgd(0.5), batch_size=8, epochs=6, progress=stop, checkpoints=kept
    )[0]

whole = run(6, sys.argv[1] + "/one")
run(2, sys.argv[1] + "/other")
with jax.set_mesh(jaxnet.devices.mesh()):
    run(4, sys.argv[1] + "/other")
changed = run(6, sys.argv[1] + "/other")
pairs = zip(jax.tree.leaves(whole), jax.tree.leaves(changed), strict=True)
print(max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in pairs))
"""


@pytest.mark.long
def test_the_number_of_devices_may_change(tmp_path: Path):
    found = subprocess.run([sys.executable, "-c", DEVICES, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_only_another_version_may_be_gone_on_from_anyway(
    saved: Path, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The text of the program cannot tell a new version of JAX from a new rate."""
    rate = {"optimizer": optax.sgd(0.25, momentum=0.9)}
    with pytest.raises(CheckpointError, match=OPTIMIZER):
        trained(saved, data, rate, resume=True, resume_anyway=True)
    real = identity.versions()
    monkeypatch.setattr(identity, "versions", lambda: real | {"jax": "99.0"})
    made_by = (
        rf"made by jax {real['jax']} instead of 99.0, which may be why its program differs \(optimizer.*--resume-any"
    )
    with pytest.raises(CheckpointError, match=made_by):
        trained(saved, data, rate, resume=True)
    for others in ("images", "key"):
        with pytest.raises(CheckpointError):
            trained(saved, data, CHANGES[others][0], resume=True, resume_anyway=True)
    shutil.copytree(saved, tmp_path / "copy")
    _, history = trained(tmp_path / "copy", data, rate, resume=True, resume_anyway=True)
    assert history.epochs[-1] == 6
    shutil.copytree(saved, tmp_path / "same")  # the same text: nothing to ask for
    trained(tmp_path / "same", data, {}, resume=True)


def test_numbers_that_a_cost_has_in_itself_are_part_of_it(data: Dataset, tmp_path: Path):
    """They are neither arguments nor code. A JAX that keeps them out of the text of a program would fail this."""

    def weighted(weights: np.ndarray) -> Any:
        return lambda params, images, targets: jaxnet.cost(params, images * weights[None], targets)

    ones = np.ones(6, np.float32)
    with pytest.raises(Killed):
        trained(tmp_path, data, {"cost": weighted(ones), "progress": killed_after(5)})
    with pytest.raises(CheckpointError, match="not the same cost$"):
        trained(tmp_path, data, {"cost": weighted(ones * 2)}, resume=True)
    trained(tmp_path, data, {"cost": weighted(ones.copy())}, resume=True)


def test_what_the_run_itself_knows_counts_more_than_a_configuration(data: Dataset, tmp_path: Path):
    stopped(tmp_path, data, configuration={"batch_size": "five"})
    with pytest.raises(ValueError, match="20 is of a run with batch_size 5; this one has 10"):
        one(data, batch_size=10, checkpoints=Checkpoints(tmp_path, resume=True, configuration={"batch_size": "five"}))


def test_an_optimizer_with_a_key_in_its_state_resumes_to_the_same_bits(data: Dataset, tmp_path: Path):
    start, order = jax.random.split(jax.random.key(0))
    params, optimizer = jaxnet.init(start, (6, 4, 3)), optax.noisy_sgd(0.1, key=jax.random.key(5))
    with jax.numpy_dtype_promotion("standard"):
        run = functools.partial(jaxnet.train, order, params, data, optimizer, batch_size=5, epochs=4)
        whole, _ = run()
        with pytest.raises(Killed):
            run(checkpoints=Checkpoints(tmp_path, seconds=0), progress=killed_after(3))
        again, _ = run(checkpoints=Checkpoints(tmp_path, resume=True))
    jax.tree.map(np.testing.assert_array_equal, again, whole)


def test_ctrl_c_saves_also_where_progress_ends_the_run_in_the_same_moment(data: Dataset, tmp_path: Path):
    def both(history: History) -> None:
        if history.epochs[-1] == 3:
            signal.raise_signal(signal.SIGINT)
            raise StopIteration

    with pytest.raises(Interrupted, match="stopped after 15 steps"):
        one(data, progress=both, checkpoints=Checkpoints(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["15"]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.long
def test_a_damaged_checkpoint_is_refused_and_the_newest_whole_one_offered(data: Dataset, tmp_path: Path):
    params, _ = one(data)
    stopped(tmp_path, data)
    kept = Checkpoints(tmp_path, resume=True)
    files = sorted(file for file in (tmp_path / "20").rglob("*") if file.is_file() and file.stat().st_size)
    for file in files:
        content = file.read_bytes()
        for damage in (flip, lambda file: file.write_bytes(file.read_bytes()[:-1]), Path.unlink):
            if file.name == "SHA256SUMS" and damage is not flip:
                continue  # without it, it never was complete; without its last line feed it says the same
            damage(file)
            with pytest.raises(
                ValueError, match="damaged: .*20.* remove .*20 to go on from 15 steps, the newest whole"
            ):
                one(data, checkpoints=kept)
            file.write_bytes(content)
    flip(files[0])
    for steps in ("10", "15"):
        flip(tmp_path / steps / "SHA256SUMS")
    with pytest.raises(ValueError, match="there is no whole one before it"):
        one(data, checkpoints=kept)
    flip(tmp_path / "15" / "SHA256SUMS")
    shutil.rmtree(tmp_path / "20")
    jax.tree.map(np.testing.assert_array_equal, one(data, checkpoints=kept)[0], params)


def test_one_that_was_never_complete_does_not_count(data: Dataset, tmp_path: Path):
    params, _ = one(data)
    stopped(tmp_path, data)
    (tmp_path / "20" / "SHA256SUMS").unlink()
    again, _ = one(data, checkpoints=Checkpoints(tmp_path, seconds=0, resume=True))
    jax.tree.map(np.testing.assert_array_equal, again, params)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_save_before_they_stop(number: int, data: Dataset, tmp_path: Path):
    params, _ = one(data)

    def ask(history: History) -> None:
        if history.epochs[-1] == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="stopped after 15 steps, saved in"):
        one(data, checkpoints=Checkpoints(tmp_path), progress=ask)
    assert signal.getsignal(number) is before
    again, _ = one(data, checkpoints=Checkpoints(tmp_path, resume=True))
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_a_second_ctrl_c_stops_at_once(data: Dataset, tmp_path: Path):
    def insist(_: History) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever tests in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            one(data, checkpoints=Checkpoints(tmp_path), progress=insist)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not isinstance(raised.value, Interrupted)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_and_a_folder_that_vanishes_are_told_and_the_rest_is_whole(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped(tmp_path / "full", data)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))  # pyright: ignore
        with pytest.raises(OSError, match="no checkpoint could be written to .*full: No space left on device, 0.0 MB"):
            one(data, checkpoints=Checkpoints(tmp_path / "full", seconds=0, resume=True))
    params, _ = one(data, checkpoints=Checkpoints(tmp_path / "full", resume=True))
    jax.tree.map(np.testing.assert_array_equal, params, one(data)[0])

    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="no checkpoint could be written to .*file/run"):
        one(data, checkpoints=Checkpoints(tmp_path / "file" / "run", seconds=0))


def test_a_folder_in_which_another_run_saves_is_refused(data: Dataset, tmp_path: Path):
    def another(_history: History) -> None:
        with pytest.raises(CheckpointError, match="another run saves its checkpoints in .*run: wait for it"):
            one(data, checkpoints=Checkpoints(tmp_path / "run"))
        raise StopIteration

    one(data, checkpoints=Checkpoints(tmp_path / "run"), progress=another)
    assert list(tmp_path.iterdir()) == []
    one(data, checkpoints=Checkpoints(tmp_path / "run"))


def test_what_is_not_installed_is_said_before_the_first_step(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install orbax-checkpoint filelock"):
        one(data, checkpoints=Checkpoints(tmp_path / "run"), progress=lambda history: pytest.fail("it began"))


@pytest.mark.long
@pytest.mark.parametrize("run", ["a population", "reproduce"])
def test_killed_at_any_moment_nothing_is_lost(run: str, tmp_path: Path):
    """The short form of `python -m tests.attacks.kills`."""
    kills.kill_and_resume(kills.RUNS[run], kills=1, seed=1, folder=tmp_path, epochs=12)


@pytest.mark.long
def test_a_script_resumes_and_removes_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = ["--limit", "200", "--epochs", "4", "--rate", "1", "--save-seconds", "0"]
    whole = main(train_digits, monkeypatch, *options, "--out", str(tmp_path / "whole"))
    assert not (tmp_path / "whole" / "checkpoints").exists()

    out = str(tmp_path / "out")
    tell = train_digits.tqdm.write

    def ask(text: str) -> None:
        tell(text)
        if text.lstrip().startswith("2 "):
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(train_digits.tqdm, "write", ask)
        with pytest.raises(SystemExit) as stop:
            main(train_digits, monkeypatch, *options, "--out", out)
    assert stop.value.code == 130
    assert not (tmp_path / "out" / "record.json").exists()
    assert "an earlier run, the newest after 40 steps" in refused(train_digits, monkeypatch, *options, "--out", out)
    assert "run with rate 1.0; this one has 2.0" in refused(
        train_digits, monkeypatch, *options, "--resume", "--rate", "2", "--out", out
    )
    resumed = main(train_digits, monkeypatch, *options, "--resume", "--out", out)
    assert resumed["results"]["confusion"] == whole["results"]["confusion"]
    assert resumed["results"]["history"]["test_cost"] == whole["results"]["history"]["test_cost"]
    assert not (tmp_path / "out" / "checkpoints").exists()
