"""Training: descent, epoch after epoch, and the history of it.

`train` takes one network downhill, `train_population` many at once. Both jit one function, an epoch, with the data and
the parameters as its arguments; the host only shuffles, reads the clock and the cost, and stops where it must.
"""

import functools
import time
from collections.abc import Callable, Sequence
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
from jaxnet.data import Dataset, as_bytes, brightness, check, on_bytes, one_hot
from jaxnet.descent import State, epoch
from jaxnet.history import Examples, History, Metrics, Row, columns, evaluate, rows_of, written
from jaxnet.network import Params, sizes_of

Distortion = Callable[[Key[Array, ""], Float[Array, " pixels"]], Float[Array, " pixels"]]
"""An image as another hand could have written it, by a key."""

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
    optimizer: optax.GradientTransformation,
    *,
    batch_size: int,
    epochs: int,
    test: Dataset | None = None,
    cost: Mean = mean_cost,
    accuracy: Mean = mean_accuracy,
    gradient: Mean | None = None,
    evaluate_every: int | None = None,
    chunk_size: int = 2_000,
    progress: Callable[[History], None] | None = None,
    distort: Distortion | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Params, History]:
    """Descends from `params`, and writes a history.

    - `key` decides the order of the examples, a new one for each epoch. Same key, same bits.
    - `optimizer` is any optax transformation that needs no more than the gradient; the lecture's is `optax.sgd(rate)`.
    - `batch_size` is 1 to n, the number of examples. Full-batch descent is `batch_size=n`: one step an epoch.
    - `test` examples are looked at, never learnt from.
    - `cost` and `accuracy` are functions of (params, images, targets or labels): those of this package, with other
      activations and losses fixed by `functools.partial`, or your own.
    - `gradient` is `jax.grad(cost)`, or a function of the same arguments: `average_gradient` trains by hand.
    - `evaluate_every` so many steps the history gains a row, by default once an epoch. With fewer steps than an epoch
      has, the end of each epoch has a row too; more are rounded down to whole epochs. The first row is the start.
    - Batches above `chunk_size` are taken in chunks of that size: the same mean, in bounded memory.
    - `progress` is called after each evaluation with the history so far.
    - `distort` is a function of (key, image), such as `functools.partial(jaxnet.distort, alpha=34)`: every epoch then
      learns from images that it distorts anew, kept as floats, 4 bytes a pixel. What the history says of the cost is
      for the images as they are.
    - `checkpoints` says where and how often the run is saved. A resumed run ends with the very bits of one that was
      never stopped. Ctrl-C and SIGTERM then save before they raise `Interrupted`.

    Under `jax.set_mesh(devices.mesh())` the examples of each batch are shared out among the devices. The given `params`
    stay as they are. Raises ValueError for arguments out of bounds and data or checkpoints that do not fit the network,
    TypeError where `optimizer` is no transformation, `Diverged` as soon as an evaluation finds a cost that is not
    finite, and OSError where a checkpoint cannot be written. Lecture, chapter 2.

    >>> from jaxnet import init
    >>> data = Dataset(np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int32))
    >>> start, order = jax.random.split(jax.random.key(0))
    >>> params, history = train(order, init(start, (4, 8, 4)), data, optax.sgd(1.0), batch_size=2, epochs=200)
    >>> float(history.train_accuracy[-1])
    1.0
    """
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(f"optimizer is {optimizer}; expected a transformation, such as optax.sgd(0.5)")
    _check_layers(params, ndim=2)
    state = jax.jit(functools.partial(_fresh, optimizer=optimizer))(params)
    return _descend(
        key,
        state,
        None,
        dataset,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        test=test,
        cost=cost,
        accuracy=accuracy,
        gradient=gradient,
        evaluate_every=evaluate_every,
        chunk_size=chunk_size,
        progress=progress,
        distort=distort,
        checkpoints=checkpoints,
    )


