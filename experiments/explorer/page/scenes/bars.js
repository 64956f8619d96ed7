// Votes as bars: up from the middle who wants more, down who wants less, and their average as a line across.

import { number, svg } from "page/dom.js";
import { most } from "page/network.js";
import { text } from "page/text.js";

const [WIDTH, HEIGHT] = [460, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 12, 26, 40];
const MIDDLE = (TOP + HEIGHT - BOTTOM) / 2;
const REACH = MIDDLE - TOP - 4;

// `votes` are {value, label} in the order of the bars; with `grouped` those of one label stand together and are named.
export function drawBars(chart, votes, grouped, average) {
  const scale = Math.max(most(votes.map(({ value }) => value)), Math.abs(average)) || 1;
  const step = (WIDTH - LEFT - RIGHT) / votes.length;
  const up = (value) => MIDDLE - (REACH * value) / scale;
  const bars = votes.map(({ value }, i) => {
    const [top, height] = [Math.min(MIDDLE, up(value)), Math.abs(up(value) - MIDDLE)];
    return svg("rect", { class: `vote ${value < 0 ? "down" : "up"}`, x: LEFT + i * step, y: top, width: 0.8 * step, height });
  });
  const level = (value, words) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value) }),
    svg("text", { x: LEFT - 6, y: up(value) + 4, "text-anchor": "end" }, words),
  ];
  chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  chart.replaceChildren(
    ...level(scale, `+${number(scale, 2)}`),
    ...level(0, "0"),
    ...level(-scale, number(-scale, 2)),
    svg("text", { x: 8, y: 14 }, text("example.wishOfEach")),
    ...(grouped ? groups(votes, step) : []),
    ...bars,
    svg("line", { class: "average", x1: LEFT, x2: WIDTH - RIGHT, y1: up(average), y2: up(average) }),
    svg("text", { class: "average-name", x: WIDTH - RIGHT, y: up(average) - 6, "text-anchor": "end" }, text("example.theAverage")),
    svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, text(grouped ? "example.theDigit" : "example.bySize")),
  );
}

// The name of each digit below its bars, and a line between one digit and the next.
function groups(votes, step) {
  const parts = [];
  let begin = 0;
  votes.forEach(({ label }, i) => {
    if (i + 1 < votes.length && votes[i + 1].label === label) return;
    const [from, to] = [LEFT + begin * step, LEFT + (i + 1) * step];
    parts.push(svg("text", { class: "digit", x: (from + to) / 2, y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, String(label)));
    if (begin > 0) parts.push(svg("line", { class: "grid", x1: from - 0.1 * step, x2: from - 0.1 * step, y1: TOP, y2: HEIGHT - BOTTOM }));
    begin = i + 1;
  });
  return parts;
}
