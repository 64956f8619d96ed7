"""The programs that the scripts run, by their shapes alone: what they compute is not needed to compile them."""

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

import jaxnet
from experiments.common import roofline
from jaxnet import calculus, devices, export, landscape, programs
from jaxnet.sharded import Sharded

SIZES = (784, 16, 16, 10)
EXAMPLES, TESTS, NETWORKS, FEW = 60_000, 10_000, 1_024, 5_000
WHOLE, ROWS = PartitionSpec(), PartitionSpec(devices.AXIS)
OPTIMIZER = optax.sgd(0.5)
MEANS: Any = {"cost": jaxnet.cost, "gradient": None}
Lowered = jax.stages.Lowered


@dataclass(frozen=True)
class Program:
    """One of them.

    - `lower`: makes it for the devices of the mesh, which is set.
    - `steps`: how many steps, passes or batches one run of it is; what is counted is divided by that.
    - `operations`: floating-point operations of the products of one of these, over all devices.
    - `many`: whether it shares its work out among devices; the others run on one.
    - `heavy`: whether a run takes a CPU more than some seconds.
    - `dealt`: whether each of many devices keeps its part of the images only.
    """

    lower: Callable[[], Lowered]
    steps: int
    operations: float
    many: bool = True
    dealt: bool = False
    heavy: bool = False


def shapes(tree: Any, spec: PartitionSpec = WHOLE) -> Any:
    """Of arrays that lie on the devices of the mesh, whole on each or in parts."""
    sharding = NamedSharding(jax.sharding.get_mesh(), spec)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)


def _images(n: int, kind: Any = jnp.uint8) -> Any:
    return jax.ShapeDtypeStruct((n, SIZES[0]), kind)


def _targets(n: int) -> Any:
    return jax.ShapeDtypeStruct((n, SIZES[-1]), jnp.float32)


def _integers(n: int) -> Any:
    return jax.ShapeDtypeStruct((n,), jnp.int32)


def _key() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0))


def _params() -> Any:
    return jax.eval_shape(lambda: jaxnet.init(jax.random.key(0), SIZES))


NUMBER = jax.ShapeDtypeStruct((), jnp.int32)


def _stacked(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((NETWORKS, *leaf.shape), leaf.dtype), tree)


def _state() -> Any:
    return jaxnet.State(_params(), jax.eval_shape(OPTIMIZER.init, _params()))


def _shard(tree: Any) -> Any:
    """As `jaxnet.sharded.shard` would deal them out."""
    number = devices.number()

    def dealt(leaf: Any) -> Sharded:
        rows = -(-leaf.shape[0] // number) * number
        whole = jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype)
        return Sharded(shapes(whole, ROWS), leaf.shape[0], number)

    return jax.tree.map(dealt, tree)


