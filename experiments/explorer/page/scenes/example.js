// What this example wants of every number, and steps that give it what it wants.

import { activation, announce, chosen, complaint, find, html, number, percent, repeater, say, watch, whole } from "page/dom.js";
import { averageGradient, backprop, dot, forward, judge, squaredError, step } from "page/network.js";
import { neuronName } from "page/stage.js";
import { createSubject } from "page/subject.js";
import { shuffled, uniform } from "page/chance.js";
import { text } from "page/text.js";

const MOST = 5; // of the weights and of the biases
const MOST_NEURONS = 16; // of a long layer those with the strongest wishes

export function createScene({ section, lesson, changed }) {
  const { examples, state } = lesson;
  const random = uniform(5);
  const touched = (layer, neuron, source) => lesson.change({ selected: { layer, neuron, source } });
  createSubject(find("example-subject"), section, lesson);
  let view = null;
  let waiting = [];
  let earlier = null; // what there was to judge before the last step, and what that step should have changed
  const [rate, batch] = [find("teach-rate"), find("teach-batch")];
  batch.max = examples.length;
  batch.value = Math.min(batch.value, examples.length);
  watch(rate, batch);
  const wishes = createWishes(touched);
  const trained = () => lesson.networks[state.chosen].network;
  let ofTrained = { network: null };
  let judged = { network: null };
  const judgedTrained = () => {
    if (ofTrained.network !== trained()) ofTrained = { network: trained(), ...judge(trained(), examples) };
    return ofTrained;
  };

  const answers = find("answers").querySelectorAll("input");
  for (const radio of answers) {
    radio.addEventListener("change", () => {
      earlier = null;
      lesson.change({ label: Number(radio.value) });
    });
  }

  const onOne = () => document.querySelector('input[name="what"]:checked').value === "one";

  function nextBatch() {
    if (waiting.length === 0) waiting = shuffled(examples, random);
    const some = waiting.slice(0, chosen(batch));
    waiting = waiting.slice(some.length);
    return some;
  }

  // One step; false, with a word about it, where none can be taken.
  function take() {
    const wrong = onOne() ? complaint(rate) : complaint(rate, batch);
    if (wrong) return refuse(wrong);
    if (onOne() && view.target === null) return refuse(text("example.chooseFirst"));
    const { network, image, target } = view;
    const gradient = onOne() ? backprop(network, image, target) : averageGradient(network, nextBatch());
    const next = step(network, gradient, chosen(rate));
    const found = judge(next, examples);
    if (!Number.isFinite(found.cost)) return refuse(text("example.notFinite"));
    earlier = { ...judgement(), foretold: onOne() ? -chosen(rate) * lengthSquared(gradient) : null };
    judged = { network: next, ...found };
    lesson.change({ network: next, steps: state.steps + 1 });
    return true;
  }

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
    earlier = null;
    lesson.change({ network: trained(), steps: 0 });
  });

  const costHere = (network) => (view.target ? squaredError(forward(network, view.image), view.target) : null);

  function judgement() {
    if (judged.network !== view.network) judged = { network: view.network, ...judge(view.network, examples) };
    return { here: costHere(view.network), cost: judged.cost, accuracy: judged.accuracy };
  }

  // The slope says how much a small step changes the cost; of a large one it is only the beginning.
  function foretold() {
    if (!earlier || earlier.foretold === null) return "";
    const change = number(costHere(view.network) - earlier.here);
    return text("example.foretold", { foretold: number(earlier.foretold), change });
  }

  function show(next) {
    if (view && (next.image !== view.image || next.chosen !== view.chosen)) earlier = null;
    view = next;
    find("teach-note").classList.remove("alarm");
    for (const radio of answers) radio.checked = Number(radio.value) === view.label;
    say(find("teach-note"), [...note(view), foretold()].filter(Boolean).join(" "));
    const columns = [{ here: costHere(trained()), ...judgedTrained() }, earlier, judgement()];
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
    wishes.show(view);
    changed();
  }

  lesson.listen(section, show);
  return { choices: lesson.choices, restore: lesson.restore };
}

