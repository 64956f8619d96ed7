"""The network that a script looks at: random, trained here by the lecture's recipe, or from a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import jaxnet
from experiments.common import script
from experiments.common.choices import ChoiceError, random_key, refused
from jaxnet.memory import check_fits


@dataclass(frozen=True)
class Source:
    """Where the network comes from."""

    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    epochs: int = 1
    """Trained for so long: sigmoid, squared error, batches of 10, rate 0.25 falling to zero. 0: still random."""
    seed: int = 0
    """Decides the initial weights and the order of the examples."""
    limit: int | None = None
    """Only the first so many training and test images."""
    from_file: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Parameters that train_digits saved, instead of training; hidden, epochs and seed then do not change them."""


class Subject(NamedTuple):
    """A network, and the examples for it."""

    params: jaxnet.Params
    train: jaxnet.Dataset
    test: jaxnet.Dataset


def get(source: Source) -> Subject:
    """The network, trained where it is not random or read from a file. Raises ChoiceError for what does not fit."""
    if source.epochs < 0:
        raise ChoiceError(f"epochs is {source.epochs}; it must be zero or more")
    train, test, classes = script.load(source.data, source.limit)
    if source.from_file is not None:
        return Subject(read(source.from_file, test, classes), train, test)
    order, params, optimizer, batch_size, _ = begin(source, train, classes)
    if source.epochs:
        with script.progress("training", source.epochs) as show:
            params, _ = jaxnet.train(
                order, params, train, optimizer, batch_size=batch_size, epochs=source.epochs, progress=show
            )
    return Subject(params, train, test)


class Beginning(NamedTuple):
    """What `get` trains a network from and with."""

    order: jax.Array
    params: jaxnet.Params
    optimizer: optax.GradientTransformation
    batch_size: int
    steps: int
    """Of the whole training."""


def begin(source: Source, train: jaxnet.Dataset, classes: int) -> Beginning:
    """The random network, the key of the order, and the recipe. Raises ChoiceError for sizes that are none."""
    start, order = jax.random.split(random_key(source.seed))
    with refused():
        params = jaxnet.init(start, (train.images.shape[1], *source.hidden, classes))
    batch_size = min(10, len(train.images))
    steps = source.epochs * -(-len(train.images) // batch_size)
    optimizer = optax.sgd(optax.cosine_decay_schedule(0.25, max(1, steps)))
    return Beginning(order, params, optimizer, batch_size, steps)


def initial(key: jax.Array, sizes: tuple[int, ...], number: int) -> jaxnet.Params:
    """Random networks, stacked. Raises ChoiceError for sizes that are none, TooLarge as `stacked` does."""
    with refused():
        return stacked(lambda one: jaxnet.init(one, sizes), key, number)


def stacked(init: Callable[[jax.Array], jaxnet.Params], key: jax.Array, number: int) -> jaxnet.Params:
    """So many networks, stacked. Raises TooLarge as `check_population` does."""
    check_population(init, key, number)
    return jax.vmap(init)(jax.random.split(key, number))


def check_population(init: Callable[[jax.Array], jaxnet.Params], key: jax.Array, number: int) -> None:
    """Raises TooLarge where there is no room for so many networks."""
    one = jax.eval_shape(init, key)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one))
    sizes = "-".join(map(str, jaxnet.sizes_of(one)))
    check_fits(f"a population of {number:,} networks {sizes}", number * size)


def at_rates(params: jaxnet.Params, rates: Sequence[float]) -> tuple[jaxnet.Params, np.ndarray]:
    """Every one of the stacked networks at every rate: networks and rates, all the networks of the first rate first."""
    each = len(params[0].biases)
    stacked = jax.tree.map(lambda leaf: jnp.tile(leaf, (len(rates),) + (1,) * (leaf.ndim - 1)), params)
    return stacked, np.repeat(np.array(rates, np.float32), each)


def read(path: Path, test: jaxnet.Dataset, classes: int) -> jaxnet.Params:
    """A network that train_digits saved. Raises ChoiceError where it does not fit the examples."""
    with refused():
        params, metadata = jaxnet.load_params(path)
    if metadata.get("loss", "squared_error") != "squared_error":
        print(f"{path} was trained on {metadata['loss']}; every cost here is the squared error")
    n_in, *_, n_out = jaxnet.sizes_of(params)
    pixels = test.images.shape[1]
    if n_in != pixels or n_out < classes:
        raise ChoiceError(
            f"{path} holds a network with {n_in} inputs and {n_out} outputs;"
            f" this data has {pixels} pixels and {classes} classes: choose the --data that it was trained on"
        )
    return params


def outputs(params: jaxnet.Params, images: Any) -> np.ndarray:
    """The output activations for many images, a chunk at a time."""
    return np.asarray(jax.lax.map(lambda image: jaxnet.forward(params, image), jnp.asarray(images), batch_size=2_000))


def guesses(params: jaxnet.Params, images: Any) -> np.ndarray:
    """What each of the stacked networks takes each of many images for (images, networks), a chunk at a time."""
    return np.asarray(_guesses(params, jnp.asarray(images)))


@jax.jit
def _guesses(params: jaxnet.Params, images: jax.Array) -> jax.Array:
    def of_all(image: jax.Array) -> jax.Array:
        return jax.vmap(jaxnet.classify, in_axes=(0, None))(params, image)

    return jax.lax.map(of_all, images, batch_size=2_000)


def nudge(params: jaxnet.Params, layer: int, neuron: int, source: int | None, amount: float) -> jaxnet.Params:
    """The same parameters but for one weight, or bias where the source is None."""
    w, b, f = params[layer]
    nudged = (w, b.at[neuron].add(amount)) if source is None else (w.at[neuron, source].add(amount), b)
    return (*params[:layer], jaxnet.Layer(*nudged, f), *params[layer + 1 :])


def example(data: jaxnet.Dataset, index: int, params: jaxnet.Params) -> tuple[np.ndarray, jax.Array]:
    """One image and its target. Raises ChoiceError, with the valid range, where there is no such image."""
    if not 0 <= index < len(data.images):
        raise ChoiceError(f"image is {index}; there are images 0 to {len(data.images) - 1}")
    targets = jaxnet.one_hot(data.labels[index : index + 1], jaxnet.sizes_of(params)[-1])
    return np.asarray(data.images[index]), targets[0]
