"""How far does a plain network get with more neurons, and every image distorted anew in every epoch?

    python -m experiments.deep_big_simple

The question and the networks of Ciresan et al. 2010 (arXiv 1003.0358): multilayer perceptrons, no convolution, no
dropout, no ensemble. The way down is today's: relu, softmax and cross-entropy, mini-batches, momentum (`--momentum 0`
goes without), and a rate that falls to zero; theirs was scaled tanh and one example a step. `--preset two_cores` trains
784-800-10 in three minutes on two cores, to 0.71 % error; the presets for one accelerator are the paper's networks.
`--held-out 10000` is for choosing: it learns without the last 10,000 training images, is judged by those, and reads no
test image. Stopped by Ctrl-C, it goes on with `--resume`.
"""

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

import jaxnet
from experiments.common import networks, roofline, script
from experiments.common.choices import ChoiceError, check_at_least, check_rate, random_key, refused
from experiments.common.recipes import Recipe, part
from experiments.common.saving import Saving, checkpoints
from experiments.published.rows import CIRESAN
from experiments.reports import deep_big_simple as report

PRESETS = {
    "two_cores": replace(
        CIRESAN, hidden=(800,), rate=0.1, epochs=100, distortion={"alpha": 34.0, "rotation": 10.0, "scale": 0.1}
    ),
    "one_accelerator": replace(CIRESAN, hidden=(1500, 1000, 500), batch_size=200),
    "record": replace(CIRESAN, hidden=(2500, 2000, 1500, 1000, 500), batch_size=200, epochs=1_000),
}


@dataclass(frozen=True)
class Config:
    """The choices; those that are not made are the preset's."""

    preset: Literal["two_cores", "one_accelerator", "record"] = "two_cores"
    """784-800-10; 784-1500-1000-500-10; 784-2500-2000-1500-1000-500-10."""
    hidden: tuple[int, ...] | None = None
    """Neurons in each hidden layer."""
    activation: Literal["sigmoid", "relu", "tanh", "scaled_tanh"] | None = None
    """Of the hidden layers; the outputs are softmax, the cost is cross-entropy."""
    rate: float | None = None
    """Learning rate at the start."""
    schedule: Literal["constant", "cosine"] | None = None
    """Cosine falls from the rate to zero."""
    momentum: float | None = None
    """Each step adds so many times the step before; 0 is plain descent."""
    batch_size: int | None = None
    """Examples a step."""
    epochs: int | None = None
    """Times that every image is seen, each time distorted anew."""
    decay: float | None = None
    """The strength of L2 in the cost."""
    shift: float | None = None
    """Up to so many pixels in each direction."""
    rotation: float | None = None
    """Up to so many degrees."""
    scale: float | None = None
    """Each direction stretched by up to this fraction."""
    shear: float | None = None
    """Slanted by up to this fraction."""
    alpha: float | None = None
    """Strength of the elastic deformation, in pixels."""
    sigma: float | None = None
    """Its smoothness: the standard deviation of the Gaussian, in pixels."""
    held_out: int = 0
    """Judged by so many last training images, which it does not learn from, and not by the test images."""
    seed: int = 0
    """Decides initial weights, order and distortions."""
    limit: int | None = None
    """Only the first so many training and test images."""
    shard_images: bool = False
    """Each of several devices keeps its part of the images only, for more than fit on one."""
    saving: Saving = field(default_factory=Saving)


def recipe_of(config: Config) -> Recipe:
    """The preset with what was chosen instead. Raises ChoiceError for what is out of bounds."""
    preset = PRESETS[config.preset]
    check_at_least(config, batch_size=1, epochs=1, held_out=0)
    own = ("hidden", "rate", "schedule", "momentum", "batch_size", "epochs", "decay")
    made: dict[str, Any] = {name: getattr(config, name) for name in own if getattr(config, name) is not None}
    if config.activation is not None:
        made["activation"] = getattr(jaxnet, config.activation)
    parts = ("shift", "rotation", "scale", "shear", "alpha", "sigma")
    bounds = {name: getattr(config, name) for name in parts if getattr(config, name) is not None}
    recipe = replace(preset, **made, distortion=preset.distortion | bounds)
    check_rate(recipe.rate)
    if not 0 <= recipe.momentum < 1:
        raise ChoiceError(f"momentum is {recipe.momentum}; it must be zero or more, and less than one")
    return recipe


