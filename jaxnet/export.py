"""Nothing is lost: parameters in a file that any program can read, and the classifier as a program of its own.

The file is a safetensors file with the arrays `layers.0.weights` (n_out, n_in), `layers.0.biases` (n_out,),
`layers.1.weights` and so on. Its metadata have the numbers of neurons, `sizes`, as "784-16-16-10", and what else the
writer wants to say as text. The program is one of `jax.export`: whoever runs it needs JAX, not this package.
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
from jaxnet.network import Function, Layer, Params, forward, sigmoid, sizes_of

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("parameters are kept in safetensors files: pip install safetensors") from error
    return safetensors


def save_params(path: str | os.PathLike[str], params: Params, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the parameters to a safetensors file, whole or not at all, with their `sizes` besides the metadata.

    Raises OSError where the folder cannot be written, ValueError where the metadata have other sizes.
    """
    save = _safetensors().numpy.save

    sizes = _in_words(params)
    metadata = {"sizes": sizes} | dict(metadata or {})
    if metadata["sizes"] != sizes:
        raise ValueError(f"metadata has sizes {metadata['sizes']}, but params are those of {sizes}: leave sizes out")
    arrays = {}
    for index, layer in enumerate(params):
        for name, array in layer._asdict().items():
            arrays[f"layers.{index}.{name}"] = np.asarray(array)
    write_whole(Path(path), save(arrays, metadata))


def load_params(path: str | os.PathLike[str]) -> tuple[Params, dict[str, str]]:
    """The parameters and the metadata of a file written by `save_params`; `sizes` are always among the metadata.

    Raises FileNotFoundError where there is none, ValueError where it is damaged, holds something else or arrays that
    are not of its sizes.
    """
    safetensors = _safetensors()
    if not Path(path).is_file():
        raise FileNotFoundError(f"{os.fspath(path)} does not exist; expected a .safetensors file of saved parameters")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise ValueError(f"{os.fspath(path)} is damaged or no safetensors file: {error}") from error
    names = [f"layers.{index}.{name}" for index in range(len(arrays) // 2) for name in Layer._fields]
    if not arrays or set(names) != set(arrays):
        raise ValueError(f"{os.fspath(path)} holds {sorted(arrays)}; expected {', '.join(names) or 'layers.0.weights'}")
    params = tuple(
        Layer(*(jnp.asarray(arrays[f"layers.{index}.{name}"]) for name in Layer._fields))
        for index in range(len(arrays) // 2)
    )
    _check(os.fspath(path), params)
    sizes = _in_words(params)
    if metadata.setdefault("sizes", sizes) != sizes:
        raise ValueError(f"{os.fspath(path)} has sizes {metadata['sizes']} in its metadata, but arrays of {sizes}")
    return params, metadata


def export_classifier(
    params: Params,
    *,
    activation: Function = sigmoid,
    output: Function = sigmoid,
    platforms: Sequence[str] = ("cpu", "cuda", "tpu"),
) -> bytes:
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
    outputs = jax.vmap(functools.partial(forward, params, activation=activation, output=output))

    def classifier(images: Float[Array, "n n_in"]) -> tuple[Int[Array, " n"], Float[Array, "n n_out"]]:
        activations = outputs(images)
        return jnp.argmax(activations, axis=-1).astype(jnp.int32), activations

    (n,) = jax.export.symbolic_shape("n")
    images = jax.ShapeDtypeStruct((n, sizes_of(params)[0]), jnp.float32)
    with jax.set_mesh(one), jax.default_matmul_precision("float32"):
        return bytes(jax.export.export(jax.jit(classifier), platforms=platforms)(images).serialize())


def _in_words(params: Params) -> str:
    return "-".join(map(str, sizes_of(params)))


def _check(name: str, params: Params) -> None:
    """Raises ValueError unless these are finite weights and biases of one network, each layer fitting the next."""
    if not params:
        raise ValueError(f"{name} is empty; a network has at least one layer")
    (n_in,) = params[0].weights.shape[-1:] or (0,)
    for index, (w, b) in enumerate(params):
        if w.ndim != 2 or w.shape != (*b.shape, n_in) or 0 in w.shape or w.dtype.kind != "f":
            raise ValueError(
                f"{name}: layers.{index} has weights {w.shape} and biases {b.shape} of {w.dtype}, and {n_in} inputs"
            )
        if not (jnp.isfinite(w).all() and jnp.isfinite(b).all()):
            raise ValueError(f"{name}: layers.{index} has values that are not finite")
        n_in = len(b)
