// What is to be read beside the map: the slopes where the ball is, two slices, the heights on its way, the sharpness.

import { find, html, label, number, say, svg } from "page/dom.js";
import { curvatures, slice, thinned } from "page/slopes.js";
import { drawSlice, heightsOf } from "page/slices.js";
import { plot, tick } from "page/plot.js";
import { RATE } from "page/wanted.js";
import { text } from "page/text.js";

const POINTS = 101; // of a slice
const MOST_POINTS = 300; // of the curve
const NOTHING = 1e-4; // of a place

// Nearly zero is zero, so that a place can be read.
export const placeName = ({ x, y }) => `(${[x, y].map((each) => number(Math.abs(each) < NOTHING ? 0 : each)).join(", ")})`;

export function showSlopes({ height, gradient, steepness }) {
  const [dx, dy] = gradient.map((slope) => number(slope));
  say(find("hill-height"), number(height));
  say(find("hill-dx"), dx);
  say(find("hill-dy"), dy);
  say(find("hill-gradient"), `(${dx}, ${dy})`);
  say(find("hill-steep"), number(steepness));
}

export function showSlices(surface, place, view) {
  const spans = { x: [view.x - view.half, view.x + view.half], y: [view.y - view.half, view.y + view.half] };
  const points = { x: slice(surface, place, "x", spans.x, POINTS), y: slice(surface, place, "y", spans.y, POINTS) };
  const heights = heightsOf(points.x, points.y);
  for (const [axis, other, slope] of [["x", "y", place.gradient[0]], ["y", "x", place.gradient[1]]]) {
    const name = text(`downhill.slice.${axis}`, { held: number(place[other]) });
    drawSlice(find(`hill-along-${axis}`), {
      axis,
      name,
      points: points[axis],
      span: spans[axis],
      heights,
      at: place[axis],
      height: place.height,
      slope,
      said: text("downhill.slope", { name, height: number(place.height), slope: number(slope) }),
    });
  }
}

export const showCurve = (path) =>
  plot(find("hill-curve"), {
    x: text("downhill.steps"),
    y: text("downhill.height"),
    series: [{ kind: "mini", name: "", points: thinned(path, MOST_POINTS).map(({ step, height }) => ({ x: step, y: height })) }],
  });

// The rates tried, on a logarithmic axis; dots came to rest, crosses did not. The line is the rate of now, and the dashed one,
// where it is known, 2 / sharpness.
export function showRates(tried, now, limit) {
  const rates = (kind) => tried.filter(({ rested }) => rested === kind).map(({ rate }) => rate);
  const [rested, not] = [rates(true), rates(false)];
  const most = rested.length ? String(Math.max(...rested)) : text("downhill.none");
  const least = not.length ? String(Math.min(...not)) : text("downhill.none");
  say(find("hill-rested"), most);
  say(find("hill-not"), least);
  const shown = limit >= RATE.least && limit <= RATE.most ? [limit] : [];
  const all = [...tried.map(({ rate }) => rate), now ?? 0.1, ...shown];
  const [first, last] = [Math.floor(Math.log10(Math.min(...all))), Math.floor(Math.log10(Math.max(...all))) + 1];
  const across = (rate) => 26 + (306 * (Math.log10(rate) - first)) / (last - first);
  const upright = (kind, rate) => svg("line", { class: kind, x1: across(rate), x2: across(rate), y1: 6, y2: 58 });
  const between = last - first > 2 ? [1] : [1, 2, 5];
  const marks = Array.from({ length: last - first }, (_, i) => between.map((each) => each * 10 ** (first + i))).flat();
  find("hill-rates").setAttribute("viewBox", "0 0 358 80");
  label(find("hill-rates"), text("downhill.ratesLabel", { rested: most, not: least }));
  find("hill-rates").replaceChildren(
    ...[...marks, 10 ** last].flatMap((mark) => [
      svg("line", { class: "grid", x1: across(mark), x2: across(mark), y1: 6, y2: 58 }),
      svg("text", { x: across(mark), y: 76, "text-anchor": "middle" }, tick(mark)),
    ]),
    svg("line", { class: "axis", x1: 26, x2: 332, y1: 58, y2: 58 }),
    ...(now === null ? [] : [upright("now", now)]),
    ...shown.map((rate) => upright("limit", rate)),
    ...rested.map((rate) => svg("circle", { class: "rested", cx: across(rate), cy: 24, r: 5 })),
    ...not.map((rate) => svg("path", { class: "not", d: `M${across(rate) - 4} 38l8 8m-8 0l8 -8` })),
  );
}

export const showAnswer = (sentences) => find("hill-answer").replaceChildren(...sentences.map((words) => html("p", {}, words)));

// What is to be said of the largest rate: the sharpness only where it has been asked for, and only of a place of rest.
export function answer(surface, place, fate, revealed) {
  if (fate !== "rest") return [text("downhill.restFirst")];
  if (!revealed) return [text("downhill.guess")];
  const { sharpness, least } = curvatures(surface, place);
  const is = text("downhill.sharpness", { place: placeName(place), sharpness: number(sharpness, 4) });
  if (!(sharpness > 0)) return [is, text("downhill.flat")];
  const says = text(least < -1e-9 * sharpness ? "downhill.edge" : "downhill.limitSays");
  return [is, text("downhill.limitIs", { limit: number(2 / sharpness, 4) }), says];
}
