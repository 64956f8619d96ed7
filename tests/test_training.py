import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from sklearn import datasets, preprocessing

import jaxnet
from jaxnet import Dataset, State, programs
from jaxnet.order import shuffled
from tests import by_numpy

close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)


def trained(data: Dataset, **options: Any) -> tuple[jaxnet.Params, jaxnet.History]:
    """A short run with everything at hand but what the test is about."""
    params = options.pop("params", None) or jaxnet.init(jax.random.key(0))
    optimizer = options.pop("optimizer", optax.sgd(0.5))
    options = {"batch_size": 10, "epochs": 2} | options
    return jaxnet.train(options.pop("key", jax.random.key(1)), params, data, optimizer, **options)


@pytest.mark.parametrize("batch_size", [pytest.param(1, marks=pytest.mark.long), 10, 103])
def test_a_run_is_epochs_of_shuffled_steps(few: Dataset, batch_size: int):
    """Each epoch has an order of its own; a single step is repeated for the full batch."""
    params, _ = trained(few, batch_size=batch_size)
    state = jaxnet.State(jaxnet.init(jax.random.key(0)), optax.sgd(0.5).init(()))
    take = jax.jit(functools.partial(jaxnet.step, optimizer=optax.sgd(0.5)))
    for index in range(2):
        order = shuffled(jax.random.key(1), index, 103)
        for start in range(0, 103, batch_size):
            rows = order[start : start + batch_size]
            state, _ = take(state, few.images[rows], jaxnet.one_hot(few.labels[rows]))
    jax.tree.map(close, params, state.params)


def test_a_whole_run_by_hand_equals_the_run_by_autodiff(few: Dataset):
    params = jaxnet.init(jax.random.key(0), activation=jaxnet.tanh, output=jaxnet.softmax)
    choices = {"loss": jaxnet.cross_entropy, "penalty": jaxnet.l2(0.01)}
    cost = functools.partial(jaxnet.cost, **choices)
    autodiff, _ = trained(few, params=params, cost=cost)
    by_hand, _ = trained(few, params=params, cost=cost, gradient=functools.partial(jaxnet.average_gradient, **choices))
    jax.tree.map(close, by_hand, autodiff)


@pytest.mark.parametrize("chunk_size", [10, 51])
def test_a_full_batch_in_chunks_equals_the_full_batch(few: Dataset, chunk_size: int):
    whole, whole_history = trained(few, batch_size=103, gradient_norm=True)
    chunked, chunked_history = trained(few, batch_size=103, chunk_size=chunk_size, gradient_norm=True)
    jax.tree.map(close, chunked, whole)
    close(chunked_history.gradient_norm, whole_history.gradient_norm)


def test_same_key_same_bits_other_key_other_order(few: Dataset):
    one, same, other = (trained(few, key=jax.random.key(seed))[0] for seed in (1, 1, 2))
    assert all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(same)))
    assert not any(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def test_evaluating_more_often_does_not_change_the_descent(few: Dataset):
    often, history = trained(few, evaluate_every=3)
    seldom, _ = trained(few)
    jax.tree.map(close, often, seldom)
    np.testing.assert_array_equal(history.steps, [0, 3, 6, 9, 11, 14, 17, 20, 22])
    np.testing.assert_array_equal(history.examples, [0, 30, 60, 90, 103, 133, 163, 193, 206])
    np.testing.assert_allclose(history.epochs, history.examples / 103)


def test_labels_kept_as_bytes_may_be_fewer_than_the_outputs():
    """A neuron above 255 must not be taken for the one that a byte can name."""
    data = Dataset(np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int8))
    start = jaxnet.init(jax.random.key(0), (4, 260))
    params, history = trained(data, params=start, batch_size=4, test=data)
    expected = by_numpy.cost(by_numpy.network(params), np.eye(4), np.eye(260)[data.labels])
    np.testing.assert_allclose([history.train_cost[-1], history.test_cost[-1]], expected, rtol=1e-5)


