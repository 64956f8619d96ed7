"""The same digit, as another hand could have written it: distortions, by a key, of one image.

Each is a field of displacements, one for every pixel: small affine maps of the whole picture, or the elastic wobble of
a hand (Simard, Steinkraus and Platt 2003). `train(..., distort=...)` shows every image distorted anew in every epoch.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxnet.kinds import check_array, check_bounds, check_key, check_number, check_whole

Displacement = Float[Array, "2 side side"]
"""For every pixel, how many rows down and columns to the right lies the point whose value it takes."""


def distort(
    key: Key[Array, ""],
    image: Float[Array | np.ndarray, " pixels"],
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
    alpha: float = 0.0,
    sigma: float = 4.0,
) -> Float[Array, " pixels"]:
    """One square image, moved by a random affine map and a random elastic deformation at once.

    `shift` to `shear` are the bounds of `affine`, `alpha` and `sigma` those of `elastic`; zero leaves a part out. The
    choices are numbers, fixed by `functools.partial(distort, rotation=15, alpha=34)`, which `train` then takes. Raises
    ValueError for an image that is not square and for choices out of bounds.

    >>> image = jnp.zeros(784).at[14 * 28 + 14].set(1.0)
    >>> distort(jax.random.key(0), image, rotation=15.0, alpha=34.0).shape
    (784,)
    """
    check_key(key)
    check_array("image", image, jnp.floating, ("pixels",), "one image (jax.vmap takes many), bytes divided by 255")
    side = math.isqrt(len(image))
    if side * side != len(image):
        raise ValueError(f"image has {len(image)} pixels; only a square picture of one colour can be distorted")
    _check_elastic(alpha, sigma)
    affine_key, elastic_key = jax.random.split(key)
    displacement = affine(affine_key, side, shift=shift, rotation=rotation, scale=scale, shear=shear)
    if alpha:
        displacement += elastic(elastic_key, side, alpha=alpha, sigma=sigma)
    return warp(jnp.asarray(image).reshape(side, side), displacement).ravel()


def affine(
    key: Key[Array, ""],
    side: int,
    *,
    shift: float = 0.0,
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
) -> Displacement:
    """A random affine map about the middle of a picture of side x side pixels: M p + t - p for every pixel p.

    M = R(angle) (1 + diag(stretch)) (1 + slant), where slant moves columns by the row. Drawn uniformly between minus
    and plus: the two parts of t within `shift` pixels, the angle within `rotation` degrees, the two stretches within
    the fraction `scale`, the slant within the fraction `shear`. Raises ValueError for bounds that are negative, not
    finite or, of `scale`, one or more.
    """
    check_key(key)
    check_whole(1, side=side)
    check_bounds(shift=shift, rotation=rotation, scale=scale, shear=shear)
    if scale >= 1:
        raise ValueError(f"scale is {scale}; at one and above nothing would be left of the picture")
    bounds = jnp.array([shift, shift, math.radians(rotation), scale, scale, shear])
    draws = jax.random.uniform(key, (6,), minval=-1.0, maxval=1.0)
    t_down, t_right, angle, stretch_down, stretch_right, slant = bounds * draws
    rotate = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    stretch = jnp.array([[1 + stretch_down, 0.0], [0.0, 1 + stretch_right]])
    slanted = jnp.array([[1.0, 0.0], [slant, 1.0]])
    p = jnp.indices((side, side), jnp.float32).reshape(2, -1) - (side - 1) / 2
    moved = rotate @ stretch @ slanted @ p - p
    return moved.reshape(2, side, side) + jnp.stack([t_down, t_right])[:, None, None]


def elastic(key: Key[Array, ""], side: int, *, alpha: float, sigma: float = 4.0) -> Displacement:
    """A random wobble: alpha (g * u), for both directions.

    u is uniform `noise` between -1 and 1 for every pixel, zero outside of the picture, and g a Gaussian of standard
    deviation `sigma` pixels that sums to one. The displacements then have standard deviation
    alpha / (2 sigma sqrt(3 pi)), 1.4 pixels for the paper's alpha 34 and sigma 4. Raises ValueError for a negative
    `alpha` and a `sigma` that is not above zero.

    Simard, Steinkraus and Platt 2003, Best practices for convolutional neural networks.
    """
    check_key(key)
    check_whole(1, side=side)
    _check_elastic(alpha, sigma)
    offsets = np.arange(-side, side + 1)
    g = np.exp(-(offsets**2) / (2 * sigma**2))
    g /= g.sum()
    # Smoothing in one direction is a product with the matrix of g(row - column).
    smooth = jnp.asarray(g[np.subtract.outer(np.arange(side), np.arange(side)) + side], jnp.float32)
    u = noise(key, (2, side, side))
    return alpha * jnp.einsum("ij,djk,lk->dil", smooth, u, smooth)


def warp(picture: Float[Array, "side side"], displacement: Displacement) -> Float[Array, "side side"]:
    """Every pixel takes the value found at its displacement, between pixels by bilinear interpolation.

    Outside of the picture all is zero.

    >>> warp(jnp.eye(2), jnp.array([[[0.0] * 2] * 2, [[0.25] * 2] * 2]))  # from a quarter of a pixel further right
    Array([[0.75, 0.  ],
           [0.25, 0.75]], dtype=float32)
    """
    check_array("picture", picture, jnp.floating, ("side", "side"))
    what = "for every pixel of picture, how far down and to the right"
    check_array("displacement", displacement, jnp.floating, (2, *picture.shape), what)
    from_where = jnp.indices(picture.shape, picture.dtype) + displacement
    # To fetch numbers from here and there is what a TPU does worst, and products what it does best.
    return jax.lax.platform_dependent(picture, from_where, tpu=_by_products, default=_by_fetching)


def _by_fetching(
    picture: Float[Array, "side side"], from_where: Float[Array, "2 side side"]
) -> Float[Array, "side side"]:
    """What the picture has at these points, from the four pixels around each."""
    return jax.scipy.ndimage.map_coordinates(picture, list(from_where), order=1, mode="constant")


def _by_products(
    picture: Float[Array, "side side"], from_where: Float[Array, "2 side side"]
) -> Float[Array, "side side"]:
    """The same as sum_rc h(y - r) picture_rc h(x - c), with h(t) = max(0, 1 - |t|), for each point (y, x)."""
    lines = jnp.arange(len(picture), dtype=picture.dtype)[:, None]
    of_rows, of_columns = (jnp.maximum(0, 1 - jnp.abs(lines - where.ravel()[None])) for where in from_where)
    in_rows = jnp.matmul(picture.T, of_rows, precision=jax.lax.Precision.HIGHEST)
    return jnp.sum(in_rows * of_columns, axis=0).reshape(picture.shape)


def noise(key: Key[Array, ""], shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Uniform between -1 and 1, in 256 steps: four from each random word.

    Words are what takes longest in a distortion; this makes one a third faster. Smoothed, nobody can tell the steps.
    """
    number = math.prod(shape)
    words = jax.random.bits(key, (-(-number // 4),), jnp.uint32)
    bytes_ = jax.lax.bitcast_convert_type(words, jnp.uint8).ravel()[:number]
    return bytes_.astype(jnp.float32).reshape(shape) / 127.5 - 1


def _check_elastic(alpha: float, sigma: float) -> None:
    check_bounds(alpha=alpha)
    check_number("sigma", sigma)
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}; a Gaussian's standard deviation is a finite number of pixels above zero")
