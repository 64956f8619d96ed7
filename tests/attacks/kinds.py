"""Wrong kinds of every argument of every public function, outside of jit and inside. python -m tests.attacks.kinds

Each must raise an error of ours that names the argument, or is listed here as right though it looks odd. It runs
without the checks of annotations that conftest.py installs, as users have it.
"""

import argparse
import contextlib
import functools
import inspect
import itertools
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from jaxnet import (
    calculus,
    chain_rule,
    data,
    descent,
    distortions,
    export,
    history,
    importance,
    landscape,
    network,
    order,
)
from jaxnet.backprop import average_nudges, errors

LIBRARY = str(Path(jaxnet.__file__).parent)
FOLDER = Path(tempfile.mkdtemp())
KEY = jax.random.key(0)
PARAMS = jaxnet.init(KEY, (3, 4, 2))
POPULATION = jax.vmap(lambda key: jaxnet.init(key, (3, 4, 2)))(jax.random.split(KEY, 5))
IMAGES = jax.random.uniform(KEY, (5, 3))
LABELS = jnp.array([0, 1, 1, 0, 1])
TARGETS = jaxnet.one_hot(LABELS, 2)
SQUARE = jax.random.uniform(KEY, (9,))
OPTIMIZER = optax.sgd(0.5, momentum=0.9)
START: Any = PARAMS
STATE = jaxnet.State(START, OPTIMIZER.init(START))
GRADIENT = jax.grad(jaxnet.cost)(PARAMS, IMAGES, TARGETS)


