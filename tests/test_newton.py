"""Newton-CG against SciPy's, and L-BFGS as `train` runs it against SciPy's, on the same small network in float64."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from scipy import optimize

import jaxnet
from jaxnet import State


@pytest.fixture
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class Problem:
    """A network of 6-4-3 and forty examples, with SciPy's view of it: one long vector."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        images = rng.random((40, 6))
        self.images, self.targets = jnp.asarray(images), jnp.asarray(np.eye(3)[np.argmax(images[:, :3], axis=1)])
        params = jaxnet.init(jax.random.key(0), (6, 4, 3))
        self.params: Any = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        # Without L2 there is no minimum: the weights would grow for ever.
        penalty = jaxnet.l2(0.01)
        self.cost = functools.partial(jaxnet.cost, penalty=penalty)
        self.x0, self.unravel = ravel_pytree(self.params)

    @functools.cached_property
    def f(self) -> Any:
        return jax.jit(lambda x: self.cost(self.unravel(x), self.images, self.targets))

    def by_scipy(self, method: str, **options: Any) -> tuple[Any, list[np.ndarray]]:
        """SciPy's result and the points on its way, the start aside."""
        points: list[np.ndarray] = []
        slope = jax.jit(jax.grad(self.f))
        product = jax.jit(lambda x, v: jax.jvp(jax.grad(self.f), (x,), (v,))[1])
        result = optimize.minimize(
            lambda x: float(self.f(x)),
            np.asarray(self.x0),
            jac=lambda x: np.asarray(slope(x)),
            hessp=(lambda x, v: np.asarray(product(x, v))) if method == "trust-ncg" else None,
            method=method,
            options=options,
            callback=lambda x: points.append(np.array(x)),
        )
        return result, points

    def by_steps(self, optimizer: optax.GradientTransformation, steps: int) -> tuple[list[np.ndarray], list[Any]]:
        """The points on the way and the optimizer's states, the start aside."""
        one = jax.jit(
            lambda state: jaxnet.step(state, self.images, self.targets, optimizer=optimizer, cost=self.cost)[0]
        )
        state, points, states = State(self.params, optimizer.init(self.params)), [], []
        for _ in range(steps):
            state = one(state)
            points.append(np.asarray(ravel_pytree(state.params)[0]))
            states.append(state.optimizer_state)
        return points, states


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("radius", [0.3, 5.0])
def test_newton_cg_takes_the_steps_of_scipys(radius: float):
    problem = Problem()
    result, theirs = problem.by_scipy("trust-ncg", initial_trust_radius=radius, gtol=1e-9)
    assert result.success
    ours, states = problem.by_steps(jaxnet.newton_cg(radius), len(theirs))
    np.testing.assert_allclose(ours[:10], theirs[:10], atol=1e-12)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)  # where many products make one step, rounding grows
    np.testing.assert_allclose(problem.f(ours[-1]), result.fun, rtol=1e-12)
    # SciPy asks for one or two products more a step, to know how deep its bowl is there.
    assert len(theirs) <= int(states[-1].products) <= result.nhev - len(theirs)


@pytest.mark.usefixtures("float64")
def test_l_bfgs_finds_the_minimum_of_scipys_with_about_as_many_evaluations():
    problem = Problem()
    result, _ = problem.by_scipy("L-BFGS-B", maxcor=10, ftol=0, gtol=1e-7)
    with jax.numpy_dtype_promotion("standard"):
        ours, states = problem.by_steps(optax.lbfgs(memory_size=10), 2 * result.nit)
    slopes = [np.max(np.abs(jax.grad(problem.f)(point))) for point in ours]
    there = 1 + int(np.argmax(np.array(slopes) < 1e-7))
    assert slopes[there - 1] < 1e-7
    evaluations = 1 + sum(int(optax.tree.get(state, "num_linesearch_steps")) for state in states[:there])
    assert 0.5 < evaluations / result.nfev < 2
    np.testing.assert_allclose(problem.f(ours[there - 1]), result.fun, rtol=1e-10)
    found, expected = (
        jax.vmap(jaxnet.forward, in_axes=(None, 0))(problem.unravel(jnp.asarray(x)), problem.images)
        for x in (ours[there - 1], result.x)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)  # biases of neurons that no weight uses may be anything


def one_step(optimizer: Any, f: Any, x: jax.Array, state: Any) -> tuple[Any, Any]:
    value, slope = jax.value_and_grad(f)(x)
    return optimizer.update(slope, state, x, value=value, value_fn=f)


@pytest.mark.usefixtures("float64")
def test_on_a_bowl_one_step_ends_at_the_bottom_after_as_many_products_as_there_are_curvatures():
    curvatures, bottom = jnp.array([1.0, 2.0, 5.0, 5.0]), jnp.array([1.0, -2.0, 3.0, 0.5])

    def bowl(x: jax.Array) -> jax.Array:
        return jnp.sum(curvatures * (x - bottom) ** 2) / 2

    optimizer, x = jaxnet.newton_cg(radius=100.0), jnp.zeros(4)
    for _ in range(8):  # the residual shrinks step by step, for it need not be zero at the first
        updates, state = one_step(optimizer, bowl, x, optimizer.init(x))
        assert int(state.products) <= 3
        x = x + updates
    np.testing.assert_allclose(x, bottom, atol=1e-6)


@pytest.mark.usefixtures("float64")
def test_where_the_curvature_is_negative_it_walks_to_the_edge_and_the_edge_moves_on():
    def saddle(x: jax.Array) -> jax.Array:
        return x[0] ** 2 - x[1] ** 2

    x, optimizer = jnp.array([0.0, 0.1]), jaxnet.newton_cg(radius=0.5, max_radius=2.0)
    state: Any = optimizer.init(x)
    for radius in (1.0, 2.0, 2.0):
        length = state.radius
        updates, state = one_step(optimizer, saddle, x, state)
        np.testing.assert_allclose(jnp.linalg.norm(updates), length, rtol=1e-12)
        assert state.radius == radius
        x = x + updates
    assert x[1] > 3


@pytest.mark.usefixtures("float64")
def test_a_step_that_does_not_help_is_not_taken_and_the_next_is_shorter():
    def wall(x: jax.Array) -> jax.Array:
        return jnp.where(x[0] > 1, 100.0, -x[0])  # nothing warns of it

    x, optimizer = jnp.zeros(1), jaxnet.newton_cg(radius=8.0)
    state: Any = optimizer.init(x)
    for taken, radius in ((0.0, 2.0), (0.0, 0.5), (0.5, 1.0)):
        updates, state = one_step(optimizer, wall, x, state)
        assert (float(updates[0]), float(state.radius)) == (taken, radius)


def test_where_the_gradient_is_zero_it_stays():
    x, optimizer = jnp.zeros(2), jaxnet.newton_cg()
    updates, state = one_step(optimizer, lambda x: jnp.sum(x**2), x, optimizer.init(x))
    np.testing.assert_array_equal(updates, [0, 0])
    assert (float(state.radius), int(state.products)) == (1, 0)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"radius": -1.0}, "radius is -1.0; it must be a finite number, zero or more"),
        ({"max_radius": float("inf")}, "max_radius is inf"),
        ({"iterations": 0}, "iterations is 0"),
    ],
)
def test_newton_cg_refuses_wrong_choices(choices: dict, message: str):
    with pytest.raises(ValueError, match=message):
        jaxnet.newton_cg(**choices)