def test_a_part_of_the_training_images_is_evaluated_and_the_history_says_how_many(few: Dataset):
    all_of_them, some = (trained(few, test=few, evaluate_on=number, gradient_norm=True) for number in (None, 40))
    jax.tree.map(np.testing.assert_array_equal, some[0], all_of_them[0])  # the descent is the same
    (params, history), targets = some, jaxnet.one_hot(few.labels)
    close(history.train_cost[-1], jaxnet.cost(params, few.images[:40], targets[:40]))
    close(history.train_accuracy[-1], jaxnet.accuracy(params, few.images[:40], few.labels[:40]))
    slope = jax.grad(jaxnet.cost)(params, few.images[:40], targets[:40])
    close(history.gradient_norm[-1], np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(slope))))
    np.testing.assert_array_equal(history.test_cost, all_of_them[1].test_cost)
    assert (history.evaluated, all_of_them[1].evaluated) == (40, 103)


def seen(state: State) -> dict[str, Any]:
    return {"biases": state.params[-1].biases, "momentum": optax.tree.norm(state.optimizer_state)}


def test_what_is_seen_on_the_way_is_kept_in_the_history(few: Dataset):
    optimizer = functools.partial(optax.sgd, momentum=0.9)
    params, history = trained(few, optimizer=optimizer(0.1), look=seen, evaluate_every=5)
    expected = jaxnet.descend(
        jax.random.key(1), jaxnet.init(jax.random.key(0)), few.images, jaxnet.one_hot(few.labels), optimizer(0.1),
        batch_size=10, steps=10, every=5, look=seen,
    )[1]  # fmt: skip
    assert len(history.looks["biases"]) == len(history.steps)
    jax.tree.map(lambda ours, theirs: close(ours[:3], theirs), history.looks, expected)
    np.testing.assert_array_equal(history.looks["biases"][-1], params[-1].biases)
    networks = population([0, 1, 0])
    _, many = trained(few, params=networks, optimizer=optimizer, rates=[0.1] * 3, look=seen, evaluate_every=5)
    assert many.looks["biases"].shape == (*history.looks["biases"].shape[:1], 3, 10)
    jax.tree.map(lambda all_, one: close(all_[:, 2], one), many.looks, history.looks)
    assert trained(few)[1].looks is None


def test_evaluations_may_be_several_epochs_apart_and_the_last_step_is_always_seen(few: Dataset):
    _, history = trained(few, batch_size=103, epochs=7, evaluate_every=3)
    np.testing.assert_array_equal(history.steps, [0, 3, 6, 7])


def test_the_history_tells_what_the_functions_say(few: Dataset, mnist: tuple[Dataset, Dataset]):
    test = Dataset(mnist[1].images[:50], mnist[1].labels[:50])
    params, history = trained(few, test=test, chunk_size=20, gradient_norm=True)
    targets = jaxnet.one_hot(few.labels)
    close(history.train_cost[-1], jaxnet.cost(params, few.images, targets))
    close(history.train_accuracy[-1], jaxnet.accuracy(params, few.images, few.labels))
    close(history.gradient_norm[-1], optax.tree.norm(jax.grad(jaxnet.cost)(params, few.images, targets)))
    close(history.test_cost[-1], jaxnet.cost(params, test.images, jaxnet.one_hot(test.labels)))
    close(history.test_accuracy[-1], jaxnet.accuracy(params, test.images, test.labels))
    close(history.train_cost[0], jaxnet.cost(jaxnet.init(jax.random.key(0)), few.images, targets))
    assert history.seconds[0] == 0
    assert (np.diff(history.seconds) > 0).all()
    assert history.compile_seconds > 0
    without = trained(few)[1]
    assert np.isnan(without.test_cost).all()
    assert np.isnan(without.gradient_norm).all()