def epoch(batch_size: int, *, dealt: bool = False) -> Program:
    """One network, an epoch of plain descent."""

    def lower() -> Lowered:
        examples = (_images(EXAMPLES), _targets(EXAMPLES))
        return programs.epoch.lower(
            shapes(_state()), None, *(_shard(examples) if dealt else shapes(examples)),
            shapes(_integers(EXAMPLES)), 0, size=EXAMPLES, over=programs.Over(devices.chunk_size(), population=False),
            batch_size=batch_size, optimizer=OPTIMIZER, **MEANS,
        )  # fmt: skip

    return Program(lower, EXAMPLES // batch_size, roofline.step_work(SIZES, batch_size).operations, dealt=dealt)


def population(batch_size: int) -> Program:
    """1,024 networks at once, each at its own rate; each device has its own of them."""

    def lower() -> Lowered:
        rates = jax.ShapeDtypeStruct((NETWORKS,), jnp.float32)
        return programs.epoch.lower(
            shapes(_stacked(_state()), ROWS), shapes(rates, ROWS),
            shapes(_images(EXAMPLES)), shapes(_targets(EXAMPLES)), shapes(_integers(EXAMPLES)),
            0, size=EXAMPLES, over=programs.Over(devices.chunk_size(), population=True),
            batch_size=batch_size, optimizer=optax.sgd, **MEANS,
        )  # fmt: skip

    return Program(
        lower, EXAMPLES // batch_size, roofline.step_work(SIZES, batch_size, NETWORKS).operations, heavy=True
    )


def evaluation(*, dealt: bool = False) -> Program:
    """Cost and accuracy on all training and test images."""

    def lower() -> Lowered:
        examples = [(_images(n), _integers(n)) for n in (EXAMPLES, TESTS)]
        train, test = _shard(examples) if dealt else shapes(examples)
        over = programs.Over(devices.chunk_size(), population=False)
        means: Any = {"cost": jaxnet.cost, "accuracy": jaxnet.accuracy, "gradient": None}
        return programs.evaluation.lower(shapes(_params()), train, test, over=over, **means)

    return Program(lower, 1, _forward(EXAMPLES + TESTS), dealt=dealt)


def order() -> Program:
    """The order of all the examples in one epoch."""
    return Program(lambda: programs.order.lower(shapes(_key()), shapes(NUMBER), n=EXAMPLES), 1, 0, many=False)


def distorted() -> Program:
    """All training images, distorted anew for an epoch: elastic, turned, scaled, shifted."""
    distort = functools.partial(jaxnet.distort, alpha=34.0, rotation=10.0, scale=0.1, shift=1.0)

    def lower() -> Lowered:
        return programs.distorted.lower(
            shapes(_key()), shapes(NUMBER), shapes(_images(EXAMPLES)), distort=distort, chunk_size=devices.chunk_size()
        )

    return Program(lower, 1, EXAMPLES * 2 * 2 * 2 * 28**3)  # the smoothing of the elastic wobble


def descend(batch_size: int, steps: int) -> Program:
    """A whole run as one pure function, with its trajectory."""

    def run(key: Any, params: Any, images: Any, targets: Any) -> Any:
        choices: Any = {"batch_size": batch_size, "steps": steps, "every": steps // 10}
        return jaxnet.descend(key, params, images, targets, OPTIMIZER, look=lambda state: state.params, **choices)

    def lower() -> Lowered:
        arguments = shapes((_key(), _params(), _images(EXAMPLES, jnp.float32), _targets(EXAMPLES)))
        return jax.jit(run).lower(*arguments)

    return Program(lower, steps, roofline.step_work(SIZES, batch_size).operations, many=False)


def sharpness() -> Program:
    """The largest curvature of the cost, by 20 products with its Hessian, on 5,000 images."""

    def run(key: Any, params: Any, images: Any, targets: Any) -> Any:
        return calculus.sharpness(lambda params: jaxnet.cost(params, images, targets), params, key)

    def lower() -> Lowered:
        return jax.jit(run).lower(*shapes((_key(), _params(), _images(FEW, jnp.float32), _targets(FEW))))

    return Program(lower, 20, 2 * roofline.step_work(SIZES, FEW).operations, many=False)


def noise_scale() -> Program:
    """How much the gradients of single examples differ, over all training images."""

    def lower() -> Lowered:
        arguments = shapes((_params(), _images(EXAMPLES, jnp.float32), _targets(EXAMPLES)))
        return jax.jit(landscape.noise_scale).lower(*arguments)

    return Program(lower, 1, 2 * roofline.step_work(SIZES, EXAMPLES).operations, many=False)


def inference() -> Program:
    """The digits of all test images."""

    def lower() -> Lowered:
        classify = jax.jit(jax.vmap(jaxnet.classify, in_axes=(None, 0)))
        return classify.lower(*shapes((_params(), _images(TESTS, jnp.float32))))

    return Program(lower, 1, _forward(TESTS), many=False)


def classifier() -> Program:
    """The same by the exported program, with weights and biases inside."""
    written = export.export_classifier(jaxnet.init(jax.random.key(0)))

    def lower() -> Lowered:
        return jax.jit(jax.export.deserialize(bytearray(written)).call).lower(shapes(_images(TESTS, jnp.float32)))

    return Program(lower, 1, _forward(TESTS), many=False)


def _forward(n: int) -> int:
    return 2 * n * sum(a * b for a, b in itertools.pairwise(SIZES))


def belongs(program: Program, chips: int) -> bool:
    """Whether it is something else on so many chips than on one."""
    return program.many if chips > 1 else not program.dealt


NAMES: Mapping[str, Callable[[], Program]] = {
    "epoch-10": lambda: epoch(10),
    "epoch-1000": lambda: epoch(1_000),
    "epoch-full": lambda: epoch(EXAMPLES),
    "population-10": lambda: population(10),
    "sharded-1000": lambda: epoch(1_000, dealt=True),
    "sharded-full": lambda: epoch(EXAMPLES, dealt=True),
    "sharded-evaluation": lambda: evaluation(dealt=True),
    "evaluation": evaluation,
    "distortion": distorted,
    "order": order,
    "descend-100": lambda: descend(100, 1_000),
    "hessian": sharpness,
    "noise-scale": noise_scale,
    "inference": inference,
    "exported": classifier,
}
"""By name; the number is the batch size."""
