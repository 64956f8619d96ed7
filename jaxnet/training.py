"""Training: descent, epoch after epoch, and the history of it.

`train` takes one network downhill, or with `rates` many at once. What is computed is in `programs`; here the host only
starts one after the other, reads the clock and the cost, and stops where it must.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Key

from jaxnet import devices, programs
from jaxnet.checkpoint import Checkpoint, Checkpoints, keeping, newest
from jaxnet.cost import Mean
from jaxnet.cost import accuracy as mean_accuracy
from jaxnet.cost import cost as mean_cost
from jaxnet.data import Dataset, as_host_bytes, check, one_hot
from jaxnet.descent import State
from jaxnet.history import History, Row, columns, rows_of, written
from jaxnet.identity import Identity, of_arrays
from jaxnet.kinds import (
    as_numpy,
    check_cost,
    check_flag,
    check_function,
    check_key,
    check_optional,
    check_params,
    check_whole,
    described,
)
from jaxnet.memory import check_fits, needed_by
from jaxnet.network import Params, sizes_of
from jaxnet.programs import Distortion, Optimizer
from jaxnet.sharded import Sharded, shard


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
    chunk_size: int | None = None,
    look: Callable[[State], Any] | None = None,
    progress: Callable[[History], None] | None = None,
    distort: Distortion | None = None,
    checkpoints: Checkpoints | None = None,
    shard_images: bool = False,
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
    - Batches above `chunk_size` are taken in chunks of that size: the same mean, in bounded memory. By default it is
      2,000 on a CPU and 20,000 elsewhere.
    - `look` is a function of the `State` (parameters and optimizer state) of one network, as in `descend`: what it
      returns at each evaluation is kept in the history. `lambda state: state.params` keeps the way downhill.
    - `progress` is called after each evaluation with the history so far. If it raises StopIteration, the run ends there
      and returns what it has: early stopping. Of several processes, any may raise it, and all end.
    - `distort` is a function of (key, image), such as `functools.partial(jaxnet.distort, alpha=34)`: every epoch then
      learns from images that it distorts anew, kept as floats, 4 bytes a pixel. What the history says of the cost is
      for the images as they are.
    - `checkpoints` says where and how often the run is saved. A resumed run ends with the very bits of one that was
      never stopped; one that differs in anything that decides those bits is refused. Ctrl-C and SIGTERM then save
      before they raise `Interrupted`.

    - `shard_images` is for examples that do not fit on one device: each device of the mesh keeps its part of them, and
      a batch takes its rows from all. Not for a population, of which each device has its own networks.

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
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(params)):
        raise TypeError("params are traced, and train, which reads the clock, cannot be: jaxnet.descend can")
    _check_optimizer(optimizer, population=rates is not None)
    check_cost(cost)
    check_function("params, images, labels", accuracy=accuracy)
    check_optional("params, images, targets", gradient=gradient)
    check_optional("state", look=look)
    check_optional("history", progress=progress)
    check_optional("key, image", distort=distort)
    check_flag(gradient_norm=gradient_norm, shard_images=shard_images)
    if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
        raise TypeError(f"checkpoints is {described(checkpoints)}; expected jaxnet.Checkpoints(folder)")
    rates = None if rates is None else _checked_rates(rates, params)
    examples, targets = _examples("dataset", params, dataset)
    tests = None if test is None else _examples("test", params, test)[0]
    if shard_images and rates is not None:
        raise ValueError("shard_images is True, and rates are given: each network of a population needs all images")
    n = len(dataset.images)
    check_whole(1, n, batch_size=batch_size)
    steps_an_epoch = -(-n // batch_size)
    evaluate_every = steps_an_epoch if evaluate_every is None else evaluate_every
    chunk_size = devices.chunk_size() if chunk_size is None else chunk_size
    check_whole(1, epochs=epochs, evaluate_every=evaluate_every, chunk_size=chunk_size)
    evaluate_on = n if evaluate_on is None else evaluate_on
    check_whole(1, n, evaluate_on=evaluate_on)
    over = programs.Over(chunk_size, population=rates is not None)
    move = functools.partial(
        programs.epoch, over=over, batch_size=batch_size, optimizer=optimizer, cost=cost, gradient=gradient
    )
    normed = (gradient or jax.grad(cost)) if gradient_norm else None
    measure = functools.partial(programs.evaluation, over=over, cost=cost, accuracy=accuracy, gradient=normed)
    look_at = functools.partial(programs.seen, over=over, look=look)
    remake = functools.partial(programs.distorted, distort=distort, chunk_size=chunk_size)
    # Between two evaluations lies a stretch of one epoch, or several epochs.
    stretch = min(evaluate_every, steps_an_epoch) * batch_size
    epochs_per_evaluation = max(1, evaluate_every // steps_an_epoch)

    state, found = programs.fresh(params, rates, optimizer=optimizer), None
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
                programs.fingerprints,
                jax.eval_shape(lambda state: state, state),  # the state itself will be overwritten
                rates, examples, targets, tests, evaluate_on,
                move=functools.partial(move, size=min(stretch, n)), measure=measure, remake=remake, look=look,
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
        state, rows = _resumed(found, state, None if look is None else jax.eval_shape(look_at, state))
        done, steps, seconds = found.facts["progress"]

    key = devices.replicate(key)
    networks = None if rates is None else len(rates)
    state, rates = devices.replicate((state, rates)) if networks is None else _shard((state, rates), networks)
    in_turn = devices.replicate(jax.device_put(np.arange(n, dtype=np.int32)))
    everything = (examples, targets, tests)
    if shard_images and devices.number() > 1:
        examples, targets, tests = jax.tree.map(shard, everything)
        evaluated = tuple(part.first(evaluate_on) for part in examples)
    else:
        examples, targets, tests = devices.replicate(jax.device_put(everything))
        evaluated = tuple(part[:evaluate_on] for part in examples)
    images = examples[0]

    started = time.perf_counter()
    if batch_size < n:
        programs.order.lower(key, 0, n=n).compile()
    seen: Any = images
    if distort is not None:
        lowered = programs.distorted.lower(key, 0, images, **remake.keywords)
        lowered.compile()
        seen = _zeros(lowered.out_info, images)
    for size in {min(stretch, n), n % stretch or stretch}:
        program = programs.epoch.lower(state, rates, seen, targets, in_turn, 0, size=size, **move.keywords).compile()
        check_fits(f"an epoch in batches of {batch_size:,}", needed_by(program))
    programs.evaluation.lower(state.params, evaluated, tests, **measure.keywords).compile()
    if look is not None:
        programs.seen.lower(state, **look_at.keywords).compile()
    compile_seconds = time.perf_counter() - started

    def evaluate_now() -> None:
        metrics, looks = jax.device_get((measure(state.params, evaluated, tests), look_at(state) if look else None))
        rows.append(Row(done / n, steps, done, seconds, _first(metrics, networks), _first(looks, networks)))
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
            order = in_turn if batch_size == n else programs.order(key, index, n=n)
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


def _identity(*, choices: dict[str, Any], data: dict[str, Any], programs: Callable[[], dict[str, str]]) -> Identity:
    return Identity(choices, {name: of_arrays(arrays) for name, arrays in data.items()}, programs())


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


def _zeros(like: Any, images: Array | Sharded) -> Array | Sharded:
    """Of this type and shape, where the images are."""
    if isinstance(images, Sharded):
        return images.refilled(jnp.zeros(like.array.shape, like.array.dtype, device=images.array.sharding))
    return devices.replicate(jnp.zeros(like.shape, like.dtype))


def _named(state: State) -> dict[str, np.ndarray]:
    leaves = (
        (path, jax.random.key_data(leaf) if programs.is_key(leaf) else leaf)
        for path, leaf in jax.tree.leaves_with_path(state)
    )
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _resumed(found: Checkpoint, state: State, look: Any) -> tuple[State, list[Row]]:
    """The state and the rows of a checkpoint of a run that had such a state, and such a look at it."""

    def leaf(name: str, like: Array) -> Array:
        array = jnp.asarray(found.arrays[name])
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if programs.is_key(like) else array

    leaves = [leaf(name, like) for name, like in zip(_named(state), jax.tree.leaves(state), strict=True)]
    past = {name.removeprefix("history."): array for name, array in found.arrays.items()}
    return jax.tree.unflatten(jax.tree.structure(state), leaves), rows_of(past, look)


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


def _examples(name: str, params: Params, data: Dataset) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The examples, and the targets of their labels; not on a device yet."""
    n_in, *_, n_out = sizes_of(params)
    try:
        check(data, name)
        if data.images.shape[1] != n_in:
            raise ValueError(f"the images have {data.images.shape[1]} pixels but the network has {n_in} inputs")
        with jax.ensure_compile_time_eval():
            targets = np.asarray(one_hot(data.labels, n_out))
        return (as_host_bytes(data.images), np.asarray(data.labels, np.int32)), targets
    except ValueError as error:
        raise ValueError(f"{name} does not fit: {error}") from error
