from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import jaxnet
from jaxnet import calculus
from jaxnet.memory import TooLarge


def bowl(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A symmetric matrix A and a vector b with known eigenvalues, for f(x) = x A x / 2 + b x: A is its Hessian."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    eigenvalues = rng.normal(size=n) * 3
    return q @ np.diag(eigenvalues) @ q.T, rng.normal(size=n), np.sort(eigenvalues)


@pytest.mark.long
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1_000_000), st.integers(1, 12))
def test_on_any_quadratic_bowl_everything_equals_its_closed_form(seed: int, n: int):
    check_a_bowl(seed, n)


def test_on_a_quadratic_bowl_everything_equals_its_closed_form():
    check_a_bowl(seed=0, n=4)


def check_a_bowl(seed: int, n: int) -> None:
    with jax.enable_x64(True):
        a, b, eigenvalues = bowl(seed, n)
        x, v = np.random.default_rng(seed + 1).normal(size=(2, n))

        def f(x: jax.Array) -> jax.Array:
            return x @ (a @ x) / 2 + b @ x

        point, direction = jnp.asarray(x), jnp.asarray(v)
        np.testing.assert_allclose(calculus.gradient(f, point), a @ x + b, atol=1e-10)
        np.testing.assert_allclose(calculus.partial_derivative(f, point, n - 1), (a @ x + b)[-1], atol=1e-10)
        np.testing.assert_allclose(calculus.directional_derivative(f, point, direction), (a @ x + b) @ v, atol=1e-10)
        np.testing.assert_allclose(calculus.hessian_vector_product(f, point, direction), a @ v, atol=1e-10)
        found = calculus.sharpness(f, point, jax.random.key(seed))
        np.testing.assert_allclose(found.value, eigenvalues[-1], atol=1e-10)
        np.testing.assert_allclose(a @ found.direction, eigenvalues[-1] * found.direction, atol=1e-9)
        assert np.linalg.norm(found.direction) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("hessian", "expected"),
    [
        (np.zeros((4, 4)), 0),
        (1e6 * np.eye(8), 1e6),  # every direction is an eigenvector: the iteration is exhausted at once
        (-np.eye(3), -1),
        (np.diag([1.0, 0, 0, 0]), 1),
        (np.diag([1.0, 1, 5, 5, -20]), 5),
        (4 * np.eye(1), 4),
        (np.diag([3.0] + [-7.0] * 99), 3),
    ],
)
def test_sharpness_of_flat_round_and_saddle_shaped_functions(hessian: np.ndarray, expected: float):
    with jax.enable_x64(True):
        point = jnp.ones(len(hessian))
        found = calculus.sharpness(lambda x: x @ (hessian @ x) / 2, point, jax.random.key(0))
        assert float(found.value) == pytest.approx(expected, rel=1e-10, abs=1e-12)
        assert float(found.error) < 1e-9 * max(1, abs(expected))


def test_the_error_of_a_sharpness_that_has_not_converged_bounds_its_distance_to_an_eigenvalue():
    with jax.enable_x64(True):
        eigenvalues = np.linspace(0, 1, 300)
        errors = []
        for iterations in (3, 10, 40):
            found = calculus.sharpness(
                lambda x: x @ (eigenvalues * x) / 2, jnp.ones(300), jax.random.key(1), iterations=iterations
            )
            assert np.abs(eigenvalues - float(found.value)).min() <= float(found.error) + 1e-12
            errors.append(1 - float(found.value))
        assert errors[0] > errors[1] > errors[2] >= 0


@pytest.mark.long
def test_the_network_is_a_function_of_many_variables_too(few: jaxnet.Dataset):
    with jax.enable_x64(True):
        key = jax.random.key(0)
        params = jaxnet.init(key, (784, 3, 10))
        images, targets = jnp.asarray(few.images, float), jaxnet.one_hot(few.labels).astype(float)

        def f(params: jaxnet.Params) -> jax.Array:
            return jaxnet.cost(params, images, targets)

        gradient, flat = calculus.gradient(f, params), ravel_pytree(params)[0]
        by_hand = jaxnet.average_gradient(params, images, targets)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), gradient, by_hand)
        last = flat.size - 1
        assert float(calculus.partial_derivative(f, params, last)) == pytest.approx(float(gradient[-1].biases[-1]))
        weight = 784 * 1 + 400  # neuron 1, pixel 400
        assert float(calculus.partial_derivative(f, params, weight)) == pytest.approx(
            float(gradient[0].weights[1, 400])
        )

        direction = jaxnet.init(jax.random.key(1), (784, 3, 10))
        h = 1e-5
        ahead = jax.tree.map(lambda p, d: p + h * d, params, direction)
        behind = jax.tree.map(lambda p, d: p - h * d, params, direction)
        slope = (f(ahead) - f(behind)) / (2 * h)
        assert float(calculus.directional_derivative(f, params, direction)) == pytest.approx(float(slope), rel=1e-7)
        change = jax.tree.map(lambda a, b: (a - b) / (2 * h), calculus.gradient(f, ahead), calculus.gradient(f, behind))
        product = calculus.hessian_vector_product(f, params, direction)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8), product, change)


