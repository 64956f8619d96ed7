// What the script put into the page: parameters, images as bytes, labels, drawings.

import { oneHot } from "page/network.js";

// {networks: [{name, network, accuracy}], snapshots: [{steps, network}], examples, classes, drawings}. The snapshots are
// those of the first network while it was trained; the last of them is that network itself.
export function read(text) {
  const data = JSON.parse(text);
  const networks = data.networks.map(({ name, sizes, activations, parameters, test_accuracy }) => ({
    name,
    network: shaped(sizes, activations, new Float32Array(bytes(parameters).buffer)),
    accuracy: test_accuracy,
  }));
  const [{ sizes, activations }] = data.networks;
  const snapshots = data.snapshots.map(({ steps, parameters }) => ({
    steps,
    get network() {
      if (parameters === null) return networks[0].network;
      const network = shaped(sizes, activations, halves(bytes(parameters)));
      Object.defineProperty(this, "network", { value: network });
      return network;
    },
  }));
  const pixels = bytes(data.images);
  const classes = sizes.at(-1);
  const examples = data.labels.map((label, i) => ({
    image: brightness(pixels.subarray(i * sizes[0], (i + 1) * sizes[0])),
    label,
    target: oneHot(label, classes),
  }));
  return { networks, snapshots, examples, classes, drawings: data.drawings.map(points) };
}

// A network of these sizes from all its numbers in a row.
function shaped(sizes, activations, numbers) {
  let begin = 0;
  const next = (length) => new Float64Array(numbers.subarray(begin, (begin += length)));
  const layers = sizes.slice(1).map((n_out, layer) => ({
    weights: Array.from({ length: n_out }, () => next(sizes[layer])),
    biases: next(n_out),
    activation: activations[layer],
  }));
  return { layers };
}

// From 0 to 1.
function brightness(pixels) {
  const image = new Float64Array(pixels.length);
  for (let k = 0; k < image.length; k += 1) image[k] = pixels[k] / 255;
  return image;
}

function bytes(base64) {
  const signs = atob(base64);
  const all = new Uint8Array(signs.length);
  for (let i = 0; i < all.length; i += 1) all[i] = signs.charCodeAt(i);
  return all;
}

// Numbers of 16 bits (IEEE 754, half precision): a sign, five bits of the power of two, ten of what follows the point.
function halves(all) {
  return Float64Array.from(new Uint16Array(all.buffer), (bit) => {
    const power = (bit >> 10) & 31;
    const size = power === 0 ? 2 ** -24 * (bit & 1023) : 2 ** (power - 15) * (1 + (bit & 1023) / 1024);
    return bit & 0x8000 ? -size : size;
  });
}

const points = ({ strokes, ...rest }) => ({
  ...rest,
  strokes: strokes.map((row) => Array.from({ length: row.length / 2 }, (_, i) => ({ x: row[2 * i], y: row[2 * i + 1] }))),
});
