"""Distortions against SciPy, closed forms, and what a network learns from them."""

import functools
import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.ndimage

import jaxnet
from jaxnet import distortions

KEY = jax.random.key(0)
SIDE = 28


@pytest.fixture(scope="module")
def picture(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]) -> np.ndarray:
    return np.asarray(mnist[0].images[7]).reshape(SIDE, SIDE)


@pytest.mark.parametrize(("alpha", "sigma"), [(34.0, 4.0), (8.0, 1.0), (36.0, 6.0)])
def test_the_elastic_wobble_is_the_gaussian_filter_of_scipy(alpha: float, sigma: float):
    noise = np.asarray(distortions.noise(KEY, (2, SIDE, SIDE)), float)
    smooth = [scipy.ndimage.gaussian_filter(each, sigma, mode="constant", radius=SIDE) for each in noise]
    ours = distortions.elastic(KEY, SIDE, alpha=alpha, sigma=sigma)
    np.testing.assert_allclose(ours, alpha * np.array(smooth), atol=2e-5 * alpha / sigma)


def test_noise_is_uniform_and_each_number_its_own():
    found = np.asarray(distortions.noise(KEY, (100, 1_001)), float)  # not a multiple of four
    assert found.min() == -1
    assert found.max() == 1
    counts = np.bincount(np.rint((found + 1) * 127.5).astype(int).ravel(), minlength=256)
    expected = found.size / 256
    assert np.sum((counts - expected) ** 2 / expected) < 255 + 5 * np.sqrt(2 * 255)  # chi squared
    for step in (1, 2, 3, 4):
        assert abs(np.corrcoef(found[:, :-step].ravel(), found[:, step:].ravel())[0, 1]) < 5 / np.sqrt(found.size)


def test_the_elastic_wobble_is_as_strong_as_its_formula():
    keys = jax.random.split(KEY, 2_000)
    fields = jax.vmap(lambda key: distortions.elastic(key, 49, alpha=34.0, sigma=4.0))(keys)
    middle = np.asarray(fields[:, :, 24, 24])  # where no edge of the picture is near
    foretold = 34 / (2 * 4 * np.sqrt(3 * np.pi))
    assert abs(middle.std() / foretold - 1) < 4 / np.sqrt(2 * middle.size)
    assert abs(middle.mean()) < 4 * foretold / np.sqrt(middle.size)


