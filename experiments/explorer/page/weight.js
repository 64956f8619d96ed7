// One weight or one bias of the network: {layer, neuron, source}, source null for the bias. Scenes share the chosen one.

import { neuronName, sourceName } from "page/stage.js";
import { text } from "page/text.js";

// In a sentence, with all that says where it is; `layers` is how many the network has.
export function weightName({ layer, neuron, source }, layers) {
  const to = neuronName(layer, neuron, layers);
  return source === null
    ? text("page.biasOf", { name: to })
    : text("page.weightFrom", { from: sourceName(layer, source, layers), to });
}

// In an address: 2.3.15 for the weight from neuron 15 to neuron 3 of layer 2, counted from 0, and 2.3.b for its bias.
export const weightInAddress = (weight) => weight && `${weight.layer}.${weight.neuron}.${weight.source ?? "b"}`;

// The weight of such an address, or null where this network has none.
export function weightOfAddress(letters, sizes) {
  const found = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4}|b)$/.exec(letters);
  if (!found) return null;
  const [layer, neuron] = [Number(found[1]), Number(found[2])];
  const source = found[3] === "b" ? null : Number(found[3]);
  const there = layer < sizes.length - 1 && neuron < sizes[layer + 1] && (source === null || source < sizes[layer]);
  return there ? { layer, neuron, source } : null;
}

// The sources of a neuron, the one through which most comes into it first.
export const strongestTerms = (w, before) =>
  Array.from(w, (_, k) => k).sort((one, other) => Math.abs(w[other] * before[other]) - Math.abs(w[one] * before[one]));

// The line of a neuron through which most comes into it,
export const strongestInto = ({ network, activations }, layer, neuron) => ({
  layer,
  neuron,
  source: strongestTerms(network.layers[layer].weights[neuron], activations[layer])[0],
});

// and that into the answer.
export const strongestOfAll = (view) => strongestInto(view, view.network.layers.length - 1, view.guess);

// Of each layer {weights, biases}, the last one first, the largest weight and the largest bias: {layer, neuron, source, value}.
export function largestOfEach(layers) {
  const found = layers.map(({ weights, biases }, layer) => {
    let weight = { layer, neuron: 0, source: 0, value: 0 };
    weights.forEach((row, neuron) =>
      row.forEach((value, source) => {
        if (Math.abs(value) > Math.abs(weight.value)) weight = { layer, neuron, source, value };
      }),
    );
    const bias = strongestOf(Array.from(biases, (value, neuron) => ({ layer, neuron, source: null, value })));
    return [weight, bias];
  });
  return found.reverse().flat();
}

export const strongestOf = (wishes) =>
  wishes.reduce((best, one) => (Math.abs(one.value) > Math.abs(best.value) ? one : best));
