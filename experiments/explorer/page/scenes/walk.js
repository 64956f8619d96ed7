// Careful against drunk: full batch and mini-batch downhill from the same random start, side by side, to the same goal.

import { announce, chosen, complaint, find, html, number, percent, repeater, say, watch, whole } from "page/dom.js";
import { init } from "page/network.js";
import { normal, uniform } from "page/chance.js";
import { RECENT, closePlane, distance, plane } from "page/descent.js";
import { GOALS, KINDS, advanced, compared, isDue, inTurn, judgedAnew, raceFrom } from "page/race.js";
import { plot } from "page/plot.js";
import { hundredths, nameOf, reserveRoom, showAnswer } from "page/scenes/walk-answer.js";
import { text } from "page/text.js";

// In milliseconds: what a frame works for until it takes no further step; from picture to picture of the curves, and of
// the paths, which take longer to draw; and of either for whoever wants little motion.
const [WORK, CURVES, PATHS, CALM] = [8, 60, 400, 500];
const SEEDS = 1000;

export function createScene({ section, lesson, changed }) {
  const { examples } = lesson;
  const trained = lesson.networks[0].network;
  const fields = { full: find("full-rate"), mini: find("mini-rate"), batch: find("mini-batch"), goal: find("walk-goal"), above: find("above") };
  const radios = [...find("walk-against").querySelectorAll("input")];
  const against = () => radios.find(({ checked }) => checked).value;
  const goal = () => Number(fields.goal.value);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  fields.batch.max = examples.length;
  fields.batch.value = Math.min(fields.batch.value, examples.length);
  fields.goal.append(...GOALS.map((value) => html("option", { value }, text("walk.goalOf", { goal: value }))));
  fields.goal.value = 80;
  watch(fields.full, fields.mini, fields.batch);
  const usual = { full: fields.full.value, mini: fields.mini.value, batch: fields.batch.value };
  const table = createTable(find("descended"));
  let seed = 1;
  let race = null;
  let mixed = false; // whether rates were changed on the way, so that no address leads there
  let bounds = null; // {full, mini}: the steps that an address asks for
  const shown = { curves: 0, paths: 0 };

  function restart() {
    const start = init(trained, normal(uniform(seed)));
    race = raceFrom(start, examples, seed);
    [mixed, bounds] = [false, null];
    say(find("walk-note"), "");
    show();
    changed();
  }

  function advance(kind) {
    const size = kind === "full" ? examples.length : chosen(fields.batch);
    race[kind] = advanced(race[kind], examples, size, chosen(fields[kind]));
  }

  // False where the cost of a descent is no longer finite.
  function judgeDescent(kind) {
    race[kind] = judgedAnew(race[kind], examples);
    const { judged } = race[kind];
    if (Number.isFinite(judged.cost)) return true;
    return refuse(text("walk.diverged", { name: nameOf(kind), cost: number(judged.cost), step: whole(judged.steps) }));
  }

  function refuse(why) {
    say(find("walk-note"), why);
    find("walk-note").classList.add("alarm");
    announce(why);
    return false;
  }

  function ready() {
    const wrong = complaint(fields.full, fields.mini, fields.batch);
    if (wrong) return refuse(wrong);
    find("walk-note").classList.remove("alarm");
    say(find("walk-note"), "");
    return true;
  }

  // Draws, or goes on as far as the time of one frame allows; both would take too long. False where it is time to stop:
  // both have reached the goal, or the steps that an address asks for.
  function frame() {
    if (!ready()) return false;
    if (since(shown.paths) > (calm.matches ? CALM : PATHS)) return showPaths();
    if (since(shown.curves) > (calm.matches ? CALM : CURVES)) return showCurves();
    const [asked, answered] = [bounds !== null, compared(race, goal()) !== null];
    const begin = performance.now();
    let fine = true;
    while (fine && !arrived() && since(begin) < WORK) {
      const kind = waiting();
      advance(kind);
      if (isDue(race[kind], examples)) fine = judgeDescent(kind);
    }
    return fine && !arrived() && (asked || answered || compared(race, goal()) === null);
  }

  // Whose turn it is; undefined where an address asks for no more steps of either.
  const waiting = () => inTurn(race).find((kind) => bounds === null || race[kind].at.steps < bounds[kind]);
  const arrived = () => waiting() === undefined;

  function single() {
    if (!ready()) return;
    for (const kind of KINDS) advance(kind);
    if (KINDS.every(judgeDescent)) say(find("walk-note"), text("walk.oneOfEach"));
    show();
    tell();
    changed();
  }

  function rest() {
    bounds = null;
    KINDS.every(judgeDescent);
    show();
    tell();
    changed();
  }

  function tell() {
    if (find("walk-note").classList.contains("alarm")) return;
    const words = KINDS.map((kind) => {
      const { steps, cost } = race[kind].judged;
      return text("walk.told", { name: nameOf(kind), steps: whole(steps), cost: number(cost) });
    });
    announce(compared(race, goal()) ? find("walk-found").textContent : `${words.join("; ")}.`);
  }

  function show() {
    showCurves();
    showPaths();
  }

  function showCurves() {
    const x = against();
    const series = (y) =>
      KINDS.map((kind) => ({ kind, name: nameOf(kind), points: race[kind].curve.map((each) => ({ x: each[x], y: y(each) })) }));
    const marks = KINDS.filter((kind) => goal() in race[kind].reached).map((kind) => ({ kind, x: race[kind].reached[goal()][x], y: goal() }));
    plot(find("walk-right"), {
      x: text(`walk.${x}`),
      y: text("walk.right"),
      series: series(({ accuracy }) => 100 * accuracy),
      top: 104,
      level: { y: goal(), name: text("walk.goal") },
      marks,
      below: true,
    });
    plot(find("curves"), { x: text(`walk.${x}`), y: text("walk.cost"), series: series(({ cost }) => cost) });
    table(race);
    showAnswer(race, goal(), examples.length);
    shown.curves = performance.now();
    return true;
  }

  function showPaths() {
    const close = fields.above.value === "close";
    (close ? showClose : showWhole)(race);
    say(find("above-note"), text(close ? "walk.closeHelp" : "walk.wholeHelp", { recent: RECENT }));
    shown.paths = performance.now();
    return true;
  }

  const roll = repeater(find("walk-run"), frame, rest, 0);
  find("walk-step").addEventListener("click", () => {
    roll.stop();
    single();
  });
  find("walk-again").addEventListener("click", restart);
  find("walk-other").addEventListener("click", () => {
    seed = (seed % SEEDS) + 1;
    restart();
  });
  for (const field of [fields.full, fields.mini, fields.batch]) {
    field.addEventListener("input", () => {
      if (race.full.at.steps + race.mini.at.steps > 0) mixed = true;
      changed();
    });
  }
  for (const field of [fields.goal, fields.above, ...radios]) {
    field.addEventListener("change", () => {
      show();
      changed();
    });
  }

  function choices() {
    const { full, mini } = race;
    const unlike = (name) => (chosen(fields[name]) === null || fields[name].value === usual[name] ? null : fields[name].value.replace(",", "."));
    return {
      full: unlike("full"),
      mini: unlike("mini"),
      batch: unlike("batch"),
      goal: goal() === 80 ? null : goal(),
      against: against() === "seen" ? null : against(),
      above: fields.above.value === "whole" ? null : fields.above.value,
      start: seed === 1 ? null : seed,
      steps: mixed || full.at.steps + mini.at.steps === 0 ? null : `${full.at.steps}.${mini.at.steps}`,
    };
  }

  function restore(asked) {
    const wrong = [];
    const take = (name, found, show) => {
      if (!asked.has(name)) return;
      if (found(asked.get(name))) show(asked.get(name));
      else wrong.push(name);
    };
    roll.stop();
    for (const name of ["full", "mini", "batch"]) {
      fields[name].value = asked.get(name) ?? usual[name];
      if (chosen(fields[name]) !== null) continue;
      fields[name].value = usual[name];
      wrong.push(name);
    }
    fields.goal.value = 80;
    take("goal", (value) => GOALS.includes(Number(value)), (value) => (fields.goal.value = Number(value)));
    radios[0].checked = true;
    take("against", (value) => radios.some((radio) => radio.value === value), (value) => (radios.find((radio) => radio.value === value).checked = true));
    fields.above.value = "whole";
    take("above", (value) => ["whole", "close"].includes(value), (value) => (fields.above.value = value));
    seed = 1;
    take("start", (value) => /^\d+$/.test(value) && value >= 1 && value <= SEEDS, (value) => (seed = Number(value)));
    restart();
    take("steps", (value) => /^\d{1,7}\.\d{1,7}$/.test(value), (value) => {
      const [full, mini] = value.split(".").map(Number);
      bounds = { full, mini };
      if (!arrived()) roll.start();
    });
    return wrong;
  }

  reserveRoom(examples.length);
  restart();
  return { descents: () => race, choices, restore };
}

