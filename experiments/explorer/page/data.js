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
    network: parameters === null ? networks[0].network : shaped(sizes, activations, halves(bytes(parameters))),
  }));
  const pixels = bytes(data.images);
  const classes = sizes.at(-1);
  const examples = data.labels.map((label, i) => ({
    image: Float64Array.from(pixels.subarray(i * sizes[0], (i + 1) * sizes[0]), (byte) => byte / 255),
    label,
    target: oneHot(label, classes),
  }));
  return { networks, snapshots, examples, classes, drawings: data.drawings.map(points), trainedOn: data.trained_on };
}

// A network of these sizes from all its numbers in a row.
function shaped(sizes, activations, numbers) {
  let begin = 0;
  const next = (length) => Float64Array.from(numbers.subarray(begin, (begin += length)));
  const layers = sizes.slice(1).map((n_out, layer) => ({
    weights: Array.from({ length: n_out }, () => next(sizes[layer])),
    biases: next(n_out),
    activation: activations[layer],
  }));
  return { layers };
}

const bytes = (base64) => Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));

// Numbers of 16 bits (IEEE 754, half precision): a sign, five bits of the power of two, ten of what follows the point.
function halves(all) {
  const bits = new Uint16Array(all.buffer);
  return Float64Array.from(bits, (bit) => {
    const [sign, power, rest] = [bit & 0x8000 ? -1 : 1, (bit >> 10) & 31, bit & 1023];
    return sign * (power === 0 ? 2 ** -24 * rest : 2 ** (power - 15) * (1 + rest / 1024));
  });
}

const points = ({ strokes, ...rest }) => ({
  ...rest,
  strokes: strokes.map((row) => Array.from({ length: row.length / 2 }, (_, i) => ({ x: row[2 * i], y: row[2 * i + 1] }))),
});
