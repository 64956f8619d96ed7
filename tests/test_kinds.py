import functools
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet
from jaxnet import kinds

PARAMS = jaxnet.init(jax.random.key(0), (3, 4, 2))
FIRST, LAST = PARAMS
ZEROS = np.zeros((5, 3), np.float32)


@pytest.mark.long
def test_wrong_kinds_of_every_argument_of_every_public_function_are_refused_by_name():
    """In a program of its own, since here the shapes and types in the annotations are checked first."""
    command = [sys.executable, "-m", "tests.attacks.kinds", "--every", "4"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-5_000:] + found.stderr[-5_000:]


@pytest.mark.parametrize(
    ("check", "error", "message"),
    [
        (lambda: kinds.check_key(0), TypeError, "key is 0; expected one key of JAX, such as jax.random.key(0)"),
        (
            lambda: kinds.check_key(jax.random.split(jax.random.key(0), 5)),
            ValueError,
            "key has dtype key<fry> and shape (5,); expected one key of JAX, such as jax.random.key(0): jax.vmap takes",
        ),
        (
            lambda: kinds.check_params(FIRST),
            TypeError,
            "params is of type Layer; expected a tuple of layers: jaxnet.in",
        ),
        (lambda: kinds.check_params(()), ValueError, "params has no layers: jaxnet.init makes them"),
        (
            lambda: kinds.check_params((LAST, FIRST)),
            ValueError,
            "params: layer 1 has weights (4, 3) and biases (4,); expected n_out and 2 inputs",
        ),
        (
            lambda: kinds.check_params(PARAMS, axes=1),
            ValueError,
            "params: layer 0 has weights (4, 3) and biases (4,); expected a leading axis of networks, n_out and 3"
            " inputs: jax.vmap(jaxnet.init)(keys) makes such",
        ),
        (
            lambda: kinds.check_params((FIRST._replace(activation=jnp.tanh), LAST)),
            TypeError,
            "params: layer 0 has the activation",
        ),
        (
            lambda: kinds.check_image(PARAMS, ZEROS),
            ValueError,
            "image has dtype float32 and shape (5, 3); expected floating-point numbers of shape (3,): one image for the"
            " 3 inputs of params (jax.vmap takes many), bytes divided by 255",
        ),
        (
            lambda: kinds.check_examples(PARAMS, ZEROS, np.zeros(5, int)),
            ValueError,
            "targets has dtype int64 and shape (5,); expected floating-point numbers of shape (5, 2): a target for each"
            " of the images, for the 2 outputs of params: jaxnet.one_hot(labels, 2)",
        ),
        (
            lambda: kinds.check_labels(PARAMS, ZEROS, ZEROS),
            ValueError,
            "labels has dtype float32 and shape (5, 3); expected integers of shape (5,): a label for each of the"
            " images, the digits themselves, not one-hot targets (targets.argmax(axis=1))",
        ),
        (lambda: kinds.check_images(PARAMS, [[1.0]]), TypeError, "images is of type list; expected floating-point num"),
        (
            lambda: kinds.check_images(PARAMS, ZEROS[:0]),
            ValueError,
            "images is empty; a mean needs at least one exampl",
        ),
        (
            lambda: kinds.check_rows(images=ZEROS, targets=ZEROS[:4]),
            ValueError,
            "there are 5 images but 4 targets; each example needs one of each",
        ),
        (lambda: kinds.check_whole(steps=2.0), TypeError, "steps is 2.0; expected a whole number"),
        (lambda: kinds.check_whole(steps=True), TypeError, "steps is True; expected a whole number"),
        (lambda: kinds.check_whole(1, steps=0), ValueError, "steps is 0; it must be at least 1"),
        (
            lambda: kinds.check_whole(1, 5, batch_size=6),
            ValueError,
            "batch_size is 6; it must be between 1 and 5, the number of examples",
        ),
        (lambda: kinds.check_index(3, "there are layers", layer=3), IndexError, "layer is 3; there are layers 0 to 2"),
        (lambda: kinds.check_index(3, "", layer=1.0), TypeError, "layer is 1.0; expected a whole number"),
        (lambda: kinds.check_bounds(alpha="a"), TypeError, "alpha is 'a'; expected a number, known outside of jit"),
        (lambda: kinds.check_bounds(alpha=-1), ValueError, "alpha is -1; it must be a finite number, zero or more"),
        (lambda: kinds.check_function("z", f=3), TypeError, "f is 3; expected a function of (z)"),
        (
            lambda: kinds.check_function("z, target, output", loss=lambda params: 0.0),
            TypeError,
            "loss is a function of (params); expected a function of (z, target, output)",
        ),
        (
            lambda: kinds.check_cost(jaxnet.squared_error),
            TypeError,
            "cost is a loss, the cost of one example; expected",
        ),
        (
            lambda: kinds.check_optimizer(optax.sgd),
            TypeError,
            "optimizer is the function sgd; expected a transformation",
        ),
        (
            lambda: kinds.check_tree("point", {"a": "b"}),
            TypeError,
            "point has a leaf that is 'b'; expected arrays of fl",
        ),
        (
            lambda: kinds.check_trajectory(PARAMS, least=2),
            ValueError,
            "trajectory: layer 0 has weights (4, 3) and biases (4,); expected a leading axis",
        ),
        (
            lambda: jax.jit(lambda labels: kinds.as_numpy("labels", labels))(jnp.zeros(3)),
            TypeError,
            "labels is an array of float32 and shape (3,), traced by jit, vmap or grad; its values are read, so this",
        ),
    ],
)
def test_a_wrong_kind_is_refused_with_what_came_what_was_expected_and_the_cure(
    check: Callable[[], Any], error: type[Exception], message: str
):
    with pytest.raises(error, match=re.escape(message)):
        check()


def test_what_is_right_is_accepted_whatever_holds_it():
    images, targets = jnp.zeros((5, 3)), jnp.zeros((5, 2))
    for floats in (np.float32, np.float64, jnp.bfloat16):
        kinds.check_examples(PARAMS, np.zeros((5, 3), floats), np.zeros((5, 2), floats))
    for integers in (np.uint8, np.int32, np.int64):
        kinds.check_labels(PARAMS, images, np.zeros(5, integers))
    population = jax.vmap(lambda key: jaxnet.init(key, (3, 4, 2)))(jax.random.split(jax.random.key(0), 7))
    kinds.check_params(population, axes=1)
    kinds.check_params(list(PARAMS))
    kinds.check_key(jax.random.PRNGKey(0))
    kinds.check_whole(1, 5, batch_size=np.int64(5))
    kinds.check_index(3, "there are layers", layer=jnp.array(2))
    kinds.check_bounds(alpha=jnp.float32(0.5), beta=1)
    kinds.check_function("params, images, targets", cost=functools.partial(jaxnet.cost, loss=jaxnet.cross_entropy))
    kinds.check_function("z", relu=jax.nn.relu, sine=jax.jit(jnp.sin), mapped=jax.vmap(jnp.sin), numpy=np.sin)

    @functools.wraps(jaxnet.cost)
    def wrapped(*given: Any) -> Any:
        return given

    kinds.check_function("a", wrapped=wrapped)  # what it wraps takes three
    costs = jax.eval_shape(jax.vmap(jaxnet.cost, in_axes=(0, None, None)), population, images, targets)
    assert costs.shape == (7,)