function note({ outputs, target, label, steps }) {
  const taken = steps === 0 ? "" : text(steps === 1 ? "example.oneStep" : "example.manySteps", { steps: whole(steps) });
  if (target === null) return [text("example.noCost"), taken];
  return [text("example.howLousy", { label, cost: number(squaredError(outputs, target)) }), taken];
}

const lengthSquared = (layers) =>
  layers.reduce((sum, { weights, biases }) => weights.reduce((all, w) => all + dot(w, w), sum + dot(biases, biases)), 0);

// The four lists of what one example wants. Their buttons stay, so that one can press them while they change.
function createWishes(touched) {
  const lists = { weights: buttons(find("wish-weights"), touched), biases: buttons(find("wish-biases"), touched) };

  function show({ network, activations, label, nudges }) {
    const last = activations.length - 1;
    find("wish-outputs").replaceChildren(...bars(activations[last], nudges && nudges.activations[last], label));
    find("wish-before").replaceChildren(...bars(activations[last - 1], nudges && nudges.activations[last - 1], null));
    const layers = network.layers.length;
    lists.weights(nudges ? strongestWeights(nudges.layers) : [], layers);
    lists.biases(nudges ? strongestBiases(nudges.layers) : [], layers);
  }
  return { show };
}

// A function that shows wishes {layer, neuron, source, value} as buttons, or a word where there are none.
function buttons(box, touched) {
  const none = html("p", { class: "small" }, text("example.chooseToSee"));
  const all = Array.from({ length: MOST }, () => {
    const [name, value] = [html("span"), html("span")];
    const element = html("button", { type: "button", class: "go" }, name, value);
    const each = { element, name, value, wished: null };
    element.addEventListener("click", () => touched(each.wished.layer, each.wished.neuron, each.wished.source));
    return each;
  });
  box.replaceChildren(none, ...all.map(({ element }) => element));
  return (wishes, layers) => {
    none.hidden = wishes.length > 0;
    all.forEach((each, i) => {
      each.element.hidden = i >= wishes.length;
      if (i >= wishes.length) return;
      each.wished = wishes[i];
      const { layer, neuron, source, value } = each.wished;
      const name = neuronName(layer, neuron, layers);
      const way = layer === 0 ? "example.pixelTo" : "example.neuronTo";
      say(each.name, source === null ? name : text(way, { source, name }));
      say(each.value, wish(value));
      each.value.className = value > 0 ? "up-text" : "down-text";
    });
  };
}

const wish = (value) => (value === 0 ? "0" : `${value > 0 ? "▲ +" : "▼ "}${number(value, 2)}`);

const strongestBiases = (layers) =>
  layers
    .flatMap(({ biases }, layer) => Array.from(biases, (value, neuron) => ({ layer, neuron, source: null, value })))
    .sort((one, other) => Math.abs(other.value) - Math.abs(one.value))
    .slice(0, MOST);

function strongestWeights(layers) {
  let best = [];
  layers.forEach(({ weights }, layer) =>
    weights.forEach((row, neuron) =>
      row.forEach((value, source) => {
        if (best.length === MOST && Math.abs(value) <= Math.abs(best.at(-1).value)) return;
        best.push({ layer, neuron, source, value });
        best.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
        best = best.slice(0, MOST);
      }),
    ),
  );
  return best;
}

// A row for each neuron: its number, its activation, the desired nudge as a bar and as a number, where there are nudges.
function bars(a, nudges, aim) {
  const wishes = nudges ?? new Float64Array(a.length);
  const most = Math.max(...Array.from(wishes, Math.abs)) || 1;
  const shown = Array.from(a, (_, j) => j)
    .sort((one, other) => Math.abs(wishes[other]) - Math.abs(wishes[one]))
    .slice(0, MOST_NEURONS)
    .sort((one, other) => one - other);
  return shown.map((j) => {
    const part = html("i", { class: wishes[j] > 0 ? "up" : "down" });
    part.style.width = `${(50 * Math.abs(wishes[j])) / most}%`;
    return html(
      "div",
      { class: j === aim ? "wish aim" : "wish" },
      html("b", {}, String(j)),
      html("span", {}, activation(a[j])),
      html("span", { class: "bar" }, part),
      html("span", { class: wishes[j] > 0 ? "up-text" : "down-text" }, nudges ? wish(wishes[j]) : ""),
    );
  });
}
