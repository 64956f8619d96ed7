"""What is a neural network, how does it learn, and why in small batches? The whole lecture, to be played with.

    python -m experiments.explorer

Trains the lecture's network, and another one on distorted images, or takes parameters that train_digits saved (--from),
and writes one page, results/explorer/explorer.html, that opens from the disk, without a server and without the
internet. Seven scenes: a neuron, a network that reads what one draws, how lousy it was before it learnt, downhill on
surfaces, what one example wants, the chain rule, full batch against mini-batches. A minute on two cores.

The page is put together from the files in experiments/explorer/page. Its arithmetic is its own, in double precision;
outputs, cost, gradient and step agree with jaxnet's to 1e-5 in single and to 1e-6 in double precision.
"""

import base64
import functools
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet
from experiments.common import networks, script
from experiments.common.choices import ChoiceError, check_at_least, refused
from experiments.explorer import report, words

PIXELS = 784  # of 28 x 28, what the page scales a drawing to
CLASSES = 20  # outputs that find room beside each other
LIMIT = 1_500_000  # bytes of the whole page
SNAPSHOTS = (0, 10, 100, 1_000, 6_000, 30_000)
"""Steps of training after which the network is kept."""
DISTORTION = {"alpha": 20.0, "sigma": 6.0, "rotation": 10.0, "scale": 0.1, "shear": 0.1, "shift": 1.0}
"""Of the images that the second network learns from."""


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=lambda: networks.Source(epochs=30))
    """The network on the page."""
    images: int = 300
    """So many test images, the first ones, go with it."""
    language: Path | None = None
    """A translation of experiments/explorer/page/english.json, with the same names and {placeholders}."""


def run(config: Config, _folder: Path) -> script.Record:
    """The networks, the images and a line about them, as they go into the page."""
    check_at_least(config, images=1)
    translated = None if config.language is None else words.translation(config.language)
    source = config.network
    if source.from_file is not None:
        with refused():
            loaded, _ = jaxnet.load_params(source.from_file)
        check_sizes(str(source.from_file), loaded)
    subject = networks.get(source)
    check_sizes("the network", subject.params)
    if config.images > len(subject.test.images):
        raise ChoiceError(f"images is {config.images}; it must be between 1 and {len(subject.test.images)}")
    images, labels = (np.asarray(part[: config.images]) for part in subject.test)
    trained_here = source.from_file is None and source.epochs > 0
    own = network("lecture" if trained_here else "own", subject.params, subject.test)
    shown, kept, last = [own], [], None
    if trained_here:
        beginning = networks.begin(source, subject.train, own["sizes"][-1])
        shown.append(distorted(beginning, source.epochs, subject))
        kept, last = snapshots(beginning, subject.train), beginning.steps
    results = {
        "networks": shown,
        "snapshots": [*kept, {"steps": last, "parameters": None}],
        "images": in_base64(np.round(255 * images).astype(np.uint8)),
        "labels": labels.tolist(),
        "about": about(config, subject, own["test_accuracy"]),
        "words": translated,
    }
    size = len(report.page(results).encode())
    if size > LIMIT:
        raise ChoiceError(
            f"the page would be {size:,} bytes, with {jaxnet.count_params(subject.params):,} weights and biases and"
            f" {config.images} images; expected at most {LIMIT:,}: take a smaller network (--hidden) or fewer --images"
        )
    return results


def network(name: str, params: jaxnet.Params, test: jaxnet.Dataset) -> script.Record:
    """A network of the page: its name there, its numbers, how much of the test images it reads."""
    return {
        "name": name,
        "sizes": jaxnet.sizes_of(params),
        "activations": [layer.activation.name for layer in params],
        "parameters": all_numbers(params, "<f4"),
        "test_accuracy": float(jaxnet.accuracy(params, jnp.asarray(test.images), test.labels)),
    }


def distorted(beginning: networks.Beginning, epochs: int, subject: networks.Subject) -> script.Record:
    """The same start, order and recipe, but every image is distorted anew in every epoch, as people's hands differ."""
    order, params, optimizer, batch_size, _ = beginning
    with script.progress("training on distorted images", epochs) as show:
        params, _ = jaxnet.train(
            order,
            params,
            subject.train,
            optimizer,
            batch_size=batch_size,
            epochs=epochs,
            distort=functools.partial(jaxnet.distort, **DISTORTION),
            progress=show,
        )
    return network("distorted", params, subject.test)


def snapshots(beginning: networks.Beginning, train: jaxnet.Dataset) -> list[script.Record]:
    """The network after so many steps of its training, in half precision, for nobody needs more to look at it."""
    order, params, optimizer, batch_size, last = beginning
    images, labels = (jnp.asarray(part) for part in train)
    targets = jaxnet.one_hot(labels, jaxnet.sizes_of(params)[-1])
    kept = []
    for steps in (number for number in SNAPSHOTS if number < last):
        if steps:
            descend = functools.partial(jaxnet.descend, optimizer=optimizer, batch_size=batch_size, steps=steps)
            after, _ = jax.jit(descend)(order, params, images, targets)
        else:
            after = params
        kept.append({"steps": steps, "parameters": all_numbers(after, "<f2")})
    return kept


def all_numbers(params: jaxnet.Params, dtype: str) -> str:
    """Each layer's weights, then its biases, as text."""
    return in_base64(np.concatenate([np.asarray(leaf, dtype).ravel() for leaf in jax.tree.leaves(params)]))


def check_sizes(name: str, params: jaxnet.Params) -> None:
    """Raises ChoiceError unless the page can draw this network and draw for it."""
    n_in, *hidden, n_out = jaxnet.sizes_of(params)
    if n_in != PIXELS or not hidden or not 2 <= n_out <= CLASSES:
        sizes = "-".join(map(str, (n_in, *hidden, n_out)))
        raise ChoiceError(
            f"{name} has sizes {sizes}; the page needs {PIXELS} pixels (28 x 28), a hidden layer at least, and 2 to"
            f" {CLASSES} outputs: choose --data, --hidden or --from for that"
        )


def in_base64(array: np.ndarray) -> str:
    """The bytes of an array as text."""
    return base64.b64encode(array.tobytes()).decode()


def about(config: Config, subject: networks.Subject, accuracy: float) -> list[words.Fact]:
    """What stands below the title."""
    source = config.network
    network = {
        "layers": "-".join(map(str, jaxnet.sizes_of(subject.params))),
        "functions": ", ".join(dict.fromkeys(layer.activation.name for layer in subject.params)),
        "numbers": jaxnet.count_params(subject.params),
        "percent": 100 * accuracy,
        "images": len(subject.test.images),
    }
    facts: list[words.Fact] = [("network", network)]
    if source.from_file is None:
        facts.append(
            ("trained", {"epochs": source.epochs, "images": len(subject.train.images), "seed": str(source.seed)})
        )
    else:
        facts.append(("from", {"file": str(source.from_file)}))
        loss = jaxnet.load_params(source.from_file)[1].get("loss", "squared_error")
        if loss != "squared_error":
            facts.append(("loss", {"loss": loss}))
    if source.data != "mnist":
        facts.append(("data", {"data": source.data}))
    return facts


def main() -> None:
    """The command line."""
    script.main("explorer", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
