// What the script put into the page: parameters as float32, images as bytes, labels.

import { oneHot } from "page/network.js";

export function read(text) {
  const data = JSON.parse(text);
  const numbers = new Float32Array(bytes(data.parameters).buffer);
  let begin = 0;
  const next = (length) => Float64Array.from(numbers.subarray(begin, (begin += length)));
  const layers = data.sizes.slice(1).map((n_out, layer) => ({
    weights: Array.from({ length: n_out }, () => next(data.sizes[layer])),
    biases: next(n_out),
    activation: data.activations[layer],
  }));
  const pixels = bytes(data.images);
  const classes = data.sizes.at(-1);
  const examples = data.labels.map((label, i) => ({
    image: Float64Array.from(pixels.subarray(i * data.sizes[0], (i + 1) * data.sizes[0]), (byte) => byte / 255),
    label,
    target: oneHot(label, classes),
  }));
  return { network: { layers }, examples, classes };
}

const bytes = (base64) => Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
