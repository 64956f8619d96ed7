// Neurons to begin with: {weights, bias, full}, a weight of ±full being full colour.

import { SIDE } from "page/digit.js";
import { dot } from "page/network.js";
import { strongest } from "page/picture.js";

// An image has the ink of a hundred full pixels, more or less: so the sums are of the order of ten.
export const FULL = 0.2;

const PIXELS = SIDE * SIDE;

const blank = () => ({ weights: new Float64Array(PIXELS), bias: -3, full: FULL });

// A bar of blue, three pixels high, with red above and below: where an edge runs across the upper part of the image.
function edge() {
  const weights = new Float64Array(PIXELS);
  for (let row = 4; row < 13; row += 1) {
    for (let column = 8; column < 20; column += 1) weights[row * SIDE + column] = row >= 7 && row < 10 ? FULL : -FULL;
  }
  return { weights, bias: 0, full: FULL };
}

// The mean of the images of one digit minus the mean of all others, scaled so that its strongest weight has full colour.
// The bias, to one decimal, lies halfway between the mean sums of both.
function difference(examples, label) {
  const own = meanOf(examples.filter((example) => example.label === label));
  const others = meanOf(examples.filter((example) => example.label !== label));
  const weights = own.map((mean, k) => mean - others[k]);
  const scale = FULL / (Math.max(...Array.from(weights, Math.abs)) || 1);
  weights.forEach((w, k) => (weights[k] = scale * w));
  const between = (dot(weights, own) + dot(weights, others)) / 2;
  return { weights, bias: -Math.round(10 * between) / 10, full: FULL };
}

function meanOf(examples) {
  const mean = new Float64Array(PIXELS);
  for (const { image } of examples) image.forEach((ink, k) => (mean[k] += ink / examples.length));
  return mean;
}

function first({ layers: [{ weights, biases }] }, neuron) {
  return { weights: weights[neuron], bias: biases[neuron], full: strongest(weights[neuron]) };
}

// Those of the page, by name: a Map of {kind, number, begin}, where number is that of the digit or neuron and begin() the neuron.
export function startsFor(network, examples, labels) {
  const neurons = network.layers[0].biases.length;
  return new Map([
    ["blank", { kind: "blank", number: null, begin: blank }],
    ["edge", { kind: "edge", number: null, begin: edge }],
    ...labels.map((label) => [`mean${label}`, { kind: "mean", number: label, begin: () => difference(examples, label) }]),
    ...Array.from({ length: neurons }, (_, j) => [`neuron${j}`, { kind: "first", number: j, begin: () => first(network, j) }]),
  ]);
}
