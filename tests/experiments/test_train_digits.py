"""Training the lecture's network from the command line, on a small slice; each kind of wrong input."""

import json
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnet
from experiments import train_digits
from experiments.reports import train_digits as report
from tests.experiments.commands import PNG, main, once, refused

SMALL = ("--limit", "300", "--epochs", "3", "--rate", "1.0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str]:
    """The folder of a short training, its record, and what was printed."""
    out = tmp_path_factory.mktemp("trained") / "new" / "folder"
    return out, *once(train_digits, out, *SMALL)


def test_train_digits_trains_records_and_draws(trained: tuple[Path, dict, str]):
    out, record, printed = trained
    assert record["config"]["batch_size"] == 10
    assert "saving" not in record["config"]  # it changes nothing in what comes out
    assert record["versions"]["jax"] == jax.__version__
    assert record["device"]["platform"] == "cpu"
    results = record["results"]
    assert results["sizes"] == [784, 16, 16, 10]
    assert results["history"]["epochs"] == [0, 1, 2, 3]
    confusion = np.array(results["confusion"])
    assert confusion.sum() == 300
    assert np.trace(confusion) / 300 == pytest.approx(results["test_accuracy"])
    assert results["history"]["test_accuracy"][-1] == pytest.approx(results["test_accuracy"])
    for mistake in results["mistakes"]:
        assert mistake["label"] != mistake["predicted"]
    names = {"history.png", "confusion.png", "first_layer.png", "mistakes.png"}
    assert {path.name for path in out.iterdir()} == names | {"record.json", "parameters.safetensors"}
    assert all((out / name).read_bytes().startswith(PNG) for name in names)
    for part in ("13,002 weights and biases", "Confusion matrix", "test accuracy", "trained in"):
        assert part in printed


def test_the_cost_stands_in_plain_numbers(trained: tuple[Path, dict, str], monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(report.drawing, "save_figure", lambda figure, _: drawn.append(figure))
    report.draw_history(trained[1]["results"]["history"], Path())
    (figure,) = drawn
    figure.canvas.draw()
    numbers = [float(label.get_text() or 1) for label in figure.axes[0].get_yticklabels(which="both")]
    assert len(set(numbers)) > 1  # a power of ten would be no number for float
    report.drawing.plt.close(figure)


def test_a_redraw_prints_and_draws_the_same_from_the_record_alone(
    trained: tuple[Path, dict, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, _, printed = trained
    shutil.copy(out / "record.json", tmp_path)
    monkeypatch.setattr(train_digits, "run", None)
    _, again = once(train_digits, tmp_path, "--redraw")
    told = [line for line in printed.splitlines()[1:] if not line.startswith("saved")]  # all but the banner and that
    assert again.replace(str(tmp_path), str(out)).splitlines() == told
    pictures = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == pictures


def test_what_was_trained_classifies_again_and_not_over_the_record_of_the_training(
    trained: tuple[Path, dict, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, record, _ = trained
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "figures", lambda *_: [])
    monkeypatch.setattr(sys, "argv", ["train_digits", "--limit", "300", "--from", str(out / "parameters.safetensors")])
    train_digits.main()
    again = json.loads((tmp_path / "results/train_digits/classified/record.json").read_text())
    assert again["results"]["confusion"] == record["results"]["confusion"]
    assert "history" not in again["results"]


@pytest.mark.long
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_every_choice_of_train_digits_trains(optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = (
        "--hidden 12 --activation relu --output softmax --loss cross_entropy --l2 0.001 --initial-weights unit_normal"
        " --rate 0.01 --schedule constant --batch-size full --epochs 30 --gradient by_hand --seed 3 --limit 200"
        f" --optimizer {optimizer}"
    )
    record = main(train_digits, monkeypatch, *options.split(), "--out", str(tmp_path))
    cost = record["results"]["history"]["train_cost"]
    assert cost[-1] < 0.5 * cost[0]
    assert record["results"]["sizes"] == [784, 12, 10]
    _, metadata = jaxnet.load_params(tmp_path / "parameters.safetensors")
    assert metadata == {"sizes": "784-12-10", "activations": "relu,softmax", "loss": "cross_entropy"}


def test_a_digit_that_is_never_predicted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    record = main(train_digits, monkeypatch, "--limit", "100", "--epochs", "1", "--rate", "0", "--out", str(tmp_path))
    never = record["results"]["never_predicted"]
    assert never == [digit for digit in range(10) if not np.array(record["results"]["confusion"])[:, digit].any()]
    assert never
    assert f"the digit {never[0]} is never predicted" in capsys.readouterr().out


@pytest.mark.long
def test_images_in_colour_and_of_odd_sizes_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    for shape in ((4, 4, 3), (3, 5)):
        arrays = {f"x_{part}": rng.random((20, *shape), np.float32) for part in ("train", "test")}
        labels = {f"y_{part}": np.arange(20) % 3 for part in ("train", "test")}
        np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
        record = main(
            train_digits, monkeypatch, "--data", str(tmp_path / "own.npz"), "--epochs", "1", "--out", str(tmp_path)
        )
        assert record["results"]["sizes"] == [int(np.prod(shape)), 16, 16, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--batch-size 0", "batch_size is 0; it must be between 1 and 100"),
        ("--batch-size -1", "batch_size is -1; it must be between 1 and 100"),
        ("--batch-size 101", "batch_size is 101; it must be between 1 and 100"),
        ("--rate nan", "rate is nan"),
        ("--rate -1", "rate is -1.0; a learning rate is a finite number, zero or more"),
        ("--epochs 0", "epochs is 0; it must be at least 1"),
        ("--optimizer nonsense", "optimizer is nonsense; expected one of optax"),
        ("--optimizer global_norm", "optimizer is global_norm; expected one of optax"),
        ("--l2 -1", "strength is -1.0"),
        ("--hidden 0", "must name at least two layers, each of at least one neuron"),
        (
            "--loss cross_entropy --output tanh",
            "cross_entropy is defined for sigmoid and softmax outputs only",
        ),
        ("--data nonsense", 'data set "nonsense" is unknown'),
        ("--data absent.npz", "absent.npz"),
        ("--from absent.safetensors", "absent.safetensors does not exist"),
        ("--limit 0", "limit is 0"),
    ],
)
def test_train_digits_refuses_wrong_input_in_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(train_digits, monkeypatch, "--limit", "100", *options.split(), "--out", str(tmp_path / "out"))
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())


def test_parameters_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for sizes, found in (((100, 10), "100 inputs and 10 outputs"), ((784, 5), "784 inputs and 5 outputs")):
        jaxnet.save_params(tmp_path / "other.safetensors", jaxnet.init(jax.random.key(0), sizes))
        said = refused(
            train_digits, monkeypatch, "--from", str(tmp_path / "other.safetensors"), "--out", str(tmp_path / "out")
        )
        assert found in said
        assert "784 pixels and 10 classes" in said
    odd = jaxnet.init(jax.random.key(0), activation=jax.nn.gelu)
    jaxnet.save_params(tmp_path / "odd.safetensors", odd)
    said = refused(
        train_digits, monkeypatch, "--from", str(tmp_path / "odd.safetensors"), "--out", str(tmp_path / "out")
    )
    assert "has the activation 'gelu'; known are sigmoid, relu" in said


def test_a_run_that_diverges_says_when_and_at_which_rate_and_keeps_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    options = "--activation relu --output relu --rate 1e8 --schedule constant --batch-size full --epochs 50 --limit 100"
    said = refused(train_digits, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert "by epoch" in said
    assert "smaller learning rate than 1e+08" in said
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["stopped"] in said
    history = record["results"]["history"]
    assert history["train_cost"][-1] is None
    assert all(value is not None for value in history["train_cost"][:-1])
    assert not (tmp_path / "parameters.safetensors").exists()
