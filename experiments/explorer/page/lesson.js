// What all scenes share: which network, which image, which digit it should be. One state; every scene draws itself from it.

import { PENS, SHEET, centred, ink } from "page/digit.js";
import { brightest, nudges, oneHot, pleasing, trace } from "page/network.js";
import { packed, unpacked } from "page/address.js";
import { uniform } from "page/chance.js";
import { text } from "page/text.js";

export function createLesson({ networks, snapshots, examples, classes, drawings }) {
  const state = {
    chosen: 0, // of the networks
    network: networks[0].network, // that one, or what it was taught to be
    steps: 0, // taken since the trained network
    image: examples[0].image,
    shown: 0, // number of the test image, null for a drawing and for noise
    drawn: null, // number of the drawing that came with the page
    noise: null, // the seed of the noise
    dream: null, // {output, steps}: what was done to that image to please an output
    label: examples[0].label, // which digit it should be, null where nobody has said
    strokes: [], // of a drawing
    pen: "medium",
    drawing: null, // the section in which a pen is on the sheet
    selected: { layer: 0, neuron: 0, source: null }, // a neuron, or with a source the line from there
    weight: null, // {layer, neuron, source: null for a bias} whose wish or nudge is looked at; null for a scene's own choice
  };
  state.selected.neuron = brightest(trace(state.network, state.image).activations[1]);
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

  // What nobody sees is not drawn before somebody does; while a pen is on a sheet, everybody looks there.
  function refresh(each) {
    each.stale = !each.seen || (state.drawing !== null && state.drawing !== each.section);
    if (!each.stale) each.show(current());
  }

  // `show(view)` is called now, and after each change, as long as the section can be seen; so it is by what this returns.
  function listen(section, show) {
    const each = { show, seen: true, stale: false, section };
    listeners.push(each);
    show(current());
    watcher.observe(section);
    return () => refresh(each);
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

  // Another image, from one source alone.
  const look = (news) =>
    change({ shown: null, drawn: null, noise: null, dream: null, strokes: [], label: null, drawing: null, ...news });

  const showExample = (shown) => look({ shown, image: examples[shown].image, label: examples[shown].label });

  const showDrawing = (strokes, label, { pen = state.pen, sheet = ink(strokes, PENS[pen]), drawing = null } = {}) =>
    look({ image: centred(sheet), label, strokes, pen, drawing });

  const showDrawn = (drawn) => {
    const { strokes, digit, pen } = drawings[drawn];
    look({ drawn, image: centred(ink(strokes, PENS[pen])), label: digit, strokes, pen });
  };

  const showNoise = (noise) => look({ noise, image: Float64Array.from(state.image, uniform(noise)) });

  // So many steps uphill on the pixels, for more of what one output likes; of another output, from the image as it is.
  function showDream(output, steps = 1) {
    const { dream, shown, drawn, noise, strokes } = state;
    let { image } = state;
    for (let i = 0; i < steps; i += 1) image = pleasing(state.network, image, output);
    const taken = steps + (dream?.output === output ? dream.steps : 0);
    change({ image, shown, drawn, noise, strokes, label: null, dream: { output, steps: taken } });
  }

  const choose = (chosen) => change({ chosen, network: networks[chosen].network, steps: 0 });

  // What there is to see, in words.
  function whatIsShown() {
    const shown = beforeTheDream();
    return state.dream === null ? shown : text("page.dreamt", { shown, ...state.dream });
  }

  function beforeTheDream() {
    const { shown, drawn, noise, strokes, dream } = state;
    if (shown !== null) return text("page.testImage", { number: shown, label: examples[shown].label });
    if (drawn !== null) return text("page.drawing", { number: drawn, digit: drawings[drawn].digit });
    if (noise !== null) return text("page.noise");
    if (strokes.length > 0) return text("page.yourDrawing");
    return text(dream === null ? "page.nothingDrawn" : "page.blank");
  }

  // For the address: the network, the image by its number, its seed or its strokes, and what was done to it.
  function choices() {
    const { chosen, shown, drawn, noise, strokes, pen, label, dream } = state;
    const own = strokes.length > 0 && drawn === null;
    const known = dream ? null : (examples[shown]?.label ?? drawings[drawn]?.digit ?? null);
    return {
      network: chosen === 0 ? null : networks[chosen].name,
      image: shown === 0 ? null : shown,
      drawn,
      noise,
      drawing: own ? strokes.map((stroke) => packed(stroke.flatMap(({ x, y }) => [x / 2, y / 2]))).join(".") : null,
      blank: [shown, drawn, noise].every((each) => each === null) && !own ? "" : null,
      pen: own && pen !== "medium" ? pen : null,
      label: label === known ? null : label,
      pleased: dream && `${dream.output}.${dream.steps}`,
    };
  }

  // Shows what an address asks for; the names of what it asks for in vain.
  function restore(asked) {
    const number = (name, below) => (/^\d{1,9}$/.test(asked.get(name)) && Number(asked.get(name)) < below ? Number(asked.get(name)) : null);
    const strokes = asked.has("drawing") ? asked.get("drawing").split(".").map(strokeOf) : null;
    const [output, steps] = (/^(\d{1,2})\.(\d{1,3})$/.exec(asked.get("pleased") ?? "") ?? []).slice(1).map(Number);
    const found = {
      network: networks.findIndex(({ name }) => name === asked.get("network")),
      image: number("image", examples.length),
      drawn: number("drawn", drawings.length),
      noise: number("noise", Infinity),
      drawing: strokes?.every(Boolean) ? strokes : null,
      blank: true,
      pen: PENS[asked.get("pen")] ? asked.get("pen") : null,
      label: number("label", classes),
      pleased: output < classes ? { output, steps } : null,
    };
    const wrong = Object.keys(found).filter((name) => asked.has(name) && (found[name] === null || found[name] === -1));
    const has = (name) => asked.has(name) && !wrong.includes(name);
    choose(has("network") ? found.network : 0);
    if (has("drawn")) showDrawn(found.drawn);
    else if (has("noise")) showNoise(found.noise);
    else if (has("drawing")) showDrawing(found.drawing, null, { pen: found.pen ?? "medium" });
    else if (has("blank")) showDrawing([], null);
    else showExample(has("image") ? found.image : 0);
    if (has("pleased")) showDream(output, steps);
    if (has("label")) change({ label: found.label });
    return wrong;
  }

  return { networks, snapshots, examples, classes, drawings, state, current, change, listen, refreshAll, showExample, showDrawing, showDrawn, showNoise, showDream, choose, whatIsShown, choices, restore };
}

// A sheet of 280 pixels in steps of two, as the pad keeps them.
function strokeOf(letters) {
  const numbers = unpacked(letters);
  if (!numbers || numbers.length < 2 || numbers.length % 2 || Math.max(...numbers) > SHEET / 2) return null;
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: 2 * numbers[2 * i], y: 2 * numbers[2 * i + 1] }));
}
