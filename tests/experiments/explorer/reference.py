"""What the page computes, by NumPy; networks in files; numbers as the page hands them over and as it writes them."""

import base64
import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet

RADII = {"thin": 6, "medium": 11, "thick": 16}


def ink(strokes: list[list[tuple[float, float]]], radius: int = RADII["medium"]) -> np.ndarray:
    """The sheet by its definition: each pixel's distance from the nearest line, all of them at once."""
    x, y = np.meshgrid(np.arange(280) + 0.5, np.arange(280) + 0.5)
    sheet = np.zeros((280, 280))
    for stroke in strokes:
        for (x0, y0), (x1, y1) in zip([stroke[0], *stroke], stroke, strict=False):
            squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
            along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / (squared or 1), 0, 1)
            distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
            sheet = np.maximum(sheet, np.clip(radius + 0.5 - distance, 0, 1))
    return sheet


def centred(sheet: np.ndarray) -> np.ndarray:
    """The same centring as matrix products: each small pixel's overlap with each pixel of the sheet."""
    image = np.zeros((28, 28))
    if not sheet.any():
        return image
    rows, columns = (np.flatnonzero(sheet.any(axis=axis)) for axis in (1, 0))
    cut = sheet[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, int(20 * length / max(cut.shape) + 0.5)) for length in cut.shape)

    def means(length: int, number: int) -> np.ndarray:
        edges = np.linspace(0, length, number + 1)
        pixels = np.arange(length)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        return np.maximum(overlap, 0) * number / length

    small = means(cut.shape[0], height) @ cut @ means(cut.shape[1], width).T
    down, across = (
        np.average(np.arange(n) + 0.5, weights=small.sum(axis=axis)) for n, axis in ((height, 1), (width, 0))
    )
    top, left = (
        int(np.clip(np.ceil(14 - mean - 1e-9), 0, 28 - length)) for mean, length in ((down, height), (across, width))
    )
    image[top : top + height, left : left + width] = small
    return image


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32)


def flat(params: Any) -> np.ndarray:
    """In the page's order: each layer's weights, then its biases."""
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params)])


def rows(params: Any) -> np.ndarray:
    """The same for each of many."""
    return np.concatenate([np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(params)], axis=1)


def saved(
    path: Path, sizes: tuple[int, ...], activation: str = "sigmoid", output: str = "sigmoid", **metadata: str
) -> Path:
    """A random network in a file."""
    jaxnet.save_params(path, random(sizes, getattr(jaxnet, activation), getattr(jaxnet, output)), metadata)
    return path


def random(sizes: tuple[int, ...], activation: jaxnet.Activation, output: jaxnet.Activation) -> jaxnet.Params:
    """By NumPy, for each new size would take JAX a while to compile."""
    rng, functions = np.random.default_rng(3), [activation] * (len(sizes) - 2) + [output]
    return tuple(
        jaxnet.Layer(
            jnp.asarray(rng.normal(0, n_in**-0.5, (n_out, n_in)), jnp.float32),
            jnp.asarray(rng.normal(size=n_out), jnp.float32),
            function,
        )
        for n_in, n_out, function in zip(sizes, sizes[1:], functions, strict=False)
    )


def networks_of(data: dict[str, Any]) -> list[jaxnet.Params]:
    """The networks of a page's data, read without the page."""
    found = []
    for network in data["networks"]:
        values, begin, layers = numbers(network["parameters"]), 0, []
        for (n_in, n_out), name in zip(itertools.pairwise(network["sizes"]), network["activations"], strict=True):
            w, b = values[begin : begin + n_in * n_out], values[begin + n_in * n_out : begin + (n_in + 1) * n_out]
            layers.append(jaxnet.Layer(jnp.asarray(w.reshape(n_out, n_in)), jnp.asarray(b), getattr(jaxnet, name)))
            begin += (n_in + 1) * n_out
        found.append(tuple(layers))
    return found
