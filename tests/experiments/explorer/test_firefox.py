"""The page in Firefox: every control used, no message, no request, and the numbers of Chromium."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.explorer.report import SCENES
from tests.experiments.explorer.drawn import DIGITS
from tests.experiments.explorer.npm import installed, node
from tests.experiments.explorer.opened import Opened

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("firefox.mjs")
# In double precision, unlike what is compared with jaxnet.
NUMBERS = """(number) => {
  const { trained, examples, forward, averageGradient, flat, cost, step } = explorer;
  const some = examples.slice(0, number);
  const gradient = averageGradient(trained, some);
  return {
    outputs: some.map(({ image }) => Array.from(forward(trained, image))),
    gradient: Array.from(flat({ layers: gradient })),
    next: cost(step(trained, gradient, 0.5), some),
  };
}"""


def test_firefox_shows_what_chromium_shows(browser: Any, folder: Path):
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    if firefox is None:
        pytest.skip("no Firefox here: apt-get install firefox-esr")
    puppeteer = installed("puppeteer-core", "25.16.0")
    path = folder / "explorer.html"
    given = json.dumps({"drawing": DIGITS[1], "script": NUMBERS})
    done = node().node(
        [str(SCRIPT), str(puppeteer), firefox, path.as_uri(), given],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    print(
        f"{said['version']}: {said['used']} controls of {len(said['scenes'])} scenes used; a drawn 1 is {said['guess']}"
    )
    assert said["trouble"] == []
    assert said["scenes"] == list(SCENES)
    assert said["guess"] == "1"
    assert said["wider"] <= 0
    with Opened(browser, path) as opened:
        ours = opened.ask(NUMBERS, 20)
        assert said["used"] >= opened.page.locator(".scene :is(button, select, input)").count() / 2
    np.testing.assert_allclose(said["calculated"]["outputs"], ours["outputs"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(said["calculated"]["gradient"], ours["gradient"], rtol=1e-9, atol=1e-14)
    assert said["calculated"]["next"] == pytest.approx(ours["next"], rel=1e-12)
