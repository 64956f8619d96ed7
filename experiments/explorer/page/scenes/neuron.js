// One neuron, whose weights can be painted, looks at one image of each digit.

import { activation, announce, find, html, number, say, whole } from "page/dom.js";
import { dot } from "page/network.js";
import { createEasel } from "page/easel.js";
import { createSigmoid, sigmoid } from "page/sigmoid.js";
import { createTens } from "page/tens.js";
import { BRUSHES, fromLetters, inLetters, painted, stroked, unpainted } from "page/painting.js";
import { startsFor } from "page/starts.js";
import { text } from "page/text.js";

const FIRST = "edge";
const RANGE = 20; // of the bias, both ways, or more for a neuron that has more
const DEEDS = 100; // that can be undone

export function createScene({ section, lesson, changed }) {
  const { networks, examples, classes } = lesson;
  const ofDigit = Array.from({ length: classes }, (_, digit) => examples.filter(({ label }) => label === digit));
  const digits = [...ofDigit.keys()].filter((digit) => ofDigit[digit].length > 0);
  const sets = Math.max(...ofDigit.map(({ length }) => length));
  const trained = networks[0].network;
  const starts = startsFor(trained, examples, digits);
  const began = new Map();
  const begin = (name) => began.get(name) ?? began.set(name, starts.get(name).begin()).get(name);
  const rangeFor = (name) => Math.max(RANGE, Math.ceil(Math.abs(begin(name).bias)));
  // `set` counts through the images of each digit; `under` is the digit whose image lies under the weights, or null.
  const state = { start: FIRST, painting: unpainted(), bias: begin(FIRST).bias, set: 0, under: null, brush: "blue" };
  let looked = {};
  const deeds = []; // what was there before them
  let before = null; // the painting on which a stroke goes, as long as it goes

  const start = find("neuron-start");
  const bias = find("neuron-bias");
  const note = find("neuron-note");
  const tens = createTens(find("neuron-ten"), digits, (digit) => change({ under: digit === state.under ? null : digit }));
  const easel = createEasel(find("neuron-weights"), find("neuron-over"), {
    begun: () => (before = state.painting),
    covered: (parts) => change({ painting: stroked(begin(state.start), before, parts, state.brush) }),
    lifted: () => {
      remember({ painting: before });
      before = null;
      tell();
    },
  });
  const curve = createSigmoid(find("neuron-sigmoid"), digits);
  const brushes = section.querySelectorAll('input[name="brush"]');

  function change(news) {
    Object.assign(state, news);
    show();
    changed();
  }

  function remember(earlier) {
    deeds.push(earlier);
    if (deeds.length > DEEDS) deeds.shift();
    find("neuron-undo").disabled = false;
  }

  // Something that can be undone.
  function take(news) {
    remember(Object.fromEntries(Object.keys(news).map((name) => [name, state[name]])));
    change(news);
    tell();
  }

  function undo() {
    if (deeds.length === 0) return;
    change(deeds.pop());
    tell();
  }

  // The weights, and for each digit the weighted sums of all its images; the same until there are other weights.
  function look() {
    if (looked.start !== state.start || looked.painting !== state.painting) {
      const weights = painted(begin(state.start), state.painting);
      const sums = digits.map((digit) => ofDigit[digit].map(({ image }) => dot(weights, image)));
      looked = { start: state.start, painting: state.painting, weights, sums };
    }
    return looked;
  }

  // The neuron, and what it makes of one image of each digit.
  function current() {
    const { weights, sums } = look();
    const readings = digits.map((digit, i) => {
      const which = state.set % sums[i].length;
      const example = ofDigit[digit][which];
      const sum = sums[i][which];
      const z = sum + state.bias;
      const lit = sums[i].filter((one) => one + state.bias > 0).length;
      return { digit, number: examples.indexOf(example), image: example.image, sum, z, a: sigmoid(z), lit, all: sums[i].length };
    });
    return { weights, bias: state.bias, full: begin(state.start).full, readings };
  }

  function show() {
    const { weights, full, readings } = current();
    const { under } = state;
    easel.show(weights, full, readings.find(({ digit }) => digit === under)?.image ?? null);
    tens.show(readings, { weights, full, under });
    const bar = activation(-state.bias);
    curve.show(readings.map(({ z }) => z), text("neuron.bar", { bar }));
    start.value = state.start;
    for (const radio of brushes) radio.checked = radio.value === state.brush;
    const range = rangeFor(state.start);
    Object.assign(bias, { min: -range, max: range, value: state.bias });
    const biasIs = text("neuron.biasIs", { bias: activation(state.bias), bar });
    bias.setAttribute("aria-valuetext", biasIs);
    say(find("neuron-bias-is"), biasIs);
    say(find("neuron-scale"), text("neuron.scale", { full: number(full, 2), ink }));
    const { done, head, rest } = verdict(readings);
    say(note.querySelector("b"), head);
    say(note.querySelector("span"), rest);
    note.classList.toggle("done", done);
    find("neuron-empty").hidden = weights.some((w) => w !== 0);
    find("neuron-undo").disabled = deeds.length === 0;
  }

  const tell = () => announce(note.textContent);
  const ink = whole(examples.reduce((sum, { image }) => sum + image.reduce((all, one) => all + one, 0), 0) / examples.length);

  for (const kind of ["blank", "edge", "mean", "first"]) {
    const options = [...starts].filter(([, each]) => each.kind === kind);
    const named = options.map(([name, each]) => html("option", { value: name }, text(`neuron.start-${kind}`, { number: each.number })));
    start.append(...(named.length === 1 ? named : [html("optgroup", { label: text(`neuron.starts-${kind}`) }, ...named)]));
  }
  start.addEventListener("change", () => take({ start: start.value, painting: unpainted(), bias: begin(start.value).bias }));
  for (const radio of brushes) radio.addEventListener("change", () => change({ brush: radio.value }));
  bias.addEventListener("input", () => change({ bias: bias.valueAsNumber }));
  bias.addEventListener("change", tell);
  find("neuron-undo").addEventListener("click", undo);
  find("neuron-clear").addEventListener("click", () => take({ start: "blank", painting: unpainted() }));
  find("neuron-others").addEventListener("click", () => {
    change({ set: (state.set + 1) % sets });
    tell();
  });
  section.addEventListener("keydown", (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || before) return;
    event.preventDefault();
    undo();
  });
  const other = trained.layers[0].activation;
  find("neuron-function").hidden = other === "sigmoid";
  say(find("neuron-function"), text("neuron.otherFunction", { name: other }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

  show();

  const choices = () => ({
    start: state.start === FIRST ? null : state.start,
    paint: inLetters(state.painting),
    bias: state.bias === begin(state.start).bias ? null : state.bias,
    set: state.set || null,
    under: state.under,
    brush: state.brush === "blue" ? null : state.brush,
  });

  // What an address does not name is as it is at first; an address that names nothing changes nothing.
  function restore(asked) {
    const news = {};
    const wrong = [];
    const read = (name, found, value) => {
      if (!asked.has(name)) return;
      if (found(asked.get(name))) news[name] = value(asked.get(name));
      else wrong.push(name);
    };
    read("start", (name) => starts.has(name), String);
    read("paint", (letters) => fromLetters(letters) !== null, fromLetters);
    const range = rangeFor(news.start ?? FIRST);
    read("bias", (value) => /^-?\d+(\.\d+)?$/.test(value) && Math.abs(value) <= range, Number);
    read("set", (value) => /^\d{1,5}$/.test(value) && Number(value) < sets, Number);
    read("under", (value) => digits.map(String).includes(value), Number);
    read("brush", (value) => Object.hasOwn(BRUSHES, value), String);
    if (Object.keys(news).length === 0) return wrong;
    const { start: name = FIRST, paint = unpainted(), ...rest } = news;
    deeds.length = 0;
    change({ start: name, painting: paint, bias: begin(name).bias, set: 0, under: null, brush: "blue", ...rest });
    return wrong;
  }

  return { choices, restore, current };
}

// For which of these digits it lights up, in words, and what that is worth over all images.
function verdict(readings) {
  const lit = readings.filter(({ z }) => z > 0);
  const all = readings.length;
  if (lit.length === 0) return { done: false, head: text("neuron.none", { all }), rest: text("neuron.noneHelp") };
  if (lit.length > 1 || all === 1) {
    const names = lit.map(({ digit }) => digit).join(", ");
    return { done: false, head: text("neuron.some", { lit: lit.length, all, digits: names }), rest: text("neuron.someHelp") };
  }
  const [{ digit, lit: own, all: ofDigit }] = lit;
  const sum = (part) => readings.reduce((total, reading) => total + reading[part], 0);
  const [images, everywhere] = [sum("all"), sum("lit")];
  const counts = { images, own, ofDigit, digit, wrong: everywhere - own, others: images - ofDigit };
  return { done: true, head: text("neuron.only", { all, digit }), rest: text("neuron.reality", counts) };
}
