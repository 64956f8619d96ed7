// Surfaces of two variables: the slopes where the ball is, and gradient descent from there.

import { announce, chosen, complaint, find, label, number, repeater, say, watch, whole } from "page/dom.js";
import { OWN, SURFACES, curvatures, fateOf, overshot, placeOn, rolled, surfaceOf } from "page/slopes.js";
import { MOST_TRIED, RATE, VIEW, triedIn, wantedOf } from "page/wanted.js";
import { FUNCTION_NAMES } from "page/formula.js";
import { createBall } from "page/ball.js";
import { createMap } from "page/map.js";
import { answer, placeName, showAnswer, showCurve, showRates, showSlices, showSlopes } from "page/readout.js";
import { text } from "page/text.js";

const FRAME = 5; // milliseconds of steps between two pictures, at most
const [KEY_STEPS, LARGE, FINE] = [80, 10, 1 / 5]; // key steps across the map; a large one, and a mouse's, in key steps

export function createScene({ section, lesson, changed }) {
  const fields = { x: find("hill-x"), y: find("hill-y"), rate: find("hill-rate") };
  const [formula, slider, note] = ["hill-formula", "hill-slider", "hill-note"].map(find);
  const map = createMap(find("hill-map"), [...find("hill-map").querySelectorAll("canvas")]);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let name = "bowl"; // of the surface, or "own"
  let surface = null; // as surfaceOf gives it
  let view = null; // {x, y, half}: what the map shows
  let path = []; // from the start to where the ball is
  let fate = null; // of the ball, null as long as it can roll
  let tried = []; // {rate, rested}: the rates at which it came to rest on this surface, and at which it did not
  let revealed = false; // the sharpness where it rests
  let size = 0; // of the map on the screen
  let drawn = { surface: null, view: null, dark: null, size: null, path: null }; // what is to be seen
  let judged = []; // what the rates and the sharpness were last shown of
  [fields.rate.min, fields.rate.max] = [RATE.least, RATE.most];
  watch(...Object.values(fields));

  const ball = () => path.at(-1);
  const rate = () => chosen(fields.rate);
  const steps = () => path.length - 1;
  const told = (what) => text(what, { steps: whole(steps()), place: placeName(ball()), height: number(ball().height) });

  // Shows another surface; its formula is one that can be read.
  function take(next, words, { start, look, speed } = {}) {
    const usual = SURFACES[next] ?? OWN;
    [name, surface, view] = [next, surfaceOf(words, usual.home), look ?? usual.home];
    tried = [];
    find("hill-surface").value = name;
    if (formula.value !== words) formula.value = words;
    read();
    setRate(speed ?? usual.rate);
    putBall(start ?? usual.start);
  }

  // The ball at a place to start from.
  function putBall({ x, y }) {
    roll.stop();
    path = [placeOn(surface, x, y)];
    begin();
    tell();
    update();
  }

  function begin() {
    path = [path[0]];
    fate = fateOf(surface, path);
    if (fate === "diverged") fate = null; // one may start anywhere
    revealed = false;
  }

  function advance() {
    path.push(rolled(surface, ball(), rate()));
    fate = fateOf(surface, path);
    if (!["rest", "diverged", "swings"].includes(fate)) return;
    const others = tried.filter((each) => each.rate !== rate());
    tried = [...others.slice(1 - MOST_TRIED), { rate: rate(), rested: fate === "rest" }];
  }

  // Says what is wrong with a field, where something is.
  function refuse(field) {
    const wrong = complaint(field);
    if (wrong) setNote(wrong, true);
    return wrong !== "";
  }

  // Whether there is a step to take: a ball that has come to its end starts again.
  function ready() {
    if (refuse(fields.rate)) return false;
    if (fate !== null && steps() > 0) begin();
    return fate === null;
  }

  // Slowly first, so that each step can be seen, then faster and faster.
  const stepsAfter = (seconds) => 1 + Math.floor(12 * seconds * (1 + (seconds / 3) ** 4));
  let rolling = null; // {began, taken} since it was let go

  function frame() {
    if (rolling === null && !ready()) return false;
    rolling ??= { began: performance.now(), taken: 0 };
    const due = stepsAfter((performance.now() - rolling.began) / 1000);
    for (const until = performance.now() + FRAME; rolling.taken < due && performance.now() < until; rolling.taken += 1) {
      advance();
      if (fate !== null) break;
    }
    tell();
    update();
    return fate === null;
  }

  const roll = repeater(find("hill-run"), frame, () => {
    rolling = null;
    announce(note.textContent);
  });

  find("hill-step").addEventListener("click", () => {
    roll.stop();
    if (ready()) {
      advance();
      tell();
      update();
    }
    announce(note.textContent);
  });
  find("hill-again").addEventListener("click", () => {
    putBall(path[0]);
    announce(told("downhill.ball"));
  });

  // What has become of the ball.
  function tell() {
    if (steps() === 0) setNote(text(fate === null ? "downhill.ready" : fate === "rest" ? "downhill.still" : "downhill.noSlope"));
    else setNote(fate === null ? lastStep() : told(`downhill.${fate}`));
  }

  function lastStep() {
    const [before, after] = path.slice(-2).map(({ height }) => height);
    const way = after > before ? "up" : after === before ? "level" : overshot(path) ? "downAcross" : "down";
    return text(`downhill.${way}`, { steps: whole(steps()), before: number(before), after: number(after) });
  }

  function setNote(words, alarm = false) {
    say(note, words);
    note.classList.toggle("alarm", alarm);
  }

  function setRate(value) {
    fields.rate.value = String(value);
    fields.rate.setAttribute("aria-invalid", "false");
    showRate();
  }

  function showRate() {
    if (rate() === null) return;
    slider.value = Math.log10(rate());
    slider.setAttribute("aria-valuetext", number(rate()));
  }

  // With another rate the ball goes back to where it started.
  fields.rate.addEventListener("input", () => {
    showRate();
    putBall(path[0]);
    refuse(fields.rate);
  });
  slider.addEventListener("input", () => {
    setRate(Number((10 ** slider.valueAsNumber).toPrecision(3)));
    putBall(path[0]);
  });

  find("hill-surface").addEventListener("change", () => {
    const next = find("hill-surface").value;
    if (next === "own") own(surface.formula);
    else take(next, SURFACES[next].formula);
  });
  formula.addEventListener("input", () => {
    if (surfaceOf(formula.value, view).wrong) read();
    else own(formula.value);
  });
  formula.addEventListener("change", () => {
    if (formula.getAttribute("aria-invalid") === "true") announce(find("hill-reads").textContent);
  });

  // A formula of one's own, seen from where one was.
  const own = (words) => take("own", words, { start: path[0], look: view, speed: rate() ?? OWN.rate });

  // Says what is wrong with the formula, or what may be written.
  function read(nowhere = false) {
    const { wrong } = surfaceOf(formula.value, view);
    formula.setAttribute("aria-invalid", String(Boolean(wrong)));
    find("hill-reads").classList.toggle("alarm", Boolean(wrong) || nowhere);
    const functions = FUNCTION_NAMES.join(", ");
    if (!wrong) return say(find("hill-reads"), text(nowhere ? "downhill.nowhere" : "downhill.reads", { functions }));
    const place = wrong.found ? text("downhill.atSign", { number: wrong.at + 1, found: wrong.found }) : text("downhill.atEnd");
    const what = text(`downhill.why.${wrong.why}`, { ...wrong, functions });
    return say(find("hill-reads"), text("downhill.wrong", { place, what }));
  }

  for (const axis of ["x", "y"]) {
    fields[axis].addEventListener("input", () => {
      if (chosen(fields[axis]) !== null) putBall({ ...ball(), [axis]: chosen(fields[axis]) });
      else refuse(fields[axis]);
    });
    fields[axis].addEventListener("blur", () => {
      if (chosen(fields[axis]) === null) tell();
      showPlace();
    });
  }

  function showPlace() {
    for (const axis of ["x", "y"]) {
      if (document.activeElement === fields[axis]) continue;
      fields[axis].value = coordinate(ball()[axis]);
      fields[axis].setAttribute("aria-invalid", "false");
    }
  }

  // A round step of about that size.
  function stepOf(part) {
    const size = 10 ** Math.floor(Math.log10((2 * view.half) / KEY_STEPS));
    const key = [5, 2, 1].map((each) => each * size).find((each) => each <= (2 * view.half) / KEY_STEPS);
    return key * part;
  }
  const rounded = (value, step) => Number((Math.round(value / step) * step).toPrecision(12));
  const inView = (value, middle) => Math.max(middle - view.half, Math.min(middle + view.half, value));
  const moveBall = (x, y) =>
    putBall({ x: rounded(inView(x, view.x), stepOf(FINE)), y: rounded(inView(y, view.y), stepOf(FINE)) });

  createBall(find("hill-map"), find("hill-ball"), {
    seenAt: () => map.seenAt(view, ball()),
    dragged: (left, top) => {
      const { x, y } = map.placeAt(view, left, top);
      moveBall(x, y);
    },
    pushed: (right, up, large) => {
      const step = stepOf(large ? LARGE : 1);
      moveBall(ball().x + right * step, ball().y + up * step);
    },
    dropped: () => announce(told("downhill.ball")),
  });

  const look = (next) => {
    view = next;
    update();
  };
  find("hill-in").addEventListener("click", () => look({ x: ball().x, y: ball().y, half: Math.max(VIEW.least, view.half / 2) }));
  find("hill-out").addEventListener("click", () => look({ ...view, half: Math.min(VIEW.most, view.half * 2) }));
  find("hill-whole").addEventListener("click", () => look(surface.home));

  find("hill-reveal").addEventListener("click", () => {
    revealed = fate === "rest";
    update();
    announce(answer(surface, ball(), fate, revealed).join(" "));
  });

  // Something of this scene has changed.
  function update() {
    drawn.path = null;
    refresh();
    changed();
  }

  function draw() {
    const now = { surface, view, dark: dark.matches, size, path };
    if (size === 0 || Object.keys(now).every((part) => now[part] === drawn[part])) return;
    if (["surface", "view", "dark", "size"].some((part) => now[part] !== drawn[part])) {
      map.measure();
      const scale = map.drawGround(surface, view);
      for (const end of ["low", "high"]) say(find(`hill-${end}`), scale ? number(scale[end], 2) : "");
      read(scale === null);
    }
    drawn = now;
    map.drawTrack(view, path, fate === null && rate() !== null ? rolled(surface, ball(), rate()) : null);
    const { left, top, off } = map.seenAt(view, ball());
    find("hill-ball").style.transform = `translate(${left}px, ${top}px)`;
    find("hill-ball").classList.toggle("off", off);
    label(find("hill-ball"), told("downhill.ball"));
    showPlace();
    showSlopes(ball());
    showSlices(surface, ball(), view);
    showCurve(path);
    const found = [surface, tried, rate(), fate === "rest" ? ball() : null, revealed];
    if (found.every((part, i) => part === judged[i])) return;
    judged = found;
    showRates(tried, rate(), revealed ? 2 / curvatures(surface, ball()).sharpness : null);
    showAnswer(answer(surface, ball(), fate, revealed));
  }

  const choices = () => {
    const { home, start, rate: usual } = SURFACES[name] ?? OWN;
    const shown = [view.x, view.y, view.half];
    return {
      surface: name === "bowl" || name === "own" ? null : name,
      formula: name === "own" ? surface.formula : null,
      view: String(shown) === String([home.x, home.y, home.half]) ? null : String(shown),
      point: path[0].x === start.x && path[0].y === start.y ? null : String([path[0].x, path[0].y]),
      rate: rate() === usual ? null : rate(),
      steps: steps() || null,
      sharpness: revealed ? "shown" : null,
      tried: triedIn(tried) || null,
    };
  };

  // Shows what an address asks for; the names of what it asks for in vain.
  function restore(asked) {
    const { found, wrong } = wantedOf(asked);
    if (Object.keys(found).length === 0) return wrong;
    const { formula: words, surface: known = "bowl", point: start, view: look, rate: speed, steps: count = 0 } = found;
    take(words === undefined ? known : "own", words ?? SURFACES[known].formula, { start, look, speed });
    while (steps() < count && fate === null) advance();
    tell();
    tried = found.tried ?? tried;
    revealed = Boolean(found.sharpness) && fate === "rest";
    update();
    return wrong;
  }

  const refresh = lesson.listen(section, draw);
  take("bowl", SURFACES.bowl.formula);
  // Not before it is known which sections can be seen.
  new ResizeObserver(([{ contentRect }]) => {
    requestAnimationFrame(() => {
      size = contentRect.width;
      refresh();
    });
  }).observe(find("hill-map"));
  return { choices, restore };
}

const coordinate = (value) =>
  (value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2) : String(Number(value.toPrecision(6)))).replace("-", "−");
