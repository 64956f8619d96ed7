// The third part of the scene: steps that do what one example wants, or the average of many, and what comes of them.

import { announce, chosen, complaint, find, html, number, percent, repeater, say, watch, whole } from "page/dom.js";
import { averageGradient, backprop, dot, forward, judge, squaredError, step } from "page/network.js";
import { takeOver, wholeNumber } from "page/address.js";
import { text } from "page/text.js";

const RATE = 0.25;
const MOST_AGAIN = 100; // steps that are taken again for an address

// `vote` is {field, voters(), choices()}; `changed()` is called when others are to be heard, or at another rate.
export function createTeaching(lesson, vote, { changed }) {
  const { examples, state } = lesson;
  const rate = find("teach-rate");
  const radios = Array.from(document.querySelectorAll('input[name="what"]'));
  rate.value = RATE;
  watch(rate);
  let view = null;
  let first = state.network; // before all steps
  let earlier = null; // what there was to judge before the last step, and what that step should have changed
  let deed = null; // what was done in every step so far; null where it was not always the same
  const judged = createJudge(examples);

  const onOne = () => radios.find(({ checked }) => checked).value === "one";
  for (const field of [...radios, rate]) field.addEventListener("change", changed);

  // In words, why no step can be taken; empty where one can.
  function hindrance() {
    const wrong = onOne() ? complaint(rate) : complaint(vote.field, rate);
    return wrong || (onOne() && state.label === null ? text("example.chooseFirst") : "");
  }

  const gradientOf = (network) => {
    const { image, target } = lesson.current();
    return onOne() ? backprop(network, image, target) : averageGradient(network, vote.voters());
  };

  // What tells one kind of step from another.
  function kindOfStep() {
    const { image, label } = state;
    const { voters, draw } = vote.choices();
    return onOne() ? { on: "one", rate: chosen(rate), image, label } : { on: "vote", rate: chosen(rate), voters, draw };
  }

  // One step; false, with a word about it, where none can be taken.
  function take() {
    const wrong = hindrance();
    if (wrong) return refuse(wrong);
    const gradient = gradientOf(view.network);
    const next = step(view.network, gradient, chosen(rate));
    if (!Number.isFinite(judged(next).cost)) return refuse(text("example.notFinite"));
    remember(view.network, gradient);
    const kind = kindOfStep();
    deed = state.steps === 0 || same(deed, kind) ? kind : null;
    lesson.change({ network: next, steps: state.steps + 1 });
    return true;
  }

  const remember = (network, gradient) => {
    earlier = { ...judgement(network), foretold: onOne() ? -chosen(rate) * lengthSquared(gradient) : null };
  };

  function refuse(why) {
    say(find("teach-note"), why);
    find("teach-note").classList.add("alarm");
    announce(why);
    return false;
  }

  const tell = () => find("teach-note").classList.contains("alarm") || announce(find("teach-note").textContent);
  const again = repeater(find("teach-again"), take, tell);
  find("teach-step").addEventListener("click", () => {
    take();
    tell();
  });
  find("teach-back").addEventListener("click", () => {
    again.stop();
    lesson.change({ network: first, steps: 0 });
  });

  const costHere = (network) => (view.target ? squaredError(forward(network, view.image), view.target) : null);

  const judgement = (network) => ({ here: costHere(network), ...judged(network) });

  // The slope says how much a small step changes the cost; of a large one it is only the beginning.
  function foretold() {
    if (!earlier || earlier.foretold === null) return "";
    const change = number(costHere(view.network) - earlier.here);
    return text("example.foretold", { foretold: number(earlier.foretold), change });
  }

  function show(next) {
    if (next.steps === 0) first = next.network;
    if (next.steps === 0 || ["image", "label"].some((part) => view && view[part] !== next[part])) earlier = null;
    view = next;
    find("teach-note").classList.remove("alarm");
    say(find("teach-note"), [...note(view), foretold()].filter(Boolean).join(" "));
    const columns = [judgement(first), earlier, judgement(view.network)];
    const row = (name, key, text) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, name),
        ...columns.map((column) => html("td", {}, column && column[key] !== null ? text(column[key]) : "–")),
      );
    find("judged").replaceChildren(
      row(text("example.costHere"), "here", number),
      row(text("example.costAll", { number: examples.length }), "cost", number),
      row(text("example.readRight"), "accuracy", percent),
    );
  }

  // The steps only where the same ones, taken again, lead here.
  function choices() {
    const repeatable = state.steps > 0 && state.steps <= MOST_AGAIN && same(deed, kindOfStep());
    return {
      on: onOne() ? null : "vote",
      rate: chosen(rate) === RATE ? null : chosen(rate),
      taken: repeatable ? state.steps : null,
    };
  }

  function restore(asked) {
    const wrong = takeOver(asked, {
      on: {
        usual: "one",
        read: (value) => (radios.some((radio) => radio.value === value) ? value : null),
        use: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
      },
      rate: {
        usual: RATE,
        read: (value) => (/^[\d.e-]+$/.test(value) && value >= 0 && value <= 1000 ? value : null),
        use: (value) => (rate.value = value),
      },
    });
    const takeAgain = (times) => {
      if (times === 0) return;
      let [network, before, gradient] = [state.network, null, null];
      for (let i = 0; i < times; i += 1) {
        [before, gradient] = [network, gradientOf(network)];
        network = step(before, gradient, chosen(rate));
      }
      deed = kindOfStep();
      lesson.change({ network, steps: times });
      show(lesson.current());
      remember(before, gradient);
    };
    const possible = wrong.length === 0 && !hindrance();
    const taken = { usual: 0, read: (value) => (possible ? wholeNumber(value, 1, MOST_AGAIN) : null), use: takeAgain };
    return [...wrong, ...takeOver(asked, { taken })];
  }

  return { first: () => first, show, choices, restore };
}

// A function that judges a network over all examples, each network once.
function createJudge(examples) {
  const known = new WeakMap();
  return (network) => {
    if (!known.has(network)) known.set(network, judge(network, examples));
    return known.get(network);
  };
}

const same = (one, other) => one !== null && [...Object.keys(one), ...Object.keys(other)].every((key) => one[key] === other[key]);

function note({ outputs, target, label, steps }) {
  const taken = steps === 0 ? "" : text(steps === 1 ? "example.oneStep" : "example.manySteps", { steps: whole(steps) });
  if (target === null) return [text("example.noCost"), taken];
  return [text("example.howLousy", { label, cost: number(squaredError(outputs, target)) }), taken];
}

const lengthSquared = (layers) =>
  layers.reduce((sum, { weights, biases }) => weights.reduce((all, w) => all + dot(w, w), sum + dot(biases, biases)), 0);