@pytest.mark.parametrize(
    ("precise", "options"),
    [
        (False, {"batch_size": 10}),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                (True, {"batch_size": 10}),
                (False, {"batch_size": 10, "evaluate_every": 4}),
                (False, {"batch_size": 103}),
                (False, {"batch_size": 20, "distort": functools.partial(jaxnet.distort, rotation=5.0)}),
            )
        ),
    ],
)
def test_nothing_is_compiled_while_the_clock_of_the_history_runs(
    few: Dataset, precise: bool, options: dict, caplog: pytest.LogCaptureFixture
):
    def compiled() -> list[str]:
        return [message for message in caplog.messages if "Finished XLA compilation" in message]

    def progress(history: jaxnet.History) -> None:
        if len(history.steps) == 1:
            assert compiled()  # it is what JAX says
            caplog.clear()

    jax.clear_caches()
    promotion = jax.numpy_dtype_promotion("standard" if precise else "strict")
    with jax.enable_x64(precise), promotion, jax.log_compiles(), caplog.at_level("WARNING", "jax"):
        trained(few, progress=progress, **options)
    assert compiled() == []


def test_progress_sees_the_history_grow(few: Dataset):
    lengths = []
    trained(few, progress=lambda history: lengths.append(len(history.steps)))
    assert lengths == [1, 2, 3]


def test_progress_can_end_the_run_which_then_returns_what_it_has(few: Dataset):
    def stop(history: jaxnet.History) -> None:
        if history.epochs[-1] == 2:
            raise StopIteration

    stopped, history = trained(few, epochs=5, progress=stop)
    shorter, its_history = trained(few, epochs=2)
    jax.tree.map(np.testing.assert_array_equal, stopped, shorter)
    np.testing.assert_array_equal(history.train_cost, its_history.train_cost)

    def at_once(_history: jaxnet.History) -> None:
        raise StopIteration

    params, history = trained(few, progress=at_once)
    jax.tree.map(np.testing.assert_array_equal, params, jaxnet.init(jax.random.key(0)))
    assert len(history.epochs) == 1


def test_the_given_parameters_are_left_alone(few: Dataset):
    params = jaxnet.init(jax.random.key(0))
    before = jax.tree.map(np.array, params)
    trained(few, params=params)
    jax.tree.map(np.testing.assert_array_equal, params, before)


def test_it_overfits_twenty_images(mnist: tuple[Dataset, Dataset]):
    twenty = Dataset(mnist[0].images[:20], mnist[0].labels[:20])
    _, history = trained(twenty, batch_size=5, epochs=400, evaluate_every=1600, optimizer=optax.sgd(2.0))
    assert history.train_accuracy[-1] == 1
    assert history.train_cost[-1] < 0.01


@pytest.mark.parametrize(
    ("make", "batch_size"),
    [
        (lambda: optax.adam(0.01), 10),
        (optax.lbfgs, 103),
        (lambda: optax.chain(optax.sgd(0.5), optax.contrib.reduce_on_plateau(0.5, patience=3)), 10),
    ],
    ids=["adam", "lbfgs", "reduce_on_plateau"],
)
def test_any_optax_optimizer_descends(few: Dataset, make: Callable, batch_size: int):
    params = jaxnet.init(jax.random.key(0), (784, 8, 10))
    with jax.numpy_dtype_promotion("standard"):  # they mix integers and floats
        _, history = trained(few, params=params, optimizer=make(), epochs=40, batch_size=batch_size)
    assert history.train_cost[-1] < 0.5 * history.train_cost[0]


@pytest.mark.parametrize("make", [optax.lbfgs, lambda: optax.adam(0.01)], ids=["lbfgs", "adam"])
def test_an_epoch_is_compiled_once(few: Dataset, make: Callable, caplog: pytest.LogCaptureFixture):
    """Where the types of an optimizer's state change with its first step, too, as those of L-BFGS do."""
    small = jax.tree.map(lambda part: part[:11], few)
    with jax.log_compiles(), jax.numpy_dtype_promotion("standard"):
        trained(small, params=jaxnet.init(jax.random.key(0), (784, 3, 10)), optimizer=make(), batch_size=11, epochs=3)
    assert sum(record.getMessage().startswith("Compiling jit(epoch)") for record in caplog.records) == 1


