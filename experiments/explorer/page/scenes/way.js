// The stations of a nudge on its way through the network.

import { most } from "page/network.js";
import { neuronName } from "page/stage.js";
import { text } from "page/text.js";

// From the weight to the cost, {name, predicted, measured, difference}: the change that the slopes predict, the measured
// one, and by what part of the measured one they differ. Of each later layer that neuron which answers most.
export function stepsOfTheWay({ predicted, measured }, { layer, neuron, source }, nudge, layers) {
  const pairs = [
    [text(source === null ? "chain.theBias" : "chain.theWeight"), nudge, nudge],
    [text("chain.theSum", { name: neuronName(layer, neuron, layers) }), predicted.sum, measured.sum],
    [text("chain.theActivation", { name: neuronName(layer, neuron, layers) }), predicted.activations[layer + 1][neuron], measured.activations[layer + 1][neuron]],
  ];
  for (let l = layer + 1; l < layers; l += 1) {
    const j = strongestOf(predicted.activations[l + 1]);
    pairs.push([text("chain.theStrongest", { name: neuronName(l, j, layers) }), predicted.activations[l + 1][j], measured.activations[l + 1][j]]);
  }
  pairs.push([text("chain.theCost"), predicted.cost, measured.cost]);
  return pairs.map(([name, foretold, found]) => ({
    name,
    predicted: foretold,
    measured: found,
    difference: found === null || found === 0 ? null : Math.abs((foretold - found) / found),
  }));
}

const strongestOf = (row) => row.findIndex((one) => Math.abs(one) === most(row));
