import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet import landscape
from tests.test_backprop import example, flat


def test_points_on_a_plane():
    keys = jax.random.split(jax.random.key(0), 3)
    plane = landscape.Plane(*(jaxnet.init(key, (3, 2)) for key in keys))
    found = landscape.on_plane(plane, jnp.array([2.0, -0.5]))
    np.testing.assert_allclose(flat(found), flat(plane.origin) + 2 * flat(plane.u) - 0.5 * flat(plane.v), rtol=1e-6)


def test_a_random_direction_moves_every_neuron_as_far_as_its_weights_are_long():
    params = jaxnet.init(jax.random.key(0), (20, 7, 3))
    direction = landscape.random_direction(jax.random.key(1), params)
    for (w, b, _), (dw, db, _) in zip(params, direction, strict=True):
        lengths = np.linalg.norm(np.c_[w, b], axis=1)
        np.testing.assert_allclose(np.linalg.norm(np.c_[dw, db], axis=1), lengths, rtol=1e-5)
    other = landscape.random_direction(jax.random.key(2), params)
    assert abs(float(landscape.cosine(direction, other))) < 0.5


def test_the_pca_plane_of_a_trajectory_equals_the_eigenvectors_of_its_covariance():
    with jax.enable_x64(True):
        trajectory = jax.vmap(lambda key: jaxnet.init(key, (4, 3, 2)))(jax.random.split(jax.random.key(0), 9))
        points = np.concatenate([np.asarray(leaf).reshape(9, -1) for leaf in jax.tree.leaves(trajectory)], axis=1)
        eigenvalues, eigenvectors = np.linalg.eigh(np.cov(points.T))
        found = landscape.pca_plane(trajectory)
        np.testing.assert_allclose(found.explained, eigenvalues[:-3:-1] / eigenvalues.sum(), rtol=1e-10)
        np.testing.assert_allclose(flat(found.plane.origin), points.mean(axis=0), atol=1e-12)
        for direction, expected in zip((found.plane.u, found.plane.v), eigenvectors.T[:-3:-1], strict=True):
            assert abs(flat(direction) @ expected) == pytest.approx(1, abs=1e-10)
        # Seen from above, each point lies where the plane's coordinates say; what is left is at right angles.
        back = jax.vmap(lambda point: landscape.on_plane(found.plane, point))(found.coordinates)
        rest = points - np.concatenate([np.asarray(leaf).reshape(9, -1) for leaf in jax.tree.leaves(back)], axis=1)
        np.testing.assert_allclose(rest @ flat(found.plane.u), 0, atol=1e-10)


def test_a_trajectory_of_fewer_than_three_points_has_no_plane_and_of_one_no_length():
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), jaxnet.init(jax.random.key(0), (2, 1)))
    with pytest.raises(ValueError, match="trajectory has 2 points; it needs at least 3"):
        landscape.pca_plane(two)
    assert float(landscape.distances(two).length) == 0
    assert np.isnan(landscape.pca_plane(jax.tree.map(lambda leaf: jnp.repeat(leaf, 2, axis=0), two)).explained).all()
    with pytest.raises(ValueError, match="trajectory has 1 points; it needs at least 2"):
        landscape.distances(jax.tree.map(lambda leaf: leaf[:1], two))


def test_the_length_measured_on_the_way_is_that_of_the_trajectory():
    images, targets = jax.random.uniform(jax.random.key(0), (20, 4)), jnp.eye(3)[jnp.arange(20) % 3]
    optimizer = optax.chain(optax.sgd(0.5, momentum=0.9), landscape.measure_length())
    _, (trajectory, lengths) = jaxnet.descend(
        jax.random.key(1), jaxnet.init(jax.random.key(2), (4, 3, 3)), images, targets, optimizer,
        batch_size=5, steps=12, every=1,
        look=lambda state: (state.params, optax.tree.get(state.optimizer_state, "length")),
    )  # fmt: skip
    points = np.concatenate([np.asarray(leaf, float).reshape(13, -1) for leaf in jax.tree.leaves(trajectory)], axis=1)
    along = np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))
    np.testing.assert_allclose(lengths, [0, *along], rtol=1e-5)


def test_the_distances_and_the_angle_of_trees_equal_numpy():
    trajectory = jax.vmap(lambda key: jaxnet.init(key, (4, 3, 2)))(jax.random.split(jax.random.key(0), 5))
    points = np.concatenate([np.asarray(leaf, float).reshape(5, -1) for leaf in jax.tree.leaves(trajectory)], axis=1)
    found = landscape.distances(trajectory)
    assert float(found.length) == pytest.approx(np.linalg.norm(np.diff(points, axis=0), axis=1).sum(), rel=1e-6)
    assert float(found.displacement) == pytest.approx(np.linalg.norm(points[-1] - points[0]), rel=1e-6)
    one, other = jax.tree.map(lambda leaf: leaf[0], trajectory), jax.tree.map(lambda leaf: leaf[1], trajectory)
    expected = points[0] @ points[1] / np.linalg.norm(points[0]) / np.linalg.norm(points[1])
    assert float(landscape.cosine(one, other)) == pytest.approx(expected, abs=1e-6)


