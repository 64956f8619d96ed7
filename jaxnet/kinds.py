"""What an argument must be, told by its type, dtype and shape alone: within `jit` as outside, and at no cost when run.

Each check raises TypeError for another kind of thing and ValueError for another dtype, shape or value. The message
names the argument, what came, what was expected, and what makes it so.
"""

import inspect
import math
import operator
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_NUMBERS = {jnp.floating: "floating-point numbers", jnp.integer: "integers", np.number: "real numbers"}


def described(value: Any) -> str:
    """What came, in a few words.

    >>> described(0), described((1, 2)), described(np.zeros(3))
    ('0', 'of type tuple', 'an array of float64 and shape (3,)')
    """
    if _is_array(value):
        traced = ", traced by jit, vmap or grad" if isinstance(value, Tracer) else ""
        return f"an array of {value.dtype} and shape {value.shape}{traced}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)[:60]
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    return f"of type {type(value).__name__}"


def _is_array(value: Any) -> TypeGuard[Any]:
    return isinstance(value, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)


def _is_of(value: Any, dtype: Any) -> bool:
    return jnp.issubdtype(value.dtype, dtype) and not jnp.issubdtype(value.dtype, jnp.complexfloating)


def check_array(name: str, value: Any, dtype: Any, shape: tuple[int | str, ...] | None = None, what: str = "") -> None:
    """Raises unless it is an array of these numbers and of this shape, in which a word stands for any size from 1."""
    expected = f"expected an array of {_NUMBERS[dtype]}"
    if shape is not None:
        expected = f"expected {_NUMBERS[dtype]} of shape {str(shape).replace(chr(39), '')}"
    expected += f": {what}" if what else ""
    if not _is_array(value):
        raise TypeError(f"{name} is {described(value)}; {expected}")
    same = shape is None or (
        len(shape) == len(value.shape)
        and all(f > 0 if isinstance(size, str) else f == size for size, f in zip(shape, value.shape, strict=True))
    )
    if not same or not _is_of(value, dtype):
        raise ValueError(f"{name} has dtype {value.dtype} and shape {value.shape}; {expected}")


def check_key(key: Any) -> None:
    """Raises where a number, such as a seed, or many keys stand in the place of one key."""
    expected = "expected one key of JAX, such as jax.random.key(0)"
    typed = isinstance(key, jax.Array) and _is_of(key, jax.dtypes.prng_key)
    old = isinstance(key, jax.Array) and key.dtype == jnp.uint32  # of jax.random.PRNGKey
    if not typed and not old:
        raise TypeError(f"key is {described(key)}; {expected}")
    if key.shape not in ([()] if typed else [(2,), (4,)]):
        raise ValueError(f"key has dtype {key.dtype} and shape {key.shape}; {expected}: jax.vmap takes many")


def check_params(params: Any, name: str = "params", *, axes: int | None = 0) -> None:
    """Raises unless these are layers, each of which fits the next, with so many leading axes (None: any number)."""
    made = "jaxnet.init makes them"
    fields = ("weights", "biases", "activation")
    if not isinstance(params, tuple | list) or not all(hasattr(layer, field) for layer in params for field in fields):
        raise TypeError(f"{name} is {described(params)}; expected a tuple of layers: {made}")
    if not params:
        raise ValueError(f"{name} has no layers: {made}")
    for index, layer in enumerate(params):
        for array in (layer.weights, layer.biases):
            if not _is_array(array):
                raise TypeError(f"{name}: layer {index} has {described(array)} for an array: {made}")
            if not _is_of(array, jnp.floating):
                raise ValueError(f"{name}: layer {index} has {array.dtype}; expected floating-point numbers: {made}")
        f = layer.activation
        if not callable(f) or not hasattr(f, "derivative"):
            raise TypeError(f"{name}: layer {index} has the activation {described(f)}; expected jaxnet.Activation(f)")
    leading, n_in = params[0].weights.shape[:-2], (params[0].weights.shape[-1:] or (0,))[0]
    for index, layer in enumerate(params):
        weights, biases = layer.weights.shape, layer.biases.shape
        fits = weights[:-1] == biases and weights == (*leading, *weights[-2:-1], n_in) and 0 not in weights
        if not fits or axes not in (None, len(leading)):
            expected = f"n_out and {n_in} inputs"
            if axes == 0 and leading:
                expected += ", of one network: jax.vmap takes many"
            if axes == 1:
                expected = f"a leading axis of networks, {expected}: jax.vmap(jaxnet.init)(keys) makes such"
            raise ValueError(f"{name}: layer {index} has weights {weights} and biases {biases}; expected {expected}")
        n_in = weights[-2]


