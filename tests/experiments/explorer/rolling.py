"""How smoothly the page works on a slow machine: walks, strokes, loading, memory.

    python -m tests.experiments.explorer.rolling --minutes 10

Chromium slows its CPU down four times. Printed are the time to load, the time from a stroke to the picture of what the
network says of it, the frames a second of the walk, and its memory, which must not grow.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from experiments.explorer import report
from tests.experiments.explorer.conftest import chromium
from tests.experiments.explorer.opened import Opened

SLOWER = 4

FRAMES = """(milliseconds) => new Promise((done) => {
  const [times, begin] = [[], performance.now()];
  const turn = (now) => {
    times.push(now);
    if (performance.now() - begin < milliseconds) requestAnimationFrame(turn);
    else done(times.slice(1).map((time, i) => time - times[i]));
  };
  requestAnimationFrame(turn);
})"""

# The time from each movement of the pointer to the frame after the one in which the guess was written.
STROKE = """() => new Promise((done) => {
  const [pad, times] = [document.getElementById("pad"), []];
  const box = pad.getBoundingClientRect();
  const send = (name, i) => {
    const [clientX, clientY] = [box.left + box.width * (0.3 + 0.004 * i), box.top + box.height * (0.2 + 0.006 * i)];
    pad.dispatchEvent(new PointerEvent(name, { bubbles: true, pointerId: 1, button: 0, clientX, clientY }));
  };
  pad.setPointerCapture = pad.releasePointerCapture = () => {};
  send("pointerdown", 0);
  let i = 0;
  const move = () => {
    const begin = performance.now();
    send("pointermove", (i += 1));
    // The page reads in the next frame; a task that is posted there begins when that frame is done.
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        times.push(performance.now() - begin);
        if (i < 100) setTimeout(move, 5);
        else done(times);
      };
      channel.port2.postMessage(null);
    });
  };
  requestAnimationFrame(move);
})"""


def slowed(opened: Opened, times: int = SLOWER) -> Any:
    """The page with a CPU so many times slower; its session of the browser's protocol."""
    session = opened.context.new_cdp_session(opened.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": times})
    return session


def roll(opened: Opened) -> None:
    """Begins the walk, or goes on where it has come to rest at its goal."""
    if opened.ask("!document.getElementById('walk-run').classList.contains('running')"):
        opened.page.click("#walk-run")


def frames_while_rolling(opened: Opened, seconds: float = 5) -> list[float]:
    """The milliseconds between frames."""
    opened.page.locator("#walk-run").scroll_into_view_if_needed()
    opened.page.select_option("#walk-goal", "90")
    roll(opened)
    return opened.ask(FRAMES, 1000 * seconds)


def heap(opened: Opened, session: Any) -> float:
    """Megabytes in use after the garbage was collected, the numbers of arrays included, while the walk rests."""
    if opened.ask("document.getElementById('walk-run').classList.contains('running')"):
        opened.page.click("#walk-run")
    opened.page.wait_for_timeout(200)
    session.send("HeapProfiler.enable")
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


def roll_for(opened: Opened, seconds: float) -> None:
    """Goes on whenever it has come to rest."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        roll(opened)
        opened.page.wait_for_timeout(1000)


def memory_while_rolling(opened: Opened, minutes: int, session: Any) -> list[float]:
    """In megabytes, after each minute."""
    found = []
    for minute in range(1, minutes + 1):
        roll_for(opened, 60)
        found.append(heap(opened, session))
        steps = opened.ask("Object.values(explorer.scenes.walk.descents()).map(({ at }) => at.steps)")
        print(f"after {minute} min: {found[-1]:.1f} MB, {steps} steps", flush=True)
    return found


def strokes(opened: Opened) -> list[float]:
    """The milliseconds of a hundred movements of the pen."""
    opened.page.locator("#pad").scroll_into_view_if_needed()
    return sorted(opened.ask(STROKE))


def loading(browser: Any, path: Path) -> dict[str, float]:
    """Milliseconds until the page has loaded, and until its first scene works."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(path.as_uri())
    found = page.evaluate(
        """() => ({
          loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
          works: performance.getEntriesByName("works")[0]?.startTime,
        })"""
    )
    context.close()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.experiments.explorer.rolling", description=__doc__)
    parser.add_argument("--minutes", type=int, default=0, help="of rolling, to watch the memory")
    parser.add_argument("--page", type=Path, help="by default the gallery's data, put together by the code of today")
    chosen = parser.parse_args()
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder, chromium(running) as browser:
        path = chosen.page
        if path is None:
            path = Path(folder) / "explorer.html"
            path.write_text(report.page(report.in_gallery()), encoding="utf-8")
        print("loading:", {name: f"{value:.0f} ms" for name, value in loading(browser, path).items()})
        with Opened(browser, path) as opened:
            slowed(opened)
            times = strokes(opened)
            print(f"a stroke shows after {times[50]:.0f} ms (half of them), {times[95]:.0f} ms (95 %)")
            times = sorted(frames_while_rolling(opened))
            rate = 1000 * len(times) / sum(times)
            print(f"{rate:.0f} frames a second, half of them within {times[len(times) // 2]:.0f} ms")
        if chosen.minutes:
            with Opened(browser, path) as opened:
                memory_while_rolling(opened, chosen.minutes, slowed(opened, 1))


if __name__ == "__main__":
    main()
