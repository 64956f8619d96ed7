// A nudge to one weight or bias, followed through the network twice: by the slopes of the chain rule, and in truth.

import { ACTIVATIONS, dot, factors, squaredError, trace } from "page/network.js";

// The network with that weight, or bias, changed by so much.
export function nudged(network, { layer, neuron, source }, by) {
  const layers = network.layers.map((each, l) => {
    if (l !== layer) return each;
    const [weights, biases] = [[...each.weights], Float64Array.from(each.biases)];
    if (source === null) biases[neuron] += by;
    else {
      weights[neuron] = Float64Array.from(weights[neuron]);
      weights[neuron][source] += by;
    }
    return { ...each, weights, biases };
  });
  return { layers };
}

// Both {sum, activations, cost}: the change of the neuron's weighted sum, of all activations, and of the cost (null
// without a target). Predicted is slope times nudge, layer after layer; measured is the difference of two networks.
export function follow(network, image, target, weight, by) {
  const before = trace(network, image);
  const after = trace(nudged(network, weight, by), image);
  const changes = slopes(network, before, weight);
  const costOf = ({ activations }) => squaredError(activations.at(-1), target);
  return {
    predicted: {
      sum: by * changes.sum,
      activations: changes.activations.map((row) => row.map((one) => by * one)),
      cost: target && by * factors(network, image, target, weight.layer, weight.neuron, weight.source).product,
    },
    measured: {
      sum: after.weightedSums[weight.layer][weight.neuron] - before.weightedSums[weight.layer][weight.neuron],
      activations: after.activations.map((row, l) => Array.from(row, (one, j) => one - before.activations[l][j])),
      cost: target && costOf(after) - costOf(before),
    },
  };
}

// How the neuron's weighted sum, and all activations, answer to the weight: dz/dw and da/dw, forward from its layer on.
function slopes(network, { weightedSums, activations }, { layer, neuron, source }) {
  const sum = source === null ? 1 : activations[layer][source];
  const answers = activations.slice(0, layer + 1).map((row) => Array.from(row, () => 0));
  let dz = Array.from(activations[layer + 1], (_, j) => (j === neuron ? sum : 0));
  for (let l = layer; l < network.layers.length; l += 1) {
    if (l > layer) dz = network.layers[l].weights.map((w) => dot(w, answers[l]));
    const da_dz = ACTIVATIONS[network.layers[l].activation].derivative(weightedSums[l]);
    answers.push(Array.from(da_dz, (slope, i) => (Array.isArray(slope) ? dot(slope, dz) : slope * dz[i])));
  }
  return { sum, activations: answers };
}