def train_population(
    key: Key[Array, ""],
    params: Params,
    dataset: Dataset,
    optimizer: Callable[[Float[Array, ""]], optax.GradientTransformation],
    rates: Sequence[float] | Float[Array | np.ndarray, " networks"],
    *,
    batch_size: int,
    epochs: int,
    test: Dataset | None = None,
    cost: Mean = mean_cost,
    accuracy: Mean = mean_accuracy,
    gradient: Mean | None = None,
    evaluate_every: int | None = None,
    chunk_size: int = 2_000,
    progress: Callable[[History], None] | None = None,
    distort: Distortion | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Params, History]:
    """`train` for many networks at once, each with its own initial parameters and its own learning rate.

    - `params` are stacked, a leading axis of networks on every leaf: `jax.vmap(init)(keys)`.
    - `optimizer` makes a transformation out of one rate: `optax.sgd` itself, or
      `lambda rate: optax.sgd(optax.cosine_decay_schedule(rate, steps))`.
    - `rates` has one for each network.

    All see the same batches in the same order, so that the products of their first layers are one large product: the
    fair comparison and the fast one. Costs and accuracies of the history have shape (evaluations, networks). A network
    whose cost is not finite goes on, for a sweep of rates is meant to find those; `Diverged` is raised when none is
    left. Otherwise as `train`; raises TypeError where `optimizer` is a transformation already.

    >>> from jaxnet import init
    >>> data = Dataset(np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int32))
    >>> params = jax.vmap(lambda key: init(key, (4, 8, 4)))(jax.random.split(jax.random.key(0), 3))
    >>> _, history = train_population(
    ...     jax.random.key(1), params, data, optax.sgd, jnp.array([0.0, 0.1, 1.0]), batch_size=2, epochs=5
    ... )
    >>> history.train_cost.shape
    (6, 3)
    """
    if isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            "optimizer is one transformation; expected a function that makes one of a rate, such as optax.sgd"
        )
    _check_layers(params, ndim=3)
    rates = np.asarray(rates)
    networks = {leaf.shape[0] for leaf in jax.tree.leaves(params)}
    if networks != {rates.size} or rates.ndim != 1:
        raise ValueError(
            f"params have a leading axis of {sorted(networks)} networks and rates has shape {rates.shape};"
            " each network needs one rate"
        )
    if not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError(f"rates has {rates[~(np.isfinite(rates) & (rates >= 0))]}; a rate is finite, zero or more")
    rates = jnp.asarray(rates, params[0].weights.dtype)
    state = jax.jit(jax.vmap(lambda one, rate: _fresh(one, optimizer(rate))))(params, rates)
    return _descend(
        key,
        state,
        rates,
        dataset,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        test=test,
        cost=cost,
        accuracy=accuracy,
        gradient=gradient,
        evaluate_every=evaluate_every,
        chunk_size=chunk_size,
        progress=progress,
        distort=distort,
        checkpoints=checkpoints,
    )


def _fresh(params: Params, optimizer: optax.GradientTransformation) -> State:
    """To begin with: in memory of its own, which the epochs may overwrite."""
    return State(jax.tree.map(jnp.copy, params), optimizer.init(params))


@functools.partial(
    jax.jit,
    static_argnames=("size", "batch_size", "optimizer", "cost", "gradient", "chunk_size"),
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
    batch_size: int,
    optimizer: Callable[..., optax.GradientTransformation] | optax.GradientTransformation,
    cost: Mean,
    gradient: Mean | None,
    chunk_size: int,
) -> State:
    """The stretch of an epoch that begins at `start` in the order and is `size` examples long."""
    slope = _over(chunk_size, population=rates is not None)(gradient or jax.grad(cost))
    order = jax.lax.dynamic_slice_in_dim(order, start, size)

    def one_network(state: State, optimizer: optax.GradientTransformation) -> State:
        return epoch(state, images, targets, order, batch_size=batch_size, optimizer=optimizer, gradient=slope)

    if isinstance(optimizer, optax.GradientTransformation):
        return one_network(state, optimizer)
    return jax.vmap(lambda state, rate: one_network(state, optimizer(rate)))(state, rates)


@functools.partial(jax.jit, static_argnames=("population", "cost", "accuracy", "gradient", "chunk_size"))
def _evaluate(
    params: Params,
    train: Examples,
    test: Examples | None,
    *,
    population: bool,
    cost: Mean,
    accuracy: Mean,
    gradient: Mean | None,
    chunk_size: int,
) -> Metrics:
    cost, accuracy = jax.jit(cost), jax.jit(accuracy)  # so that each is traced once
    gradient = jax.jit(gradient or jax.grad(cost))

    def one_network(params: Params) -> Metrics:
        over = _over(chunk_size, population)
        return evaluate(params, train, test, cost=cost, accuracy=accuracy, gradient=gradient, over=over)

    return devices.together(jax.vmap(one_network)(params) if population else one_network(params))


