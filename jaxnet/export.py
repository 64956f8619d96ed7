"""Nothing is lost: parameters in a file that any program can read, and the classifier as a program of its own.

The file is a safetensors file with the arrays `layers.0.weights` (n_out, n_in), `layers.0.biases` (n_out,),
`layers.1.weights` and so on. Its metadata have the numbers of neurons, `sizes`, as "784-16-16-10", the activation
functions of the layers, `activations`, as "sigmoid,sigmoid,sigmoid", and whatever else is given, as text; and `sha256`,
that of the file as it would be without this entry. Equal parameters and metadata make files that are equal byte for
byte. The program is one of `jax.export`: whoever runs it needs JAX, not this package.
"""

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from jaxnet.files import write_whole
from jaxnet.kinds import check_params, described
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
    parameters that are not those of one network, or not finite, TypeError for arguments of another kind.
    """
    save = _safetensors().numpy.save
    _check_path(path)
    if metadata is not None:
        _check_mapping("metadata", metadata, text=True)
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
    header, values = _unpacked(save(arrays, metadata))
    header["__metadata__"].pop("sha256", None)  # that of a file which the metadata were read from
    header["__metadata__"]["sha256"] = hashlib.sha256(_packed(header, values)).hexdigest()
    write_whole(Path(path), _packed(header, values))


def _unpacked(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file and the bytes of its arrays."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), content[start:]


def _packed(header: dict[str, Any], values: bytes) -> bytes:
    """A safetensors file with its header in order; the library writes the metadata in another order each time."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + values


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
    _check_path(path)
    if activations is not None:
        _check_mapping("activations", activations, text=False)
    name = os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"{name} does not exist; expected a .safetensors file of saved parameters")
    content = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:  # KeyError: numbers that NumPy does not have
        raise ValueError(f"{name} is damaged or no safetensors file for NumPy: {error}") from error
    header, values = _unpacked(content)
    metadata = header.get("__metadata__") or {}
    checksum = metadata.pop("sha256", None)  # a file of another program or of version 0.6.0 has none
    if checksum is not None and checksum != hashlib.sha256(_packed(header, values)).hexdigest():
        raise ValueError(
            f"{name} is damaged: it is not what its sha256 tells; whoever changed it has to leave sha256 out of its"
            " metadata"
        )
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
    known = _ACTIVATIONS | {each: as_activation(f"activations[{each!r}]", function) for each, function in own.items()}
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
    named = isinstance(platforms, Sequence | Set) and all(isinstance(name, str) for name in platforms)
    if not named or not platforms or not set(platforms) <= set(_PLATFORMS):
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
    check_params(params, name)
    for index, (w, b, _) in enumerate(params):
        if isinstance(w, Tracer):
            raise TypeError(f"{name} has {described(w)}; its values are read, so this belongs outside of jit")
        if not all(np.isfinite(np.asarray(array)).all() for array in (w, b)):
            raise ValueError(f"{name}: layer {index} has values that are not finite")


def _check_path(path: Any) -> None:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {described(path)}; expected the name of a file")


def _check_mapping(name: str, mapping: Any, *, text: bool) -> None:
    expected = f"expected a mapping of names to {'texts' if text else 'functions'}"
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{name} is {described(mapping)}; {expected}")
    for key, value in mapping.items():
        if not isinstance(key, str) or not (isinstance(value, str) if text else callable(value)):
            raise TypeError(f"{name} has {described(value)} by the name {described(key)}; {expected}")
