"""Can a network of 13,002 numbers learn to read handwritten digits?

    python -m experiments.train_digits

Trains the lecture's network, 784-16-16-10, sigmoid, squared error, plain stochastic gradient descent in batches of 10,
for 30 epochs, and shows what it learnt and what it gets wrong. Some fifteen seconds on two cores; 95.2 % of the test
images, the mean of five seeds.
"""

import functools
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import tyro
from tqdm import tqdm

import jaxnet
from experiments import drawing, networks, script
from jaxnet.export import save_params

ActivationName = Literal["sigmoid", "relu", "tanh", "scaled_tanh", "softmax"]


@dataclass(frozen=True)
class Config:
    """The choices; the defaults are the lecture's network."""

    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    activation: ActivationName = "sigmoid"
    """Of the hidden layers."""
    output: ActivationName = "sigmoid"
    """Of the output layer."""
    loss: Literal["squared_error", "cross_entropy"] = "squared_error"
    """Cost of one example; squared_error is the sum of squares, without one-half."""
    l2: float = 0.0
    """Weight decay: this over 2 times the sum of squared weights joins the cost."""
    initial_weights: Literal["scaled_normal", "unit_normal"] = "scaled_normal"
    """Normal weights with deviation 1/sqrt(n_in), or the lecture's plain normal(0, 1)."""
    optimizer: str = "sgd"
    """Any optimizer of optax that takes a learning rate: sgd, adam, rmsprop ..."""
    rate: float = 0.25
    """Learning rate at the start."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Cosine: the rate falls to zero over the run, so that the drunk walk ends with careful steps."""
    batch_size: int | Literal["full"] = 10
    """Examples a step."""
    epochs: int = 30
    """Times that every training example is seen."""
    gradient: Literal["autodiff", "by_hand"] = "autodiff"
    """jax.grad, or backpropagation written out."""
    seed: int = 0
    """Decides the initial weights and the order of the examples."""
    limit: int | None = None
    """Only the first so many training and test images."""
    from_file: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Classify with the parameters in this file instead of training."""
    saving: script.Saving = field(default_factory=script.Saving)


def run(config: Config, folder: Path) -> script.Record:
    """Trains, or loads, and examines the network; saves parameters that it trained."""
    train, test, classes = script.load(config.data, config.limit)
    functions = {"activation": getattr(jaxnet, config.activation), "output": getattr(jaxnet, config.output)}
    if config.from_file is None:
        params, results = _train(config, folder, train, test, classes, functions)
        path = folder / "parameters.safetensors"
        save_params(path, params, {name: getattr(config, name) for name in ("activation", "output", "loss")})
        results["parameters"] = str(path)
        print(f"saved {path}; classify with it again by --from {path}")
    else:
        params, functions = networks.read(config.from_file, test, classes, config.activation, config.output)
        results = {}
    results |= _examine(params, test, functions)
    _print_examination(results)
    return results


def _train(
    config: Config, folder: Path, train: jaxnet.Dataset, test: jaxnet.Dataset, classes: int, functions: dict[str, Any]
) -> tuple[jaxnet.Params, script.Record]:
    n, n_in = train.images.shape
    batch_size = n if config.batch_size == "full" else config.batch_size
    optimizer = _optimizer(config, steps=config.epochs * -(-n // max(batch_size, 1)))
    choices = functions | {
        "loss": getattr(jaxnet, config.loss),
        "penalty": jaxnet.l2(config.l2) if config.l2 else None,
    }
    start, order = jax.random.split(jax.random.key(config.seed))
    params = jaxnet.init(start, (n_in, *config.hidden, classes), weights=getattr(jaxnet, config.initial_weights))
    layers = "-".join(map(str, jaxnet.sizes_of(params)))
    print(f"{layers}: {jaxnet.count_params(params):,} weights and biases, {n:,} images")
    print("epoch  train cost  accuracy   test cost  accuracy  |gradient|  seconds")

    with script.progress("training", config.epochs) as show:

        def row(history: jaxnet.History) -> None:
            show(history)
            tqdm.write(
                f"{history.epochs[-1]:5g}  {history.train_cost[-1]:10.5f}  {100 * history.train_accuracy[-1]:6.2f} %"
                f"  {history.test_cost[-1]:10.5f}  {100 * history.test_accuracy[-1]:6.2f} %"
                f"  {history.gradient_norm[-1]:10.5f}  {history.seconds[-1]:7.2f}"
            )

        try:
            params, history = jaxnet.train(
                order,
                params,
                train,
                optimizer,
                batch_size=batch_size,
                epochs=config.epochs,
                test=test,
                cost=functools.partial(jaxnet.cost, **choices),
                accuracy=functools.partial(jaxnet.accuracy, **functions),
                gradient=functools.partial(jaxnet.average_gradient, **choices)
                if config.gradient == "by_hand"
                else None,
                progress=row,
                checkpoints=script.checkpoints(folder, config),
            )
        except jaxnet.Diverged as diverged:
            raise script.Stopped(f"{diverged} than {config.rate:g}", {"history": diverged.history._asdict()}) from None
    print(f"compiled in {history.compile_seconds:.2f} s, trained in {history.seconds[-1]:.2f} s")
    return params, {"history": history._asdict()}


def _optimizer(config: Config, steps: int) -> optax.GradientTransformation:
    script.check_rate(config.rate)
    make: Any = getattr(optax, config.optimizer, None)
    if "learning_rate" not in (inspect.signature(make).parameters if inspect.isfunction(make) else ()):
        raise ValueError(f"optimizer is {config.optimizer}; expected one of optax that takes a learning rate, as sgd")
    rate = optax.cosine_decay_schedule(config.rate, max(steps, 1)) if config.schedule == "cosine" else config.rate
    optimizer, scalar = make(learning_rate=rate), jnp.zeros(())
    try:
        optimizer.update(scalar, optimizer.init(scalar), scalar)
    except TypeError as error:
        raise ValueError(f"optimizer is {config.optimizer}, which needs more than the gradient: {error}") from error
    return optimizer


def _examine(params: jaxnet.Params, test: jaxnet.Dataset, functions: dict[str, Any], worst: int = 25) -> script.Record:
    """Confusion matrix, digits never predicted, worst mistakes, first layer."""
    activations = networks.outputs(params, test.images, functions)
    classes = activations.shape[1]
    labels, predicted = np.asarray(test.labels), activations.argmax(axis=1)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    errors = np.sum((activations - np.eye(classes)[labels]) ** 2, axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-errors[wrong], kind="stable")][:worst]
    return {
        "sizes": jaxnet.sizes_of(params),
        "test_accuracy": float(np.mean(predicted == labels)),
        "confusion": confusion,
        "never_predicted": np.flatnonzero(confusion.sum(axis=0) == 0),
        "mistakes": [
            {
                "index": i,
                "label": labels[i],
                "predicted": predicted[i],
                "activation": activations[i, predicted[i]],
                "pixels": np.round(255 * np.asarray(test.images[i])).astype(int),
            }
            for i in wrong
        ],
        "first_layer": np.round(np.asarray(params[0].weights, float), 4),
    }


def _print_examination(results: script.Record) -> None:
    confusion = np.asarray(results["confusion"])
    digits = range(len(confusion))
    print("\nConfusion matrix: each row is what was shown, each column what the network said.\n")
    print("      " + " ".join(f"{digit:5d}" for digit in digits))
    for digit in digits:
        print(f"{digit:5d} " + " ".join(f"{number or '.':>5}" for number in confusion[digit]))
    print(f"\ntest accuracy {100 * results['test_accuracy']:.2f} % of {confusion.sum():,} images")
    for digit in results["never_predicted"]:
        print(f"the digit {digit} is never predicted: start from another --seed or with a smaller --rate")


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws what the record has: history, confusion matrix, worst mistakes, weights of the first layer."""
    results = record["results"]
    drawn = []
    if "history" in results:
        drawn.append(_draw_history(results["history"], folder / "history.png"))
    if "confusion" in results:
        drawn.append(_draw_confusion(np.array(results["confusion"]), folder / "confusion.png"))
        drawn.append(_draw_weights(np.array(results["first_layer"]), folder / "first_layer.png"))
    if results.get("mistakes"):
        drawn.append(_draw_mistakes(results["mistakes"], folder / "mistakes.png"))
    return drawn


