"""Can a network of 13,002 numbers learn to read handwritten digits?

    python -m experiments.train_digits

Trains the lecture's network, 784-16-16-10, sigmoid, squared error, plain stochastic gradient descent in batches of 10,
for 30 epochs, and shows what it learnt and what it gets wrong. Some fifteen seconds on two cores; 95.21 ± 0.44 %
of the test images (five seeds).
"""

import functools
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
import optax
import tyro
from tqdm import tqdm

import jaxnet
from experiments.common import networks, script
from experiments.common.choices import ChoiceError, check_at_least, check_rate, random_key, refused
from experiments.common.saving import Saving, checkpoints
from experiments.reports import train_digits as report

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
    """Any optimizer of optax that takes a learning rate: sgd, adam, rmsprop, lbfgs (with the full batch) ..."""
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
    shard_images: bool = False
    """Each of several devices keeps its part of the images only, for more than fit on one."""
    from_file: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Classify with the network in this file instead of training; its activation functions are those of the file."""
    saving: Saving = field(default_factory=Saving)


def run(config: Config, folder: Path) -> script.Record:
    """Trains, or loads, and examines the network; saves what it trained."""
    train, test, classes = script.load(config.data, config.limit)
    if config.from_file is not None:
        return examine(networks.read(config.from_file, test, classes), test)
    params, results = trained(config, folder, train, test, classes)
    path = folder / "parameters.safetensors"
    jaxnet.save_params(path, params, {"loss": config.loss})
    print(f"{report.ending(results)}\nsaved {path}; classify with it again by --from {path}")
    return results | examine(params, test)


def trained(
    config: Config, folder: Path, train: jaxnet.Dataset, test: jaxnet.Dataset, classes: int
) -> tuple[jaxnet.Params, script.Record]:
    """The trained network, and the history of its training, printed row by row as it is written."""
    n, n_in = train.images.shape
    check_at_least(config, epochs=1)
    batch_size = n if config.batch_size == "full" else config.batch_size
    if not 1 <= batch_size <= n:
        raise ChoiceError(f"batch_size is {batch_size}; it must be between 1 and {n}, the number of examples")
    optimizer = chosen_optimizer(config, steps=config.epochs * -(-n // batch_size))
    with refused():
        penalty = jaxnet.l2(config.l2) if config.l2 else None
    cost, by_hand = (
        functools.partial(mean, loss=getattr(jaxnet, config.loss), penalty=penalty)
        for mean in (jaxnet.cost, jaxnet.average_gradient)
    )
    start, order = jax.random.split(random_key(config.seed))
    with refused():
        params = jaxnet.init(
            start,
            (n_in, *config.hidden, classes),
            activation=getattr(jaxnet, config.activation),
            output=getattr(jaxnet, config.output),
            weights=getattr(jaxnet, config.initial_weights),
        )
        # Not every cost goes with every output.
        jax.eval_shape(cost, params, train.images[:1], jaxnet.one_hot(train.labels[:1], classes))
    results: script.Record = {"sizes": jaxnet.sizes_of(params), "images": n}
    print(report.beginning(results))

    with script.progress("training", config.epochs) as show:

        def progress(history: jaxnet.History) -> None:
            show(history)
            tqdm.write(report.row(history._asdict(), -1))

        try:
            params, history = jaxnet.train(
                order,
                params,
                train,
                optimizer,
                batch_size=batch_size,
                epochs=config.epochs,
                test=test,
                cost=cost,
                gradient=by_hand if config.gradient == "by_hand" else None,
                progress=progress,
                checkpoints=checkpoints(folder, config),
                shard_images=config.shard_images,
            )
        except jaxnet.Diverged as diverged:
            results["history"] = diverged.history._asdict()
            raise script.Stopped(f"{diverged} than {config.rate:g}", results) from None
    return params, results | {"history": history._asdict()}


def chosen_optimizer(config: Config, steps: int) -> optax.GradientTransformation:
    """The optimizer of optax that has this name. Raises ChoiceError where there is none that takes a learning rate."""
    check_rate(config.rate)
    make: Any = getattr(optax, config.optimizer, None)
    if "learning_rate" not in (inspect.signature(make).parameters if inspect.isfunction(make) else ()):
        raise ChoiceError(f"optimizer is {config.optimizer}; expected one of optax that takes a learning rate, as sgd")
    rate = optax.cosine_decay_schedule(config.rate, steps) if config.schedule == "cosine" else config.rate
    try:
        return make(learning_rate=rate)
    except TypeError as error:
        raise ChoiceError(f"optimizer is {config.optimizer}, which needs more than a learning rate: {error}") from error


def examine(params: jaxnet.Params, test: jaxnet.Dataset, worst: int = 25) -> script.Record:
    """Confusion matrix, digits never predicted, worst mistakes, first layer."""
    activations = networks.outputs(params, test.images)
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


def main() -> None:
    """The command line."""
    script.main(
        "train_digits",
        __doc__,
        Config,
        run,
        report,
        # Classifying must not replace the record of the training.
        default_folder=lambda config: "train_digits" if config.from_file is None else "train_digits/classified",
        while_running=report.print_training,
    )


if __name__ == "__main__":
    main()
