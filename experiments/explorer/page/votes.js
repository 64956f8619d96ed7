// Many examples, each with wishes of its own, and what is left of them in the average. A gradient is never written out:
// of a layer it is delta a'^T, so that delta and a' tell all of it.

import { dot, errors, lit, trace } from "page/network.js";

// What each example says: {activations, deltas}, as trace and errors have them.
export const opinions = (network, examples) =>
  examples.map(({ image, target }) => {
    const traced = trace(network, image);
    return { activations: traced.activations, deltas: errors(network, traced, target).deltas };
  });

// Which way, and how much, an example wants a weight or a bias to go: -dC/dw.
export const vote = ({ activations, deltas }, { layer, neuron, source }) =>
  -deltas[layer][neuron] * (source === null ? 1 : activations[layer][source]);

export const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

// For the first 1, 2, 3, ... of the opinions: the length of their mean gradient over the mean of their lengths: `left`.
// `unrelated` is what would be expected to be left of gradients as long as these that have nothing in common, which
// stand square to each other: the root of the sum of the squares over the sum, 1/sqrt(number) where all are equally long.
export function whatIsLeft(all) {
  const sums = all[0].deltas.map((delta, layer) => ({
    weights: Array.from(delta, () => new Float64Array(all[0].activations[layer].length)),
    biases: new Float64Array(delta.length),
  }));
  let [squared, lengths, squares] = [0, 0, 0]; // |sum|^2, the sum of the lengths, the sum of their squares
  return all.map(({ activations, deltas }, i) => {
    let [own, along] = [0, 0];
    sums.forEach(({ weights, biases }, layer) => {
      const [before, delta] = [activations[layer], deltas[layer]];
      own += dot(delta, delta) * (dot(before, before) + 1);
      const places = lit(before);
      weights.forEach((w, j) => {
        let carried = biases[j];
        for (let i = 0; i < places.length; i += 1) {
          const k = places[i];
          carried += w[k] * before[k];
          w[k] += delta[j] * before[k];
        }
        along += delta[j] * carried;
        biases[j] += delta[j];
      });
    });
    squared += 2 * along + own;
    squares += own;
    lengths += Math.sqrt(own);
    const all = lengths || 1; // where nobody wants anything, nothing is left
    return { number: i + 1, left: Math.sqrt(Math.max(0, squared)) / all, unrelated: Math.sqrt(squares) / all };
  });
}
