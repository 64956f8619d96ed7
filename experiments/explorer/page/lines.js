// The lines of the network's picture: which of them are worth drawing, and which one a finger touches.

import { set, svg } from "page/dom.js";
import { SIDE } from "page/digit.js";
import { most } from "page/network.js";

const FROM_PIXELS = { all: 220, own: 90 }; // of 12,544 lines the strongest ones; of those into the chosen neuron, too
const BETWEEN = 900;
const LEVELS = 4;
const FAINT = 0.06; // of the strongest line of the layer; below that it is not drawn
const NEAR = 9; // pixels from a line that still touch it

// What lines may show: what a weight brings to the sum, or the weight itself.
export const flow = ({ network, activations }) => (layer, neuron, source) =>
  network.layers[layer].weights[neuron][source] * activations[layer][source];
export const bareWeight = ({ network }) => (layer, neuron, source) => network.layers[layer].weights[neuron][source];

// The lines worth drawing, weak ones first, and the chosen one in any case:
// {layer, neuron, source, value, strength from -1 to 1, own, chosen, x1, y1, x2, y2}.
export function strongLines(shown, sizes, selected, places) {
  return sizes.slice(1).flatMap((size, layer) => {
    const all = [];
    for (let neuron = 0; neuron < size; neuron += 1) {
      for (let source = 0; source < sizes[layer]; source += 1) {
        const value = shown(layer, neuron, source);
        const own = selected.layer === layer && selected.neuron === neuron;
        const chosen = own && selected.source === source;
        if (value !== 0 || chosen) all.push({ layer, neuron, source, value, own, chosen });
      }
    }
    const strengths = Float64Array.from(all, ({ value }) => Math.abs(value));
    const top = most(strengths);
    const least = nthLargest(strengths, layer === 0 ? FROM_PIXELS.all : BETWEEN);
    const leastOwn = nthLargest(strengths.filter((_, i) => all[i].own), layer === 0 ? FROM_PIXELS.own : Infinity);
    const lines = all.filter(({ own, chosen }, i) => {
      const strong = strengths[i] >= (own ? Math.min(least, leastOwn) : least) && strengths[i] > FAINT * top;
      return chosen || strong;
    });
    return lines
      .sort((one, other) => Math.abs(one.value) - Math.abs(other.value))
      .map((line) => ({ ...line, strength: line.value / (top || 1), ...ends(places, line) }));
  });
}

const nthLargest = (numbers, n) => (n < numbers.length ? numbers.slice().sort().at(-n) : 0);

function ends({ picture, layers }, { layer, neuron, source }) {
  const pixel = picture.side / SIDE;
  const from =
    layer === 0
      ? { x: picture.x + ((source % SIDE) + 0.5) * pixel, y: picture.y + (Math.floor(source / SIDE) + 0.5) * pixel, r: 0 }
      : layers[layer - 1].neurons[source];
  const to = layers[layer].neurons[neuron];
  return { x1: from.x + from.r, y1: from.y, x2: to.x - to.r, y2: to.y };
}

// Lines of the same colour and strength are one path. Strong ones lie above weak ones, a neuron's own above the others,
// and the chosen one above all.
const SIGNS = ["plus", "minus"];
const levels = (own) => Array.from({ length: LEVELS }, (_, i) => SIGNS.map((sign) => `${own}${sign} level${i + 1}`)).flat();
const PATHS = [...levels(""), ...levels("own "), ...SIGNS.map((sign) => `${sign} chosen`), "zero chosen"];

// The function that draws lines into the group.
export function createLines(group) {
  const paths = PATHS.map((name) => svg("path", { class: name }));
  group.append(...paths);
  return (lines) => {
    const ways = Object.fromEntries(PATHS.map((name) => [name, ""]));
    for (const line of lines) {
      const level = Math.ceil(LEVELS * Math.abs(line.strength));
      const sign = line.strength > 0 ? "plus" : line.strength < 0 ? "minus" : "zero";
      const name = line.chosen ? `${sign} chosen` : `${line.own ? "own " : ""}${sign} level${level}`;
      ways[name] += `M${line.x1.toFixed(1)} ${line.y1.toFixed(1)}L${line.x2.toFixed(1)} ${line.y2.toFixed(1)}`;
    }
    paths.forEach((path, i) => set(path, "d", ways[PATHS[i]]));
  };
}

export function nearest(lines, x, y) {
  let [best, least] = [null, NEAR];
  for (const line of lines) {
    const [dx, dy] = [line.x2 - line.x1, line.y2 - line.y1];
    const along = Math.min(1, Math.max(0, ((x - line.x1) * dx + (y - line.y1) * dy) / (dx * dx + dy * dy)));
    const distance = Math.hypot(x - line.x1 - along * dx, y - line.y1 - along * dy);
    if (distance <= least) [best, least] = [line, distance];
  }
  return best;
}
