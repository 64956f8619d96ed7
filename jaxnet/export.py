"""Nothing is lost: parameters in a file that any program can read, and the classifier as a program of its own.

The file is a safetensors file with the arrays `layers.0.weights` (n_out, n_in), `layers.0.biases` (n_out,),
`layers.1.weights` and so on. Its metadata have the numbers of neurons, `sizes`, as "784-16-16-10", the activation
functions of the layers, `activations`, as "sigmoid,sigmoid,sigmoid", and whatever else is given, as text. The program
is one of `jax.export`: whoever runs it needs JAX, not this package.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnet.files import write_whole
from jaxnet.network import (
    ACTIVATIONS,
    Activation,
    Function,
    Layer,
    Params,
    as_activation,
    forward,
    sigmoid,
    sizes_of,
)

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
_ARRAYS = ("weights", "biases")
_ACTIVATIONS = {activation.name: activation for activation in ACTIVATIONS}


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("parameters are kept in safetensors files: pip install safetensors") from error
    return safetensors


def save_params(path: str | os.PathLike[str], params: Params, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the parameters to a safetensors file, whole or not at all.

    The metadata gain the `sizes` and the names of the `activations`. Raises OSError where the folder cannot be written,
    ValueError where the metadata have other ones already, where two activation functions have the same name, and for
    parameters that are not those of one network, or not finite.
    """
    save = _safetensors().numpy.save
    _check("params", params)
    named = dict(_ACTIVATIONS)
    for index, (_, _, f) in enumerate(params):
        if "," in f.name or named.setdefault(f.name, f).function != f.function:
            raise ValueError(
                f"layer {index} has an activation function named {f.name!r}, by which it would not be found again:"
                " give Activation(function, derivative, name) another name, without a comma"
            )

    known = {"sizes": _sizes_in_words(params), "activations": ",".join(layer.activation.name for layer in params)}
    metadata = dict(metadata or {})
    for name, value in known.items():
        if metadata.setdefault(name, value) != value:
            raise ValueError(f"metadata has {name} {metadata[name]}, but params are those of {value}: leave {name} out")
    arrays = {
        f"layers.{index}.{name}": np.asarray(getattr(layer, name))
        for index, layer in enumerate(params)
        for name in _ARRAYS
    }
    write_whole(Path(path), save(arrays, metadata))


def load_params(
    path: str | os.PathLike[str], *, activations: Mapping[str, Activation | Function] | None = None
) -> tuple[Params, dict[str, str]]:
    """The parameters and the metadata of a file written by `save_params`.

    `sizes` and `activations` are always among the metadata. `activations` also has the functions of your own, by name,
    which a file cannot hold. A file of version 0.6.0 has one name for the hidden layers and one for the output, or
    none: then all are sigmoid.

    Raises FileNotFoundError where there is no file, ValueError where it is damaged, holds something else, arrays that
    are not of its sizes, or activation functions that are not known.
    """
    safetensors = _safetensors()
    name = os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"{name} does not exist; expected a .safetensors file of saved parameters")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise ValueError(f"{name} is damaged or no safetensors file: {error}") from error
    depth = len(arrays) // 2
    names = [f"layers.{index}.{array}" for index in range(depth) for array in _ARRAYS]
    if not arrays or set(names) != set(arrays):
        raise ValueError(f"{name} holds {sorted(arrays)}; expected {', '.join(names) or 'layers.0.weights'}")
    functions = _functions(name, metadata, depth, activations or {})
    params = tuple(
        Layer(jnp.asarray(arrays[f"layers.{index}.weights"]), jnp.asarray(arrays[f"layers.{index}.biases"]), function)
        for index, function in enumerate(functions)
    )
    _check(name, params)
    sizes = _sizes_in_words(params)
    if metadata.setdefault("sizes", sizes) != sizes:
        raise ValueError(f"{name} has sizes {metadata['sizes']} in its metadata, but arrays of {sizes}")
    return params, metadata


