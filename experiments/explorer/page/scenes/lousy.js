// How lousy the network is, from its random start to its last step: for one image, for each digit, for all images.

import { announce, find, html, number, percent, say, whenIdle, whole } from "page/dom.js";
import { forward } from "page/network.js";
import { createAnswers } from "page/answers.js";
import { createSurveys, momentsOf, terms } from "page/moments.js";
import { createCurves, shortName } from "page/scenes/lousy-curves.js";
import { createMeans } from "page/scenes/lousy-means.js";
import { createSum, decimals, total } from "page/scenes/lousy-sum.js";
import { createSubject } from "page/subject.js";
import { text } from "page/text.js";

const PIECE = 10; // milliseconds of work between two pauses
const PAUSE = 1000; // milliseconds for which a moment is shown while it plays

export function createScene({ section, lesson, changed }) {
  const { examples } = lesson;
  const moments = momentsOf(lesson.snapshots);
  const surveys = createSurveys(moments, examples);
  const keys = moments.map(({ steps }) => String(steps ?? "end"));
  const digits = new Set(examples.map(({ label }) => label));
  let at = 0;
  let telling = false; // whether somebody waits to hear about this moment
  let working = false;

  createSubject(find("lousy-subject"), section, lesson);
  createAnswers(section, lesson);
  const slider = find("lousy-moment");
  const sum = createSum(find("lousy-terms"));
  const means = createMeans(find("lousy-means"), find("lousy-mean"), digits, changed);
  const curves = createCurves(find("lousy-curves"), moments, (next) => byHand(next, true));
  const play = createPlay(find("lousy-play"), goOn, tell);

  slider.max = moments.length - 1;
  moments.forEach(({ steps }, i) => {
    const tick = html("span", {}, shortName(steps, i));
    tick.style.setProperty("--along", i / (moments.length - 1));
    find("lousy-ticks").append(tick);
  });
  const unseen = moments.at(-1).steps === null; // its training
  find("lousy-origin").hidden = !unseen;
  find("lousy-axis").hidden = unseen;
  say(find("lousy-all"), text("lousy.all", { number: examples.length }));
  slider.addEventListener("input", () => byHand(Number(slider.value), false));
  slider.addEventListener("change", tell);

  function byHand(next, last) {
    play.stop();
    choose(next);
    if (last) tell();
  }

  function choose(next) {
    at = next;
    showOne(lesson.current());
    showAll();
    work();
    changed();
  }

  // To the next moment, or from the last to the first; false at the last.
  function goOn() {
    choose((at + 1) % moments.length);
    return at < moments.length - 1;
  }

  // The outputs at this moment for the image of the lesson.
  const outputs = (image) => forward(moments[at].network, image);

  function showOne({ image, target }) {
    sum.show(outputs(image), target);
  }

  function showAll() {
    const found = surveys.of(at);
    slider.value = at;
    slider.setAttribute("aria-valuetext", nameOf(moments[at].steps, at));
    say(find("lousy-now"), nameOf(moments[at].steps, at));
    say(find("lousy-cost"), found ? number(found.cost) : "…");
    say(find("lousy-share"), found ? percent(found.accuracy) : "…");
    means.show(found && found.means);
    curves.show(moments.map((_, i) => surveys.of(i)), at);
  }

  // In words, as soon as there is something to say.
  function tell() {
    const found = surveys.of(at);
    telling = !found;
    if (!found) return;
    const { image, target } = lesson.current();
    const here = target ? text("lousy.toldOne", { cost: decimals(total(terms(outputs(image), target))) }) : "";
    const all = text("lousy.toldAll", { cost: number(found.cost), share: percent(found.accuracy) });
    announce([`${nameOf(moments[at].steps, at)}:`, here, all].filter(Boolean).join(" "));
  }

  // The surveys, this moment's first, a piece whenever there is nothing else to do.
  function work() {
    if (working || !surveys.left()) return;
    working = true;
    whenIdle(() => {
      working = false;
      if (surveys.goOn(at, performance.now() + PIECE)) {
        showAll();
        if (telling) tell();
      }
      work();
    });
  }

  // All at once, for paper waits for nobody.
  function finish() {
    while (surveys.left()) surveys.goOn(at, Infinity);
    showAll();
  }

  const seen = (entries) => entries.some(({ isIntersecting }) => isIntersecting) && work();
  new IntersectionObserver(seen, { rootMargin: "50% 0px" }).observe(section);
  addEventListener("beforeprint", finish);
  showAll();
  lesson.listen(section, (view) => {
    showOne(view);
    changed();
  });

  function restore(asked) {
    const next = asked.has("steps") ? keys.indexOf(asked.get("steps")) : 0;
    const field = asked.has("field") ? means.named(asked.get("field")) : null;
    if (next >= 0) byHand(next, false);
    if (field !== undefined) means.press(field);
    const wrong = [next < 0 && "steps", field === undefined && "field"].filter(Boolean);
    return [...wrong, ...lesson.restore(asked)];
  }

  const choices = () => ({ steps: at === 0 ? null : keys[at], field: means.name(), ...lesson.choices() });
  return { moments, surveys, choices, restore };
}

function nameOf(steps, at) {
  if (at === 0) return text("lousy.atStart");
  return steps === null ? text("lousy.atEnd") : text("lousy.after", { steps: whole(steps) });
}

// Goes from moment to moment; for whoever wants little motion one at a time. `next()` goes on, and is false at the last
// moment; `stopped()` is called when it has come to rest.
function createPlay(button, next, stopped) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;

  function show() {
    say(button, text(calm.matches ? "lousy.next" : timer === null ? "lousy.play" : "page.pause"));
    button.classList.toggle("running", timer !== null);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    show();
  }

  function turn() {
    if (next()) return;
    stop();
    stopped();
  }

  button.addEventListener("click", () => {
    if (timer !== null || calm.matches) {
      if (timer === null) next();
      stop();
      stopped();
    } else {
      timer = setInterval(turn, PAUSE);
      turn();
      show();
    }
  });
  calm.addEventListener("change", stop);
  show();
  return { stop };
}
