// Puts the page together: one lesson, and seven scenes that show it.

import * as networks from "page/network.js";
import * as digits from "page/digit.js";
import * as descents from "page/descent.js";
import * as nudging from "page/nudge.js";
import * as votes from "page/votes.js";
import * as drawings from "page/drawings.js";
import * as moments from "page/moments.js";
import * as formulas from "page/formula.js";
import * as slopes from "page/slopes.js";
import { spread } from "page/sigmoid.js";
import * as reliefs from "page/relief.js";
import { normal, uniform } from "page/chance.js";
import { announce, chosen, find, say, whenIdle } from "page/dom.js";
import { read as readData } from "page/data.js";
import { read as readAddress, written } from "page/address.js";
import { createLesson } from "page/lesson.js";
import { createPlaces } from "page/places.js";
import { createSlides } from "page/slides.js";
import { text } from "page/text.js";
import * as neuron from "page/scenes/neuron.js";
import * as network from "page/scenes/network.js";
import * as lousy from "page/scenes/lousy.js";
import * as downhill from "page/scenes/downhill.js";
import * as example from "page/scenes/example.js";
import * as chain from "page/scenes/chain.js";
import * as walk from "page/scenes/walk.js";

// What was written here before the page was left is not what is shown when it is opened again.
for (const field of document.querySelectorAll("input, select, textarea")) field.autocomplete = "off";

const lesson = createLesson(readData(find("data").textContent));
const modules = { neuron, network, lousy, downhill, example, chain, walk };
const names = Object.keys(modules);
const made = {};
const scenes = {};
let places = null;
// Each scene gives {choices, restore}: what an address needs to show it again, and the names of what it cannot show. It
// is made when it is first asked for. Until then the first one stands alone: to lay out all takes a slow machine a while.
function make(name) {
  if (name !== names[0]) document.body.classList.add("complete");
  return (made[name] ??= modules[name].createScene({ section: find(name), lesson, changed: () => places?.later() }));
}
for (const name of names) Object.defineProperty(scenes, name, { enumerable: true, get: () => make(name) });

const flags = { embed: false, present: false };
places = createPlaces(names, (name) => written(name, scenes[name].choices(), flags));
const slides = createSlides(names, places, (on) => {
  flags.present = on;
  places.later();
});
lesson.listen(document.body, () => places.later());

// Shows what an address asks for.
function arrive(fragment) {
  const { scene, choices, embed, present } = readAddress(fragment);
  flags.embed ||= embed; // a link on the page must not lead out of the frame
  document.body.classList.toggle("embedded", flags.embed);
  const known = Object.hasOwn(modules, scene);
  const name = known ? scene : names[0];
  make(name);
  const wrong = known ? restored(scene, choices) : scene ? [scene] : [];
  find(`${name}-title`).after(find("notice"));
  find("notice").hidden = wrong.length === 0;
  say(find("notice"), wrong.length ? text("page.notice", { names: wrong.join(", ") }) : "");
  if (wrong.length) announce(find("notice").textContent);
  for (const section of document.querySelectorAll(".scene")) section.hidden = flags.embed && section.id !== name;
  if (!flags.embed && (present || flags.present)) slides.begin(name);
  else if (known) places.go(name);
}

// Shows a scene's choices, and returns the names of those that it does not know or cannot show. An address without
// choices leaves what is shown as it is.
function restored(scene, choices) {
  if (choices.size === 0) return [];
  const known = Object.keys(scenes[scene].choices());
  const unknown = [...choices.keys()].filter((name) => !known.includes(name));
  return [...new Set([...unknown, ...scenes[scene].restore(choices)])];
}
// By now the page may have written where it was into the address; the event says where to go.
addEventListener("hashchange", ({ newURL }) => arrive(new URL(newURL).hash));
arrive(location.hash);

// The other scenes are made when one comes near them, or when there is nothing else to do.
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) make(target.id);
  },
  { rootMargin: "50% 0px" },
);
for (const name of names) {
  near.observe(find(name));
  whenIdle(() => make(name));
}

// Printed is all that there is.
let closed = [];
addEventListener("beforeprint", () => {
  names.forEach(make);
  lesson.refreshAll();
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => lesson.change({}));

// For the console, and for the tests: explorer.forward(explorer.state.network, explorer.state.image) and so on.
const { examples, state } = lesson;
const trained = lesson.networks[0].network;
const tools = { ...networks, ...digits, ...descents, ...nudging, ...votes, ...drawings, ...moments, ...formulas, ...slopes, ...reliefs };
window.explorer = { ...tools, chosen, normal, spread, uniform, lesson, state, examples, trained, scenes };
performance.mark("works");
