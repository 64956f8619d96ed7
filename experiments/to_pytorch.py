"""Takes a trained network to PyTorch: the same weights and biases as an nn.Sequential.

    python -m experiments.to_pytorch results/train_digits/parameters.safetensors

Prints the architecture, and the accuracy that PyTorch finds on the test images of MNIST. Some seconds. `network` needs
PyTorch and safetensors, nothing of jaxnet: copy it into any other program.
"""

import argparse
import itertools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import jaxnet
from experiments.common.choices import ChoiceError, refused

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]


def network(path: str | os.PathLike[str]) -> "torch.nn.Sequential":
    """The network in a file written by `jaxnet.save_params`: images (n, n_in) to output activations (n, n_out).

    PyTorch's Linear is z = a w^T + b for rows a, with w (n_out, n_in) as in jaxnet. The metadata of the file name each
    layer's activation function; a file of jaxnet 0.6.0 has one name for the hidden layers and one for the output, or
    none for the sigmoid. Raises FileNotFoundError where there is no file, ValueError where it is damaged, names no
    sizes, arrays of others or an unknown activation function, ImportError without PyTorch or safetensors.
    """
    try:
        import safetensors.torch
        import torch  # pyright: ignore[reportMissingImports]
        from torch import nn  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("networks go to PyTorch by two packages: pip install torch safetensors") from error

    class ScaledTanh(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return 1.7159 * torch.tanh(0.6666 * z)

    functions = {
        "sigmoid": nn.Sigmoid,
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "softmax": lambda: nn.Softmax(dim=-1),
        "scaled_tanh": ScaledTanh,
    }
    if not Path(path).is_file():
        raise FileNotFoundError(f"{os.fspath(path)} does not exist; expected a file that jaxnet.save_params wrote")
    try:
        arrays = safetensors.torch.load_file(path)
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{os.fspath(path)} is damaged or no safetensors file: {error}") from error
    sizes = metadata.get("sizes", "")
    if not re.fullmatch("[1-9][0-9]*(-[1-9][0-9]*)+", sizes):
        raise ValueError(
            f'{os.fspath(path)} names the sizes "{sizes}"; expected the likes of 784-16-16-10: where an older jaxnet'
            " wrote it, read it with jaxnet.load_params and write it again with jaxnet.save_params"
        )
    layers = list(itertools.pairwise(map(int, sizes.split("-"))))
    before = [metadata.get("activation", "sigmoid")] * (len(layers) - 1) + [metadata.get("output", "sigmoid")]
    names = metadata.get("activations", ",".join(before)).split(",")
    if len(names) != len(layers):
        raise ValueError(f"{os.fspath(path)} has {len(layers)} layers, but the activations {', '.join(names)}")
    for name in names:
        if name not in functions:
            raise ValueError(f'{os.fspath(path)} names the activation "{name}"; expected one of {", ".join(functions)}')

    shapes = {}
    for index, (n_in, n_out) in enumerate(layers):
        shapes |= {f"layers.{index}.weights": (n_out, n_in), f"layers.{index}.biases": (n_out,)}
    found = {name: tuple(array.shape) for name, array in arrays.items()}
    if found != shapes:
        raise ValueError(f"{os.fspath(path)} has sizes {sizes} in its metadata, but the arrays {found}")

    modules = []
    for index, ((n_in, n_out), name) in enumerate(zip(layers, names, strict=True)):
        linear = nn.Linear(n_in, n_out)
        linear.load_state_dict({"weight": arrays[f"layers.{index}.weights"], "bias": arrays[f"layers.{index}.biases"]})
        modules += [linear, functions[name]()]
    return nn.Sequential(*modules)


def accuracy(model: "torch.nn.Sequential", data: jaxnet.Dataset) -> float:
    """The share of images whose largest output is the one of their label. Raises ValueError where they do not fit."""
    import torch  # pyright: ignore[reportMissingImports]

    weights, *_, biases = model.parameters()
    n_in, n_out = weights.shape[1], len(biases)
    pixels, classes = data.images.shape[1], 1 + int(np.max(data.labels))
    if n_in != pixels or n_out < classes:
        raise ValueError(
            f"the network has {n_in} inputs and {n_out} outputs; this data has {pixels} pixels and {classes} classes"
        )
    with torch.no_grad():
        predicted = model(torch.tensor(np.asarray(data.images))).argmax(dim=1).numpy()
    return float(np.mean(predicted == np.asarray(data.labels)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.to_pytorch", description="Takes a trained network to PyTorch, and tests it there."
    )
    parser.add_argument("file", help="parameters that train_digits or jaxnet.save_params saved")
    path = parser.parse_args().file
    try:
        with refused():
            model = network(path)
        print(model)
        _, test = jaxnet.load()
        with refused(f"{path} does not fit: "):
            found = accuracy(model, test)
        print(f"test accuracy {100 * found:.2f} % of {len(test.labels):,} images")
    except (ChoiceError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
