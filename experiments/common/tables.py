"""Numbers, batches, neurons and weights in words, and tables of them."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def number(value: float) -> str:
    """Three significant digits: 1,230, 0.0123, 12.3 million."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if size <= value < 1e12:
            return f"{value / size:.3g} {name}"
    return f"{float(f'{value:.3g}'):,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def network(sizes: Sequence[int]) -> str:
    """The neurons of each layer, and the number of weights and biases."""
    numbers = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    return f"{'-'.join(map(str, sizes))}: {numbers:,} weights and biases"


def batch_name(batch_size: int, n: int) -> str:
    """Full batch, or batches of so many."""
    return "full batch" if batch_size == n else f"batches of {batch_size:,}"


def spread(values: Any, text: Callable[[float], str] = number, none: str = "not reached") -> str:
    """Mean and standard deviation over the networks that have a number here, and how many those are if not all."""
    values = np.array(values, float)
    there = values[np.isfinite(values)]
    if len(there) == 0:
        return none
    deviation = f" ± {text(there.std(ddof=1))}" if len(there) > 1 else ""
    rest = "" if len(there) == len(values) else f" ({len(there)} of {len(values)})"
    return text(there.mean()) + deviation + rest


def percent(values: Any) -> str:
    """Mean and standard deviation of accuracies."""
    return spread(values, "{:.2f}".format, none="no network left")


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def table(head: list[str], rows: list[list[str]]) -> None:
    """Prints columns, the first one to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))


def named(layer: int, index: int, sizes: Any) -> str:
    """A pixel, a hidden neuron or an output in words; the image is layer 0."""
    if layer == len(sizes) - 1:
        return f"output {index}"
    if layer > 0:
        return f"neuron {index} of hidden layer {layer}"
    side = math.isqrt(sizes[0])
    return f"pixel in row {index // side}, column {index % side}" if side**2 == sizes[0] else f"pixel {index}"


def place(row: dict[str, Any], sizes: Any) -> str:
    """Where a weight or a bias is, in words."""
    source = "bias" if row["source"] == -1 else named(row["layer"], row["source"], sizes)
    return f"{source} → {named(row['layer'] + 1, row['neuron'], sizes)}"


def layer_name(layer: int, sizes: Any) -> str:
    """In words; the image is layer 0."""
    return "image" if layer == 0 else "outputs" if layer == len(sizes) - 1 else f"hidden layer {layer}"