def check_image(params: Any, image: Any) -> None:
    """Raises unless this is one network and one image for it."""
    check_params(params)
    n_in = params[0].weights.shape[-1]
    what = f"one image for the {n_in} inputs of params (jax.vmap takes many), bytes divided by 255"
    check_array("image", image, jnp.floating, (n_in,), what)


def check_example(params: Any, image: Any, target: Any) -> None:
    """Raises unless this is one network, one image and one target."""
    check_image(params, image)
    n_out = params[-1].biases.shape[-1]
    what = f"one target for the {n_out} outputs of params, a row of jaxnet.one_hot(labels, {n_out})"
    check_array("target", target, jnp.floating, (n_out,), what)


def check_images(params: Any, images: Any) -> None:
    """Raises unless this is one network and at least one image for it."""
    check_params(params)
    n_in = params[0].weights.shape[-1]
    if _is_array(images) and images.shape[:1] == (0,):
        raise ValueError("images is empty; a mean needs at least one example")
    what = f"images for the {n_in} inputs of params, bytes divided by 255 as jaxnet.dataset does, one as image[None]"
    check_array("images", images, jnp.floating, ("n", n_in), what)


def check_examples(params: Any, images: Any, targets: Any) -> None:
    """Raises unless this is one network, at least one image, and a target for each."""
    check_images(params, images)
    n_out = params[-1].biases.shape[-1]
    what = f"a target for each of the images, for the {n_out} outputs of params: jaxnet.one_hot(labels, {n_out})"
    check_array("targets", targets, jnp.floating, (len(images), n_out), what)


def check_labels(params: Any, images: Any, labels: Any) -> None:
    """Raises unless this is one network, at least one image, and a label for each."""
    check_images(params, images)
    what = "a label for each of the images, the digits themselves, not one-hot targets (targets.argmax(axis=1))"
    check_array("labels", labels, jnp.integer, (len(images),), what)


def check_rows(**arrays: Any) -> None:
    """Raises unless these are real numbers with at least one row, and all have as many rows."""
    for name, array in arrays.items():
        check_array(name, array, np.number, what="one example a row")
        if not array.shape or 0 in array.shape:
            raise ValueError(f"{name} has shape {array.shape}; expected at least one example, each a row")
    if len({len(array) for array in arrays.values()}) > 1:
        found = " but ".join(f"{len(array)} {name}" for name, array in arrays.items())
        raise ValueError(f"there are {found}; each example needs one of each")


def check_whole(low: float | int = -math.inf, high: int | None = None, /, **numbers: Any) -> None:
    """Raises where one of these is no whole number, or not between `low` and `high`, the number of examples."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            known = ", known outside of jit" if isinstance(value, Tracer) else ""
            raise TypeError(f"{name} is {described(value)}; expected a whole number{known}")
        if value < low or (high is not None and value > high):
            expected = f"at least {low}" if high is None else f"between {low} and {high}, the number of examples"
            raise ValueError(f"{name} is {value}; it must be {expected}")


def check_flag(**flags: Any) -> None:
    """Raises TypeError where one of these is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} is {described(value)}; expected True or False")


def check_index(number: int, of: str, **index: Any) -> None:
    """Raises TypeError for no whole number, IndexError, with the valid range, for one not in 0 ... number - 1."""
    ((name, value),) = index.items()
    try:
        found = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name} is {described(value)}; expected a whole number, known outside of jit") from error
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value}; expected a whole number")
    if not 0 <= found < number:
        raise IndexError(f"{name} is {value}; {of} 0 to {number - 1}")


