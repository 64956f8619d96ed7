// The height along one axis through a place, as a small chart with its tangent.

import { label, svg } from "page/dom.js";
import { tick, ticks } from "page/plot.js";

const [WIDTH, HEIGHT] = [270, 210];
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 12, 24, 34];

// The heights that two slices need, with some room: one scale for both, so that their slopes can be compared.
export function heightsOf(...slices) {
  const heights = slices.flat().map(({ height }) => height).filter(Number.isFinite);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  if (!(high > low)) return heights.length ? [low - 1, high + 1] : [-1, 1];
  return [low - 0.06 * (high - low), high + 0.06 * (high - low)];
}

// `points` are {at, height}; the tangent goes through the place `at` with this height and slope.
export function drawSlice(chart, { axis, name, points, span, heights, at, height, slope, said }) {
  const across = (value) => LEFT + ((value - span[0]) / (span[1] - span[0])) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - ((value - heights[0]) / (heights[1] - heights[0])) * (HEIGHT - TOP - BOTTOM);
  const parts = [];
  for (const value of ticks(...span)) {
    const x = across(value);
    parts.push(svg("line", { class: "grid", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }), words(x, HEIGHT - BOTTOM + 15, "middle", tick(value)));
  }
  for (const value of ticks(...heights)) {
    const y = up(value);
    parts.push(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }), words(LEFT - 5, y + 4, "end", tick(value)));
  }
  parts.push(words(4, 13, "start", name), words(WIDTH - RIGHT, HEIGHT - 5, "end", axis));
  const inside = svg("svg", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM, viewBox: `${LEFT} ${TOP} ${WIDTH - LEFT - RIGHT} ${HEIGHT - TOP - BOTTOM}` });
  inside.append(svg("path", { class: `slice ${axis}`, d: wayOf(points, across, up) }));
  parts.push(inside);
  if (Number.isFinite(height)) {
    if (Number.isFinite(slope)) inside.append(tangent(across(at), up(height), slope * (up(1) - up(0)), across(1) - across(0)));
    inside.append(svg("circle", { class: "ball", cx: across(at), cy: up(height), r: 6 }));
  }
  chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  chart.replaceChildren(...parts);
  label(chart, said);
}

// Of one length however steep it is: `rise` and `run` are the pixels for one unit of the axis.
function tangent(x, y, rise, run) {
  const part = 65 / Math.hypot(rise, run);
  return svg("line", { class: "tangent", x1: x - part * run, x2: x + part * run, y1: y - part * rise, y2: y + part * rise });
}

// A line with gaps where there is no height.
function wayOf(points, across, up) {
  let drawn = false;
  return points
    .map(({ at, height }) => {
      const begun = drawn;
      drawn = Number.isFinite(height);
      return drawn ? `${begun ? "L" : "M"}${across(at).toFixed(1)} ${up(height).toFixed(1)}` : "";
    })
    .join("");
}

const words = (x, y, anchor, said) => svg("text", { x, y, "text-anchor": anchor }, said);
