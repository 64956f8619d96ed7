// A small chart: lines on two axes.

import { localized, number, svg } from "page/dom.js";

const [WIDTH, HEIGHT] = [460, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 16, 18, 44];

// `series` are {name, kind, points: [{x, y}]}; `kind` is the class that colours them. With `square` both axes have one
// scale, and the start of all lines is marked. Points that are not finite are left out.
export function plot(chart, { series, x, y, square = false }) {
  const shown = series.map((each) => ({ ...each, points: each.points.filter((p) => Number.isFinite(p.x + p.y)) }));
  const points = shown.flatMap((each) => each.points);
  const zero = square ? [] : [{ x: 0, y: 0 }];
  let [xs, ys] = [span([...points, ...zero].map((p) => p.x)), span([...points, ...zero].map((p) => p.y))];
  if (square) [xs, ys] = sameScale(xs, ys);
  const across = (value) => LEFT + ((value - xs[0]) / (xs[1] - xs[0])) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - ((value - ys[0]) / (ys[1] - ys[0])) * (HEIGHT - TOP - BOTTOM);
  const parts = [];
  for (const value of ticks(...xs)) {
    parts.push(
      svg("line", { class: "grid", x1: across(value), x2: across(value), y1: TOP, y2: HEIGHT - BOTTOM }),
      label(across(value), HEIGHT - BOTTOM + 16, "middle", tick(value)),
    );
  }
  for (const value of ticks(...ys)) {
    parts.push(
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value) }),
      label(LEFT - 6, up(value) + 4, "end", tick(value)),
    );
  }
  parts.push(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", x), label(8, 12, "start", y));
  shown.forEach(({ kind, points: own }) => {
    const way = own.map((p) => `${across(p.x).toFixed(1)} ${up(p.y).toFixed(1)}`).join("L");
    if (own.length > 1) parts.push(svg("path", { class: `curve ${kind}`, d: `M${way}` }));
    if (own.length) parts.push(dot(kind, across(own.at(-1).x), up(own.at(-1).y)));
  });
  if (square && points.length) parts.push(dot("start", across(points[0].x), up(points[0].y)));
  shown.forEach(({ name, kind }, i) => {
    parts.push(svg("text", { class: `name ${kind}`, x: WIDTH - RIGHT - 8, y: TOP + 16 + 17 * i, "text-anchor": "end" }, name));
  });
  chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  chart.replaceChildren(...parts);
}

const dot = (kind, cx, cy) => svg("circle", { class: `dot ${kind}`, cx, cy, r: 4 });
const label = (x, y, anchor, text) => svg("text", { x, y, "text-anchor": anchor }, text);
export const tick = (value) =>
  Math.abs(value) >= 1e6
    ? number(value, 2)
    : localized(value.toLocaleString("en", { maximumFractionDigits: 6 })).replace("-", "−");

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high > low ? [low, high + 0.04 * (high - low)] : [low, low + 4];
}

function sameScale(xs, ys) {
  const unit = Math.max((xs[1] - xs[0]) / (WIDTH - LEFT - RIGHT), (ys[1] - ys[0]) / (HEIGHT - TOP - BOTTOM)) * 1.08;
  const around = ([low, high], length) => [(low + high - unit * length) / 2, (low + high + unit * length) / 2];
  return [around(xs, WIDTH - LEFT - RIGHT), around(ys, HEIGHT - TOP - BOTTOM)];
}

// A few round numbers between two others.
export function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const first = Math.ceil(low / size);
  return Array.from({ length: Math.floor(high / size) - first + 1 }, (_, i) => Number(((first + i) * size).toPrecision(12)));
}
