// Ways downhill from one start: with all examples a step, or with a few. And the planes on which they are drawn.

import { averageGradient, dot, flat, step } from "page/network.js";
import { shuffled } from "page/chance.js";

export const RECENT = 40; // steps that are kept one by one
const [FEWEST, MOST, NUMBERS] = [20, 60, 1e6]; // places of a path that are kept, and the numbers in all of them

// A descent that starts from `network`, has taken no step, and draws the order of the examples from `random`. A place is
// all weights and biases in one row.
export function descentFrom(network, random) {
  const place = flat(network);
  return { network, random, waiting: [], seen: 0, steps: 0, length: 0, path: [{ steps: 0, place }], recent: [place] };
}

// One step on the next `batchSize` of the examples. Each epoch shows all of them once, in a new order; its last batch
// is what is left.
export function nextStep(descent, examples, batchSize, rate) {
  const waiting = descent.waiting.length ? descent.waiting : shuffled(examples, descent.random);
  const batch = waiting.slice(0, batchSize);
  const network = step(descent.network, averageGradient(descent.network, batch), rate);
  const place = flat(network);
  const steps = descent.steps + 1;
  return {
    ...descent,
    network,
    waiting: waiting.slice(batchSize),
    seen: descent.seen + batch.length,
    steps,
    length: descent.length + distance(descent.recent.at(-1), place),
    path: longer(descent.path, { steps, place }),
    recent: [...descent.recent.slice(-RECENT), place],
  };
}

// A path with one more place. Of one that is long enough that place goes which leaves the smallest gap: they stay about
// equally many steps apart, and no more memory is taken.
function longer(path, next) {
  const all = [...path, next];
  if (all.length <= Math.min(MOST, Math.max(FEWEST, NUMBERS / next.place.length))) return all;
  const gaps = all.slice(2).map(({ steps }, i) => steps - all[i].steps);
  all.splice(1 + gaps.indexOf(Math.min(...gaps)), 1);
  return all;
}

export function distance(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i += 1) sum += (one[i] - other[i]) ** 2;
  return Math.sqrt(sum);
}

// The plane through three places: a function from a place to its two coordinates there. The first axis leads from the
// start to `one`, the second is square to it, on the side of `other`.
export function plane(start, one, other) {
  const across = unit(arrow(start, one));
  const away = arrow(start, other);
  const aside = less(away, dot(away, across), across);
  // What rounding leaves of places on one line is no direction.
  const up = dot(aside, aside) > 1e-18 * dot(away, away) ? unit(aside) : new Float64Array(start.length);
  const [x0, y0] = [dot(start, across), dot(start, up)];
  return (place) => ({ x: dot(place, across) - x0, y: dot(place, up) - y0 });
}

// The plane through the first and the last of some places, and through that one which is farthest from the straight way.
// Lengths on it are in parts of that straight way.
export function closePlane(places) {
  const [start, end] = [places[0], places.at(-1)];
  const across = unit(arrow(start, end));
  const aside = places.map((place) => {
    const away = arrow(start, place);
    return dot(away, away) - dot(away, across) ** 2;
  });
  const seenOn = plane(start, end, places[aside.indexOf(Math.max(...aside))]);
  const way = distance(start, end) || 1;
  return (place) => {
    const { x, y } = seenOn(place);
    return { x: x / way, y: y / way };
  };
}

const arrow = (from, to) => less(to, 1, from);

// one - share other.
function less(one, share, other) {
  const rest = new Float64Array(one.length);
  for (let i = 0; i < one.length; i += 1) rest[i] = one[i] - share * other[i];
  return rest;
}

function unit(arrow) {
  const length = Math.sqrt(dot(arrow, arrow));
  return length > 0 ? arrow.map((value) => value / length) : arrow;
}
