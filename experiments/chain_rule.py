"""How does a nudge to one weight reach the cost?

    python -m experiments.chain_rule

A ledger of the chain rule, factor by factor, in float64: first for a chain of three neurons, one a layer, then for
weights and biases of the trained network and one test image. Beside the product of the factors stand `jax.grad` and
what a small nudge really does to the cost. In the full network a neuron reaches the cost along 160 paths, which are
listed and summed. Some ten seconds on two cores; products and `jax.grad` of 300 random weights and biases differ by
3.6e-15 at most, relatively, and of the 160 paths from the neuron whose weight matters most a single one makes up 78 %.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet
from experiments.common import networks, script
from experiments.common.choices import ChoiceError, random_key, refused
from experiments.reports import chain_rule as report
from jaxnet import chain_rule
from jaxnet.importance import Ranking, rank
from jaxnet.network import trace

Weight = tuple[int, int, int | None]
"""Layer, neuron and source; None for a bias."""

Example = tuple[jax.Array, jax.Array]
"""An image and its target."""


@dataclass(frozen=True)
class Config:
    """The choices."""

    network: networks.Source = field(default_factory=networks.Source)
    """The network to look at."""
    image: int = 0
    """Which test image."""
    weights: tuple[str, ...] | None = None
    """What to put into the ledger, each as LAYER:NEURON:SOURCE, layers from 0; the source is a number, or bias. By
    default the weight of each layer that matters most for this image, and the bias that does."""
    sample: int = 300
    """Random weights and biases, besides, whose products are compared with jax.grad."""
    chain_input: float = 0.5
    """What the chain of three neurons is given."""
    chain_target: float = 1.0
    """What it should answer."""


def run(config: Config, _folder: Path) -> script.Record:
    """The chain, the ledger, the sample and the paths."""
    if config.weights == ():
        raise ChoiceError("weights is empty; name at least one as LAYER:NEURON:SOURCE, or leave the option out")
    chosen = [parse(text) for text in config.weights or ()]
    for name in ("chain_input", "chain_target"):
        if not 0 <= getattr(config, name) <= 1:
            raise ChoiceError(f"{name} is {getattr(config, name)}; it must be an activation, between 0 and 1")
    subject = networks.get(config.network)
    for text, weight in zip(config.weights or (), chosen, strict=True):
        with refused(f"weight {text}: "):
            chain_rule.check_weight(subject.params, *weight)
    check_size(subject.params, config.sample)
    example = networks.example(subject.test, config.image, subject.params)
    label = int(subject.test.labels[config.image])
    # The first two keys of this seed made the network and the order of its examples.
    _, _, chain_key, sample_key = jax.random.split(random_key(config.network.seed), 4)
    three = jaxnet.init(chain_key, (1, 1, 1, 1))
    with jax.enable_x64(True):
        double = functools.partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, float))
        params, three, example = double((subject.params, three, example))
        gradient = jax.grad(example_cost)(params, *example)
        ranking: Any = jax.tree.map(np.asarray, rank(gradient))
        chosen = chosen or strongest(ranking, len(params))
        results: script.Record = {
            "chain": follow_chain(three, config.chain_input, config.chain_target),
            "image": {"index": config.image, "label": label, "pixels": np.float32(example[0])},
            "sizes": jaxnet.sizes_of(params),
            "ledger": [entry(params, example, weight, gradient) for weight in chosen],
            "sample": compare(params, example, ranking, config.sample, sample_key),
        }
        if len(params) > 1:
            results["paths"] = follow_paths(params, example, strongest(ranking, 1)[0])
    return results


def parse(text: str) -> Weight:
    """The weight or bias that a text names. Raises ChoiceError where it names none."""
    try:
        layer, neuron, source = text.split(":")
        return int(layer), int(neuron), None if source == "bias" else int(source)
    except ValueError:
        raise ChoiceError(f"weight {text} is not LAYER:NEURON:SOURCE, such as 0:5:400 or 2:7:bias") from None


def check_size(params: jaxnet.Params, sample: int) -> None:
    """Raises ChoiceError for a sample, or a number of paths, that this network has not or that could not be stored."""
    n = jaxnet.count_params(params)
    if not 1 <= sample <= n:
        raise ChoiceError(f"sample is {sample}; it must be between 1 and {n}, the number of weights and biases")
    paths = math.prod(jaxnet.sizes_of(params)[1:])
    if paths > 10_000_000:
        raise ChoiceError(f"there are {paths:,} paths through this network; take fewer or narrower --hidden layers")


@jax.jit
def example_cost(params: jaxnet.Params, image: jax.Array, target: jax.Array) -> jax.Array:
    """The squared error of one example."""
    return jaxnet.cost(params, image[None], target[None])


def entry(params: jaxnet.Params, example: Example, weight: Weight, gradient: jaxnet.Params) -> script.Record:
    """One row of the ledger: three factors, their product, jax.grad, and what a nudge really does."""
    layer, neuron, source = weight
    factors = chain_rule.factors(params, *example, *weight)
    w, b, _ = gradient[layer]
    product = float(chain_rule.product(factors))
    autodiff = float(b[neuron] if source is None else w[neuron, source])
    difference = by_nudging(params, example, weight)
    return {
        "weight": f"{layer}:{neuron}:{'bias' if source is None else source}",
        "factors": factors._asdict(),
        "product": product,
        "autodiff": autodiff,
        "difference": difference,
        "disagreement": disagreement(product, autodiff, difference),
    }


def by_nudging(params: jaxnet.Params, example: Example, weight: Weight) -> float:
    """The slope from the costs at four points: 8 (f(h) - f(-h)) - (f(2h) - f(-2h)) over 12 h, wrong by h^4 only."""

    def f(nudge: float) -> float:
        return float(example_cost(networks.nudge(params, *weight, nudge), *example))

    h = 1e-3  # so that truncation and rounding spoil the difference of float64 costs about equally
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def disagreement(*numbers: float) -> float:
    """The largest relative difference between any two; none between zeros."""
    largest = max(map(abs, numbers))
    return (max(numbers) - min(numbers)) / largest if largest else 0.0


def strongest(ranking: Ranking, layers: int) -> list[Weight]:
    """The weight of each layer to which the cost answers most, and the bias."""
    is_bias = ranking.source < 0
    first = [np.argmax(~is_bias & (ranking.layer == layer)) for layer in range(layers)]
    return [weight_in(ranking, row) for row in (*first, np.argmax(is_bias))]


def weight_in(ranking: Ranking, row: Any) -> Weight:
    """The weight or bias in one row of a ranking."""
    layer, neuron, source = (int(column[row]) for column in ranking[:3])
    return layer, neuron, None if source < 0 else source


def along(params: jaxnet.Params, example: Example, layer: int, path: Sequence[int]) -> dict[str, jax.Array]:
    """Each factor on the way from the activation of neuron path[0] of the layer, through the others, to the cost."""
    image, target = example
    zs, _ = trace(params, image)
    factors = {}
    for later, (before, here) in enumerate(pairwise(path), start=layer + 1):
        w, _, f = params[later]
        factors[f"dz{later}/da{later - 1}"] = w[here, before]
        factors[f"da{later}/dz{later}"] = f.derivative(zs[later])[here]
    last, f, end = len(params) - 1, params[-1].activation, path[-1]
    if f.derivative(zs[-1]).ndim == 2:
        # Of softmax all activations answer to the neuron's z; the last two factors are a sum over them.
        factors.popitem()
        factors[f"dC/dz{last}"] = jaxnet.squared_error.delta(zs[-1], target, f)[end]
    else:
        factors[f"dC/da{last}"] = jaxnet.squared_error.slope(zs[-1], target, f)[end]
    return factors


def follow_chain(params: jaxnet.Params, x: float, y: float) -> script.Record:
    """Every factor on the way from each weight and bias of a chain of single neurons to the cost."""
    example = jnp.array([x], float), jnp.array([y], float)
    zs, activations = trace(params, example[0])
    gradient = jax.grad(example_cost)(params, *example)
    rows = []
    for layer, source in [(layer, source) for layer in range(len(params)) for source in (0, None)]:
        row = entry(params, example, (layer, 0, source), gradient)
        dz_dw, da_dz, _ = row["factors"].values()
        factors = {"dz/dw" if source == 0 else "dz/db": dz_dw, f"da{layer}/dz{layer}": da_dz}
        factors |= along(params, example, layer, [0] * (len(params) - layer))
        row["weight"] = f"{'b' if source is None else 'w'}{layer}"
        row["factors"] = {name: float(factor) for name, factor in factors.items()}
        row["product"] = math.prod(row["factors"].values())
        row["disagreement"] = disagreement(row["product"], row["autodiff"], row["difference"])
        rows.append(row)
    return {
        "input": x,
        "target": y,
        "weights": [float(layer.weights[0, 0]) for layer in params],
        "biases": [float(layer.biases[0]) for layer in params],
        "weighted_sums": [float(z[0]) for z in zs],
        "activations": [float(a[0]) for a in activations],
        "cost": float(example_cost(params, *example)),
        "ledger": rows,
    }


def compare(params: jaxnet.Params, example: Example, ranking: Ranking, number: int, key: jax.Array) -> script.Record:
    """Products of factors against jax.grad, for a random sample with about as many from each layer."""
    sizes = np.array([jaxnet.count_params((layer,)) for layer in params])
    chances = jnp.asarray(1 / sizes[ranking.layer] / len(sizes))
    rows = np.asarray(jax.random.choice(key, len(chances), (number,), replace=False, p=chances))
    factors = (chain_rule.factors(params, *example, *weight_in(ranking, row)) for row in rows)
    products = [float(chain_rule.product(each)) for each in factors]
    slopes = ranking.slope[rows].tolist()
    worst = max(disagreement(*pair) for pair in zip(products, slopes, strict=True))
    return {"number": number, "zero": slopes.count(0), "worst": worst}


def follow_paths(params: jaxnet.Params, example: Example, weight: Weight, most: int = 6) -> script.Record:
    """Every path from the activation of the weight's neuron to the cost; of the largest, each factor."""
    layer, neuron, source = weight
    values = np.asarray(chain_rule.paths(params, *example, layer, neuron))
    largest = np.argsort(-np.abs(values), axis=None, kind="stable")[:most]
    rows = [
        {"path": path, "factors": along(params, example, layer, (neuron, *path)), "product": values[path]}
        for path in zip(*np.unravel_index(largest, values.shape), strict=True)
    ]
    return {
        "neuron": neuron,
        "source": source,
        "values": values,
        "largest": rows,
        "dc_da": chain_rule.factors(params, *example, *weight).dc_da,
    }


def main() -> None:
    """The command line."""
    script.main("chain_rule", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