def check_number(name: str, value: Any) -> None:
    """Raises unless this is one real number, known outside of `jit`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and (not _is_array(value) or isinstance(value, Tracer | jax.ShapeDtypeStruct)):
        raise TypeError(f"{name} is {described(value)}; expected a number, known outside of jit")
    if not number:
        check_array(name, value, np.number, ())


def check_bounds(**numbers: Any) -> None:
    """Raises unless each of these is a finite number, zero or more, known outside of `jit`."""
    for name, value in numbers.items():
        check_number(name, value)
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number, zero or more")


def check_function(arguments: str, /, **functions: Any) -> None:
    """Raises unless each of these is a function that takes such arguments, as far as can be told without a call."""
    for name, function in functions.items():
        expected = f"expected a function of ({arguments})"
        if not callable(function):
            raise TypeError(f"{name} is {described(function)}; {expected}")
        try:  # what wraps another function tells its arguments by that one's, so it is not asked
            signature = inspect.signature(function, follow_wrapped=False)
        except (TypeError, ValueError):
            continue
        try:
            signature.bind(*arguments.split(", "))
        except TypeError as error:
            raise TypeError(f"{name} is a function of ({', '.join(signature.parameters)}); {expected}") from error


def check_optional(arguments: str, /, **functions: Any) -> None:
    """As `check_function`, of those that are given: not None."""
    check_function(arguments, **{name: function for name, function in functions.items() if function is not None})


def check_cost(cost: Any) -> None:
    """Raises where a loss, the cost of one example, stands in the place of the cost of a network."""
    if hasattr(cost, "slope") and hasattr(cost, "delta"):
        raise TypeError(
            "cost is a loss, the cost of one example; expected a function of (params, images, targets):"
            " functools.partial(jaxnet.cost, loss=...)"
        )
    check_function("params, images, targets", cost=cost)


def check_optimizer(optimizer: Any) -> None:
    """Raises unless this is a transformation of optax."""
    if not callable(getattr(optimizer, "init", None)) or not callable(getattr(optimizer, "update", None)):
        raise TypeError(f"optimizer is {described(optimizer)}; expected a transformation, such as optax.sgd(0.5)")


def check_tree(name: str, tree: Any) -> None:
    """Raises unless this is a pytree of floating-point numbers, at least one."""
    for leaf in jax.tree.leaves(tree):
        if not _is_array(leaf) and not isinstance(leaf, bool | int | float | complex):
            raise TypeError(f"{name} has a leaf that is {described(leaf)}; expected arrays of floating-point numbers")
        dtype = leaf.dtype if _is_array(leaf) else jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise ValueError(f"{name} has numbers of {dtype}; expected floating-point numbers: 3.0 instead of 3")
    if sum(math.prod(np.shape(leaf)) for leaf in jax.tree.leaves(tree)) == 0:
        raise ValueError(f"{name} has no numbers; expected at least one")


def check_shape(name: str, tree: Any, other_name: str, other: Any) -> None:
    """Raises unless both are pytrees of floating-point numbers, of the same structure and shapes."""
    check_tree(other_name, other)
    expected, found = (jax.tree.map(np.shape, each) for each in (other, tree))
    if jax.tree.structure(other) != jax.tree.structure(tree) or expected != found:
        raise ValueError(f"{name} has shape {found}; it must have the shape of {other_name}, {expected}")
    check_tree(name, tree)


def check_trajectory(trajectory: Any, *, least: int) -> None:
    """Raises unless this is a pytree with a leading axis of at least so many points on every leaf."""
    check_tree("trajectory", trajectory)
    if isinstance(trajectory, tuple | list) and any(hasattr(layer, "weights") for layer in trajectory):
        check_params(trajectory, "trajectory", axes=1)
    points = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(trajectory)}
    if len(points) > 1 or points == {()}:
        raise ValueError(f"trajectory has leaves of {points}; expected one leading axis of points, on every leaf")
    ((number,),) = points
    if number < least:
        raise ValueError(f"trajectory has {number} points; it needs at least {least}")


def as_numpy(name: str, values: Any) -> np.ndarray:
    """An array whose values can be read. Raises for what is traced, and where no array can be made of it."""
    if isinstance(values, Tracer):
        raise TypeError(f"{name} is {described(values)}; its values are read, so this belongs outside of jit")
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {described(values)}, of which no array can be made: {error}") from error
