// One neuron and one line from close by: weights as a picture, the formula filled in, the three factors.

import { html, find, label, number, chosen, say, activation } from "page/dom.js";
import { dot, factors } from "page/network.js";
import { SIDE } from "page/digit.js";
import { drawSigned, strongest } from "page/picture.js";
import { neuronName, sourceName } from "page/stage.js";

const FORMULA = {
  sigmoid: (z) => `σ(${z})`,
  relu: (z) => `max(0, ${z})`,
  tanh: (z) => `tanh(${z})`,
  scaled_tanh: (z) => `1.7159 tanh(0.6666 (${z}))`,
  softmax: (z) => `softmax(${z})`,
};
const ACROSS = 16; // cells in a row of the picture over neurons
const TERMS = 3;

// `touched(layer, neuron, source)` is called where another line into the same neuron is chosen.
export function createInspector(touched) {
  let view = null;
  const pattern = find("pattern");
  const source = find("source");

  pattern.addEventListener("click", (event) => {
    const box = pattern.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * pattern.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * pattern.height);
    const place = row * pattern.width + column;
    const { layer, neuron } = view.selected;
    if (place < view.network.layers[layer].weights[neuron].length) touched(layer, neuron, place);
  });
  source.addEventListener("input", () => {
    const place = chosen(source);
    if (place !== null) touched(view.selected.layer, view.selected.neuron, place);
  });
  source.addEventListener("blur", () => (source.value = lineOf(view)));

  function show(next) {
    view = next;
    const { network, selected } = view;
    showNeuron(pattern, view);
    const inputs = network.layers[selected.layer].weights[selected.neuron].length;
    source.max = inputs - 1;
    const line = lineOf(view);
    if (document.activeElement !== source) source.value = line;
    showLine(view, line);
  }
  return { show };
}

// The line that is chosen, or else the one through which most comes into the neuron.
function lineOf({ network, activations, selected }) {
  if (selected.source !== null) return selected.source;
  const w = network.layers[selected.layer].weights[selected.neuron];
  return strongestTerms(w, activations[selected.layer])[0];
}

const strongestTerms = (w, before) =>
  Array.from(w, (_, k) => k).sort((one, other) => Math.abs(w[other] * before[other]) - Math.abs(w[one] * before[one]));

function showNeuron(pattern, { network, weightedSums, activations, selected }) {
  const { layer, neuron } = selected;
  const layers = network.layers.length;
  const w = network.layers[layer].weights[neuron];
  const b = network.layers[layer].biases[neuron];
  const [z, a] = [weightedSums[layer][neuron], activations[layer + 1][neuron]];
  const before = activations[layer];
  const columns = layer === 0 ? SIDE : Math.min(ACROSS, w.length);
  const name = neuronName(layer, neuron, layers);
  say(find("neuron-title"), name[0].toUpperCase() + name.slice(1));
  const scale = strongest(w);
  drawSigned(pattern, w, columns, scale);
  const over = layer === 0 ? "pixels" : "neurons of the layer before";
  label(pattern, `The ${w.length} weights of ${name} over the ${over}`);
  say(
    find("pattern-help"),
    `Its ${w.length} weights over the ${over}: blue excites, red silences, full colour at ±${number(scale)}. Touch one to see its line.`,
  );
  const f = FORMULA[network.layers[layer].activation];
  const sum = dot(w, before);
  const plus = b < 0 ? `${number(sum)} − ${number(-b)}` : `${number(sum)} + ${number(b)}`;
  const rows = [
    ["weighted sum Σ w a′", number(sum)],
    ["bias b", number(b)],
    ["z = Σ w a′ + b", number(z)],
    ["activation a", number(a)],
  ];
  const terms = strongestTerms(w, before)
    .slice(0, TERMS)
    .map((k) => [`${layer === 0 ? "pixel" : "neuron"} ${k}`, `${number(w[k])} × ${activation(before[k])}`]);
  find("formula").replaceChildren(
    html("p", { class: "equation" }, `a = ${f("Σ w a′ + b")}`),
    html("p", { class: "equation more" }, `= ${f(plus)}`),
    html("p", { class: "equation more" }, `= ${f(number(z))} = ${number(a)}`),
    list(rows),
    html("p", { class: "small" }, "The strongest terms of the sum, w × a′:"),
    list(terms),
  );
}

const list = (rows) => html("dl", {}, ...rows.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));

function showLine({ network, image, target, selected }, source) {
  const { layer, neuron } = selected;
  const layers = network.layers.length;
  const from = sourceName(layer, source, layers);
  say(find("line-title"), `The weight from ${from} to ${neuronName(layer, neuron, layers)}`);
  say(find("source-label"), layer === 0 ? "from pixel" : "from neuron");
  const w = network.layers[layer].weights[neuron][source];
  const parts = [html("p", { class: "equation" }, `w = ${number(w)}`)];
  if (target === null) {
    parts.push(html("p", {}, "How the cost answers to it: say first, at “Teach it”, which digit it should be."));
  } else {
    const { dz_dw, da_dz, dC_da, product } = factors(network, image, target, layer, neuron, source);
    const many = Array.isArray(da_dz);
    const [middle, last] = many
      ? [`${da_dz.length} slopes`, `${dC_da.length} slopes`]
      : [number(da_dz), number(dC_da)];
    parts.push(
      html("p", { class: "equation" }, many ? "∂C/∂w = ∂z/∂w · Σ ∂a/∂z · ∂C/∂a" : "∂C/∂w = ∂z/∂w · ∂a/∂z · ∂C/∂a"),
      html(
        "div",
        { class: "factors" },
        factor("∂C/∂w", number(product), "how the cost answers to this weight"),
        factor("∂z/∂w", number(dz_dw), "the activation that the weight carries"),
        factor("∂a/∂z", middle, "how steep the squeezing is here"),
        factor("∂C/∂a", last, layer === layers - 1 ? "2 (a − y), how far off it is" : "through all that it leads to"),
      ),
      html("p", { class: "equation more" }, `${number(product)} = ${number(dz_dw)} × ${many ? `Σ (${sumOf(da_dz, dC_da)})` : `${number(da_dz)} × ${bracketed(dC_da)}`}`),
      html("p", { class: "small" }, advice(product)),
    );
  }
  find("chain").replaceChildren(...parts);
}

const factor = (name, value, meaning) =>
  html("div", {}, html("b", {}, name), html("span", {}, value), html("small", {}, meaning));

const bracketed = (value) => (value < 0 ? `(${number(value)})` : number(value));

const sumOf = (da_dz, dC_da) => number(dot(da_dz, dC_da));

function advice(slope) {
  if (slope === 0) return "To this example the weight does not matter.";
  return `This example wants it ${slope > 0 ? "down" : "up"}: the desired nudge is ${number(-slope)}.`;
}