def test_a_standardised_table_trains():
    table, kinds = datasets.load_iris(return_X_y=True)
    flowers = jaxnet.dataset(preprocessing.scale(table), kinds)
    assert flowers.images.min() < -1
    assert flowers.images.max() > 2
    _, history = trained(flowers, params=jaxnet.init(jax.random.key(0), (4, 8, 3)), epochs=50)
    assert history.train_accuracy[-1] > 0.95


def test_a_schedule_reaches_its_end(few: Dataset):
    """With a rate that is zero after the first epoch, the second one changes nothing."""
    first, _ = trained(few, epochs=1)

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        return jnp.where(jnp.asarray(count) < 11, 0.5, 0.0)

    both, _ = trained(few, optimizer=optax.sgd(schedule))
    jax.tree.map(close, both, first)


def population(seeds: list[int]) -> jaxnet.Params:
    return jax.vmap(jaxnet.init)(jnp.stack([jax.random.key(seed) for seed in seeds]))


@pytest.mark.parametrize("batch_size", [10, pytest.param(103, marks=pytest.mark.long)])
def test_a_member_of_a_population_equals_the_same_run_alone(few: Dataset, batch_size: int):
    seeds, rates = [0, 1, 0], [0.5, 0.5, 2.0]
    choices: dict[str, Any] = {"batch_size": batch_size, "test": few, "gradient_norm": True}
    params, history = trained(few, params=population(seeds), optimizer=optax.sgd, rates=rates, **choices)
    assert history.train_cost.shape == (3, 3)
    for member, (seed, rate) in enumerate(zip(seeds, rates, strict=True)):
        alone, alone_history = trained(
            few, params=jaxnet.init(jax.random.key(seed)), optimizer=optax.sgd(rate), **choices
        )
        jax.tree.map(lambda all_, one, member=member: close(all_[member], one), params, alone)
        for name in ("train_cost", "train_accuracy", "test_cost", "test_accuracy", "gradient_norm"):
            close(getattr(history, name)[:, member], getattr(alone_history, name))


def test_a_population_shares_its_first_layers_product(few: Dataset):
    """One product with all the networks' weights, not one for each: the largest has networks x neurons rows."""

    params, rates = population([0, 1, 2]), jnp.full(3, 0.5)
    state = State(params, jax.vmap(lambda p, rate: optax.sgd(rate).init(p))(params, rates))
    text = programs.epoch.lower(
        state,
        rates,
        jnp.asarray(few.images),
        jaxnet.one_hot(few.labels),
        jnp.arange(100),
        0,
        size=100,
        batch_size=10,
        optimizer=optax.sgd,
        cost=jaxnet.cost,
        gradient=None,
        over=programs.Over(1000, population=True),
    ).as_text()
    products = [line for line in text.splitlines() if "dot_general" in line and "784" in line]
    assert len(products) == 2  # forward, and the gradient of the first weights
    for product in products:
        assert "batching_dims" not in product
        assert "x10x784xf32" not in product  # each network with a batch of its own would have this shape


def explosive(key: jax.Array) -> jaxnet.Params:
    """Nothing keeps its outputs within bounds."""
    return jaxnet.init(key, activation=jaxnet.relu, output=jaxnet.relu)


def test_a_run_stops_where_the_cost_is_no_longer_finite_and_keeps_its_history(few: Dataset):
    with pytest.raises(
        jaxnet.Diverged, match=r"the cost became (nan|inf) by epoch \d+, step \d+.*smaller learning rate"
    ) as e:
        trained(few, params=explosive(jax.random.key(0)), optimizer=optax.sgd(1e8), batch_size=103, epochs=50)
    history = e.value.history
    assert 1 < len(history.epochs) < 50
    assert np.isfinite(history.train_cost[:-1]).all()
    assert not np.isfinite(history.train_cost[-1])


