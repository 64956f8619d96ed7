"""Training: descent, epoch after epoch, and the history of it.

`train` takes one network downhill, or with `rates` many at once. It jits one function, an epoch, with the data and the
parameters as its arguments; the host only shuffles, reads the clock and the cost, and stops where it must.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from jaxnet import devices
from jaxnet.checkpoint import Checkpoint, Checkpoints, keeping, newest
from jaxnet.cost import Mean, in_chunks
from jaxnet.cost import accuracy as mean_accuracy
from jaxnet.cost import cost as mean_cost
from jaxnet.data import Dataset, as_bytes, check, from_bytes, on_bytes, one_hot
from jaxnet.descent import Info, State, epoch, step
from jaxnet.history import Examples, History, Metrics, Row, columns, evaluate, rows_of, written
from jaxnet.identity import Identity, of_arrays, of_program
from jaxnet.kinds import (
    as_numpy,
    check_cost,
    check_function,
    check_key,
    check_optional,
    check_params,
    check_whole,
    described,
)
from jaxnet.memory import check_fits, needed_by
from jaxnet.network import Params, sizes_of
from jaxnet.order import shuffled

Distortion = Callable[[Key[Array, ""], Float[Array, " pixels"]], Float[Array, " pixels"]]
"""An image as another hand could have written it, by a key."""

Optimizer = optax.GradientTransformation | Callable[[Array], optax.GradientTransformation]
"""One transformation, or a function that makes one of a rate."""

_DISTORTIONS = np.uint32(2**32 - 1)
"""Folded into the key, it makes that of the distortions; the number of no epoch."""


class Diverged(FloatingPointError):  # noqa: N818
    """The cost is no longer a finite number. `history` ends with the row in which that was seen."""

    def __init__(self, history: History):
        value, steps = np.ravel(history.train_cost[-1])[0], history.steps[-1]
        super().__init__(
            f"the cost became {value} by epoch {history.epochs[-1]:g}, step {steps}: try a smaller learning rate"
            if steps
            else f"the cost is {value} before the first step: start from other parameters"
        )
        self.history = history


def train(
    key: Key[Array, ""],
    params: Params,
    dataset: Dataset,
    optimizer: Optimizer,
    *,
    batch_size: int,
    epochs: int,
    rates: Sequence[float] | Float[Array | np.ndarray, " networks"] | None = None,
    test: Dataset | None = None,
    cost: Mean = mean_cost,
    accuracy: Mean = mean_accuracy,
    gradient: Mean | None = None,
    gradient_norm: bool = False,
    evaluate_every: int | None = None,
    evaluate_on: int | None = None,
    chunk_size: int = 2_000,
    progress: Callable[[History], None] | None = None,
    distort: Distortion | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Params, History]:
    """Descends from `params`, and writes a history.

    - `key` decides the order of the examples, a new one for each epoch. Same key, same bits.
    - `optimizer` is any optax transformation; the lecture's is `optax.sgd(rate)`.
    - `batch_size` is 1 to n, the number of examples. Full-batch descent is `batch_size=n`: one step an epoch.
    - `rates` trains a population, one network for each rate. Then `params` are stacked, a leading axis of networks on
      every leaf: `jax.vmap(init)(keys)`; `optimizer` is a function of a rate, `optax.sgd` itself or
      `lambda rate: optax.sgd(optax.cosine_decay_schedule(rate, steps))`; and costs and accuracies of the history have
      shape (evaluations, networks). All see the same batches in the same order, so that the products of their first
      layers are one large product: the fair comparison and the fast one.
    - `test` examples are evaluated, never learnt from.
    - `cost` and `accuracy` are functions of (params, images, targets or labels): those of this package, with a loss
      or a penalty fixed by `functools.partial`, or your own.
    - `gradient` is `jax.grad(cost)`, or a function of the same arguments: `average_gradient` trains by hand.
    - `gradient_norm` adds the length of the gradient over all training examples to the history. An evaluation is a
      forward pass otherwise; with it, it takes about three times as long.
    - `evaluate_every` so many steps the history gains a row, by default once an epoch. With fewer steps than an epoch
      has, the end of each epoch has a row too; more are rounded down to whole epochs. The first row is the start.
    - `evaluate_on` so many of the training examples, the first ones, by default all: fewer take less time. The test
      examples are all evaluated.
    - Batches above `chunk_size` are taken in chunks of that size: the same mean, in bounded memory.
    - `progress` is called after each evaluation with the history so far. If it raises StopIteration, the run ends there
      and returns what it has: early stopping. Of several processes, any may raise it, and all end.
    - `distort` is a function of (key, image), such as `functools.partial(jaxnet.distort, alpha=34)`: every epoch then
      learns from images that it distorts anew, kept as floats, 4 bytes a pixel. What the history says of the cost is
      for the images as they are.
    - `checkpoints` says where and how often the run is saved. A resumed run ends with the very bits of one that was
      never stopped; one that differs in anything that decides those bits is refused. Ctrl-C and SIGTERM then save
      before they raise `Interrupted`.

    Under `jax.set_mesh(devices.mesh())` the examples of each batch are shared out among the devices, or the networks of
    a population. The given `params` stay as they are. Raises ValueError for arguments out of bounds and data that do
    not fit the network, `checkpoint.CheckpointError` for checkpoints of another run, `devices.Mismatch` where another
    process was started with other arguments, TypeError for arguments of another kind (a seed for a key, a loss for a
    cost), `memory.TooLarge` for an epoch that does not fit, `Diverged` as soon as an evaluation finds a cost that is
    not finite (in a population: when none is finite, for a sweep of rates is meant to find those that are too large),
    and OSError where a checkpoint cannot be written. Lecture, chapter 2.

    >>> from jaxnet import init
    >>> data = Dataset(np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int32))
    >>> start, order = jax.random.split(jax.random.key(0))
    >>> params, history = train(order, init(start, (4, 8, 4)), data, optax.sgd(1.0), batch_size=2, epochs=200)
    >>> float(history.train_accuracy[-1])
    1.0
    >>> starts = jax.vmap(lambda key: init(key, (4, 8, 4)))(jax.random.split(start, 3))
    >>> _, history = train(order, starts, data, optax.sgd, rates=[0.0, 0.1, 1.0], batch_size=2, epochs=5)
    >>> history.train_cost.shape
    (6, 3)
    """
    check_key(key)
    check_params(params, axes=0 if rates is None else 1)
    _check_optimizer(optimizer, population=rates is not None)
    check_cost(cost)
    check_function("params, images, labels", accuracy=accuracy)
    check_optional("params, images, targets", gradient=gradient)
    check_optional("history", progress=progress)
    check_optional("key, image", distort=distort)
    if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
        raise TypeError(f"checkpoints is {described(checkpoints)}; expected jaxnet.Checkpoints(folder)")
    rates = None if rates is None else _checked_rates(rates, params)
    examples, targets = _examples("dataset", params, dataset)
    tests = None if test is None else _examples("test", params, test)[0]
    n = len(dataset.images)
    check_whole(1, n, batch_size=batch_size)
    steps_an_epoch = -(-n // batch_size)
    evaluate_every = steps_an_epoch if evaluate_every is None else evaluate_every
    check_whole(1, epochs=epochs, evaluate_every=evaluate_every, chunk_size=chunk_size)
    evaluate_on = n if evaluate_on is None else evaluate_on
    check_whole(1, n, evaluate_on=evaluate_on)
    over = _Over(chunk_size, population=rates is not None)
    move = functools.partial(
        _epoch, over=over, batch_size=batch_size, optimizer=optimizer, cost=cost, gradient=gradient
    )
    normed = (gradient or jax.grad(cost)) if gradient_norm else None
    measure = functools.partial(_evaluate, over=over, cost=cost, accuracy=accuracy, gradient=normed)
    remake = functools.partial(_distorted, distort=distort, chunk_size=chunk_size)
    # Between two evaluations lies a stretch of one epoch, or several epochs.
    stretch = min(evaluate_every, steps_an_epoch) * batch_size
    epochs_per_evaluation = max(1, evaluate_every // steps_an_epoch)

    state, found = _fresh(params, rates, optimizer=optimizer), None
    # What the run is takes a fifth of a second to tell: only where a checkpoint, or another process, asks for it.
    run = functools.cache(
        functools.partial(
            _identity,
            choices={
                **({} if checkpoints is None else checkpoints.configuration),
                "key": jax.random.key_data(key).tolist(),
                "sizes": sizes_of(params),
                "activations": [layer.activation.name for layer in params],
                "dtype": str(params[0].weights.dtype),
                "rates": None if rates is None else rates.tolist(),
                "examples": n,
                "batch_size": batch_size,
                "epochs": epochs,
                "evaluate_every": evaluate_every,
                "evaluate_on": evaluate_on,
                "chunk_size": chunk_size,
                "distort": _in_words(distort),
            },
            data={
                "training images": examples[0],
                "training labels": examples[1],
                "test images and labels": tests,
                "starting parameters": params,
            },
            programs=functools.partial(
                _programs,
                jax.eval_shape(lambda state: state, state),  # the state itself will be overwritten
                rates, examples, targets, tests, evaluate_on,
                move=functools.partial(move, size=min(stretch, n)), measure=measure, remake=remake,
            ),
        )
    )  # fmt: skip
    if devices.processes() > 1:
        devices.check_same({**run().choices, **run().data, **run().programs, **run().versions})
    if checkpoints is not None:
        found = newest(checkpoints, run, _named(state))
    rows: list[Row] = []
    done, steps, seconds = 0, 0, 0.0
    if found is not None:
        state, rows = _resumed(found, state)
        done, steps, seconds = found.facts["progress"]

    key = devices.replicate(key)
    networks = None if rates is None else len(rates)
    state, rates = devices.replicate((state, rates)) if networks is None else _shard((state, rates), networks)
    in_turn = devices.replicate(jax.device_put(np.arange(n, dtype=np.int32)))
    examples, targets, tests = devices.replicate((examples, targets, tests))
    images, evaluated = examples[0], jax.tree.map(lambda part: part[:evaluate_on], examples)

    started = time.perf_counter()
    if batch_size < n:
        _shuffle.lower(key, 0, n=n).compile()
    seen: Any = images
    if distort is not None:
        lowered = _distorted.lower(key, 0, images, **remake.keywords)
        lowered.compile()
        seen = devices.replicate(jnp.zeros(lowered.out_info.shape, lowered.out_info.dtype))
    for size in {min(stretch, n), n % stretch or stretch}:
        program = _epoch.lower(state, rates, seen, targets, in_turn, 0, size=size, **move.keywords).compile()
        check_fits(f"an epoch in batches of {batch_size:,}", needed_by(program))
    _evaluate.lower(state.params, evaluated, tests, **measure.keywords).compile()
    compile_seconds = time.perf_counter() - started

    def evaluate_now() -> None:
        metrics = _first(jax.device_get(measure(state.params, evaluated, tests)), networks)
        rows.append(Row(done / n, steps, done, seconds, metrics))
        if not np.isfinite(metrics.train_cost).any():
            raise Diverged(written(rows, compile_seconds, evaluate_on))

    def told_to_stop() -> bool:
        wish = False
        try:
            if progress is not None:
                progress(written(rows, compile_seconds, evaluate_on))
        except StopIteration:
            wish = True
        return devices.any_process([wish])[0]

    def checkpoint() -> Checkpoint:
        return _checkpoint(_first(devices.replicate(state), networks), rows, (done, steps, seconds))

    def result() -> tuple[Params, History]:
        return _first(devices.replicate(state.params), networks), written(rows, compile_seconds, evaluate_on)

    with keeping(checkpoints, run) as keep:
        if not rows:
            evaluate_now()
        if told_to_stop():
            return result()
        started = time.perf_counter()
        for index in range(done // n, epochs):
            order = in_turn if batch_size == n else _shuffle(key, index, n=n)
            if distort is not None:
                seen = None  # the last epoch's make room before this one's are made
                seen = remake(key, index, images)
            for start in range(done % n, n, stretch):
                size, stop = min(stretch, n - start), False
                state = move(state, rates, seen, targets, order, start, size=size)
                done, steps = done + size, steps - -size // batch_size
                if (index + 1) % epochs_per_evaluation == 0 or index + 1 == epochs:
                    seconds += _seconds_since(started, state)
                    evaluate_now()
                    stop = told_to_stop()
                    started = time.perf_counter()
                if keep.due(done / n):
                    seconds += _seconds_since(started, state)
                    keep.save(steps, done / n, checkpoint())
                    started = time.perf_counter()
                if stop:
                    return result()
    return result()


@dataclass(frozen=True)
class _Over:
    """Takes a mean over many examples kept as bytes, in chunks; of one network, each chunk is scattered."""

    chunk_size: int
    population: bool

    def __call__(self, mean: Mean) -> Mean:
        if self.population:
            return in_chunks(on_bytes(mean), self.chunk_size)
        return in_chunks(devices.data_parallel(on_bytes(mean)), self.chunk_size * devices.number())


@functools.partial(
    jax.jit,
    static_argnames=("size", "over", "batch_size", "optimizer", "cost", "gradient"),
    donate_argnames="state",
)
def _epoch(
    state: State,
    rates: Array | None,
    images: Array,
    targets: Array,
    order: Array,
    start: Array | int,
    *,
    size: int,
    over: _Over,
    batch_size: int,
    optimizer: Optimizer,
    cost: Mean,
    gradient: Mean | None,
) -> State:
    """The stretch of an epoch that begins at `start` in the order and is `size` examples long."""
    # A line search differentiates the cost once more: by chunk again, so that no chunk's activations are kept for it.
    means = {"cost": over(jax.checkpoint(cost)), "gradient": over(gradient or jax.grad(cost))}
    order = jax.lax.dynamic_slice_in_dim(order, start, size)

    def one_network(state: State, rate: Array | None) -> State:
        rule = _of_rate(optimizer, rate)
        return epoch(state, images, targets, order, batch_size=batch_size, optimizer=rule, **means)

    return jax.vmap(one_network)(state, rates) if over.population else one_network(state, None)


@functools.partial(jax.jit, static_argnames=("over", "cost", "accuracy", "gradient"))
def _evaluate(params: Params, train: Examples, test: Examples | None, *, over: _Over, **means: Any) -> Metrics:
    def one_network(params: Params) -> Metrics:
        return evaluate(params, train, test, over=over, **means)

    return devices.gather(jax.vmap(one_network)(params) if over.population else one_network(params))


@functools.partial(jax.jit, static_argnames=("distort", "chunk_size"))
def _distorted(key: Array, index: Array | int, images: Array, *, distort: Distortion, chunk_size: int) -> Array:
    """All images, each distorted by a key of its own, a chunk at a time and each chunk shared out among the devices."""
    key, n = jax.random.fold_in(jax.random.fold_in(key, _DISTORTIONS), index), len(images)

    def one(row: Array, image: Array) -> Array:
        return distort(jax.random.fold_in(key, row), from_bytes(image))

    def chunk(rows: Array) -> Array:
        return devices.gather(jax.vmap(one)(*devices.scatter((rows, images[rows]))))

    size = min(chunk_size * devices.number(), n)
    chunks = jax.lax.map(chunk, (jnp.arange(-(-n // size) * size) % n).reshape(-1, size))
    return chunks.reshape(-1, *chunks.shape[2:])[:n]


@functools.partial(jax.jit, static_argnames="optimizer")
def _fresh(params: Params, rates: Array | None, *, optimizer: Optimizer) -> State:
    """To begin with: in memory of its own, which the epochs may overwrite."""

    def one_network(params: Any, rate: Array | None) -> State:
        return State(jax.tree.map(jnp.copy, params), _of_rate(optimizer, rate).init(params))

    return one_network(params, None) if rates is None else jax.vmap(one_network)(params, rates)


_shuffle = jax.jit(shuffled, static_argnames="n")


def _of_rate(optimizer: Optimizer, rate: Array | None) -> optax.GradientTransformation:
    return optimizer if isinstance(optimizer, optax.GradientTransformation) else optimizer(rate)  # type: ignore


def _identity(*, choices: dict[str, Any], data: dict[str, Any], programs: Callable[[], dict[str, str]]) -> Identity:
    return Identity(choices, {name: of_arrays(arrays) for name, arrays in data.items()}, programs())


def _programs(
    state: State,
    rates: Array | None,
    examples: Examples,
    targets: Array,
    tests: Examples | None,
    evaluate_on: int,
    *,
    move: Any,
    measure: Any,
    remake: Any,
) -> dict[str, str]:
    """Fingerprints of what a run computes: first its parts, which tell what differs, then the whole."""
    images, choices = examples[0], move.keywords
    n, rule = len(images), {name: choices[name] for name in ("optimizer", "cost", "gradient")}
    cost, gradient, distort = rule["cost"], rule["gradient"], remake.keywords["distort"]
    one, rate = state, None
    if rates is not None:
        one, rate = jax.eval_shape(lambda many: jax.tree.map(lambda leaf: leaf[0], many), (state, rates))
    batch = jax.eval_shape(lambda: (from_bytes(images[: choices["batch_size"]]), targets[: choices["batch_size"]]))
    found = {
        "cost": of_program(jax.jit(cost), one.params, *batch),
        "gradient": of_program(jax.jit(gradient or jax.grad(cost)), one.params, *batch),
        "optimizer (its rule, rate, momentum or schedule)": of_program(_step, one, rate, *batch, **rule),
    }
    seen, key = images, jax.random.key(0)
    if choices["batch_size"] < n:
        found["order of the examples"] = of_program(_shuffle, key, 0, n=n)
    if distort is not None:
        found["distortion"] = of_program(_distorted, key, 0, images, **remake.keywords)
        seen = jax.eval_shape(remake, key, 0, images)
    evaluated = jax.eval_shape(lambda: jax.tree.map(lambda part: part[:evaluate_on], examples))
    found["cost, accuracy or gradient_norm of the history"] = of_program(
        _evaluate, state.params, evaluated, tests, **measure.keywords
    )
    found["program of an epoch"] = of_program(
        _epoch, state, rates, seen, targets, jnp.arange(n, dtype=jnp.int32), 0, **choices
    )
    return found


@functools.partial(jax.jit, static_argnames=("optimizer", "cost", "gradient"))
def _step(
    state: State, rate: Array | None, images: Array, targets: Array, *, optimizer: Optimizer, **means: Any
) -> tuple[State, Info]:
    return step(state, images, targets, optimizer=_of_rate(optimizer, rate), **means)


def _in_words(function: Any) -> str | None:
    """A function and what `functools.partial` has fixed of it, as far as that can be told from outside."""
    if function is None:
        return None
    if isinstance(function, functools.partial):
        fixed = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in sorted(function.keywords.items()))]
        return f"{_in_words(function.func)}({', '.join(fixed)})"
    return getattr(function, "__qualname__", type(function).__qualname__)


def _seconds_since(started: float, state: State) -> float:
    jax.block_until_ready(state)
    return time.perf_counter() - started


def _checkpoint(state: State, rows: list[Row], progress: tuple[int, int, float]) -> Checkpoint:
    """All that the rest of a run depends on, and its history so far."""
    past = {f"history.{name}": column for name, column in columns(rows).items()}
    return Checkpoint(_named(state) | past, {"progress": progress})


def _named(state: State) -> dict[str, np.ndarray]:
    leaves = (
        (path, jax.random.key_data(leaf) if _is_key(leaf) else leaf) for path, leaf in jax.tree.leaves_with_path(state)
    )
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _resumed(found: Checkpoint, state: State) -> tuple[State, list[Row]]:
    """The state and the rows of a checkpoint of a run that had such a state."""

    def leaf(name: str, like: Array) -> Array:
        array = jnp.asarray(found.arrays[name])
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if _is_key(like) else array

    leaves = [leaf(name, like) for name, like in zip(_named(state), jax.tree.leaves(state), strict=True)]
    past = {name.removeprefix("history."): array for name, array in found.arrays.items()}
    return jax.tree.unflatten(jax.tree.structure(state), leaves), rows_of(past)


def _shard(stacked: Any, networks: int) -> Any:
    """Puts them on the devices, the last one repeatedly, until there are as many for every device."""
    missing = -networks % devices.number()
    return devices.shard(
        jax.tree.map(lambda leaf: jnp.concatenate([leaf, *missing * (leaf[-1:],)]), stacked) if missing else stacked
    )


def _first(tree: Any, networks: int | None) -> Any:
    """Without the networks that were repeated."""
    return jax.tree.map(lambda leaf: leaf[:networks], tree) if networks else tree


def _check_optimizer(optimizer: Optimizer, *, population: bool) -> None:
    one = isinstance(optimizer, optax.GradientTransformation)
    if population and not one:
        check_function("rate", optimizer=optimizer)
    if population and one:
        raise TypeError(
            "optimizer is one transformation; with rates it must be a function that makes one of a rate, such as"
            " optax.sgd"
        )
    if not population and not one:
        raise TypeError(f"optimizer is {described(optimizer)}; expected a transformation, such as optax.sgd(0.5)")


def _checked_rates(rates: Sequence[float] | Array | np.ndarray, params: Params) -> Array:
    rates = as_numpy("rates", rates)
    if rates.dtype.kind not in "fiu":
        raise ValueError(f"rates has dtype {rates.dtype}; expected numbers")
    networks = {leaf.shape[0] for leaf in jax.tree.leaves(params)}
    if networks != {rates.size} or rates.ndim != 1:
        raise ValueError(
            f"params have a leading axis of {sorted(networks)} networks and rates has shape {rates.shape};"
            " each network needs one rate"
        )
    fine = np.isfinite(rates) & (rates >= 0)
    if not fine.all():
        raise ValueError(f"rates has {rates[~fine]}; a rate is finite, zero or more")
    return jnp.asarray(rates, params[0].weights.dtype)


def _examples(name: str, params: Params, data: Dataset) -> tuple[Examples, Array]:
    """The examples, and the targets of their labels."""
    n_in, *_, n_out = sizes_of(params)
    try:
        check(data, name)
        if data.images.shape[1] != n_in:
            raise ValueError(f"the images have {data.images.shape[1]} pixels but the network has {n_in} inputs")
        targets = one_hot(data.labels, n_out)
        return (as_bytes(data.images), jax.device_put(np.asarray(data.labels, np.int32))), targets
    except ValueError as error:
        raise ValueError(f"{name} does not fit: {error}") from error