def _draw_history(history: script.Record, path: Path) -> Path:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for examples, colour, style in (("train", "#0072b2", "-"), ("test", "#d55e00", "--")):
        left.plot(history["epochs"], history[f"{examples}_cost"], style, color=colour, label=examples)
        accuracy = 100 * np.array(history[f"{examples}_accuracy"], float)
        right.plot(
            history["epochs"], accuracy, style, color=colour, label=f"{examples}, {accuracy[-1]:.2f} % at the end"
        )
    left.set(xlabel="epochs", ylabel="cost", yscale="log", title="Cost")
    right.set(xlabel="epochs", ylabel="accuracy (%)", title="Accuracy")
    if len(history["epochs"]) > 2:  # the first epoch would flatten all others
        right.set_ylim(5 * (100 * np.min([history["train_accuracy"][1:], history["test_accuracy"][1:]]) // 5), 100)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return drawing.save_figure(figure, path)


def _draw_confusion(confusion: np.ndarray, path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(6.5, 6), layout="constrained")
    off = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    axes.imshow(off, cmap="Oranges", vmax=max(1, off.max()))
    for (row, column), number in np.ndenumerate(confusion):
        right = row == column
        dark = not right and number > 0.6 * off.max()
        colour = "#0072b2" if right else "white" if dark else "black"
        axes.text(
            column, row, number or "", ha="center", va="center", color=colour, weight="bold" if right else "normal"
        )
    axes.set(
        xlabel="what the network said", ylabel="what was shown", title="Test images: right in blue, mistakes in orange"
    )
    axes.set(xticks=range(len(confusion)), yticks=range(len(confusion)))
    return drawing.save_figure(figure, path)


def _draw_mistakes(mistakes: list[script.Record], path: Path) -> Path:
    titles = ["{label}, said {predicted} ({activation:.2f})".format(**mistake) for mistake in mistakes]
    title = "The worst mistakes (activation of the wrong neuron in brackets)"
    return drawing.digits([mistake["pixels"] for mistake in mistakes], titles, title, path)


def _draw_weights(weights: np.ndarray, path: Path, most: int = 64) -> Path:
    figure, axes = drawing.tiles(min(len(weights), most))
    scale = drawing.strongest(weights[:most])
    image = None
    for neuron, (each, row) in enumerate(zip(axes, weights, strict=False)):
        image = drawing.pattern(each, row, scale)
        each.set_title(f"neuron {neuron}", fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, aspect=40, label="weight", extend="both")
    figure.suptitle("First layer: blue pixels excite the neuron, red ones silence it", fontsize=10)
    return drawing.save_figure(figure, path)


def main() -> None:
    """The command line."""
    script.main(
        "train_digits",
        __doc__,
        Config,
        run,
        figures,
        # Classifying must not replace the record of the training.
        default_folder=lambda config: "train_digits" if config.from_file is None else "train_digits/classified",
    )


if __name__ == "__main__":
    main()
