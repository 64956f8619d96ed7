// Rolling downhill on a surface of two variables: gradient descent, and what becomes of it.

import { JETS, NUMBERS, compiled } from "page/jets.js";
import { parse } from "page/formula.js";

export const MOST_STEPS = 50_000;
const FAR = 10; // times half the width of the map: where nothing comes back from
const CALM = 1e-6; // of the typical slope: where a ball rests
const SAMPLES = 21; // each way, for the typical slope

// The classic ones are those of experiments/common/surfaces.py; `home` is the part of the plane that the map shows.
const home = (x, y, half) => ({ x, y, half });
export const SURFACES = {
  bowl: { formula: "x^2 + y^2", home: home(0, 0, 2), start: { x: -1.5, y: 1 }, rate: 0.1 },
  valley: { formula: "5*(x - y)^2 + (x + y)^2/4", home: home(0, 0, 2), start: { x: -1.7, y: -0.9 }, rate: 0.04 },
  saddle: { formula: "x^2 - y^2", home: home(0, 0, 2), start: { x: -1.5, y: 0.02 }, rate: 0.1 },
  rosenbrock: { formula: "(1 - x)^2 + 100*(y - x^2)^2", home: home(0, 1, 2), start: { x: -1.2, y: 1 }, rate: 0.001 },
  himmelblau: { formula: "(x^2 + y - 11)^2 + (x + y^2 - 7)^2", home: home(0, 0, 5.5), start: { x: -1, y: -4.5 }, rate: 0.005 },
  dips: { formula: "(x^2 - 1)^2 + y^2 + 0.3*x", home: home(0, 0, 2), start: { x: 1.6, y: 1.2 }, rate: 0.05 },
};
export const OWN = { home: home(0, 0, 2), start: { x: -1.5, y: 1 }, rate: 0.1 };

// {height(x, y), jet(x, y), formula, home, calm}, or {wrong} as the parser says it.
export function surfaceOf(formula, around) {
  const { tree, wrong } = parse(formula);
  if (wrong) return { wrong };
  const height = compiled(tree, NUMBERS);
  return { formula, home: around, height, jet: compiled(tree, JETS), calm: CALM * typicalSlope(height, around) };
}

// The middle 90 % of the heights, over the width of the map.
function typicalSlope(height, { x, y, half }) {
  const at = (i) => (2 * i) / (SAMPLES - 1) - 1;
  const heights = Array.from({ length: SAMPLES ** 2 }, (_, i) =>
    height(x + half * at(i % SAMPLES), y + half * at(Math.floor(i / SAMPLES))),
  );
  const finite = heights.filter(Number.isFinite).sort((one, other) => one - other);
  const quantile = (part) => finite[Math.floor(part * (finite.length - 1))];
  return finite.length ? (quantile(0.95) - quantile(0.05)) / (2 * half) : 0;
}

// A place on the way: {x, y, height, gradient, steepness}, the last the length of the gradient.
export function placeOn(surface, x, y) {
  const [height, ...slopes] = surface.jet(x, y);
  const gradient = slopes.slice(0, 2);
  return { x, y, height, gradient, steepness: Math.hypot(...gradient) };
}

// One step of gradient descent.
export const rolled = (surface, { x, y, gradient: [dx, dy] }, rate) => placeOn(surface, x - rate * dx, y - rate * dy);

// What has become of a ball: null as long as it rolls, "rest", "lost" where there is no height or no slope, "diverged" far
// off and higher than at the start, "away" far off and lower, and after many steps "swings" or "creeps".
export function fateOf(surface, path) {
  const [start, last] = [path[0], path.at(-1)];
  const { x, y, half } = surface.home;
  const far = !(Math.hypot(last.x - x, last.y - y) <= FAR * half);
  if (far) return last.height < start.height ? "away" : "diverged";
  if (!Number.isFinite(last.height) || !Number.isFinite(last.steepness)) return "lost";
  if (last.steepness <= surface.calm) return "rest";
  if (path.length <= MOST_STEPS) return null;
  return overshot(path) ? "swings" : "creeps";
}

// Whether the last step went on beyond the bottom of its way: the slope there points back.
export function overshot(path) {
  const [[ax, ay], [bx, by]] = [path.at(-2).gradient, path.at(-1).gradient];
  return ax * bx + ay * by < 0;
}

// The largest and the smallest curvature at a place, over all directions: the eigenvalues of the Hessian.
export function curvatures(surface, { x, y }) {
  const [, , , xx, xy, yy] = surface.jet(x, y);
  const [mean, apart] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
  return { sharpness: mean + apart, least: mean - apart };
}

// The heights along one axis through a place, the other held: {at, height} from one edge to the other.
export function slice(surface, { x, y }, axis, [low, high], points) {
  return Array.from({ length: points }, (_, i) => {
    const at = low + ((high - low) * i) / (points - 1);
    return { at, height: axis === "x" ? surface.height(at, y) : surface.height(x, at) };
  });
}

// Of a long path the lowest and the highest place of each part, with its step: {step, height}.
export function thinned(path, most) {
  const size = Math.max(1, Math.ceil((2 * path.length) / most));
  if (size <= 2) return path.map(({ height }, step) => ({ step, height }));
  const kept = [];
  for (let begin = 0; begin < path.length; begin += size) {
    let [low, high] = [begin, begin];
    for (let i = begin; i < Math.min(begin + size, path.length); i += 1) {
      if (path[i].height < path[low].height) low = i;
      if (path[i].height > path[high].height) high = i;
    }
    for (const step of [...new Set([low, high])].sort((one, other) => one - other)) kept.push({ step, height: path[step].height });
  }
  const last = path.length - 1;
  return kept.at(-1).step === last ? kept : [...kept, { step: last, height: path[last].height }];
}
