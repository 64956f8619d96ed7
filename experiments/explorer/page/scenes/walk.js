// Full batch and mini-batch downhill from the same random start, side by side.

import { announce, chosen, complaint, find, html, number, percent, repeater, say, watch, whole } from "page/dom.js";
import { init, judge } from "page/network.js";
import { normal, uniform } from "page/chance.js";
import { RECENT, closePlane, descentFrom, distance, nextStep, plane } from "page/descent.js";
import { plot } from "page/plot.js";
import { text } from "page/text.js";

const FRAME = 24; // milliseconds of steps between two pictures
const MOST_POINTS = 400; // of a curve

export function createScene({ section, lesson, changed }) {
  const { examples } = lesson;
  const trained = lesson.networks[0].network;
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
      return refuse(text("walk.diverged", { name: nameOf(kind), cost: number(judged.cost), step: at.steps }));
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
    if (["full", "mini"].every(judgeDescent)) say(find("downhill-note"), text("walk.oneOfEach"));
    show();
    tell();
  }

  function tell() {
    if (find("downhill-note").classList.contains("alarm")) return;
    const words = ["full", "mini"].map((kind) => {
      const { at, judged } = descents[kind];
      return text("walk.told", { name: nameOf(kind), steps: whole(at.steps), cost: number(judged.cost) });
    });
    announce(`${words.join("; ")}.`);
  }

  function show() {
    const against = fields.against.value;
    const kinds = ["full", "mini"];
    plot(find("curves"), {
      x: text(against === "seen" ? "walk.seen" : "walk.steps"),
      y: text("walk.cost"),
      series: kinds.map((kind) => ({
        kind,
        name: nameOf(kind),
        points: descents[kind].curve.map((each) => ({ x: each[against], y: each.cost })),
      })),
    });
    (fields.above.value === "whole" ? showWhole : showClose)();
    const row = (name, text) =>
      html("tr", {}, html("th", { scope: "row" }, name), ...kinds.map((kind) => html("td", {}, text(descents[kind]))));
    find("descended").replaceChildren(
      row(text("walk.steps"), ({ at }) => whole(at.steps)),
      row(text("walk.seen"), ({ at }) => whole(at.seen)),
      row(text("walk.cost"), ({ judged }) => number(judged.cost)),
      row(text("walk.readRight"), ({ judged }) => percent(judged.accuracy)),
      row(text("walk.length"), ({ at }) => number(at.length)),
      row(text("walk.distance"), ({ at }) => number(distance(at.path.points[0], at.recent.at(-1)))),
    );
  }

  function showWhole() {
    const [full, mini] = [descents.full.at, descents.mini.at];
    const seenOn = plane(full.path.points[0], mini.recent.at(-1), full.recent.at(-1));
    plot(find("paths"), {
      x: text("walk.towards"),
      y: text("walk.sidewaysFull"),
      square: true,
      series: ["mini", "full"].map((kind) => {
        const { path, recent } = descents[kind].at;
        return { kind, name: nameOf(kind), points: [...path.points, recent.at(-1)].map(seenOn) };
      }),
    });
    say(find("above-note"), text("walk.wholeHelp"));
  }

  function showClose() {
    plot(find("paths"), {
      x: text("walk.theWay"),
      y: text("walk.sideways"),
      square: true,
      series: ["mini", "full"].map((kind) => {
        const { recent } = descents[kind].at;
        return { kind, name: nameOf(kind), points: recent.map(closePlane(recent)) };
      }),
    });
    say(find("above-note"), text("walk.closeHelp", { recent: RECENT }));
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
  return { descents: () => descents, choices: () => ({}), restore: () => [] };
}

const nameOf = (kind) => text(`walk.${kind}`);
