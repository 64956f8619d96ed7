// Full batch and mini-batch downhill from the same random start, side by side.

import { announce, chosen, complaint, find, html, number, percent, repeater, say, watch } from "page/dom.js";
import { init, judge } from "page/network.js";
import { normal, uniform } from "page/chance.js";
import { RECENT, closePlane, descentFrom, distance, nextStep, plane } from "page/descent.js";
import { plot } from "page/plot.js";

const FRAME = 24; // milliseconds of steps between two pictures
const MOST_POINTS = 400; // of a curve

export function createDownhill({ trained, examples }) {
  const fields = { full: find("full-rate"), mini: find("mini-rate"), batch: find("mini-batch"), against: find("against"), above: find("above") };
  fields.batch.max = examples.length;
  fields.batch.value = Math.min(fields.batch.value, examples.length);
  watch(fields.full, fields.mini, fields.batch);
  let seed = 1;
  let descents = null;

  function restart() {
    const start = init(trained, normal(uniform(seed)));
    const judged = judge(start, examples);
    descents = Object.fromEntries(
      ["full", "mini"].map((kind) => [kind, { at: descentFrom(start, uniform(seed)), judged, curve: [point(0, 0, judged)] }]),
    );
    say(find("downhill-note"), "");
    show();
  }

  const point = (seen, steps, { cost }) => ({ seen, steps, cost });

  function advance(kind) {
    const size = kind === "full" ? examples.length : chosen(fields.batch);
    descents[kind].at = nextStep(descents[kind].at, examples, size, chosen(fields[kind]));
  }

  // Judges where a descent has come to; false where its cost is no longer finite.
  function judgeDescent(kind) {
    const { at, curve } = descents[kind];
    const judged = judge(at.network, examples);
    if (!Number.isFinite(judged.cost)) {
      return refuse(`${NAMES[kind]}: the cost is ${number(judged.cost)} after step ${at.steps}. Start again with a smaller rate.`);
    }
    const all = [...curve, point(at.seen, at.steps, judged)];
    descents[kind] = { at, judged, curve: all.length > MOST_POINTS ? all.filter((_, i) => i % 2 === 0) : all };
    return true;
  }

  function refuse(why) {
    say(find("downhill-note"), why);
    find("downhill-note").classList.add("alarm");
    announce(why);
    return false;
  }

  function ready() {
    const wrong = complaint(fields.full, fields.mini, fields.batch);
    if (wrong) return refuse(wrong);
    find("downhill-note").classList.remove("alarm");
    say(find("downhill-note"), "");
    return true;
  }

  // As far as the time of one frame allows; whoever has seen fewer examples goes first.
  function frame() {
    if (!ready()) return false;
    const until = performance.now() + FRAME;
    const moved = new Set();
    do {
      const kind = descents.full.at.seen <= descents.mini.at.seen ? "full" : "mini";
      advance(kind);
      moved.add(kind);
    } while (performance.now() < until);
    const fine = [...moved].every(judgeDescent);
    show();
    return fine;
  }

  function single() {
    if (!ready()) return;
    for (const kind of ["full", "mini"]) advance(kind);
    if (["full", "mini"].every(judgeDescent)) say(find("downhill-note"), "One step of each.");
    show();
    tell();
  }

  function tell() {
    if (find("downhill-note").classList.contains("alarm")) return;
    const words = ["full", "mini"].map((kind) => {
      const { at, judged } = descents[kind];
      return `${NAMES[kind]}: ${at.steps.toLocaleString("en")} steps, cost ${number(judged.cost)}`;
    });
    announce(`${words.join("; ")}.`);
  }

  function show() {
    const against = fields.against.value;
    const kinds = ["full", "mini"];
    plot(find("curves"), {
      x: against === "seen" ? "examples seen" : "steps",
      y: "cost",
      series: kinds.map((kind) => ({
        kind,
        name: NAMES[kind],
        points: descents[kind].curve.map((each) => ({ x: each[against], y: each.cost })),
      })),
    });
    (fields.above.value === "whole" ? showWhole : showClose)();
    const row = (name, text) =>
      html("tr", {}, html("th", { scope: "row" }, name), ...kinds.map((kind) => html("td", {}, text(descents[kind]))));
    find("descended").replaceChildren(
      row("steps", ({ at }) => at.steps.toLocaleString("en")),
      row("examples seen", ({ at }) => at.seen.toLocaleString("en")),
      row("cost", ({ judged }) => number(judged.cost)),
      row("read right, of these same images", ({ judged }) => percent(judged.accuracy)),
      row("length of the path", ({ at }) => number(at.length)),
      row("as far as it has led", ({ at }) => number(distance(at.path.points[0], at.recent.at(-1)))),
    );
  }

  function showWhole() {
    const [full, mini] = [descents.full.at, descents.mini.at];
    const seenOn = plane(full.path.points[0], mini.recent.at(-1), full.recent.at(-1));
    plot(find("paths"), {
      x: "towards the mini-batch’s place",
      y: "sideways, towards the full batch’s",
      square: true,
      series: ["mini", "full"].map((kind) => {
        const { path, recent } = descents[kind].at;
        return { kind, name: NAMES[kind], points: [...path.points, recent.at(-1)].map(seenOn) };
      }),
    });
    say(find("above-note"), WHOLE);
  }

  function showClose() {
    plot(find("paths"), {
      x: "the way come in these steps",
      y: "sideways",
      square: true,
      series: ["mini", "full"].map((kind) => {
        const { recent } = descents[kind].at;
        return { kind, name: NAMES[kind], points: recent.map(closePlane(recent)) };
      }),
    });
    say(find("above-note"), CLOSE);
  }

  const roll = repeater(find("downhill-run"), frame, tell);
  find("downhill-step").addEventListener("click", () => {
    roll.stop();
    single();
  });
  find("downhill-again").addEventListener("click", restart);
  find("downhill-other").addEventListener("click", () => {
    seed += 1;
    restart();
  });
  for (const field of [fields.against, fields.above]) field.addEventListener("change", show);
  restart();
  return { descents: () => descents };
}

const WHOLE =
  "Both paths from above, on the plane through the start and where each is now: the first axis leads from the start to " +
  "the mini-batch’s place, the second is square to it, towards the full batch’s. It turns as they go on; both axes have " +
  "one scale.";
const CLOSE =
  `The last ${RECENT} steps of each from close by, each on a plane of its own: the first axis leads from where they began ` +
  "to where they ended, which is 1 for both, the second to the place that was farthest from this straight way. Both axes " +
  "have one scale.";

const NAMES = { full: "full batch", mini: "mini-batch" };