def of_five(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """Takes other arguments than any function that the package takes."""
    return a, b, c, d, e


POOL: dict[str, Any] = {
    "None": None,
    "a text": "text",
    "bytes": b"bytes",
    "a seed": 13,
    "a float": 0.25,
    "a bool": True,
    "a complex number": 1j,
    "a list": [0.25, 0.5],
    "a dict": {"a": 0.25},
    "no values": (),
    "a set": {1},
    "an object": object(),
    "a function": of_five,
    "a module": jaxnet,
    "an array of texts": np.array(["a", "b"]),
    "an array of objects": np.array([None, print]),
    "an array of complex numbers": np.array([1j, 2.0]),
    "an array of dates": np.array(["2020-01-01"], "datetime64[D]"),
    "an empty array": np.zeros(0, np.float32),
    "a key": KEY,
    "a cube": np.full((2, 7, 5), 0.5, np.float32),
    "a network": jaxnet.init(KEY, (6, 5, 4)),
    "an optimizer": OPTIMIZER,
}


def of_array(array: jax.Array) -> dict[str, Any]:
    """Of another shape or dtype than this array."""
    found = {
        "as a list": array.tolist(),
        "one axis more": array[None],
        "as texts": np.asarray(array).astype(str),
        "as complex numbers": array * (1 + 0j),
        "as objects": np.asarray(array).astype(object),
        "as bools": array > 0,
    }
    if jnp.issubdtype(array.dtype, jnp.floating):
        found |= {"as bytes": jnp.rint(255 * array).astype(jnp.uint8), "as integers": array.astype(jnp.int32)}
    else:
        found |= {"as floats": array.astype(jnp.float32), "one-hot": jax.nn.one_hot(array, 2)}
        found |= {"one-hot integers": jax.nn.one_hot(array, 2, dtype=jnp.int32)}
    if array.ndim > 0:
        found |= {"its first row": array[0], "one row too few": array[:-1], "none of its rows": array[:0]}
    if array.ndim > 1:
        found |= {"transposed": array.T, "one column too few": array[:, :-1], "flat": array.ravel()}
    return found


def of_params(params: Any) -> dict[str, Any]:
    """Layers that are none, or are not those of one network."""
    first, last = params
    return {
        "layers in the wrong order": (last, first),
        "a population": jax.tree.map(lambda leaf: jnp.stack([leaf] * 5), params),
        "one layer": first,
        "its last layer only": (last,),
        "plain tuples": tuple(tuple(layer) for layer in params),
        "leaves alone": jax.tree.leaves(params),
        "transposed weights": (first._replace(weights=first.weights.T), last),
        "one bias too few": (first._replace(biases=first.biases[:-1]), last),
        "no biases": (first._replace(biases=None), last),
        "lists for arrays": (first._replace(weights=first.weights.tolist()), last),
        "integers": jax.tree.map(lambda leaf: leaf.astype(jnp.int32), params),
        "complex weights": jax.tree.map(lambda leaf: leaf * 1j, params),
        "a text as activation": (first._replace(activation="relu"), last),
        "a bare function as activation": (first._replace(activation=jnp.tanh), last),
        "a state": STATE,
        "shapes": jax.tree.map(jnp.shape, params),
        "a list of layers": list(params),
    }


WHOLE = {
    "zero": 0,
    "minus one": -1,
    "two as a float": 2.0,
    "two as a text": "2",
    "two as an array of floats": np.float32(2),
    "an array of one number": np.array([2]),
    "NaN": float("nan"),
    "infinite": float("inf"),
}
NUMBER = {
    "minus one": -1.0,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "as a text": "0.5",
    "an array of one number": np.array([0.5]),
}
KEYS = {
    "many keys": jax.random.split(KEY, 5),
    "a seed as an array": jnp.array(13),
    "the data of many": jax.random.key_data(jax.random.split(KEY, 5)),
    "a key of the old kind": jax.random.PRNGKey(0),
}
FUNCTIONS = {
    "of no argument": lambda: 1.0,
    "an array of numbers": IMAGES,
    "a name": "relu",
    "a tuple of functions": (jnp.sin, jnp.cos),
    "a dataset": jaxnet.Dataset(IMAGES, LABELS),
}
MADE: Any = jaxnet.Dataset
DATASETS = {
    "a tuple": (IMAGES, LABELS),
    "only images": IMAGES,
    "swapped": jaxnet.Dataset(LABELS, IMAGES),
    "with targets": jaxnet.Dataset(IMAGES, TARGETS),
    "with bytes": jaxnet.Dataset(np.ones((5, 3), np.uint8), LABELS),
    "with lists": MADE(IMAGES.tolist(), LABELS.tolist()),
    "with one label too few": jaxnet.Dataset(IMAGES, LABELS[:-1]),
    "with one image": jaxnet.Dataset(IMAGES[0], LABELS[:1]),
    "with NaN": jaxnet.Dataset(IMAGES.at[0, 0].set(jnp.nan), LABELS),
    "without examples": jaxnet.Dataset(IMAGES[:0], LABELS[:0]),
    "with nothing": MADE(None, None),
}
EXTRA: dict[str, dict[str, Any]] = {
    "flag": WHOLE, "whole": WHOLE, "position": WHOLE, "number": NUMBER,
    "key": KEYS, "function": FUNCTIONS, "dataset": DATASETS,
}  # fmt: skip

SAME = "every shape will do"
TREES = ("a float", "a list", "a dict", "a cube", "a network", "as a list")
PLACES = ("one-hot integers", "one axis more", "its first row", "none of its rows")
SHAPES = ("one axis more", "its first row", "one row too few", "transposed", "one column too few", "flat")
ODD: dict[str, dict[str, str]] = {
    "params": {"a list of layers": "a sequence of layers"},
    "whole": {"a seed": "a whole number"},
    "position": {"zero": "the first one"},
    "number": {"a seed": "a number", "a float": "a number"},
    "flag": {"a bool": "a flag"},
    "key": {"a key": "a key", "a key of the old kind": "it works as ever"},
    "tree": {**dict.fromkeys(TREES, "a pytree of numbers"), **dict.fromkeys(SHAPES, SAME)},
}
"""What is right for every argument of a kind though it looks odd, and why."""


class Argument(NamedTuple):
    """A right value, its kind, what else is right for it though it looks odd and why, and what else may be named."""

    value: Any
    kind: str = "array"
    odd: dict[str, str] = {}  # noqa: RUF012 (never changed)
    named: tuple[str, ...] = ()


def optional(argument: Argument, why: str = "the default") -> Argument:
    return argument._replace(odd=argument.odd | {"None": why})


def length(point: Any) -> jax.Array:
    return sum((jnp.sum(jnp.asarray(leaf) ** 2) for leaf in jax.tree.leaves(point)), jnp.zeros(()))


def of_rates(rates: Any) -> Any:
    """`train` of a population."""
    choices: Any = {"batch_size": 2, "epochs": 1, "rates": rates}
    return jaxnet.train(KEY, POPULATION, jaxnet.Dataset(IMAGES, LABELS), optax.sgd, **choices)


params = Argument(PARAMS, "params")
one_params = params._replace(odd=dict.fromkeys(("a network", "its last layer only"), "any network"))
any_params = one_params._replace(odd=one_params.odd | {"a population": "of all its networks"})
alike = params._replace(odd={"a list of layers": ""})  # not with a tuple of them
image, target = Argument(IMAGES[0]), Argument(TARGETS[0])
images, targets, labels = Argument(IMAGES), Argument(TARGETS), Argument(LABELS)
key = Argument(KEY, "key")
dataset = Argument(jaxnet.Dataset(IMAGES, LABELS), "dataset", named=("images", "labels"))
loss, penalty = Argument(jaxnet.squared_error, "function"), optional(Argument(jaxnet.l2(0.1), "function"))
mean = Argument(jaxnet.cost, "function")
gradient = optional(Argument(jaxnet.average_gradient, "function"))
optimizer = Argument(OPTIMIZER, "optimizer", {"an optimizer": "the very same"})
f = Argument(length, "function")
point = Argument(jnp.array([0.5, 1.5]), "tree")
vector = Argument(point.value, odd={"swapped": "one is as good as the other"})
shorter = Argument(jnp.arange(3.0), odd={"one row too few": "a smaller grid"})
axis = shorter._replace(odd=shorter.odd | {"swapped": "a grid turned round"})
number = Argument(0.5, "number")
fraction = number._replace(odd={"a seed": ""})  # below one
size = Argument(2, "whole")
fitting = size._replace(odd={"a seed": ""})  # among so few examples and steps
first = Argument(0, "position")
file = Argument(FOLDER / "p.safetensors", "path", {"a text": "the name of a file"})
shapes = dict.fromkeys((*SHAPES, "a cube"), SAME) | dict.fromkeys(("as bytes", "as integers"), "numbers")
empty = dict.fromkeys(("an empty array", "none of its rows"), SAME)
table = dict.fromkeys(("as integers", "one column too few"), "a table")
table |= {"as a list": "it becomes an array", "as bools": "0 and 1", "as bytes": "divided by 255"}
classes = dict.fromkeys(("one row too few", "none of its rows"), "fewer labels") | {"as a list": "it becomes an array"}
line: dict[str, str] = dict.fromkeys(("as bytes", "as integers"), "numbers")
rates = line | {"as a list": "numbers"}
levels: dict[str, str] = dict.fromkeys(("minus one", "NaN", "infinite"), "a level")
neurons = shapes | empty | {"a float": "one neuron", "as bytes": "", "as integers": ""}
of_z = Argument(TARGETS[0], odd={"swapped": "both are numbers"})
ordered = Argument(jnp.array([3, 0, 1, 2, 4]), odd={"one row too few": "a part of an epoch"})
turned = {"transposed": "another picture"}

CASES: dict[Callable[..., Any], dict[str, Argument]] = {
    network.init: {
        "key": key,
        "sizes": Argument((3, 4, 2), "sizes"),
        "activation": Argument(jaxnet.relu, "function"),
        "output": Argument(jaxnet.softmax, "function"),
        "weights": Argument(jaxnet.unit_normal, "function"),
        "biases": Argument(jaxnet.unit_normal, "function"),
    },
    network.count_params: {"params": any_params},
    network.sizes_of: {"params": any_params},
    network.trace: {"params": params, "image": image},
    network.forward: {"params": params, "image": image},
    network.classify: {"params": params, "image": image},
    network.Activation: {
        "function": Argument(jnp.sin, "function"),
        "derivative": Argument(jnp.cos, "function"),
        "name": Argument("sine", "text", {"a text": "a name"}),
    },
    jaxnet.cost: {"params": params, "images": images, "targets": targets, "loss": loss, "penalty": penalty},
    jaxnet.accuracy: {"params": params, "images": images, "labels": labels},
    jaxnet.l2: {"strength": number},
    jaxnet.in_chunks: {"mean": mean, "chunk_size": size},
    errors: {"params": params, "image": image, "target": target, "loss": loss},
    jaxnet.backprop: {"params": params, "image": image, "target": target, "loss": loss, "penalty": penalty},
    jaxnet.average_gradient: {
        "params": params,
        "images": images,
        "targets": targets,
        "loss": loss,
        "penalty": penalty,
    },
    jaxnet.nudges: {"params": params, "image": image, "target": target, "loss": loss},
    average_nudges: {"params": params, "images": images, "targets": targets, "loss": loss},
    calculus.partial_derivative: {"f": f, "point": point, "index": first},
    calculus.gradient: {"f": f, "point": point},
    calculus.directional_derivative: {"f": f, "point": vector, "direction": Argument(jnp.ones(2))},
    calculus.hessian_vector_product: {"f": f, "point": vector, "vector": Argument(jnp.ones(2))},
    calculus.sharpness: {"f": f, "point": point, "key": key, "iterations": size},
    calculus.gradient_field: {"f": f, "xs": axis, "ys": shorter, "at_once": size},
    calculus.on_grid: {"f": f, "xs": axis, "ys": shorter, "at_once": size},
    chain_rule.factors: {
        "params": params,
        "image": image,
        "target": target,
        "layer": first,
        "neuron": first,
        "source": optional(first, "the bias"),
        "loss": loss,
    },
    chain_rule.product: {
        "factors": Argument(chain_rule.factors(PARAMS, IMAGES[0], TARGETS[0], 0, 1, 2), "factors"),
    },
    chain_rule.paths: {
        "params": params,
        "image": image,
        "target": target,
        "layer": first,
        "neuron": first,
        "loss": loss,
    },
    importance.rank: {"gradient": one_params},
    importance.per_weight: {"gradient": one_params},
    data.dataset: {
        "images": images._replace(odd=table),
        "labels": labels._replace(odd={"as a list": "it becomes an array"}),
    },
    data.check: {"data": dataset},
    data.as_host_bytes: {"images": images._replace(odd=shapes)},
    data.as_bytes: {"images": images._replace(odd=shapes)},
    data.from_bytes: {"pixels": images._replace(odd=shapes | empty)},
    data.on_bytes: {"mean": mean},
    data.one_hot: {"labels": labels._replace(odd=classes), "classes": size},
    distortions.distort: {
        "key": key,
        "image": Argument(SQUARE),
        "shift": number,
        "rotation": number,
        "scale": fraction,
        "shear": number,
        "alpha": number,
        "sigma": number,
    },
    distortions.affine: {
        "key": key,
        "side": size,
        "shift": number,
        "rotation": number,
        "scale": fraction,
        "shear": number,
    },
    distortions.elastic: {"key": key, "side": size, "alpha": number, "sigma": number},
    distortions.warp: {
        "picture": Argument(SQUARE.reshape(3, 3), odd=turned),
        "displacement": Argument(jax.random.uniform(KEY, (2, 3, 3))),
    },
    descent.step: {
        "state": Argument(STATE, "state"),
        "images": images,
        "targets": targets,
        "optimizer": optimizer,
        "cost": mean,
        "gradient": gradient,
    },
    descent.epoch: {
        "state": Argument(STATE, "state"),
        "images": images,
        "targets": targets,
        "order": ordered,
        "batch_size": size,
        "optimizer": optimizer,
        "cost": mean,
        "gradient": gradient,
    },
    order.shuffled: {
        "key": key,
        "index": first._replace(odd={"a seed": "an epoch"}),
        "n": size,
    },
    order.example_at: {
        "key": key,
        "index": first._replace(odd={"a seed": "an epoch"}),
        "n": size,
        "place": ordered._replace(odd={**ordered.odd, **dict.fromkeys(PLACES, "places in any shape")}),
    },
    descent.descend: {
        "key": key,
        "params": alike,
        "images": images,
        "targets": targets,
        "optimizer": optimizer,
        "batch_size": fitting,
        "steps": fitting,
        "every": optional(fitting),
        "look": optional(Argument(lambda state: state.params, "function")),
        "cost": mean,
        "gradient": gradient,
        "order": Argument(order.shuffled, "function"),
    },
    jaxnet.newton_cg: {"radius": number, "max_radius": number, "iterations": size},
    landscape.on_plane: {
        "plane": Argument(landscape.Plane(PARAMS, GRADIENT, PARAMS), "plane"),
        "point": Argument(jnp.ones(2)),
    },
    landscape.random_direction: {"key": key, "params": one_params},
    landscape.pca_plane: {"trajectory": Argument(POPULATION, "trajectory")},
    landscape.distances: {"trajectory": Argument(POPULATION, "trajectory", {"a cube": "a pytree of two points"})},
    landscape.cosine: {"one": alike, "other": alike},
    landscape.noise_scale: {
        "params": params,
        "images": images,
        "targets": targets,
        "gradient": Argument(jaxnet.backprop, "function"),
        "at_once": size,
    },
    export.save_params: {
        "path": file,
        "params": one_params,
        "metadata": optional(Argument({"a": "b"}, "metadata")),
    },
    export.load_params: {"path": file, "activations": optional(Argument({"sine": jnp.sin}, "mapping"))},
    export.export_classifier: {"params": one_params, "platforms": Argument(("cpu",), "platforms")},
    jaxnet.load: {"name": Argument("mnist", "text", named=("data set",))},
    jaxnet.train: {
        "key": key,
        "params": alike._replace(named=("dataset",)),
        "dataset": dataset,
        "optimizer": optimizer,
        "batch_size": fitting,
        "epochs": Argument(1, "whole"),
        "test": optional(dataset),
        "cost": mean,
        "accuracy": Argument(jaxnet.accuracy, "function"),
        "gradient": gradient,
        "evaluate_every": optional(size),
        "evaluate_on": optional(fitting),
        "chunk_size": optional(size),
        "look": optional(Argument(lambda state: state.params, "function")),
        "progress": optional(Argument(lambda history: None, "function")),
        "distort": optional(Argument(lambda key, image: image, "function")),
        "checkpoints": optional(Argument(None, "checkpoints")),
        "gradient_norm": Argument(False, "flag"),
        "shard_images": Argument(False, "flag"),
    },
    of_rates: {"rates": Argument(np.ones(5, np.float32), odd=rates, named=("params",))},
    history.first_reach: {
        "along": Argument(np.arange(5.0), odd=line | {"swapped": "both are numbers"}),
        "curve": Argument(np.arange(5.0), odd=line),
        "level": Argument(2.5, "number", levels),
    },
}
# Loss and activation functions, which are called.
CASES |= {
    call: {"z": of_z, "target": target, "output": Argument(jaxnet.sigmoid, "function")}
    for call in (jaxnet.squared_error, jaxnet.cross_entropy)
}
CASES |= {call: {"z": Argument(TARGETS, odd=neurons)} for call in network.ACTIVATIONS if call is not jaxnet.softmax}

CHAPTERS = (
    "network", "cost", "calculus", "backprop", "chain_rule", "importance", "data", "distortions", "descent",
    "history", "landscape", "export",
)  # fmt: skip
HOLDS = "holds what it is given; it is checked where it is used"
CHECK = "itself a check"
PART = "a part of what is attacked, or called by train alone"
INTERNAL = (
    dict.fromkeys(("Layer", "Params", "Loss", "Penalty", "Dataset", "State", "History", "Checkpoints"), HOLDS)
    | dict.fromkeys(("Diverged", "Interrupted"), "raised, not called")
    | dict.fromkeys(("backprop.check_by_hand", "calculus.check_grid", "chain_rule.check_weight"), CHECK)
    | dict.fromkeys(("network.as_activation", "network.not_written", "cost.chain", "distortions.noise"), PART)
    | dict.fromkeys(("history.columns", "history.evaluate", "history.rows_of", "history.written"), PART)
    | dict.fromkeys(("data.load_mnist", "data.parse_idx"), "reads files; tests/attacks/files.py attacks it")
    | dict.fromkeys(("scaled_normal", "unit_normal"), "a function of JAX")
    | {"landscape.measure_length": "has no arguments"}
    | {"softmax": "as the others, but one number alone is refused by JAX"}
)
"""What is public by name and not attacked here, and why."""


def traced(value: Any) -> bool:
    """Whether jit takes it as an argument: arrays of numbers and pytrees of those."""
    leaves = jax.tree.leaves(value)
    return bool(leaves) and all(
        isinstance(leaf, jax.Array | np.ndarray) and (isinstance(leaf, jax.Array) or leaf.dtype.kind in "fiub")
        for leaf in leaves
    )


def wrong(argument: Argument) -> dict[str, Any]:
    """What is attacked with in its place, by name."""
    found = POOL | EXTRA.get(argument.kind, {})
    if isinstance(argument.value, jax.Array | np.ndarray) and argument.kind != "key":
        found |= of_array(jnp.asarray(argument.value))
    if argument.kind == "params":
        found |= of_params(argument.value)
    return found


def failure(call: Callable[[], Any], names: tuple[str, ...]) -> str | None:
    """What is wrong with how a call refuses its arguments; None where one of the names stands in an error of ours."""
    try:
        call()
    except (TypeError, ValueError, IndexError) as error:
        ours = traceback.extract_tb(error.__traceback__)[-1].filename.startswith(LIBRARY)
        named = any(re.search(rf"\b{name}\b", str(error)) for name in names)
        return None if ours and named else f"{type(error).__name__}: {str(error)[:150]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]!r}"
    return "accepted"


def attacks(arguments: dict[str, Argument]) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...], str | None]]:
    """Every attack on a function: what it is, the arguments put in, who may be named, why it is right if it is."""
    for name, argument in arguments.items():
        odd = ODD.get(argument.kind, {}) | argument.odd
        for what, value in wrong(argument).items():
            yield f"{name}: {what}", {name: value}, (name, *argument.named), odd.get(what)
    for one, other in zip(arguments, list(arguments)[1:], strict=False):
        if arguments[one].kind != arguments[other].kind or arguments[one].kind == "array":
            put = {one: arguments[other].value, other: arguments[one].value}
            yield f"{one} and {other}: swapped", put, (one, other), arguments[one].odd.get("swapped")


