// The cost and the share that is read right, moment after moment, above one axis of steps.

import { label, number, percent, svg, whole } from "page/dom.js";
import { decade } from "page/moments.js";
import { tick, ticks } from "page/plot.js";
import { text } from "page/text.js";

const ZERO = 1; // what it costs to hold every output at zero

// `chosen(at)` is called with the moment that was touched.
export function createCurves(chart, moments, chosen) {
  const last = moments.at(-1).steps;
  const names = moments.map(({ steps }, i) => shortName(steps, i));
  const places = moments.map(({ steps }) => (steps === null ? 1 : decade(steps)));
  let room = null;
  let shown = null;

  function arrange() {
    const { clientWidth, clientHeight } = chart;
    if (clientWidth === 0) return;
    room = arranged(clientWidth, clientHeight, parseFloat(getComputedStyle(chart).fontSize), places);
    chart.setAttribute("viewBox", `0 0 ${clientWidth} ${clientHeight}`);
    if (shown) show(...shown);
  }

  // `found` holds for each moment {cost, accuracy}, or null as long as nobody knows them.
  function show(found, at) {
    shown = [found, at];
    const points = found.map((each, i) => each && text("lousy.point", { moment: names[i], cost: number(each.cost), share: percent(each.accuracy) }));
    label(chart, text("lousy.curvesLabel", { points: points.filter(Boolean).join("; ") }));
    if (!room) return;
    const { em, left, right, cost, share, across } = room;
    const xs = places.map(across);
    const costs = found.map((each) => each?.cost ?? NaN);
    const highest = 1.15 * Math.max(ZERO, ...costs.filter(Number.isFinite));
    const height = (value) => upTo(cost, value / highest);
    const shares = found.map((each) => upTo(share, each?.accuracy ?? NaN));
    const word = (x, y, anchor, name) => svg("text", { x, y, "text-anchor": anchor }, name);
    const level = (y, name) => [line("grid", left, right, y, y), word(left - 0.5 * em, y + 0.35 * em, "end", name)];
    const marks = last === null ? places.map((place, i) => [place, names[i]]) : decades(room, places.at(-1));
    chart.replaceChildren(
      ...marks.flatMap(([place, name]) => [
        line("grid", across(place), across(place), cost.top, cost.bottom),
        line("grid", across(place), across(place), share.top, share.bottom),
        word(across(place), share.bottom + 1.3 * em, "middle", name),
      ]),
      ...ticks(0, highest).flatMap((value) => level(height(value), tick(value))),
      ...[0, 0.5, 1].flatMap((part) => level(upTo(share, part), `${100 * part}`)),
      word(0.6 * em, cost.top - 0.7 * em, "start", text("lousy.costAxis")),
      word(0.6 * em, share.top - 0.7 * em, "start", text("lousy.shareAxis")),
      word((left + right) / 2, share.bottom + 2.7 * em, "middle", text("lousy.stepsAxis")),
      line("zero-line", left, right, height(ZERO), height(ZERO)),
      word(right, height(ZERO) - 0.5 * em, "end", text("lousy.zero", { cost: ZERO })),
      line("now", xs[at], xs[at], cost.top, share.bottom),
      ...curve("cost", xs, costs.map(height)),
      ...curve("share", xs, shares),
      ...[height(costs[at]), shares[at]].filter(Number.isFinite).map((cy) => svg("circle", { class: "chosen", cx: xs[at], cy, r: 7 })),
    );
  }

  chart.addEventListener("click", (event) => {
    const x = event.clientX - chart.getBoundingClientRect().left;
    const far = places.map((place) => Math.abs(room.across(place) - x));
    chosen(far.indexOf(Math.min(...far)));
  });
  new ResizeObserver(arrange).observe(chart);
  return { show };
}

// A moment in a word: the first is the start, one without a number of steps the end.
export function shortName(steps, at) {
  if (at === 0) return text("lousy.start");
  return steps === null ? text("lousy.end") : whole(steps);
}

// Where the two charts lie in a box of this size, in letters of `em` pixels.
function arranged(width, height, em, places) {
  const [left, right, bottom] = [3.4 * em, width - 1.9 * em, height - 3.2 * em];
  const middle = 0.6 * height;
  return {
    em,
    left,
    right,
    cost: { top: 2.2 * em, bottom: middle - 0.7 * em },
    share: { top: middle + 2.2 * em, bottom },
    across: (place) => left + (place / places.at(-1)) * (right - left),
  };
}

const upTo = ({ top, bottom }, part) => bottom - part * (bottom - top);

// 0, 10, 100, ...; where their names would touch each other, only some are named.
function decades({ em, across }, last) {
  const names = Array.from({ length: Math.floor(last) + 1 }, (_, k) => (k === 0 ? "0" : whole(10 ** k)));
  const every = Math.ceil((0.62 * em * (names.at(-1).length + 1)) / (across(1) - across(0)));
  return names.map((name, k) => [k, k % every === 0 ? name : ""]);
}

const line = (name, x1, x2, y1, y2) => svg("line", { class: name, x1, x2, y1, y2 });

// A line through all known points, and a dot for each.
function curve(kind, xs, ys) {
  const points = xs.map((x, i) => [x, ys[i]]).filter(([, y]) => Number.isFinite(y));
  const way = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  return [
    ...(points.length > 1 ? [svg("path", { class: `curve ${kind}`, d: `M${way}` })] : []),
    ...points.map(([cx, cy]) => svg("circle", { class: `dot ${kind}`, cx, cy, r: 4 })),
  ];
}
