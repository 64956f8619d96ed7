"""Somebody who uses every control of the page, whatever is on it, as a mouse and a keyboard do."""

from collections.abc import Callable
from typing import Any

from experiments.explorer.report import SCENES
from tests.experiments.explorer.layout import wrong
from tests.experiments.explorer.opened import Opened

CONTROLS = "button, select, input, textarea, [tabindex='0']"
"""Of neurons only the one that Tab leads to. What opens details is none of them: it is there to move what is below."""

# Remembers what was used, what jumped, and which heights the scenes had. Details are opened before, for that moves.
WATCH = """(selector) => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  window.used = new WeakSet();
  for (const name of ["click", "input", "change", "keydown", "pointerdown"]) {
    addEventListener(name, ({ target }) => {
      const control = target.closest?.(selector);
      if (control) used.add(control);
    }, true);
  }
  return new Promise((done) => setTimeout(() => {
    window.jumped = [];
    const name = (node) => node?.id || node?.className?.baseVal || node?.className || node?.nodeName;
    const box = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
    new PerformanceObserver((list) => {
      for (const { sources } of list.getEntries()) {
        for (const { node, previousRect, currentRect } of sources) {
          const [from, to] = [box(previousRect), box(currentRect)];
          if (from !== to) jumped.push(`${name(node)}: ${from} to ${to}`);
        }
      }
    }).observe({ type: "layout-shift" });
    window.heights = {};
    const measure = new ResizeObserver((entries) => {
      for (const { target } of entries) (heights[target.id] ??= new Set()).add(Math.round(target.offsetHeight));
    });
    for (const section of document.querySelectorAll(".scene")) measure.observe(section);
    done();
  }, 2500));
}"""

# Those that can be used, but were not.
UNUSED = """(selector) => Array.from(document.querySelectorAll(".scene"))
  .flatMap((scene) => Array.from(scene.querySelectorAll(selector)))
  .filter((each) => each.checkVisibility() && !each.disabled && !used.has(each))
  .map((each) => each.id || each.outerHTML.slice(0, 80))"""


def use_and_watch(opened: Opened, after_scene: Callable[[], None] = lambda: None) -> None:
    """Every control of every scene can be used, nothing jumps, no scene changes its height, nothing is cut."""
    opened.ask(WATCH, CONTROLS)
    for scene in SCENES:
        use_everything(opened, f"#{scene}")
        after_scene()
    assert opened.ask(UNUSED, CONTROLS) == []
    opened.page.wait_for_timeout(300)
    assert sorted(set(opened.ask("jumped"))) == []
    heights = opened.ask("Object.entries(heights).map(([name, all]) => [name, [...all]])")
    assert [(name, every) for name, every in heights if len(every) > 1] == []
    assert wrong(opened) == []


def use_everything(opened: Opened, within: str = ".scene") -> None:
    """Twice where something could not be used the first time, for that may need another thing first."""
    for _ in range(2):
        for scene in opened.page.query_selector_all(within):
            for control in scene.query_selector_all(CONTROLS):
                fresh = opened.ask("(control) => !window.used || !used.has(control)", control)
                if fresh and control.is_visible() and control.is_enabled():
                    use(opened, control)


def use(opened: Opened, control: Any) -> None:
    kind = control.evaluate("(c) => c.getAttribute('role') ?? (c.localName === 'input' ? c.type : c.localName)")
    keyboard = opened.page.keyboard
    control.scroll_into_view_if_needed()
    if kind == "select":
        values = control.evaluate("(select) => Array.from(select.options, ({ value }) => value)")
        for value in (*values, values[0]):
            control.select_option(value)
    elif kind in ("number", "text"):
        before = control.input_value()
        for value in ("", "-1", "x" if kind == "text" else "1e9", control.get_attribute("min") or "1", before):
            control.fill(value)
            keyboard.press("Tab")
    elif kind == "range":
        before = control.input_value()
        control.focus()
        for key in ("End", "Home", "ArrowRight", "PageUp"):
            keyboard.press(key)
        control.fill(before)
    elif kind in ("button", "radio", "checkbox"):
        press(control)
        if kind == "checkbox" or control.evaluate("(c) => c.classList.contains('running')"):
            opened.page.wait_for_timeout(100)
            press(control)
    else:
        drag(opened, control)
        control.evaluate("(control) => control.focus()")
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "Space", "ArrowDown", "Space"):
            keyboard.press(key)


def press(control: Any) -> None:
    """With the mouse; a neuron's name or a label may lie above its middle."""
    control.evaluate("(control) => control.scrollIntoView({ block: 'center', inline: 'nearest' })")
    control.click(force=True)


def drag(opened: Opened, control: Any) -> None:
    box, mouse = control.bounding_box(), opened.page.mouse
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 20, y + 30, steps=4)
    mouse.up()