const since = (time) => performance.now() - time;

// A table that keeps its cells.
function createTable(box) {
  const rows = [
    ["steps", ({ at }) => whole(at.steps)],
    ["seen", ({ at }) => whole(at.seen)],
    ["seconds", ({ seconds }) => hundredths(seconds)],
    ["cost", ({ judged }) => number(judged.cost)],
    ["readRight", ({ judged }) => percent(judged.accuracy)],
    ["length", ({ at }) => number(at.length)],
    ["distance", ({ at }) => number(distance(at.path[0].place, at.recent.at(-1)))],
  ].map(([name, value]) => ({ name, value, cells: KINDS.map(() => html("td")) }));
  box.append(...rows.map(({ name, cells }) => html("tr", {}, html("th", { scope: "row" }, text(`walk.${name}`)), ...cells)));
  return (race) => {
    for (const { value, cells } of rows) KINDS.forEach((kind, i) => say(cells[i], value(race[kind])));
  };
}

function showWhole({ full, mini }) {
  const seenOn = plane(full.at.path[0].place, mini.at.recent.at(-1), full.at.recent.at(-1));
  const points = ({ at: { path, recent } }) => [...path.map(({ place }) => place), recent.at(-1)].map(seenOn);
  draw({ mini: points(mini), full: points(full) }, text("walk.towards"), text("walk.sidewaysFull"));
}

function showClose({ full, mini }) {
  const points = ({ at: { recent } }) => recent.map(closePlane(recent));
  draw({ mini: points(mini), full: points(full) }, text("walk.theWay"), text("walk.sideways"));
}

const draw = (points, x, y) =>
  plot(find("paths"), {
    x,
    y,
    square: true,
    series: ["mini", "full"].map((kind) => ({ kind, name: nameOf(kind), points: points[kind] })),
  });