def _functions(
    name: str, metadata: dict[str, str], depth: int, own: Mapping[str, Activation | Function]
) -> list[Activation]:
    """The layers' activation functions, by the names in the metadata."""
    before = [metadata.get("activation", sigmoid.name)] * (depth - 1) + [metadata.get("output", sigmoid.name)]
    names = metadata.setdefault("activations", ",".join(before)).split(",")
    known = _ACTIVATIONS | {each: as_activation(function) for each, function in own.items()}
    if len(names) != depth:
        raise ValueError(f"{name} has {depth} layers but the activations {', '.join(names)}; expected one for each")
    for each in names:
        if each not in known:
            raise ValueError(
                f"{name} has the activation {each!r}; known are {', '.join(known)}: give it by load_params(path,"
                f" activations={{{each!r}: ...}})"
            )
    return [known[each] for each in names]


def export_classifier(params: Params, *, platforms: Sequence[str] = ("cpu", "cuda", "tpu")) -> bytes:
    """The classifier as a serialised `jax.export` program, weights and biases inside.

    The program takes images, float32 (n, n_in) in [0, 1], for any n from 1, and returns what `classify` and `forward`
    say of each: digits, int32 (n,), and output activations, float32 (n, n_out). Its products are of full float32 on
    every platform. To run it takes JAX and flatbuffers, nothing of this package:

        digits, activations = jax.export.deserialize(content).call(images)

    It runs in the version of JAX that wrote it and in those of the next six months; an older one may refuse it. What is
    to be kept for longer is a file of `save_params`.

    `platforms` are those on which it shall run, of cpu, cuda, rocm and tpu. Raises ValueError for others, and for
    parameters that are not those of one network; ImportError where flatbuffers is missing.

    >>> params = (Layer(jnp.array([[1.0], [2.0], [-1.0]]), jnp.zeros(3)),)
    >>> program = jax.export.deserialize(export_classifier(params))
    >>> digits, activations = program.call(jnp.array([[1.0], [0.5]]))
    >>> digits
    Array([1, 1], dtype=int32)
    >>> program.platforms
    ('cpu', 'cuda', 'tpu')
    """
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ImportError("jax.export serialises programs with flatbuffers: pip install flatbuffers") from error
    if not platforms or not set(platforms) <= set(_PLATFORMS):
        raise ValueError(f"platforms is {platforms!r}; expected some of {_PLATFORMS}")
    _check("params", params)
    # However many devices share the work and the parameters here, the program is one for one device.
    one = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("one",))
    params = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float32), params)
    outputs = jax.vmap(functools.partial(forward, params))

    def classifier(images: Float[Array, "n n_in"]) -> tuple[Int[Array, " n"], Float[Array, "n n_out"]]:
        activations = outputs(images)
        return jnp.argmax(activations, axis=-1).astype(jnp.int32), activations

    (n,) = jax.export.symbolic_shape("n")
    images = jax.ShapeDtypeStruct((n, sizes_of(params)[0]), jnp.float32)
    with jax.set_mesh(one), jax.default_matmul_precision("float32"):
        return bytes(jax.export.export(jax.jit(classifier), platforms=platforms)(images).serialize())


def _sizes_in_words(params: Params) -> str:
    return "-".join(map(str, sizes_of(params)))


def _check(name: str, params: Params) -> None:
    """Raises ValueError unless these are finite weights and biases of one network, each layer fitting the next."""
    if not params:
        raise ValueError(f"{name} is empty; a network has at least one layer")
    (n_in,) = params[0].weights.shape[-1:] or (0,)
    for index, (w, b, _) in enumerate(params):
        if w.ndim != 2 or w.shape != (*b.shape, n_in) or 0 in w.shape or w.dtype.kind != "f":
            raise ValueError(
                f"{name}: layers.{index} has weights {w.shape} and biases {b.shape} of {w.dtype}, and {n_in} inputs"
            )
        if not (jnp.isfinite(w).all() and jnp.isfinite(b).all()):
            raise ValueError(f"{name}: layers.{index} has values that are not finite")
        n_in = len(b)
