// Careful against drunk: two descents from one start, how far each has come, what it has cost, and when it was where.

import { descentFrom, nextStep } from "page/descent.js";
import { judge } from "page/network.js";
import { uniform } from "page/chance.js";

export const KINDS = ["full", "mini"];
export const GOALS = [60, 70, 80, 90]; // percent of the images that are read right
const MOST_POINTS = 200; // of a curve
const [CLOSE, FAR] = [0.02, 10]; // what is judged anew: that share more of the examples seen, or so many times all examples

// Of each kind: `at`, the descent; `seconds` that its steps took to compute; `judged`, the last judgement {seen, steps,
// seconds, cost, accuracy}; `curve`, all of these; `reached`, for each goal the first of them that was as good.
export function raceFrom(start, examples, seed) {
  const judged = { seen: 0, steps: 0, seconds: 0, ...judge(start, examples) };
  const one = () => ({ at: descentFrom(start, uniform(seed)), seconds: 0, judged, curve: [judged], reached: {} });
  return Object.fromEntries(KINDS.map((kind) => [kind, one()]));
}

// One step. Browsers round the time; over many steps that evens out.
export function advanced(runner, examples, batchSize, rate) {
  const begin = performance.now();
  const at = nextStep(runner.at, examples, batchSize, rate);
  return { ...runner, at, seconds: runner.seconds + (performance.now() - begin) / 1000 };
}

// Whether it has to be judged again: when it has seen some more, for to judge after every step would cost more than to
// descend. This depends on the examples seen alone, not on who looked on the way.
export const isDue = ({ at, judged }, { length }) => mark(at.seen, length) !== mark(judged.seen, length);

const mark = (seen, images) =>
  CLOSE * seen < FAR * images ? Math.floor(Math.log(seen + 1) / Math.log(1 + CLOSE)) : -Math.floor(seen / (FAR * images));

export function judgedAnew(runner, examples) {
  const { at, seconds } = runner;
  if (at.seen === runner.judged.seen) return runner;
  const judged = { seen: at.seen, steps: at.steps, seconds, ...judge(at.network, examples) };
  const all = [...runner.curve, judged];
  const reached = { ...runner.reached };
  for (const goal of GOALS) if (!(goal in reached) && 100 * judged.accuracy >= goal) reached[goal] = judged;
  return { ...runner, judged, curve: all.length > MOST_POINTS ? all.filter((_, i) => i % 2 === 0) : all, reached };
}

// Whoever has seen fewer examples first.
export const inTurn = ({ full, mini }) => (full.at.seen <= mini.at.seen ? KINDS : KINDS.toReversed());

// How the two compare at a goal, {full, mini, times}: how many times fewer examples the mini-batch saw; null before both
// have reached it.
export function compared({ full, mini }, goal) {
  if (!(goal in full.reached) || !(goal in mini.reached)) return null;
  const [one, other] = [full.reached[goal], mini.reached[goal]];
  return { full: one, mini: other, times: one.seen / other.seen };
}