@pytest.fixture(params=["cpu", "tpu"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`warp` computes as it does on that one."""

    def chosen(*arguments: jax.Array, **ways: Callable[..., jax.Array]) -> jax.Array:
        return ways.get(request.param, ways["default"])(*arguments)

    monkeypatch.setattr(jax.lax, "platform_dependent", chosen)


@pytest.mark.usefixtures("platform")
def test_warp_is_the_bilinear_interpolation_of_scipy():
    """Of a picture that is bright up to its border, from points half a pixel outside of it and far away, too."""
    bright = np.random.default_rng(0).uniform(0.5, 1.0, (SIDE, SIDE)).astype(np.float32)
    displacement = distortions.elastic(KEY, SIDE, alpha=60.0, sigma=3.0)
    there = np.indices((SIDE, SIDE)) + np.asarray(displacement, float)
    outside = (there < 0) | (there > SIDE - 1)
    assert (outside & (there > -1) & (there < SIDE)).any()
    expected = scipy.ndimage.map_coordinates(bright.astype(float), there, order=1, mode="grid-constant")
    np.testing.assert_allclose(distortions.warp(jnp.asarray(bright), displacement), expected, atol=1e-5)


@pytest.mark.usefixtures("platform")
def test_whole_pixels_are_moved_exactly(picture: np.ndarray):
    displacement = jnp.broadcast_to(jnp.array([2.0, -3.0])[:, None, None], (2, SIDE, SIDE))
    moved = np.asarray(distortions.warp(jnp.asarray(picture), displacement))
    np.testing.assert_array_equal(moved[:-2, 3:], picture[2:, :-3])
    assert not moved[-2:].any()
    assert not moved[:, :3].any()


def points() -> np.ndarray:
    return np.indices((SIDE, SIDE)).reshape(2, -1) - (SIDE - 1) / 2


def linear_part(displacement: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """M and t of the affine map that the field is, by least squares."""
    p = points()
    moved = p + np.asarray(displacement, float).reshape(2, -1)
    found, rest, *_ = np.linalg.lstsq(np.vstack([p, np.ones(p.shape[1])]).T, moved.T, rcond=None)
    assert rest.max() < 1e-6
    return found[:2].T, found[2]


def drawn(**bounds: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [linear_part(distortions.affine(key, SIDE, **bounds)) for key in jax.random.split(KEY, 30)]


def test_a_shift_moves_all_alike():
    shifts = []
    for m, t in drawn(shift=2.0):
        np.testing.assert_allclose(m, np.eye(2), atol=1e-6)
        shifts.append(t)
    assert np.abs(shifts).max() <= 2 + 1e-5
    assert np.ptp(shifts, axis=0).min() > 2


def test_a_rotation_keeps_lengths_and_turns_within_its_bound():
    angles = []
    for m, t in drawn(rotation=15.0):
        np.testing.assert_allclose(m @ m.T, np.eye(2), atol=1e-5)
        np.testing.assert_allclose(t, 0, atol=1e-5)
        angles.append(np.degrees(np.arctan2(m[1, 0], m[0, 0])))
    assert np.abs(angles).max() <= 15 + 1e-3
    assert np.ptp(angles) > 15


def test_a_scale_stretches_each_direction_on_its_own():
    stretches = []
    for m, _ in drawn(scale=0.2):
        np.testing.assert_allclose(m - np.diag(np.diag(m)), 0, atol=1e-6)
        stretches.append(np.diag(m))
    assert np.abs(np.array(stretches) - 1).max() <= 0.2 + 1e-5
    assert np.abs(np.diff(stretches)).max() > 0.1


def test_a_shear_moves_columns_by_the_row_and_keeps_the_area():
    slants = []
    for m, _ in drawn(shear=0.3):
        np.testing.assert_allclose(np.diag(m), 1, atol=1e-6)
        assert abs(m[0, 1]) < 1e-6
        assert np.linalg.det(m) == pytest.approx(1, abs=1e-5)
        slants.append(m[1, 0])
    assert np.abs(slants).max() <= 0.3 + 1e-5
    assert np.ptp(slants) > 0.3


def test_the_slant_comes_first_then_the_stretch_then_the_rotation():
    """M = R(angle) diag(s_1, s_2) [[1, 0], [k, 1]] taken apart; in another order its parts are out of bounds."""
    found = []
    for m, _ in drawn(rotation=30.0, scale=0.5, shear=0.5):
        s_2 = np.linalg.norm(m[:, 1])
        sine, cosine = -m[0, 1] / s_2, m[1, 1] / s_2
        k, s_1 = m[:, 0] @ m[:, 1] / s_2**2, m[:, 0] @ [cosine, sine]
        found.append((np.degrees(np.arctan2(sine, cosine)) / 30, (s_1 - 1) / 0.5, (s_2 - 1) / 0.5, k / 0.5))
    assert np.abs(found).max() <= 1 + 1e-4
    assert np.abs(found).max(axis=0).min() > 0.9


def test_no_distortion_is_the_image_itself(picture: np.ndarray):
    np.testing.assert_array_equal(jaxnet.distort(KEY, picture.ravel()), picture.ravel())


def test_same_key_same_bits_and_many_at_once_as_one_by_one(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    both = functools.partial(jaxnet.distort, rotation=15.0, scale=0.15, shift=1.0, shear=0.1, alpha=34.0)
    keys, images = jax.random.split(KEY, 5), jnp.asarray(mnist[0].images[:5])
    together = jax.vmap(both)(keys, images)
    for key, image, distorted in zip(keys, images, together, strict=True):
        np.testing.assert_allclose(both(key, image), distorted, atol=1e-5)
        np.testing.assert_array_equal(both(key, image), both(key, image))
        assert float(distorted.min()) >= 0
        assert float(distorted.max()) <= 1
        assert not np.allclose(distorted, image, atol=0.1)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"alpha": -1.0}, "alpha is -1.0; it must be a finite number, zero or more"),
        ({"alpha": 34.0, "sigma": 0.0}, "sigma is 0.0; a Gaussian's standard deviation is a finite number of pixels"),
        ({"sigma": float("nan")}, "sigma is nan; a Gaussian's standard deviation"),
        ({"rotation": float("nan")}, "rotation is nan; it must be a finite number, zero or more"),
        ({"shift": float("inf")}, "shift is inf; it must be a finite number"),
        ({"scale": 1.0}, "scale is 1.0; at one and above nothing would be left of the picture"),
    ],
)
def test_bounds_are_checked(choices: dict[str, float], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        jaxnet.distort(KEY, jnp.zeros(784), **choices)


def test_only_squares_are_distorted():
    with pytest.raises(ValueError, match="image has 3072 pixels; only a square picture of one colour"):
        jaxnet.distort(KEY, jnp.zeros(3_072), alpha=34.0)


# One linear neuron: its step is -rate delta x for the weights and -rate delta for the bias, so that the quotient of the
# two is the very image it has learnt from.
LINEAR = jaxnet.Activation(lambda z: z)


def seen(epochs: int, choose: int = 0) -> jax.Array:
    """The image that the last of so many epochs has learnt from."""
    data = jaxnet.Dataset(np.full((1, 4), 0.5, np.float32), np.zeros(1, np.int32))
    start = (jaxnet.Layer(jnp.full((1, 4), 0.3), jnp.zeros(1), LINEAR),)

    def noisy(key: jax.Array, image: jax.Array) -> jax.Array:
        return image * jax.random.uniform(key, image.shape)

    def params(epochs: int) -> jaxnet.Params:
        if epochs == 0:
            return start
        run = functools.partial(
            jaxnet.train, jax.random.key(choose), start, data, optax.sgd(0.01), batch_size=1, distort=noisy
        )
        return run(epochs=epochs)[0]

    (before,), (after,) = params(epochs - 1), params(epochs)
    return (after.weights - before.weights)[0] / (after.biases - before.biases)


def test_every_epoch_learns_from_images_distorted_anew():
    first, second, other_key = seen(1), seen(2), seen(1, choose=1)
    for image in (first, second, other_key):
        assert image.min() > -1e-3
        assert image.max() < 0.5 + 1e-3
    assert np.abs(first - second).max() > 0.02
    assert np.abs(first - other_key).max() > 0.02
    np.testing.assert_array_equal(first, seen(1))


def test_every_image_is_distorted_on_its_own():
    """Alike before, they then vary as the distortion does: uniform from 0 to 1, of variance 1/12."""
    n = 500
    data = jaxnet.Dataset(np.full((n, 1), 0.5, np.float32), np.zeros(n, np.int32))
    start = (jaxnet.Layer(jnp.zeros((1, 1)), jnp.zeros(1), LINEAR),)

    def variance(params: jaxnet.Params, images: jax.Array, _targets: jax.Array) -> jaxnet.Params:
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.var(images)), params)

    ((_, (found,), _),), _ = jaxnet.train(
        KEY, start, data, optax.sgd(1.0), batch_size=n, epochs=1, gradient=variance,
        distort=lambda key, image: jax.random.uniform(key, image.shape),
    )  # fmt: skip
    assert -float(found) == pytest.approx(1 / 12, rel=0.15)


def test_the_history_is_of_the_images_as_they_are(few: jaxnet.Dataset):
    params = jaxnet.init(KEY)

    def black(_key: jax.Array, image: jax.Array) -> jax.Array:
        return 0 * image

    run = functools.partial(jaxnet.train, KEY, params, optimizer=optax.sgd(0.5), batch_size=10, epochs=2, test=few)
    distorted, history = run(dataset=few, distort=black)
    plain, _ = run(dataset=jaxnet.Dataset(np.zeros_like(few.images), few.labels))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), distorted, plain)
    assert history.train_cost[-1] == pytest.approx(
        float(jaxnet.cost(distorted, few.images, jaxnet.one_hot(few.labels)))
    )


@pytest.mark.long
def test_a_population_sees_the_distortions_that_one_network_sees(few: jaxnet.Dataset):
    wobble = functools.partial(jaxnet.distort, alpha=34.0, rotation=10.0)
    stacked = jax.vmap(jaxnet.init)(jax.random.split(KEY, 2))
    choices = {"batch_size": 10, "epochs": 2, "distort": wobble, "chunk_size": 40}
    many, _ = jaxnet.train(KEY, stacked, few, optax.sgd, rates=[0.5, 1.0], **choices)
    one = jax.tree.map(lambda leaf: leaf[1], stacked)
    alone, _ = jaxnet.train(KEY, one, few, optax.sgd(1.0), **choices)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, atol=1e-5), many, alone)


class CutError(Exception):
    """The run ends here, as if it had been killed."""


def cut_after(epochs: float) -> Callable[[jaxnet.History], None]:
    def cut(history: jaxnet.History) -> None:
        if history.epochs[-1] >= epochs:
            raise CutError

    return cut


@pytest.mark.long
def test_a_resumed_run_goes_on_with_the_same_distortions(few: jaxnet.Dataset, tmp_path: Path):
    """From the middle of an epoch, whose distortions are then made again."""
    wobble = functools.partial(jaxnet.distort, alpha=34.0)
    run = functools.partial(
        jaxnet.train, KEY, jaxnet.init(KEY), few, optax.sgd(0.5), batch_size=10, epochs=3, evaluate_every=4
    )
    whole, history = run(distort=wobble)
    middle = next(epochs for epochs in history.epochs if epochs > 1)
    assert middle < 2
    with pytest.raises(CutError):
        run(distort=wobble, progress=cut_after(2), checkpoints=jaxnet.Checkpoints(tmp_path, epochs=float(middle)))
    on = jaxnet.Checkpoints(tmp_path, resume=True)
    for other in (None, functools.partial(jaxnet.distort, alpha=30.0), lambda _key, image: image):
        with pytest.raises(ValueError, match="is of a run with distort distort\\(alpha=34.0\\); this one has"):
            run(distort=other, checkpoints=on)
    told: list[jaxnet.History] = []
    resumed, _ = run(distort=wobble, checkpoints=on, progress=told.append)
    assert 1 < told[0].epochs[-1] < 2
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)
