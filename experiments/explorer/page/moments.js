// The network at moments of its training: how lousy it was, and what it said of each digit.

import { brightest, forward, init, squaredError } from "page/network.js";
import { normal, uniform } from "page/chance.js";

const SEED = 1; // of the start where none was kept

// The squared differences whose sum is the cost of one example.
export const terms = (outputs, target) => Array.from(outputs, (a, j) => (a - target[j]) ** 2);

// The snapshots [{steps, network}]; of a network whose training nobody saw, a random one of its shape comes first.
export function momentsOf(snapshots) {
  if (snapshots.length > 1) return snapshots;
  return [{ steps: 0, network: init(snapshots[0].network, normal(uniform(SEED))) }, ...snapshots];
}

// Where a number of steps lies on an axis on which 0, 10, 100, ... are 0, 1, 2, ...
export const decade = (steps) => (steps < 10 ? steps / 10 : Math.log10(steps));

// Over all examples {image, target, label}: their mean cost, the share that is read right, and in row d the mean output
// for the images of digit d, null where there are none. Rests after each example.
export function* survey(network, examples) {
  const sums = examples[0].target.map(() => ({ number: 0, outputs: examples[0].target.map(() => 0) }));
  let [cost, right] = [0, 0];
  for (const { image, target, label } of examples) {
    const outputs = forward(network, image);
    cost += squaredError(outputs, target);
    right += brightest(outputs) === label ? 1 : 0;
    sums[label].number += 1;
    outputs.forEach((a, j) => (sums[label].outputs[j] += a));
    yield;
  }
  const means = sums.map(({ number, outputs }) => (number === 0 ? null : outputs.map((sum) => sum / number)));
  return { cost: cost / examples.length, accuracy: right / examples.length, means };
}

// The survey of each moment, taken once, and a piece at a time.
export function createSurveys(moments, examples) {
  const all = moments.map(({ network }) => ({ running: survey(network, examples), found: null }));
  const of = (at) => all[at].found;

  const left = () => all.some(({ found }) => !found);

  // Goes on until that time with one moment: the first, or else another one. True when that one is done.
  function goOn(first, until) {
    const each = all[first].found ? all.find(({ found }) => !found) : all[first];
    if (!each) return false;
    do {
      const { done, value } = each.running.next();
      if (done) each.found = value;
    } while (!each.found && performance.now() < until);
    return each.found !== null;
  }
  return { of, left, goOn };
}
