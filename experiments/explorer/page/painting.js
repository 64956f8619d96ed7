// Weights that are painted: what a brush does to them, and how an address holds them.
//
// A painting has a level for each pixel, a whole number from -8 to 8, full red to full blue, and null where nobody has
// painted. There the weights of the neuron that one began with, {weights, full}, are left as they are.

import { packed, unpacked } from "page/address.js";
import { SIDE } from "page/digit.js";

export const BRUSHES = { blue: 1, red: -1, eraser: 0 };
const STEPS = 8;
const RUN = 14; // pixels in a row that one byte of an address holds: 18 levels of up to 14 pixels are 252 bytes

export const unpainted = () => Array(SIDE * SIDE).fill(null);

// Full colour is a weight of ±full.
export const painted = ({ weights, full }, painting) =>
  Float64Array.from(weights, (w, k) => (painting[k] === null ? w : (painting[k] * full) / STEPS));

// The painting after a stroke that covers each pixel by a part, 0 to 1, and takes it so far towards the brush's colour.
export function stroked({ weights, full }, painting, covered, brush) {
  return painting.map((level, k) => {
    if (covered[k] === 0) return level;
    const from = level ?? Math.min(STEPS, Math.max(-STEPS, (STEPS * weights[k]) / full));
    return Math.round(from + covered[k] * (STEPS * BRUSHES[brush] - from));
  });
}

// As letters and digits, a byte for each row of pixels of the same level; null where nothing is painted.
export function inLetters(painting) {
  if (painting.every((level) => level === null)) return null;
  const bytes = [];
  for (let begin = 0; begin < painting.length; ) {
    let run = 1;
    while (run < RUN && begin + run < painting.length && painting[begin + run] === painting[begin]) run += 1;
    bytes.push((painting[begin] === null ? 0 : painting[begin] + STEPS + 1) * RUN + run - 1);
    begin += run;
  }
  return packed(bytes);
}

// The painting that these letters hold; null where they hold none.
export function fromLetters(letters) {
  const painting = (unpacked(letters) ?? []).flatMap((byte) => {
    const symbol = Math.floor(byte / RUN);
    return Array((byte % RUN) + 1).fill(symbol === 0 ? null : symbol - STEPS - 1);
  });
  const whole = painting.length === SIDE * SIDE && painting.every((level) => level === null || level <= STEPS);
  return whole ? painting : null;
}
