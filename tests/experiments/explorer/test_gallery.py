"""The page that lies in the gallery: what the script writes today, of networks that it trains today."""

import base64

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet
from experiments.common import networks
from experiments.explorer import __main__ as explorer
from experiments.explorer import report
from tests.experiments.explorer.reference import networks_of

RENEW = "from experiments.explorer import report; report.GALLERY.write_text(report.page(report.in_gallery()), 'utf-8')"


def test_the_page_is_what_the_script_writes_today():
    stale = report.GALLERY.read_text(encoding="utf-8") != report.page(report.in_gallery())
    assert not stale, f'the gallery\'s explorer.html is stale: python -c "{RENEW}" renews it, with the same networks'


@pytest.mark.long
def test_its_networks_read_as_many_test_images_as_it_says(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    data = report.in_gallery()
    for network, params in zip(data["networks"], networks_of(data), strict=True):
        accuracy = float(jaxnet.accuracy(params, jnp.asarray(mnist[1].images), mnist[1].labels))
        assert network["test_accuracy"] == pytest.approx(accuracy, abs=2e-4)
    (_, about), (_, trained) = data["about"]
    assert about["percent"] == 100 * data["networks"][0]["test_accuracy"]
    assert (about["images"], trained) == (10_000, {"epochs": 30, "images": 60_000, "seed": "0"})


@pytest.mark.long
def test_its_snapshots_are_those_of_the_training(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    data, (train, _) = report.in_gallery(), mnist
    assert [one["steps"] for one in data["snapshots"]] == [*explorer.SNAPSHOTS, 180_000]
    beginning = networks.begin(networks.Source(epochs=30), train, 10)
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):  # optax's schedules need it
        patch.setattr(explorer, "SNAPSHOTS", (0, 10, 100))
        again = explorer.snapshots(beginning, train)
    for kept, now in zip(data["snapshots"], again, strict=False):
        ours, theirs = (np.frombuffer(base64.b64decode(one["parameters"]), "<f2") for one in (kept, now))
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-4)


@pytest.mark.long
def test_snapshots_of_the_first_epoch_are_those_of_train(mnist: tuple[jaxnet.Dataset, jaxnet.Dataset]):
    train = jaxnet.Dataset(*(part[:600] for part in mnist[0]))
    beginning = networks.begin(networks.Source(epochs=2), train, 10)
    order, params, optimizer, batch_size, _ = beginning
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(explorer, "SNAPSHOTS", (60, 120))
        (kept,) = explorer.snapshots(beginning, train)
        trained, _ = jaxnet.train(order, params, train, optimizer, batch_size=batch_size, epochs=1)
    expected = np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(trained)])
    found = np.frombuffer(base64.b64decode(kept["parameters"]), "<f2")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
