// What all scenes share: which network, which image, which digit it should be. One state; every scene draws itself from it.

import { PENS, centred, ink } from "page/digit.js";
import { brightest, nudges, oneHot, trace } from "page/network.js";
import { packed, unpacked } from "page/address.js";
import { uniform } from "page/chance.js";
import { text } from "page/text.js";

export function createLesson({ networks, snapshots, examples, classes, drawings, trainedOn }) {
  const state = {
    chosen: 0, // of the networks
    network: networks[0].network, // that one, or what it was taught to be
    steps: 0, // taken since the trained network
    image: examples[0].image,
    shown: 0, // number of the test image, null for a drawing and for noise
    noise: null, // the seed of the noise
    label: examples[0].label, // which digit it should be, null where nobody has said
    strokes: [], // of a drawing
    pen: "medium",
    selected: { layer: 0, neuron: 0, source: null }, // a neuron, or with a source the line from there
  };
  const listeners = [];
  let view = null;

  // The state and what follows from it: activations, the cost's target, nudges, the guess.
  function current() {
    if (view) return view;
    const traced = trace(state.network, state.image);
    const outputs = traced.activations.at(-1);
    const target = state.label === null ? null : oneHot(state.label, classes);
    const wishes = target && nudges(state.network, state.image, target);
    view = { ...state, ...traced, trained: networks[state.chosen].network, outputs, target, nudges: wishes, guess: brightest(outputs) };
    return view;
  }

  function change(news) {
    Object.assign(state, news);
    view = null;
    for (const each of listeners) refresh(each);
  }

  // What nobody sees is not drawn before somebody does.
  function refresh(each) {
    each.stale = !each.seen;
    if (each.seen) each.show(current());
  }

  // `show(view)` is called now, and after each change, as long as the section can be seen.
  function listen(section, show) {
    const each = { show, seen: true, stale: false, section };
    listeners.push(each);
    show(current());
    watcher.observe(section);
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        for (const each of listeners.filter(({ section }) => section === target)) {
          each.seen = isIntersecting;
          if (each.stale) refresh(each);
        }
      }
    },
    { rootMargin: "50% 0px" },
  );

  // Everything is drawn, seen or not, before the page is printed.
  function refreshAll() {
    for (const each of listeners) {
      if (each.stale) each.show(current());
      each.stale = false;
    }
  }

  const showExample = (shown) =>
    change({ shown, noise: null, image: examples[shown].image, label: examples[shown].label, strokes: [] });

  const showDrawing = (strokes, label, pen = state.pen, sheet = ink(strokes, PENS[pen])) =>
    change({ shown: null, noise: null, image: centred(sheet), label, strokes, pen });

  const showNoise = (noise) =>
    change({ shown: null, noise, image: Float64Array.from(state.image, uniform(noise)), label: null, strokes: [] });

  const choose = (chosen) => change({ chosen, network: networks[chosen].network, steps: 0 });

  // What there is to see, in words.
  function whatIsShown() {
    if (state.shown !== null) return text("page.testImage", { number: state.shown, label: state.label });
    if (state.noise !== null) return text("page.noise");
    return text(state.strokes.length === 0 ? "page.nothingDrawn" : "page.yourDrawing");
  }

  // For the address: the network, and the image by its number or its strokes.
  function choices() {
    const drawing = state.strokes.map((stroke) => packed(stroke.flatMap(({ x, y }) => [x, y].map(toByte)))).join(".");
    return {
      network: state.chosen === 0 ? null : networks[state.chosen].name,
      image: state.shown === 0 ? null : state.shown,
      noise: state.noise,
      drawing: drawing || null,
      pen: drawing && state.pen !== "medium" ? state.pen : null,
      label: state.shown === null ? state.label : null,
    };
  }

  // Shows what an address asks for; the names of what it asks for in vain.
  function restore(asked) {
    const wrong = [];
    const take = (name, found, show) => {
      if (!asked.has(name)) return;
      if (found(asked.get(name))) show();
      else wrong.push(name);
    };
    const named = networks.findIndex(({ name }) => name === asked.get("network"));
    take("network", () => named >= 0, () => choose(named));
    take("image", (value) => examples[value] !== undefined && /^\d+$/.test(value), () => showExample(Number(asked.get("image"))));
    take("noise", (value) => /^\d{1,9}$/.test(value), () => showNoise(Number(asked.get("noise"))));
    const strokes = asked.get("drawing")?.split(".").map(strokeOf) ?? [];
    const pen = asked.get("pen") ?? "medium";
    const label = asked.has("label") ? Number(asked.get("label")) : null;
    take("pen", () => pen in PENS, () => {});
    take("label", () => label in classesOf(classes), () => {});
    if (wrong.length === 0) take("drawing", () => strokes.every(Boolean), () => showDrawing(strokes, label, pen));
    return wrong;
  }

  return { networks, snapshots, examples, classes, drawings, trainedOn, state, current, change, listen, refreshAll, showExample, showDrawing, showNoise, choose, whatIsShown, choices, restore };
}

const classesOf = (classes) => Array.from({ length: classes });

// A sheet of 280 pixels in steps of two.
const toByte = (place) => Math.max(0, Math.min(255, Math.round(place / 2)));

function strokeOf(letters) {
  const numbers = unpacked(letters);
  if (!numbers || numbers.length < 2 || numbers.length % 2) return null;
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: 2 * numbers[2 * i], y: 2 * numbers[2 * i + 1] }));
}