def run(config: Config, folder: Path) -> script.Record:
    """Trains, evaluating training images (and those held out) only; then reads the test images, once."""
    recipe = recipe_of(config)
    train, test, _ = script.load("mnist", config.limit)
    if config.held_out >= len(train.images):
        raise ChoiceError(f"held_out is {config.held_out}; there are {len(train.images)} training images")
    learnt = part(train, 0, len(train.images) - config.held_out)
    judged = part(train, len(learnt.images), None) if config.held_out else test
    n = len(learnt.images)
    if (config.batch_size or 1) > n:
        raise ChoiceError(f"batch_size is {config.batch_size}; there are {n} images to learn from")
    start, order = jax.random.split(random_key(config.seed))
    with refused():
        samples = distorted_samples(recipe, learnt, jax.random.fold_in(start, 1))
        params, facts, choices = recipe.init(start), recipe.facts(), recipe.choices(n)
    kept = checkpoints(folder, config, **{f"recipe.{name}": value for name, value in facts.items()})
    results: script.Record = {"recipe": facts, "sizes": recipe.sizes, "images": n, "samples": samples}
    print(report.beginning(results))
    with script.progress("training", recipe.epochs) as show:

        def progress(history: jaxnet.History) -> None:
            show(history)
            tqdm.write(report.row(history._asdict(), -1))

        try:
            params, history = jaxnet.train(
                order,
                params,
                learnt,
                recipe.optimizer(n, recipe.rate),
                test=judged if config.held_out else None,
                progress=progress,
                checkpoints=kept,
                shard_images=config.shard_images,
                **choices,
            )
        except jaxnet.Diverged as diverged:
            results["history"] = diverged.history._asdict()
            raise script.Stopped(f"{diverged} than {recipe.rate:g}", results) from None
    jaxnet.save_params(folder / "parameters.safetensors", params, {"loss": facts["loss"]})
    return {
        **results,
        "history": history._asdict(),
        "judged": "held-out" if config.held_out else "test",
        **examine(params, judged),
        **speed(recipe, history),
    }


def distorted_samples(recipe: Recipe, data: jaxnet.Dataset, key: jax.Array, versions: int = 9) -> np.ndarray:
    """The first image of each class, as it is and in several hands, as bytes."""
    first = [int(np.argmax(data.labels == label)) for label in np.unique(data.labels)]
    images = jnp.asarray(data.images[first])
    keys = jax.random.split(key, (len(first), versions))
    distort = functools.partial(jaxnet.distort, **recipe.distortion)
    distorted = jax.vmap(jax.vmap(distort, in_axes=(0, None)))(keys, images)
    return np.rint(255 * np.concatenate([images[:, None], distorted], axis=1)).astype(int)


def examine(params: jaxnet.Params, judged: jaxnet.Dataset, most: int = 40) -> script.Record:
    """The error with its 95 % confidence interval (Wilson), and what is still taken for something else."""
    activations = networks.outputs(params, judged.images)
    guesses = np.argsort(-activations, axis=1, kind="stable")[:, :2]
    labels = np.asarray(judged.labels)
    wrong = np.flatnonzero(guesses[:, 0] != labels)
    interval = binomtest(len(wrong), len(labels)).proportion_ci(method="wilson")
    surest = wrong[np.argsort(-activations[wrong, guesses[wrong, 0]], kind="stable")][:most]
    return {
        "error": 100 * len(wrong) / len(labels),
        "interval": [100 * interval.low, 100 * interval.high],
        "wrong": len(wrong),
        "second_right": int(np.sum(guesses[wrong, 1] == labels[wrong])),
        "of": len(labels),
        "mistakes": [
            {"label": labels[i], "guesses": guesses[i], "pixels": np.rint(255 * judged.images[i]).astype(int)}
            for i in surest
        ],
    }


def speed(recipe: Recipe, history: jaxnet.History) -> script.Record:
    """Images a second, and the share of this device's own matrix product that the network's arithmetic reaches."""
    seconds = float(history.seconds[-1])
    operations = roofline.step_work(recipe.sizes, 1).operations * int(history.examples[-1])
    peak = roofline.measure().operations * jaxnet.devices.number()
    return {
        "seconds": seconds,
        "images_per_second": int(history.examples[-1]) / seconds,
        "operations_per_second": operations / seconds,
        "peak": peak,
        "share": operations / seconds / peak,
    }


def main() -> None:
    """The command line."""
    script.main("deep_big_simple", __doc__, Config, run, report, while_running=report.print_training)


if __name__ == "__main__":
    main()