def difference(params: jax.Array, image: jax.Array, _: jax.Array) -> jax.Array:
    """The gradient of |params - image|^2 / 2: as noisy as the images are."""
    return params - image


def test_the_noise_scale_of_known_gaussians_lies_within_its_confidence_interval_as_often_as_it_should():
    """Examples x ~ normal(0, Sigma) and gradients p - x: tr(Sigma) / |p|^2 exactly."""
    with jax.enable_x64(True):
        deviations, point = jnp.array([3.0, 1.0, 0.5, 2.0]), jnp.array([0.6, -0.3, 0.2, 0.1])
        exact = float(jnp.sum(deviations**2) / jnp.sum(point**2))

        def draw(key: jax.Array) -> landscape.Noise:
            images = jax.random.normal(key, (2_000, 4)) @ jnp.diag(deviations)
            return landscape.noise_scale(point, images, jnp.zeros((2_000, 1)), gradient=difference, at_once=300)

        found = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 200))
        inside = np.abs(np.asarray(found.scale) - exact) < 1.96 * np.asarray(found.standard_error)
        assert 0.9 <= inside.mean() <= 0.99
        squared = np.asarray(found.squared_length)  # unbiased, though |mean|^2 itself is 2 % too long here
        assert abs(squared.mean() - float(jnp.sum(point**2))) < 4 * squared.std() / np.sqrt(200)
        np.testing.assert_allclose(np.mean(found.trace), jnp.sum(deviations**2), rtol=5e-3)


def test_the_jackknife_equals_leaving_one_example_out_after_the_other():
    with jax.enable_x64(True):
        images = np.random.default_rng(0).normal(size=(11, 3)) + 2
        point = np.zeros(3)

        def estimate(g: np.ndarray) -> float:
            trace = np.trace(np.cov(g.T))
            return trace / (g.mean(axis=0) @ g.mean(axis=0) - trace / len(g))

        found = landscape.noise_scale(jnp.asarray(point), images, np.zeros((11, 1)), gradient=difference, at_once=4)
        without = np.array([estimate(np.delete(-images, i, axis=0)) for i in range(11)])
        assert float(found.scale) == pytest.approx(estimate(-images), rel=1e-12)
        assert float(found.standard_error) == pytest.approx(
            np.sqrt(10 / 11 * np.sum((without - without.mean()) ** 2)), rel=1e-9
        )


@pytest.mark.long
def test_the_noise_of_the_network_equals_numpy_and_foretells_how_long_the_gradient_of_a_batch_is():
    with jax.enable_x64(True):
        params, images, targets = example(0, (9, 6, 4), n=600)
        each = jax.vmap(jaxnet.backprop, in_axes=(None, 0, 0))(params, images, targets)
        g = np.concatenate([np.asarray(leaf).reshape(600, -1) for leaf in jax.tree.leaves(each)], axis=1)
        found = landscape.noise_scale(params, images, targets)
        assert float(found.trace) == pytest.approx(g.var(axis=0, ddof=1).sum(), rel=1e-10)
        np.testing.assert_allclose(flat(found.mean), g.mean(axis=0), atol=1e-14)
        full = g.mean(axis=0)
        batches = g[np.random.default_rng(0).integers(600, size=(2_000, 10))].mean(axis=1)
        lengths = np.sum(batches**2, axis=1)
        expected = full @ full + float(found.trace) / 10
        assert abs(lengths.mean() - expected) < 4 * lengths.std() / np.sqrt(2_000)


def test_where_the_gradient_cannot_be_told_from_none_the_scale_is_infinite():
    balanced = jnp.array([[1.0], [-1.0], [1.0], [-1.0]])
    found = landscape.noise_scale(jnp.zeros(1), balanced, jnp.zeros((4, 1)), gradient=difference)
    assert float(found.scale) == float("inf")
    assert float(found.standard_error) == float("inf")
    with pytest.raises(ValueError, match="images has 2 examples; the noise of a gradient needs at least 3"):
        landscape.noise_scale(jnp.zeros(1), balanced[:2], jnp.zeros((2, 1)), gradient=difference)


def test_as_many_examples_as_mnist_has_do_not_overflow():
    images = jnp.ones((60_000, 1)) * jnp.where(jnp.arange(60_000) % 2 == 0, 3.0, 1.0)[:, None]
    found = landscape.noise_scale(jnp.zeros(1), images, jnp.zeros((60_000, 1)), gradient=difference, at_once=10_000)
    assert float(found.scale) == pytest.approx(1 / 4, rel=1e-3)