def test_parameters_that_are_not_finite_are_blamed_themselves(few: Dataset):
    params = jax.tree.map(lambda leaf: leaf * jnp.nan, jaxnet.init(jax.random.key(0)))
    with pytest.raises(jaxnet.Diverged, match="the cost is nan before the first step: start from other parameters"):
        trained(few, params=params)


def test_a_population_goes_on_while_one_network_lives(few: Dataset):
    choices = {"params": jax.vmap(explosive)(jax.random.split(jax.random.key(0), 2)), "batch_size": 103}
    _, history = trained(few, optimizer=optax.sgd, rates=[1e8, 1e-3], epochs=10, **choices)
    assert not np.isfinite(history.train_cost[-1, 0])
    assert np.isfinite(history.train_cost[:, 1]).all()
    with pytest.raises(jaxnet.Diverged):
        trained(few, optimizer=optax.sgd, rates=[1e8, 1e9], epochs=50, **choices)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be between 1 and 103, the number of examples"),
        ({"batch_size": -5}, "batch_size is -5; it must be between 1 and 103"),
        ({"batch_size": 104}, "batch_size is 104; it must be between 1 and 103"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"evaluate_every": 0}, "evaluate_every is 0; it must be at least 1"),
        ({"chunk_size": -1}, "chunk_size is -1; it must be at least 1"),
        (
            {"params": jaxnet.init(jax.random.key(0), (100, 10))},
            "the images have 784 pixels but the network has 100 inputs",
        ),
        ({"params": jaxnet.init(jax.random.key(0), (784, 5))}, "labels run from 0 to 9; with 5 classes"),
        (
            {"params": (jaxnet.Layer(jnp.ones((3, 784)), jnp.ones(4)),)},
            r"layer 0 has weights \(3, 784\) and biases \(4,\)",
        ),
        (
            {"params": jaxnet.init(jax.random.key(0), (784, 5)) + jaxnet.init(jax.random.key(0), (6, 10))},
            r"layer 1 has weights \(10, 6\) and biases \(10,\); expected n_out and 5 inputs",
        ),
        (
            {"params": jax.vmap(jaxnet.init)(jax.random.split(jax.random.key(0), 2))},
            r"layer 0 has weights \(2, 16, 784\)",
        ),
        (
            {"test": Dataset(np.zeros((1, 5), np.float32), np.zeros(1, np.int32))},
            "test does not fit: the images have 5",
        ),
    ],
)
def test_impossible_choices_are_refused_by_value(few: Dataset, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        trained(few, **options)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([0.1], "params have a leading axis of .* networks and rates has shape"),
        ([0.1, -1.0], "rates has .*-1"),
        ([0.1, float("nan")], "rates has .*nan"),
    ],
)
def test_impossible_rates_of_a_population_are_refused_by_value(few: Dataset, rates: list[float], message: str):
    with pytest.raises(ValueError, match=message):
        trained(few, params=population([0, 1]), optimizer=optax.sgd, rates=rates)


def test_a_transformation_and_a_function_that_makes_one_are_told_apart(few: Dataset):
    with pytest.raises(Exception, match="optimizer is .*; expected a transformation|Type-check error"):
        trained(few, optimizer=optax.sgd)
    with pytest.raises(TypeError, match="with rates it must be a function that makes one of a rate, such as optax.sgd"):
        trained(few, params=population([0]), optimizer=optax.sgd(0.1), rates=[0.1])
    with pytest.raises(ValueError, match="params has no layers"):
        jaxnet.train(jax.random.key(0), (), few, optax.sgd(0.1), batch_size=10, epochs=1)


def test_bad_data_is_refused_before_anything_is_trained(few: Dataset):
    with pytest.raises(ValueError, match="103 images but 102 labels"):
        trained(few._replace(labels=few.labels[:102]))
    with pytest.raises(ValueError, match="dataset does not fit: images has whole numbers .* which look like bytes"):
        trained(few._replace(images=np.rint(few.images * 255)))
    with pytest.raises(ValueError, match="dataset does not fit: the data set is empty"):
        trained(Dataset(few.images[:0], few.labels[:0]))
