// Where one is on the page: the entry of the contents that is marked, and the address.

import { announce, find } from "page/dom.js";
import { text } from "page/text.js";

const PAUSE = 300; // milliseconds without a change, after which the address is written
const GAP = 16; // pixels between the contents and what is scrolled to

// `address(name)` is that of a scene as it is now.
export function createPlaces(names, address) {
  const links = Object.fromEntries(names.map((name) => [name, document.querySelector(`#contents a[href="#${name}"]`)]));
  let here = names[0];
  let waiting = null;
  let touched = location.hash !== ""; // an address without a scene stays as it is until something is chosen

  function mark(name) {
    here = name;
    for (const [each, link] of Object.entries(links)) {
      if (each === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    requestAnimationFrame(() => bringIntoView(links[name]));
  }

  function write() {
    waiting = null;
    if (touched) history.replaceState(null, "", address(here));
  }

  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(write, PAUSE);
  }

  function go(name) {
    mark(name);
    find(name).scrollIntoView();
    find(name).focus({ preventScroll: true });
  }

  // What is scrolled to, and what gets the focus, is not behind the contents.
  const contents = find("contents");
  function keepClear() {
    const below = contents.offsetHeight + (parseFloat(getComputedStyle(contents).top) || 0);
    document.documentElement.style.setProperty("--clear", `${below + GAP}px`);
  }
  new ResizeObserver(keepClear).observe(contents);
  keepClear();

  // The scene that reaches over a line in the upper half of the screen: one that a link has led to does.
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || target.hidden || target.id === here) continue; // it may be hidden since it was seen
        mark(target.id);
        touched = true;
        later();
      }
    },
    { rootMargin: "-25% 0px -74% 0px" },
  );
  for (const name of names) watcher.observe(find(name));
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, () => (touched = true), { once: true });

  find("copy").addEventListener("click", async () => {
    touched = true;
    write();
    try {
      await navigator.clipboard.writeText(location.href);
      announce(text("page.copied"));
      find("copy").textContent = text("page.copied");
    } catch {
      find("copy").textContent = text("page.copyThis");
    }
    setTimeout(() => (find("copy").textContent = text("page.copy")), 3000);
  });
  mark(here);
  return { go, mark, later, here: () => here };
}

// The contents may be wider than a small screen.
function bringIntoView({ offsetLeft, offsetWidth, parentElement }) {
  const list = parentElement.closest("ol");
  if (offsetLeft < list.scrollLeft || offsetLeft + offsetWidth > list.scrollLeft + list.clientWidth) {
    list.scrollLeft = offsetLeft - (list.clientWidth - offsetWidth) / 2;
  }
}