@pytest.mark.long
def test_the_sharpness_of_a_network_equals_the_largest_eigenvalue_of_its_dense_hessian():
    with jax.enable_x64(True):
        params = jaxnet.init(jax.random.key(0), (5, 4, 3))
        images = jax.random.uniform(jax.random.key(1), (20, 5))
        targets = jax.nn.one_hot(jnp.arange(20) % 3, 3)
        flat, unravel = ravel_pytree(params)

        def f(params: jaxnet.Params) -> jax.Array:
            return jaxnet.cost(params, images, targets)

        dense = jax.hessian(lambda flat: f(unravel(flat)))(flat)
        found = calculus.sharpness(f, params, jax.random.key(2), iterations=len(flat))
        assert float(found.value) == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-10)
        some = jax.jit(jax.vmap(lambda key: calculus.sharpness(f, params, key, iterations=15).value))
        np.testing.assert_allclose(some(jax.random.split(jax.random.key(3), 2)), found.value, rtol=1e-3)


def test_a_gradient_field_has_rows_of_y_and_columns_of_x():
    with jax.enable_x64(True):
        xs, ys = jnp.linspace(-1, 1, 5), jnp.linspace(0, 2, 7)
        field = calculus.gradient_field(lambda p: p[0] ** 3 * p[1] + p[1] ** 2, xs, ys, at_once=4)
        x, y = np.meshgrid(xs, ys)
        np.testing.assert_allclose(field.values, x**3 * y + y**2, atol=1e-14)
        np.testing.assert_allclose(field.gradients, np.stack([3 * x**2 * y, x**3 + 2 * y], axis=-1), atol=1e-14)


def test_a_grid_that_does_not_fit_into_memory_is_refused_with_the_figure():
    xs = jnp.linspace(0, 1, 1_000_000)
    with pytest.raises(
        TooLarge, match=r"a grid of 1,000,000 by 1,000,000 points needs 72,000.0 GB of memory; there are .* GB"
    ):
        calculus.gradient_field(lambda p: p[0], xs, xs)


def test_wrong_input_is_named():
    def f(x: jax.Array) -> jax.Array:
        return jnp.sum(x**2)

    point = jnp.ones(3)
    with pytest.raises(IndexError, match="index is 3; this point has 3 variables, numbered 0 to 2"):
        calculus.partial_derivative(f, point, 3)
    with pytest.raises(IndexError, match="index is -1"):
        calculus.partial_derivative(f, point, -1)
    vector = r"the function returns an array of shape \(3,\); a derivative needs one number"
    for attempt in (
        lambda f: calculus.gradient(f, point),
        lambda f: calculus.partial_derivative(f, point, 0),
        lambda f: calculus.directional_derivative(f, point, point),
        lambda f: calculus.hessian_vector_product(f, point, point),
        lambda f: calculus.sharpness(f, point, jax.random.key(0)),
    ):
        with pytest.raises(ValueError, match=vector):
            attempt(lambda x: x)
    pair: Any = lambda x: (x, x)  # noqa: E731
    with pytest.raises(ValueError, match="the function returns PyTreeDef"):
        calculus.gradient(pair, point)
    with pytest.raises(ValueError, match=r"direction has shape \(2,\); it must have the shape of point, \(3,\)"):
        calculus.directional_derivative(f, point, jnp.ones(2))
    with pytest.raises(ValueError, match="vector has shape"):
        calculus.hessian_vector_product(f, point, (point,))
    with pytest.raises(ValueError, match="iterations is 0"):
        calculus.sharpness(f, point, jax.random.key(0), iterations=0)
    with pytest.raises(ValueError, match="point has numbers of int32; expected floating-point"):
        calculus.gradient(f, jnp.array([3, 5]))
    with pytest.raises(ValueError, match="direction has numbers of int32; expected floating-point"):
        calculus.directional_derivative(f, point, jnp.array([1, 0, 0]))
    with pytest.raises(ValueError, match="point has no numbers"):
        calculus.sharpness(f, jnp.ones(0), jax.random.key(0))
    with pytest.raises(ValueError, match="the function returns a number of int32"):
        calculus.gradient(lambda x: jnp.argmax(x), point)


def test_a_grid_may_be_of_numpy():
    values = calculus.on_grid(
        lambda point: point[0] + point[1], np.linspace(0, 1, 3, dtype=np.float32), np.zeros(2, "f4")
    )
    np.testing.assert_allclose(values, [[0, 0.5, 1]] * 2)
