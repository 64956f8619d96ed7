"""Nothing is lost: parameters in a file that any program can read.

The file is a safetensors file with the arrays `layers.0.weights` (n_out, n_in), `layers.0.biases` (n_out,),
`layers.1.weights` and so on, and what else the writer wants to say as text in its metadata.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import jax.numpy as jnp
import numpy as np

from jaxnet.files import write_whole
from jaxnet.network import Layer, Params


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("parameters are kept in safetensors files: pip install safetensors") from error
    return safetensors


def save_params(path: str | os.PathLike[str], params: Params, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the parameters to a safetensors file, whole or not at all.

    Raises OSError where the folder cannot be written.
    """
    save = _safetensors().numpy.save

    arrays = {}
    for index, layer in enumerate(params):
        for name, array in layer._asdict().items():
            arrays[f"layers.{index}.{name}"] = np.asarray(array)
    write_whole(Path(path), save(arrays, dict(metadata or {})))


def load_params(path: str | os.PathLike[str]) -> tuple[Params, dict[str, str]]:
    """The parameters and the metadata of a file written by `save_params`.

    Raises FileNotFoundError where there is none, ValueError where it is damaged or holds something else.
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
    n_in = params[0].weights.shape[-1]
    for index, (w, b) in enumerate(params):
        if w.ndim != 2 or w.shape != (*b.shape, n_in) or 0 in w.shape or w.dtype.kind != "f":
            raise ValueError(
                f"{os.fspath(path)}: layers.{index} has weights {w.shape} and biases {b.shape} of {w.dtype},"
                f" and {n_in} inputs"
            )
        if not (jnp.isfinite(w).all() and jnp.isfinite(b).all()):
            raise ValueError(f"{os.fspath(path)}: layers.{index} has values that are not finite")
        n_in = len(b)
    return params, metadata
