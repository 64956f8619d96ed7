// One scene a screen, in large type, for a room: arrow keys or the pages' keys go on and back, Escape ends.

import { announce, find, say } from "page/dom.js";
import { text } from "page/text.js";

// Those elements use the arrow keys themselves.
const OWN = "input, select, textarea, [role=application], [role=slider], .neuron";

// `turned(on)` is called when it begins and ends.
export function createSlides(names, places, turned) {
  let on = false;

  function show(name) {
    for (const each of names) find(each).hidden = on && each !== name;
    say(find("slide-number"), text("page.slide", { number: names.indexOf(name) + 1, all: names.length }));
    find("slide-back").disabled = name === names[0];
    find("slide-on").disabled = name === names.at(-1);
    places.go(name);
    places.later();
  }

  function begin(name) {
    on = true;
    document.documentElement.classList.add("presenting");
    find("slides").hidden = false;
    turned(true);
    show(name);
    announce(text("page.presenting"));
  }

  function end() {
    on = false;
    document.documentElement.classList.remove("presenting");
    find("slides").hidden = true;
    turned(false);
    show(places.here());
    find("present").focus({ preventScroll: true });
  }

  function turn(by) {
    const next = names[names.indexOf(places.here()) + by];
    if (next) show(next);
  }

  find("present").addEventListener("click", () => begin(places.here()));
  find("slide-back").addEventListener("click", () => turn(-1));
  find("slide-on").addEventListener("click", () => turn(1));
  find("slide-end").addEventListener("click", end);
  addEventListener("keydown", (event) => {
    if (!on || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -1, PageDown: 1 }[event.key];
    if (event.key === "Escape") end();
    else if (by && (event.key.startsWith("Page") || !event.target.closest(OWN))) turn(by);
    else return;
    event.preventDefault();
  });
  return { begin };
}
