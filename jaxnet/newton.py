"""Newton's method on the full batch: a step to the bottom of the bowl that gradient and curvature describe here.

It never makes the Hessian H of all weights and biases: conjugate gradients ask only for products H v, each of which
costs about as much as one and a half gradients.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from jaxnet.calculus import hessian_vector_product
from jaxnet.kinds import check_array, check_bounds, check_whole

_ACCEPTED = 0.15
"""A step is taken if the function falls by more than this share of what the bowl promises; SciPy's eta."""


class NewtonState(NamedTuple):
    """What the next step needs, and what was asked for so far.

    - `radius`: a step is at most so long: as far as the bowl is trusted.
    - `products`: Hessian-vector products so far. Each step asks for one value of the function besides.
    """

    radius: Float[Array, ""]
    products: Int[Array, ""]


class _Search(NamedTuple):
    """Conjugate gradients on their way to the bottom of the bowl."""

    step: Float[Array, " n"]
    residual: Float[Array, " n"]
    direction: Float[Array, " n"]
    products: Int[Array, ""]
    at_edge: Bool[Array, ""]
    done: Bool[Array, ""]


def newton_cg(
    radius: float | Array = 1.0, *, max_radius: float | Array = 1000.0, iterations: int | Array = 50
) -> optax.GradientTransformationExtraArgs:
    """Newton-CG with a trust region, as a transformation of optax that needs `value` and `value_fn`, as `step` passes.

    With gradient g and Hessian H at x, the step p makes the bowl m(p) = g . p + p . H p / 2 small within |p| <= radius:
    by conjugate gradients (Steihaug 1983), at most `iterations` of them, which end at the edge of that ball, where the
    curvature along the way is not positive, or with a residual |g + H p| below min(1/2, sqrt |g|) |g|. Where f falls
    by less than a quarter of m(p), the radius shrinks to a quarter; where by more than three quarters, with p at the
    edge, it doubles, up to `max_radius`; and the step is taken if f falls by at least 0.15 m(p).

    For full batches: the curvature of a few examples is not that of all. Raises ValueError for a radius that is
    negative or not finite, or fewer than one iteration. Nocedal and Wright 2006, algorithms 4.1 and 7.2; the same
    steps as SciPy's `trust-ncg`, but for the limit.

    >>> bowl = lambda x: (x[0] - 1) ** 2 + 10 * (x[1] + 2) ** 2
    >>> optimizer, x = newton_cg(radius=10.0), jnp.zeros(2)
    >>> updates, state = optimizer.update(
    ...     jax.grad(bowl)(x), optimizer.init(x), x, value=bowl(x), value_fn=bowl
    ... )
    >>> int(state.products)
    1
    """
    for name, length in (("radius", radius), ("max_radius", max_radius)):
        if isinstance(length, jax.Array):
            check_array(name, length, jnp.floating, (), "one length")
        else:
            check_bounds(**{name: length})
    if isinstance(iterations, jax.Array):
        check_array("iterations", iterations, jnp.integer, (), "a number of iterations")
    else:
        check_whole(1, iterations=iterations)

    def init(params: Any) -> NewtonState:
        dtype = jax.tree.leaves(params)[0].dtype
        return NewtonState(jnp.asarray(radius, dtype), jnp.zeros((), jnp.int32))

    def update(
        updates: Any, state: Any, params: Any = None, *, value: Any, value_fn: Any, **_: Any
    ) -> tuple[Any, NewtonState]:
        g, unravel = ravel_pytree(updates)

        def hessian_times(v: Float[Array, " n"]) -> Float[Array, " n"]:
            return ravel_pytree(hessian_vector_product(value_fn, params, unravel(v)))[0]

        found = _to_the_bottom(g, hessian_times, state.radius, iterations)
        promised = -_bowl(found, g)
        fallen = value - value_fn(optax.apply_updates(params, unravel(found.step)))
        share = jnp.where(promised > 0, fallen / promised, 0)
        larger = jnp.where((share > 0.75) & found.at_edge, jnp.minimum(2 * state.radius, max_radius), state.radius)
        next_radius = jnp.where((share < 0.25) & (promised > 0), state.radius / 4, larger)
        step = jnp.where(share > _ACCEPTED, found.step, 0)
        return unravel(step), NewtonState(next_radius.astype(g.dtype), state.products + found.products)

    return optax.GradientTransformationExtraArgs(init, update)  # type: ignore (its protocol has no such names)


def _bowl(at: _Search, g: Float[Array, " n"]) -> Float[Array, ""]:
    """m(p) = g . p + p . H p / 2, where the residual is g + H p."""
    return at.step @ (g + at.residual) / 2


def _to_the_bottom(
    g: Float[Array, " n"],
    hessian_times: Callable[[Float[Array, " n"]], Float[Array, " n"]],
    radius: Float[Array, ""],
    iterations: int | Array,
) -> _Search:
    length = jnp.linalg.norm(g)
    near_enough = jnp.minimum(0.5, jnp.sqrt(length)) * length

    def to_edge(at: _Search) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The two t where |p + t d| is the radius, the negative one first."""
        d, p = at.direction, at.step
        a, b, c = d @ d, p @ d, p @ p - radius**2
        root = jnp.sqrt(jnp.maximum(b**2 - a * c, 0))
        return (-b - root) / a, (-b + root) / a

    def one_product_more(at: _Search) -> _Search:
        bent = hessian_times(at.direction)
        curvature, slope = at.direction @ bent, at.residual @ at.direction
        squared = at.residual @ at.residual
        inside = squared / curvature
        backward, forward = to_edge(at)

        def depth(t: Float[Array, ""]) -> Float[Array, ""]:
            return t * slope + t**2 * curvature / 2

        hollow = curvature <= 0  # no bottom this way: to the edge, on the deeper side
        beyond = jnp.linalg.norm(at.step + inside * at.direction) >= radius
        deeper = jnp.where(depth(backward) < depth(forward), backward, forward)
        t = jnp.where(hollow, deeper, jnp.where(beyond, forward, inside))
        residual = at.residual + t * bent
        left = residual @ residual
        at_edge = hollow | beyond
        return _Search(
            at.step + t * at.direction,
            residual,
            -residual + (left / squared) * at.direction,
            at.products + 1,
            at_edge,
            at_edge | (jnp.sqrt(left) < near_enough),
        )

    start = _Search(jnp.zeros_like(g), g, -g, jnp.zeros((), jnp.int32), jnp.asarray(False), length <= 0)
    return jax.lax.while_loop(lambda at: ~at.done & (at.products < iterations), one_product_more, start)
