"""Forward, cost, gradient and a step, as the page computes them, against jaxnet."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.explorer import __main__ as explorer
from tests.experiments.commands import main
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import flat, numbers, rows, saved

# Everything of some images, as text, for a list of millions of numbers is slow to hand over.
CALCULATE = """(number) => {
  const { trained, examples, forward, squaredError, backprop, averageGradient, accuracy, cost, step, flat } = explorer;
  const some = examples.slice(0, number);
  const text = (numbers) => {
    const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
    let all = "";
    for (let i = 0; i < bytes.length; i += 30000) all += String.fromCharCode(...bytes.subarray(i, i + 30000));
    return btoa(all);
  };
  const gradient = averageGradient(trained, some);
  return {
    outputs: text(some.flatMap(({ image }) => forward(trained, image))),
    costs: text(some.map(({ image, target }) => squaredError(forward(trained, image), target))),
    gradients: some.map(({ image, target }) => text(flat({ layers: backprop(trained, image, target) }))),
    cost: cost(trained, some),
    accuracy: accuracy(trained, some),
    gradient: text(flat({ layers: gradient })),
    stepped: text(flat(step(trained, gradient, 0.5))),
    next: cost(step(trained, gradient, 0.5), some),
  };
}"""


@jax.jit
def by_jaxnet(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> dict[str, Any]:
    gradient = jax.grad(jaxnet.cost)(params, images, targets)
    stepped = jax.tree.map(lambda leaf, slope: leaf - 0.5 * slope, params, gradient)
    return {
        "outputs": jax.vmap(lambda image: jaxnet.forward(params, image))(images),
        "gradients": jax.vmap(lambda image, target: jaxnet.backprop(params, image, target))(images, targets),
        "gradient": gradient,
        "stepped": stepped,
        "cost": jaxnet.cost(params, images, targets),
        "next": jaxnet.cost(stepped, images, targets),
    }


def assert_agrees_in_double_precision(found: dict[str, Any], params: jaxnet.Params, test: jaxnet.Dataset) -> None:
    """As far as the single precision of `numbers` tells."""
    images, labels = np.asarray(test.images), np.asarray(test.labels)
    targets = np.eye(10)[labels]
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
        exact = jax.device_get(by_jaxnet(double, np.round(255 * images.astype(float)) / 255, targets))
    np.testing.assert_allclose(numbers(found["outputs"]).reshape(-1, 10), exact["outputs"], rtol=1e-6)
    costs = np.sum((exact["outputs"] - targets) ** 2, axis=1)
    np.testing.assert_allclose(numbers(found["costs"]), costs, rtol=1e-6)
    each = np.stack([numbers(one) for one in found["gradients"]])
    np.testing.assert_allclose(each, rows(exact["gradients"]), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(numbers(found["gradient"]), flat(exact["gradient"]), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(numbers(found["stepped"]), flat(exact["stepped"]), rtol=1e-6, atol=1e-12)
    assert found["cost"] == pytest.approx(exact["cost"], rel=1e-9)
    assert found["next"] == pytest.approx(exact["next"], rel=1e-9)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(exact["outputs"], axis=1) == labels))


def some(test: jaxnet.Dataset, number: int) -> jaxnet.Dataset:
    return jaxnet.Dataset(test.images[:number], test.labels[:number])


def test_the_page_of_a_small_network_agrees_with_jaxnet_on_some_images(
    opened: Opened, small: Path, mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]
):
    (file,) = small.parent.glob("*.safetensors")
    params, _ = jaxnet.load_params(file)
    assert_agrees_in_double_precision(opened.ask(CALCULATE, 20), params, some(mnist[1], 20))


def test_the_page_knows_every_activation_function_of_jaxnet(opened: Opened):
    """Those that a file may name: one with an unknown name is refused before it gets here."""
    ours = {value.name for value in vars(jaxnet).values() if isinstance(value, jaxnet.Activation)}
    assert set(opened.ask("Object.keys(explorer.ACTIVATIONS)")) == ours


@pytest.mark.long
@pytest.mark.parametrize(
    ("sizes", "activation", "output"),
    [
        ((784, 16, 16, 10), "sigmoid", "sigmoid"),
        ((784, 12, 20, 8, 10), "scaled_tanh", "tanh"),
        ((784, 30, 10), "relu", "softmax"),
    ],
)
def test_forward_cost_gradient_and_step_agree_with_jaxnet_on_200_images(
    browser: Any,
    mnist: tuple[jaxnet.Dataset, jaxnet.Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, ...],
    activation: str,
    output: str,
):
    path = saved(tmp_path / "some.safetensors", sizes, activation, output)
    main(explorer, monkeypatch, "--from", str(path), "--limit", "300", "--out", str(tmp_path))
    with Opened(browser, tmp_path / "explorer.html") as opened:
        found = opened.ask(CALCULATE, 200)
    params, test = jaxnet.load_params(path)[0], some(mnist[1], 200)
    assert_agrees_in_double_precision(found, params, test)

    # In single precision, as everybody runs it.
    single = jax.device_get(by_jaxnet(params, jnp.asarray(test.images), jaxnet.one_hot(test.labels, 10)))
    np.testing.assert_allclose(numbers(found["outputs"]).reshape(-1, 10), single["outputs"], atol=1e-5)
    each = np.stack([numbers(one) for one in found["gradients"]])
    np.testing.assert_allclose(each, rows(single["gradients"]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers(found["stepped"]), flat(single["stepped"]), rtol=1e-5, atol=1e-5)
    assert found["cost"] == pytest.approx(float(single["cost"]), rel=1e-5)
