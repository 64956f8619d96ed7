// A small chart: lines on two axes.

import { grouped, number, svg } from "page/dom.js";

const [WIDTH, HEIGHT] = [460, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 26, 18, 44];
const BETWEEN = [1, 1.5, 2, 3, 5, 7, 10]; // where an axis may end, times a power of ten
const drawn = new WeakMap(); // of each chart: what its axes show, and the group of its lines

// `series` are {name, kind, points: [{x, y}]}; `kind` is the class that colours them. With `square` both axes have one
// scale, and the start of all lines is marked. Otherwise the axes begin at zero, or lower where values lie lower, and
// they end at `right` and `top` where those are given. `level` {y, name} is a level line, `marks` {kind, x, y} are rings, `below`
// says that the lines are named in the lower corner. Points that are not finite are left out.
export function plot(chart, { series, x, y, square = false, right = null, top = null, level = null, marks = [], below = false }) {
  const shown = series.map((each) => ({ ...each, points: each.points.filter((p) => Number.isFinite(p.x + p.y)) }));
  const points = shown.flatMap((each) => each.points);
  const values = (axis) => points.map((point) => point[axis]);
  const [xs, ys] = square ? sameScale(span(values("x")), span(values("y"))) : [[0, right ?? end(values("x"))], [begin(values("y")), top ?? end(values("y"))]];
  const across = (value) => LEFT + ((value - xs[0]) / (xs[1] - xs[0])) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - ((value - ys[0]) / (ys[1] - ys[0])) * (HEIGHT - TOP - BOTTOM);
  const lines = framed(chart, JSON.stringify([xs, ys, x, y, level, series.map(({ name }) => name)]), () => [
    ...grid(xs, ys, across, up),
    words((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", x),
    words(8, 12, "start", y),
    ...(level ? levelLine(level.name, up(level.y)) : []),
    ...names(series, below ? HEIGHT - BOTTOM - 10 - 17 * (series.length - 1) : TOP + 16),
  ]);
  const parts = [];
  for (const { kind, points: own } of shown) {
    const way = own.map((p) => `${across(p.x).toFixed(1)} ${up(p.y).toFixed(1)}`).join("L");
    if (own.length > 1) parts.push(svg("path", { class: `curve ${kind}`, d: `M${way}` }));
    if (own.length) parts.push(dot(kind, across(own.at(-1).x), up(own.at(-1).y)));
  }
  if (square && points.length) parts.push(dot("start", across(points[0].x), up(points[0].y)));
  for (const mark of marks) parts.push(svg("circle", { class: `reached ${mark.kind}`, cx: across(mark.x), cy: up(mark.y), r: 6 }));
  lines.replaceChildren(...parts);
}

// The group of a chart's lines; what lies around them is made anew only where it is another than before.
function framed(chart, key, around) {
  const before = drawn.get(chart);
  if (before?.key === key) return before.lines;
  const lines = svg("g");
  drawn.set(chart, { key, lines });
  chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  chart.replaceChildren(...around(), lines);
  return lines;
}

const grid = (xs, ys, across, up) => [
  ...ticks(...xs).flatMap((value) => [
    svg("line", { class: "grid", x1: across(value), x2: across(value), y1: TOP, y2: HEIGHT - BOTTOM }),
    words(across(value), HEIGHT - BOTTOM + 16, "middle", tick(value)),
  ]),
  ...ticks(...ys).flatMap((value) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value) }),
    ...(up(value) > TOP + 12 ? [words(LEFT - 6, up(value) + 4, "end", tick(value))] : []), // above it stands the name
  ]),
];

const levelLine = (name, height) => [
  svg("line", { class: "level", x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height }),
  svg("text", { class: "name level", x: (LEFT + WIDTH - RIGHT) / 2, y: height - 6, "text-anchor": "middle" }, name),
];

const names = (series, first) =>
  series.map(({ name, kind }, i) =>
    svg("text", { class: `name ${kind}`, x: WIDTH - RIGHT - 8, y: first + 17 * i, "text-anchor": "end" }, name),
  );

const dot = (kind, cx, cy) => svg("circle", { class: `dot ${kind}`, cx, cy, r: 4 });
const words = (x, y, anchor, text) => svg("text", { x, y, "text-anchor": anchor }, text);
export const tick = (value) =>
  Math.abs(value) >= 1e6 ? number(value, 2) : grouped(String(Number(value.toFixed(6)))).replace("-", "−");

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high > low ? [low, high + 0.04 * (high - low)] : [low, low + 4];
}

// Where an axis ends that begins at zero: at a number that stays the same for a while although the values grow.
function end(values) {
  const most = Math.max(0, ...values) * 1.02 || 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return Number((BETWEEN.find((each) => each * power >= most) * power).toPrecision(12));
}

// Where an axis begins.
const begin = (values) => (Math.min(...values) < 0 ? -end(values.map((value) => -value)) : 0);

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
