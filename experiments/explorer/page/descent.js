// Two ways downhill from one start: with all examples a step, or with a few. And the plane on which they are drawn.

import { averageGradient, dot, step } from "page/network.js";
import { shuffled } from "page/chance.js";

const MOST_POINTS = 160; // of a path; every point is a whole network
export const RECENT = 40; // steps that are kept one by one

// A descent that starts from `network`, has taken no step, and draws the order of the examples from `random`.
export const descentFrom = (network, random) => ({
  network,
  random,
  waiting: [],
  seen: 0,
  steps: 0,
  length: 0,
  path: { points: [flat(network)], every: 1 },
  recent: [flat(network)],
});

// One step on the next `batchSize` of the examples. Each epoch shows all of them once, in a new order; its last batch
// is what is left.
export function nextStep(descent, examples, batchSize, rate) {
  const waiting = descent.waiting.length ? descent.waiting : shuffled(examples, descent.random);
  const batch = waiting.slice(0, batchSize);
  const network = step(descent.network, averageGradient(descent.network, batch), rate);
  const here = flat(network);
  const steps = descent.steps + 1;
  return {
    ...descent,
    network,
    waiting: waiting.slice(batchSize),
    seen: descent.seen + batch.length,
    steps,
    length: descent.length + distance(descent.recent.at(-1), here),
    path: steps % descent.path.every === 0 ? longer(descent.path, here) : descent.path,
    recent: [...descent.recent.slice(-RECENT), here],
  };
}

// A path with one more point; of one that has become too long every second point stays.
function longer({ points, every }, here) {
  const all = [...points, here];
  return all.length <= MOST_POINTS
    ? { points: all, every }
    : { points: all.filter((_, i) => i % 2 === 0), every: 2 * every };
}

// All weights and biases in one row.
export function flat({ layers }) {
  const parts = layers.flatMap(({ weights, biases }) => [...weights, biases]);
  const row = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let begin = 0;
  for (const part of parts) {
    row.set(part, begin);
    begin += part.length;
  }
  return row;
}

export function distance(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i += 1) sum += (one[i] - other[i]) ** 2;
  return Math.sqrt(sum);
}

// The plane through three places: a function from a place to its two coordinates there. The first axis leads from the
// start to `one`, the second is square to it, on the side of `other`.
export function plane(start, one, other) {
  const across = unit(one.map((value, i) => value - start[i]));
  const away = other.map((value, i) => value - start[i]);
  const along = dot(away, across);
  const aside = away.map((value, i) => value - along * across[i]);
  // What rounding leaves of places on one line is no direction.
  const up = dot(aside, aside) > 1e-18 * dot(away, away) ? unit(aside) : aside.map(() => 0);
  return (place) => {
    let [x, y] = [0, 0];
    for (let i = 0; i < place.length; i += 1) {
      x += (place[i] - start[i]) * across[i];
      y += (place[i] - start[i]) * up[i];
    }
    return { x, y };
  };
}

// The plane through the first and the last of some places, and through that one which is farthest from the straight way.
// Lengths on it are in parts of that straight way.
export function closePlane(places) {
  const [start, end] = [places[0], places.at(-1)];
  const across = unit(end.map((value, i) => value - start[i]));
  const aside = places.map((place) => {
    const away = place.map((value, i) => value - start[i]);
    return dot(away, away) - dot(away, across) ** 2;
  });
  const seenOn = plane(start, end, places[aside.indexOf(Math.max(...aside))]);
  const way = distance(start, end) || 1;
  return (place) => {
    const { x, y } = seenOn(place);
    return { x: x / way, y: y / way };
  };
}

function unit(arrow) {
  const length = Math.sqrt(dot(arrow, arrow));
  return length > 0 ? arrow.map((value) => value / length) : arrow;
}
