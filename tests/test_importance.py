import jax
import numpy as np

import jaxnet
from jaxnet import importance
from tests.test_backprop import example, flat


def test_the_ranking_has_every_weight_and_bias_once_with_its_place_and_slope():
    params, images, targets = example32(0, (6, 5, 3))
    gradient = jaxnet.average_gradient(params, images, targets)
    ranking = importance.rank(gradient)
    sizes = np.abs(np.asarray(ranking.slope))
    assert (np.diff(sizes) <= 0).all()
    np.testing.assert_array_equal(np.sort(np.asarray(ranking.slope)), np.sort(flat(gradient)))
    places = set()
    for layer, neuron, source, slope in zip(*(np.asarray(column) for column in ranking), strict=True):
        w, b, _ = gradient[layer]
        assert slope == (b[neuron] if source == -1 else w[neuron, source])
        places.add((layer, neuron, source))
    assert len(places) == jaxnet.count_params(params) == 6 * 5 + 5 + 5 * 3 + 3


def example32(seed: int, sizes: tuple[int, ...]) -> tuple[jaxnet.Params, jax.Array, jax.Array]:
    with jax.enable_x64(True):
        found = example(seed, sizes)
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), found)


def test_the_root_mean_square_is_per_weight_where_the_length_grows_with_their_number():
    params, images, targets = example32(1, (50, 5, 3))
    gradient = jaxnet.average_gradient(params, images, targets)
    for layer, (w, b, _) in zip(importance.per_weight(gradient), gradient, strict=True):
        np.testing.assert_allclose(layer.weights, np.linalg.norm(w) / np.sqrt(w.size), rtol=1e-5)
        np.testing.assert_allclose(layer.biases, np.linalg.norm(b) / np.sqrt(b.size), rtol=1e-5)