def attack(function: Callable[..., Any], arguments: dict[str, Argument], every: int) -> tuple[int, int, list[str]]:
    """The numbers of attacks and of those that are right though odd, and the failures; each `every`th attack only."""
    right = {name: argument.value for name, argument in arguments.items()}
    function(**right)
    number, documented, failures = 0, 0, []
    for what, put, names, reason in itertools.islice(attacks(arguments), 0, None, every):
        number += 1
        called = functools.partial(function, **right | put)
        found = failure(called, names)
        if reason:
            documented += 1
            if found != "accepted":
                failures.append(f"{what} is right ({reason}): {found}")
            continue
        if found is not None:
            failures.append(f"{what}: {found}")
        inside = {name: value for name, value in put.items() if traced(value)}
        if inside:
            number += 1
            found = failure(lambda: jax.jit(lambda inside: (called(**inside), None)[1])(inside), names)  # noqa: B023
            if found is not None:
                failures.append(f"{what}, inside jit: {found}")
    return number, documented, failures


def name_of(function: Any) -> str:
    return next(
        (name for name in jaxnet.__all__ if getattr(jaxnet, name) is function),
        f"{getattr(function, '__module__', '').removeprefix('jaxnet.')}.{getattr(function, '__name__', '')}",
    )


def public() -> dict[str, Any]:
    """All that is public and can be called, by name."""
    found = {name: getattr(jaxnet, name) for name in jaxnet.__all__}
    found = {name: each for name, each in found.items() if callable(each)}
    for module in CHAPTERS:
        for each in vars(sys.modules[f"jaxnet.{module}"]).values():
            if inspect.isfunction(each) and each.__module__ == f"jaxnet.{module}" and not each.__name__.startswith("_"):
                found[name_of(each)] = each
    return found


def main() -> None:
    """One line for each function, then the failures. Exit status 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="only one attack of so many")
    choices = parser.parse_args()
    warnings.simplefilter("error")
    known = {*map(name_of, CASES), *INTERNAL}
    failures = [f"{name} is not listed here" for name in sorted(public().keys() - known)]
    total = np.zeros(2, int)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # where some of them write a file
        for function, arguments in CASES.items():
            number, documented, found = attack(function, arguments, choices.every)
            refused = number - documented - len(found)
            print(
                f"{name_of(function)}: {number} attacks, {refused} refused, {documented} right though odd", flush=True
            )
            failures += [f"{name_of(function)}: {each}" for each in found]
            total += [number, documented]
    print(f"{len(CASES)} functions, {total[0]:,} attacks, {total[1]} right though odd, {len(failures)} failures")
    print("\n".join(failures))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
