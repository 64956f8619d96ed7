"""What does one image want of every weight, bias and activation, and what is left when many are averaged?

    python -m experiments.nudges

Shows one test image, a 2 that a briefly trained network takes for a 3, and the nudges that would lower its cost: of
every output, and hence of the weights, the biases and the activations before. Then the same for all 60,000 training
images, and the average. Some fifteen seconds on two cores.

The average is the negative gradient of the cost: they differ by 2e-16 of its length. It is 3 % as long as the nudges
are on average, for the rest cancels, and 28 to 52 % of the images pull against it. With untrained networks, --epochs 0,
78 to 85 % is left and no image pulls against it: all want most outputs smaller. (Five seeds each.)
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from experiments.common import networks, script
from experiments.common.choices import ChoiceError, check_at_least
from experiments.reports import nudges as report
from jaxnet.backprop import Nudges, average_nudges
from jaxnet.cost import Mean
from jaxnet.network import trace

CHUNK = 500  # images at a time: every one of them has 13,002 nudges, which is what takes memory


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=networks.Source)
    """The network to look at."""
    image: int = 38
    """Which image of the test set, counted from 0."""
    batch: int | None = None
    """Average over the first so many training images; by default over all of them."""
    strongest: int = 5
    """So many of the strongest nudges are listed."""


def run(config: Config, _folder: Path) -> script.Record:
    """What one image wants, and what is left of it in the average over a batch."""
    check_at_least(config, batch=1, strongest=1)
    subject = networks.get(config.network)
    n, sizes = len(subject.train.images), jaxnet.sizes_of(subject.params)
    if config.batch is not None and config.batch > n:
        raise ChoiceError(f"batch is {config.batch}; it must be between 1 and {n}, the number of training images")
    image, target = networks.example(subject.test, config.image, subject.params)
    images, labels = (part[: config.batch] for part in subject.train)
    with jax.enable_x64(True):
        params, image, target, images, targets = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64),
            (subject.params, image, target, images, jaxnet.one_hot(labels, sizes[-1])),
        )
        activations, one, batch = jax.device_get(
            (
                (image, *trace(params, image).activations),
                jaxnet.nudges(params, image, target),
                over_batch(params, images, targets),
            )
        )
        return {
            "sizes": sizes,
            "label": int(jnp.argmax(target)),
            "said": int(np.argmax(activations[-1])),
            "target": np.asarray(target),
            "activations": [a.astype(np.float32) for a in activations],
            "one": plain(one),
            "average": plain(batch.average),
            "strongest": strongest(one, batch.average, config.strongest),
            "difference": batch.difference,
            "disagreement": disagreement(batch),
            "classes": compare_classes(batch, np.asarray(images), np.asarray(targets)),
        }


class Batch(NamedTuple):
    """What the images of a batch want.

    - `average`: of their nudges, and its relative `difference` to the negative gradient of the cost.
    - `by_class`: the average over the images of each class; a leading axis of classes, NaN where there is none.
    - `cosines`, `lengths`: of each image's nudges of weights and biases; the cosine is that with the average.
    """

    average: Nudges
    difference: jax.Array
    by_class: jaxnet.Params
    cosines: jax.Array
    lengths: jax.Array


def over_batch(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> Batch:
    """The nudges of all the images: averaged, averaged class by class, and each image's beside the average."""

    def shares(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> jaxnet.Params:
        """What each class adds to the average; the targets pick out the images of a class."""
        each = jax.vmap(jaxnet.nudges, in_axes=(None, 0, 0))(params, images, targets).params
        return jax.tree.map(lambda nudge: jnp.tensordot(targets, nudge, axes=(0, 0)) / len(images), each)

    def beside(params: jaxnet.Params, average: jaxnet.Params, images: jax.Array, targets: jax.Array) -> Any:
        def one(example: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            nudges = jaxnet.nudges(params, *example).params
            return jaxnet.landscape.cosine(nudges, average), optax.tree.norm(nudges)

        return jax.lax.map(one, (images, targets), batch_size=min(CHUNK, len(images)))

    def mean(over: Mean) -> Any:
        return jax.jit(jaxnet.in_chunks(over, CHUNK))(params, images, targets)

    average, gradient = mean(average_nudges), mean(jax.grad(jaxnet.cost))
    miss = jax.tree.map(jnp.add, average.params, gradient)
    frequency = jnp.mean(targets, axis=0)
    by_class = jax.vmap(lambda share, part: jax.tree.map(lambda leaf: leaf / part, share))(mean(shares), frequency)
    return Batch(
        average,
        optax.tree.norm(miss) / optax.tree.norm(gradient),
        by_class,
        *jax.jit(beside)(params, average.params, images, targets),
    )


def plain(nudges: Nudges) -> script.Record:
    """For the record."""
    single = functools.partial(np.asarray, dtype=np.float32)
    return {
        "activations": [single(a) for a in nudges.activations],
        "params": [{"weights": single(w), "biases": single(b)} for w, b, _ in nudges.params],
    }


def strongest(one: Nudges, average: Nudges, number: int) -> script.Record:
    """The strongest nudges of weights, biases and hidden activations for one image, beside the average of the same."""
    ranking = jaxnet.importance.rank(one.params)
    is_bias = np.asarray(ranking.source) == -1
    found: script.Record = {}
    for kind, indices in (("weights", np.flatnonzero(~is_bias)), ("biases", np.flatnonzero(is_bias))):
        found[kind] = []
        for index in indices[:number]:
            layer, neuron, source, nudge = (column[index].item() for column in ranking)
            w, b, _ = average.params[layer]
            mean = b[neuron] if source == -1 else w[neuron, source]
            found[kind].append({"layer": layer, "neuron": neuron, "source": source, "nudge": nudge, "average": mean})
    hidden = [
        {"layer": layer, "neuron": neuron, "nudge": nudge, "average": average.activations[layer][neuron]}
        for layer, nudges in enumerate(one.activations)
        if 0 < layer < len(one.params)
        for neuron, nudge in enumerate(np.asarray(nudges).tolist())
    ]
    found["hidden activations"] = sorted(hidden, key=lambda row: -abs(row["nudge"]))[:number]
    return found


def disagreement(batch: Batch) -> script.Record:
    """How far the images point away from their average, and how much of them cancels in it."""
    cosines, lengths = np.asarray(batch.cosines), np.asarray(batch.lengths)
    return {
        "images": len(cosines),
        "against": int(np.sum(cosines < 0)),
        "histogram": np.histogram(cosines, np.linspace(-1, 1, 41))[0],
        "length_of_average": float(optax.tree.norm(batch.average.params)),
        **{
            name: {"mean": values.mean(), "deviation": values.std(), "lowest": values.min(), "highest": values.max()}
            for name, values in (("cosine", cosines), ("length", lengths))
        },
    }


def compare_classes(batch: Batch, images: np.ndarray, targets: np.ndarray, most: int = 3) -> script.Record:
    """What the images of each class want of the outputs' biases, and of the weights that they disagree about most."""
    columns = jax.tree.map(
        lambda by_class, average: np.concatenate([by_class, average[None]]), batch.by_class, batch.average.params
    )
    chosen = []
    for layer, (w, _, _) in enumerate(columns):
        spread = np.nanstd(w[:-1], axis=0)
        for weight in np.argsort(-spread, axis=None)[:most]:
            neuron, source = (int(index) for index in np.unravel_index(weight, spread.shape))
            chosen.append({"layer": layer, "neuron": neuron, "source": source, "nudges": w[:, neuron, source]})
    last = len(columns) - 1
    biases = [
        {"layer": last, "neuron": neuron, "source": -1, "nudges": nudges}
        for neuron, nudges in enumerate(columns[last].biases.T)
    ]
    counts = np.sum(targets, axis=0)
    pictures = (targets.T @ images / np.maximum(counts, 1)[:, None]).astype(np.float32)
    return {"counts": counts, "pictures": pictures, "rows": [*chosen, *biases]}


def main() -> None:
    """The command line."""
    script.main("nudges", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
