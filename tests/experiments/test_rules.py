"""Rules and what they ask of the cost: counted, priced, drawn for tuning, and raced."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from experiments.common import contest
from experiments.common.arms import Arm, named, parse_arms, written
from experiments.common.rules import RULES, Prices, counted, prices, trials
from jaxnet import Dataset


def test_a_random_search_draws_different_choices_of_what_may_be_tried():
    rule = RULES["nesterov"]
    drawn = trials(rule, 6, np.random.default_rng(0))
    assert len(set(drawn)) == 6
    assert all(rate in rule.numbers["rate"] and momentum in rule.numbers["momentum"] for rate, momentum in drawn)
    assert drawn == trials(rule, 6, np.random.default_rng(0)) != trials(rule, 6, np.random.default_rng(1))
    assert trials(RULES["sgd"], 10, np.random.default_rng(5)) == [(rate,) for rate in RULES["sgd"].numbers["rate"]]


def test_every_rule_has_ten_choices_so_that_all_are_tuned_alike():
    for rule in RULES.values():
        assert np.prod([len(tried) for tried in rule.numbers.values()]) == 10


def test_the_evaluations_of_a_line_search_are_those_that_it_asked_for():
    """Counted by the function itself, outside of `jit`, where every call is an evaluation."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    def valley(x: jax.Array) -> jax.Array:
        jax.debug.callback(count)
        return jnp.sum((x - 1) ** 4) + 5 * (x[0] - x[1]) ** 2

    x = jnp.array([-3.0, 4.0])
    optimizer = counted(optax.lbfgs(0.05))
    state: Any = optimizer.init(x)
    for _ in range(6):
        value, slope = jax.value_and_grad(valley)(x)
        updates, state = optimizer.update(slope, state, x, value=value, grad=slope, value_fn=valley)
        x = optax.apply_updates(x, updates)
    jax.effects_barrier()
    assert state.evaluations > 6
    assert calls == 6 + state.evaluations


def test_prices_are_those_of_the_products_that_each_needs(few: Dataset):
    """Nearly all the work is with the pixels: one product forward, one back, and for H v one more of the vector."""
    found = prices(jax.vmap(jaxnet.init)(jax.random.split(jax.random.key(0), 2)), few)
    assert found.value == pytest.approx(1 / 2, rel=0.05)
    assert found.product == pytest.approx(3 / 2, rel=0.1)


@pytest.mark.parametrize("rule", ["momentum", "newton", pytest.param("lbfgs", marks=pytest.mark.long)])
def test_every_network_is_what_it_would_be_alone_with_its_own_choice(few: Dataset, rule: str):
    tried = trials(RULES[rule], 2, np.random.default_rng(3))
    params = jax.vmap(lambda key: jaxnet.init(key, (784, 4, 10)))(jax.random.split(jax.random.key(0), 2))
    arm = Arm(103, rule, (), 6)
    with jax.numpy_dtype_promotion("standard"):
        way = contest.descend(arm, tried, params, few, few, jax.random.key(1), Prices(0.5, 1.5))
        for index, (choice, network) in enumerate(itertools.product(tried, (0, 1))):
            one = jax.tree.map(lambda leaf, network=network: leaf[network], params)
            optimizer = RULES[rule].make(*choice)
            state = jaxnet.State(one, optimizer.init(one))
            take = jax.jit(functools.partial(jaxnet.step, optimizer=optimizer))
            for _ in range(6):
                state, _ = take(state, jnp.asarray(few.images), jaxnet.one_hot(few.labels))
            expected = jaxnet.cost(state.params, few.images, jaxnet.one_hot(few.labels))
            np.testing.assert_allclose(way["train_cost"][-1, index], expected, rtol=2e-3)
            asked = int(RULES[rule].asked(state))
            passes = {"momentum": 6, "newton": 12 + asked, "lbfgs": 1 + asked}[rule]
            examples = {"momentum": 6.0, "newton": 9 + 1.5 * asked, "lbfgs": 1.0 + asked}[rule]
            assert way["passes"][-1, index] == passes
            assert way["examples"][-1, index] == pytest.approx(103 * examples)


def test_an_arm_is_written_as_it_is_read():
    for text in ("full:sgd:5:440", "10:adam:0.002,0.9:3", "100:nesterov:0.5:2"):
        (arm, *_) = parse_arms((text, "7:1:1"), 1_000)
        assert written(arm, 1_000) == text
    assert parse_arms(("full:5:440", "10:1:1"), 100)[0] == Arm(100, "sgd", (5.0,), 440)
    assert named(Arm(100, "sgd", (5.0,), 440), 100) == "full batch, rate 5"
    assert named(Arm(10, "nesterov", (0.5, 0.9), 1), 100) == "batches of 10, nesterov, rate 0.5, momentum 0.9"
