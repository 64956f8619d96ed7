"""The script that writes the page: what it refuses, what it draws again, and that text stays text."""

import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import jaxnet
from experiments.explorer import __main__ as explorer
from tests.experiments.commands import main, refused
from tests.experiments.explorer.conftest import EVIL
from tests.experiments.explorer.opened import Opened
from tests.experiments.explorer.reference import random, saved
from tests.experiments.explorer.using import use_everything

LIMIT = 1_500_000


@pytest.mark.long
def test_the_page_is_one_small_file_that_starts_at_once(browser: Any, folder: Path):
    path = folder / "explorer.html"
    assert path.stat().st_size < LIMIT
    with Opened(browser, path) as opened:
        milliseconds = opened.ask("performance.getEntriesByType('navigation')[0].loadEventEnd")
        print(f"{path.stat().st_size:,} bytes; loaded after {milliseconds:.0f} ms")
        assert milliseconds < 5000  # under one second on a machine at rest
        assert "784-16-16-10, sigmoid: 13,002 weights and biases" in opened.text("#about")
        assert "Trained for 30 epochs on 60,000 images, seed 0." in opened.text("#about")


def test_text_from_files_never_becomes_markup(opened: Opened, small: Path):
    (file,) = small.parent.glob("*.safetensors")
    page = small.read_text()
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert f"From {file}. It was trained on {EVIL};" in opened.text("#about")
    assert "784-7-5-10, scaled_tanh, sigmoid: 5,595 weights and biases" in opened.text("#about")
    assert opened.ask("document.images.length") == 0


def test_the_page_is_made_of_the_record_alone(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shutil.copy(small.parent / "record.json", tmp_path)
    monkeypatch.setattr(explorer, "run", None)
    main(explorer, monkeypatch, "--redraw", "--out", str(tmp_path))
    assert (tmp_path / "explorer.html").read_bytes() == small.read_bytes()
    assert "784-7-5-10, scaled_tanh, sigmoid: 5,595 weights and biases" in capsys.readouterr().out
    assert small.stat().st_size < LIMIT


@pytest.mark.long
def test_a_deep_network_with_values_far_out_works(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    params = random((784, 40, 3, 25, 10), jaxnet.tanh, jaxnet.softmax)
    jaxnet.save_params(tmp_path / "far.safetensors", jax.tree.map(lambda leaf: 1e4 * leaf, params))
    main(
        explorer, monkeypatch, "--from", str(tmp_path / "far.safetensors"), "--limit", "50", "--images", "50",
        "--out", str(tmp_path),
    )  # fmt: skip
    with Opened(browser, tmp_path / "explorer.html", viewport={"width": 375, "height": 800}) as opened:
        assert opened.page.locator("#stage .neuron").count() == 78
        opened.page.locator(".neuron").nth(77).click()
        use_everything(opened, "#network, #chain, #walk")
        for odd in ("NaN", "not a number", "∞", "undefined"):
            assert odd not in opened.text("body")
        assert opened.ask("document.documentElement.scrollWidth <= innerWidth")


def test_parameters_that_do_not_fit_the_page_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arrays = {f"x_{part}": np.zeros((50, 28, 28), np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(50) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", allow_pickle=False, **arrays, **labels)
    nan = random((784, 3, 10), jaxnet.sigmoid, jaxnet.sigmoid)
    jaxnet.save_params(tmp_path / "nan.safetensors", nan)
    damaged = load_file(tmp_path / "nan.safetensors")
    save_file(damaged | {"layers.1.biases": np.full(10, np.nan, np.float32)}, tmp_path / "nan.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    saved(tmp_path / "small.safetensors", (100, 16, 10))
    saved(tmp_path / "flat.safetensors", (784, 10))
    saved(tmp_path / "large.safetensors", (784, 800, 10))
    saved(tmp_path / "many.safetensors", (784, 16, 100))
    odd = jaxnet.Activation(jnp.sin, name="<b>")
    jaxnet.save_params(tmp_path / "odd.safetensors", random((784, 16, 10), odd, jaxnet.sigmoid))
    for name, message in (
        ("nan", "layer 1 has values that are not finite"),
        ("junk", "is damaged or no safetensors file"),
        ("small", "has sizes 100-16-10; the page needs 784 pixels"),
        ("flat", "has sizes 784-10; the page needs"),
        ("large", "the page would be"),
        ("many", "has sizes 784-16-100"),
        ("odd", "has the activation '<b>'; known are sigmoid, relu"),
        ("absent", "does not exist"),
    ):
        path = tmp_path / f"{name}.safetensors"
        options = ("--from", str(path), "--data", str(tmp_path / "own.npz"), "--images", "50")
        said = refused(explorer, monkeypatch, *options, "--out", str(tmp_path / "out"))
        assert message in said
        assert "\n" not in said
    for options, message in (
        (("--images", "0"), "images is 0; it must be at least 1"),
        (("--images", "51"), "images is 51; it must be between 1 and 50"),
        (("--hidden", "400"), "weights and biases and 50 images; expected at most 1,500,000"),
    ):
        choices = ("--data", str(tmp_path / "own.npz"), "--images", "50", "--epochs", "0", *options)
        assert message in refused(explorer, monkeypatch, *choices, "--out", str(tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())
