// Puts the page together: one state, and everything that is shown is drawn from it.

import * as networks from "page/network.js";
import * as digits from "page/digit.js";
import * as descents from "page/descent.js";
import { normal, uniform } from "page/chance.js";
import { activation, announce, chosen, find, say } from "page/dom.js";
import { read } from "page/data.js";
import { createPad } from "page/pad.js";
import { createStage } from "page/stage.js";
import { createInspector } from "page/inspector.js";
import { createTeacher } from "page/teach.js";
import { createDownhill } from "page/downhill.js";

const { network: trained, examples, classes } = read(find("data").textContent);
const random = uniform(7);

// What was written here before the page was left is not what is shown when it is opened again.
for (const field of document.querySelectorAll("input, select")) field.autocomplete = "off";
find("negative").hidden = !trained.layers.some(({ activation: name }) => ["tanh", "scaled_tanh"].includes(name));
// Sigmoids bear larger steps than the others.
if (trained.layers[0].activation !== "sigmoid") {
  for (const id of ["teach-rate", "full-rate", "mini-rate"]) find(id).value = Number(find(id).value) / 10;
}

const state = {
  network: trained,
  steps: 0, // taken since the trained network
  image: examples[0].image,
  shown: 0, // number of the test image, null for a drawing
  label: examples[0].label, // which digit it should be, null where nobody has said
  selected: { layer: 0, neuron: 0, source: null }, // a neuron, or with a source the line from there
  strokes: [],
};

function change(news) {
  Object.assign(state, news);
  const { network, image, label, selected } = state;
  const traced = networks.trace(network, image);
  const outputs = traced.activations.at(-1);
  const target = label === null ? null : networks.oneHot(label, classes);
  const nudges = target && networks.nudges(network, image, target);
  const guess = networks.brightest(outputs);
  const view = { ...state, ...traced, outputs, target, nudges, guess };
  stage.show({ ...view, show: find("lines").value, nudges: find("arrows").checked ? nudges?.activations : null });
  inspector.show(view);
  teacher.show(view, state.steps);
  showGuess(outputs, guess);
}

function showGuess(outputs, guess) {
  const others = outputs.map((a, j) => (j === guess ? -Infinity : a));
  const second = networks.brightest(others);
  say(find("guess"), String(guess));
  say(find("certainty"), `with ${activation(outputs[guess])}, then ${second} with ${activation(outputs[second])}`);
  say(find("shown"), whatIsShown());
}

function whatIsShown() {
  if (state.shown !== null) return `Test image ${state.shown}, a ${examples[state.shown].label}.`;
  if (state.strokes.length === 0) return "Nothing is drawn, and it answers all the same: it has no way of saying “I do not know”.";
  return "Your drawing, scaled and centred as MNIST’s digits were.";
}

const announceGuess = () => announce(`${whatIsShown()} It says ${find("guess").textContent}, ${find("certainty").textContent}.`);

function touched(layer, neuron, source) {
  change({ selected: { layer, neuron, source } });
}

function showExample(shown) {
  pad.clear();
  if (chosen(find("number")) !== shown) find("number").value = shown;
  change({ shown, image: examples[shown].image, label: examples[shown].label, strokes: [] });
  announceGuess();
}

const stage = createStage(find("stage"), networks.sizesOf(trained), touched);
const inspector = createInspector(touched);
const teacher = createTeacher({
  examples,
  trained,
  random,
  answered: (label) => change({ label }),
  changed: (network) => change({ network, steps: network === trained ? 0 : state.steps + 1 }),
  touched,
});
const pad = createPad(find("pad"), {
  drawn: (image, strokes) => {
    const begun = state.shown !== null || state.strokes.length === 0;
    find("number").value = "";
    change({ image, strokes: [...strokes], shown: null, label: begun ? null : state.label });
  },
  lifted: announceGuess,
});

find("clear").addEventListener("click", () => {
  pad.clear();
  find("number").value = "";
  change({ image: new Float64Array(digits.SIDE ** 2), shown: null, label: null, strokes: [] });
  announceGuess();
});
find("number").max = examples.length - 1;
find("number").addEventListener("input", () => {
  const shown = chosen(find("number"));
  if (shown !== null) showExample(shown);
});
find("random").addEventListener("click", () => showExample(Math.floor(random() * examples.length)));
find("wrong").addEventListener("click", () => {
  const wrong = examples.map(({ image, label }, i) => (networks.classify(state.network, image) === label ? -1 : i));
  const others = wrong.filter((i) => i >= 0 && i !== state.shown);
  if (others.length) showExample(others[Math.floor(random() * others.length)]);
  else {
    say(find("shown"), "It gets no other image of the page wrong.");
    announce(find("shown").textContent);
  }
});
for (const id of ["lines", "arrows"]) find(id).addEventListener("change", () => change({}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => change({}));

const first = networks.trace(trained, state.image).activations[1];
change({ selected: { layer: 0, neuron: networks.brightest(Array.from(first)), source: null } });
const downhill = createDownhill({ trained, examples });

// For the console, and for the tests: explorer.forward(explorer.state.network, explorer.state.image) and so on.
window.explorer = { ...networks, ...digits, ...descents, chosen, normal, uniform, state, examples, trained, stage, downhill };