def _over(chunk_size: int, population: bool) -> Callable[[Mean], Mean]:
    """A mean over many examples kept as bytes, a chunk at a time; where one network is trained, each is shared out."""

    def over(mean: Mean) -> Mean:
        if population:
            return in_chunks(on_bytes(mean), chunk_size)
        return in_chunks(devices.share_examples(on_bytes(mean)), chunk_size * devices.number())

    return over


@functools.partial(jax.jit, static_argnames=("distort", "chunk_size"))
def _distorted(key: Array, epoch: Array | int, images: Array, *, distort: Distortion, chunk_size: int) -> Array:
    """All images, each distorted by a key of its own, a chunk at a time and each chunk shared out among the devices."""
    key, n = jax.random.fold_in(jax.random.fold_in(key, _DISTORTIONS), epoch), len(images)

    def one(index: Array, image: Array) -> Array:
        return distort(jax.random.fold_in(key, index), brightness(image))

    def chunk(rows: Array) -> Array:
        return devices.together(jax.vmap(one)(*devices.apart((rows, images[rows]))))

    size = min(chunk_size * devices.number(), n)
    chunks = jax.lax.map(chunk, (jnp.arange(-(-n // size) * size) % n).reshape(-1, size))
    return chunks.reshape(-1, *chunks.shape[2:])[:n]


@functools.partial(jax.jit, static_argnames="n")
def _shuffle(key: Array, epoch: Array | int, n: int) -> Array:
    return jax.random.permutation(jax.random.fold_in(key, epoch), n)


def _descend(
    key: Array,
    state: State,
    rates: Array | None,
    dataset: Dataset,
    optimizer: Callable[[Array], optax.GradientTransformation] | optax.GradientTransformation,
    *,
    batch_size: int,
    epochs: int,
    test: Dataset | None,
    cost: Mean,
    accuracy: Mean,
    gradient: Mean | None,
    evaluate_every: int | None,
    chunk_size: int,
    progress: Callable[[History], None] | None,
    distort: Distortion | None,
    checkpoints: Checkpoints | None,
) -> tuple[Params, History]:
    examples, targets = _on_device("dataset", state.params, dataset)
    tests = None if test is None else _on_device("test", state.params, test)[0]
    n = len(dataset.images)
    _check_range("batch_size", batch_size, 1, n)
    steps_an_epoch = -(-n // batch_size)
    evaluate_every = steps_an_epoch if evaluate_every is None else evaluate_every
    for name, value in (("epochs", epochs), ("evaluate_every", evaluate_every), ("chunk_size", chunk_size)):
        _check_range(name, value, 1, None)

    found = None
    if checkpoints is not None:
        checkpoints = checkpoints.of_a_run(
            key=jax.random.key_data(key).tolist(),
            rates=None if rates is None else rates.tolist(),
            examples=n,
            batch_size=batch_size,
            epochs=epochs,
            evaluate_every=evaluate_every,
            distort=_in_words(distort),
        )
        found = newest(checkpoints, _named(state))
    rows: list[Row] = []
    done, steps, seconds = 0, 0, 0.0
    if found is not None:
        state, rows = _resumed(found, state)
        done, steps, seconds = found.facts["progress"]

    key = devices.everywhere(key)
    networks = None if rates is None else len(rates)
    share = devices.everywhere if networks is None else functools.partial(_share_networks, networks=networks)
    state, rates = share((state, rates))

    # Between two evaluations lies a stretch of one epoch, or several epochs.
    stretch = min(evaluate_every, steps_an_epoch) * batch_size
    epochs_per_evaluation = max(1, evaluate_every // steps_an_epoch)
    functions = {"cost": cost, "gradient": gradient, "chunk_size": chunk_size}
    walk = functools.partial(_epoch, batch_size=batch_size, optimizer=optimizer, **functions)
    see = functools.partial(_evaluate, population=rates is not None, accuracy=accuracy, **functions)

    images, _ = examples
    in_turn = devices.everywhere(jax.device_put(np.arange(n)))
    remake = functools.partial(_distorted, distort=distort, chunk_size=chunk_size)

    started = time.perf_counter()
    if batch_size < n:
        _shuffle.lower(key, 0, n).compile()
    seen: Any = images
    if distort is not None:
        lowered = _distorted.lower(key, 0, images, **remake.keywords)
        lowered.compile()
        seen = devices.everywhere(jnp.zeros(lowered.out_info.shape, lowered.out_info.dtype))
    for size in {min(stretch, n), n % stretch or min(stretch, n)}:
        _epoch.lower(state, rates, seen, targets, in_turn, 0, size=size, **walk.keywords).compile()
    _evaluate.lower(state.params, examples, tests, **see.keywords).compile()
    compile_seconds = time.perf_counter() - started

    def look() -> None:
        metrics = _first(jax.device_get(see(state.params, examples, tests)), networks)
        rows.append(Row(done / n, steps, done, seconds, metrics))
        if not np.isfinite(metrics.train_cost).any():
            raise Diverged(written(rows, compile_seconds))

    def tell() -> None:
        if progress is not None:
            progress(written(rows, compile_seconds))

    def checkpoint() -> Checkpoint:
        return _checkpoint(_first(devices.everywhere(state), networks), rows, (done, steps, seconds))

    with keeping(checkpoints) as keep:
        if not rows:
            look()
        tell()
        started = time.perf_counter()
        for index in range(done // n, epochs):
            order = in_turn if batch_size == n else _shuffle(key, index, n)
            if distort is not None:
                seen = None  # the last epoch's make room before this one's are made
                seen = remake(key, index, images)
            for start in range(done % n, n, stretch):
                size = min(stretch, n - start)
                state = walk(state, rates, seen, targets, order, start, size=size)
                done, steps = done + size, steps - -size // batch_size
                if (index + 1) % epochs_per_evaluation == 0 or index + 1 == epochs:
                    seconds += _seconds_since(started, state)
                    look()
                    tell()
                    started = time.perf_counter()
                if keep.due(done / n):
                    seconds += _seconds_since(started, state)
                    keep.save(steps, done / n, checkpoint())
                    started = time.perf_counter()
    return _first(devices.everywhere(state.params), networks), written(rows, compile_seconds)


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
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(state)}


def _resumed(found: Checkpoint, state: State) -> tuple[State, list[Row]]:
    """The state and the rows of a checkpoint of a run that had such a state."""
    leaves = [jnp.asarray(found.arrays[name]) for name in _named(state)]
    past = {name.removeprefix("history."): array for name, array in found.arrays.items()}
    return jax.tree.unflatten(jax.tree.structure(state), leaves), rows_of(past)


def _share_networks(stacked: Any, networks: int) -> Any:
    """Puts them on the devices, the last one repeatedly, until there are as many for every device."""
    missing = -networks % devices.number()
    return devices.share_networks(
        jax.tree.map(lambda leaf: jnp.concatenate([leaf, *missing * (leaf[-1:],)]), stacked) if missing else stacked
    )


def _first(tree: Any, networks: int | None) -> Any:
    """Without the networks that were repeated."""
    return jax.tree.map(lambda leaf: leaf[:networks], tree) if networks else tree


def _check_range(name: str, value: int, low: int, high: int | None) -> None:
    if value < low or (high is not None and value > high):
        expected = f"at least {low}" if high is None else f"between {low} and {high}, the number of examples"
        raise ValueError(f"{name} is {value}; it must be {expected}")


def _check_layers(params: Params, ndim: int) -> None:
    n_in = params[0].weights.shape[-1] if params else 0
    for index, (w, b) in enumerate(params):
        if w.ndim != ndim or b.shape != w.shape[:-1] or w.shape[-1] != n_in:
            stacked = "" if ndim == 2 else "a leading axis of networks, "
            raise ValueError(
                f"layer {index} has weights {w.shape} and biases {b.shape}; expected {stacked}n_out and {n_in} inputs"
            )
        n_in = w.shape[-2]
    if not params:
        raise ValueError("params has no layers; jaxnet.init makes some")


def _on_device(name: str, params: Params, data: Dataset) -> tuple[Examples, Array]:
    """The examples, and the targets of their labels."""
    n_in, *_, n_out = sizes_of(params)
    try:
        check(data)
        if data.images.shape[1] != n_in:
            raise ValueError(f"the images have {data.images.shape[1]} pixels but the network has {n_in} inputs")
        targets = one_hot(data.labels, n_out)
        return devices.everywhere(((as_bytes(data.images), jax.device_put(np.asarray(data.labels, np.int32))), targets))
    except ValueError as error:
        raise ValueError(f"{name} does not fit: {error}") from error
