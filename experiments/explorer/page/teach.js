// What this example wants of every number, and steps that give it what it wants.

import { find, html, number, activation, announce, percent, chosen, complaint, repeater, say, watch } from "page/dom.js";
import { averageGradient, backprop, dot, forward, judge, squaredError, step } from "page/network.js";
import { shuffled } from "page/chance.js";
import { neuronName } from "page/stage.js";

const MOST = 5; // of the weights and of the biases
const MOST_NEURONS = 16; // of a long layer those with the strongest wishes

// `answered(label)` when a digit is chosen, `changed(network)` after a step, `touched(layer, neuron, source)` for a line.
export function createTeacher({ examples, trained, random, answered, changed, touched }) {
  let view = null;
  let waiting = [];
  let earlier = null; // what there was to judge before the last step, and what that step should have changed
  const [rate, batch] = [find("teach-rate"), find("teach-batch")];
  batch.max = examples.length;
  batch.value = Math.min(batch.value, examples.length);
  watch(rate, batch);
  const wishes = createWishes(touched);
  const judgedTrained = judge(trained, examples);
  let judged = { network: trained, ...judgedTrained };

  const answers = find("answers").querySelectorAll("input");
  for (const radio of answers) {
    radio.addEventListener("change", () => {
      earlier = null;
      answered(Number(radio.value));
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
    if (onOne() && view.target === null) return refuse("Choose first which digit it should have been.");
    const { network, image, target } = view;
    const gradient = onOne() ? backprop(network, image, target) : averageGradient(network, nextBatch());
    const next = step(network, gradient, chosen(rate));
    const found = judge(next, examples);
    if (!Number.isFinite(found.cost)) {
      return refuse("This step leads to numbers that are not finite; take a smaller rate.");
    }
    earlier = { ...judgement(), foretold: onOne() ? -chosen(rate) * lengthSquared(gradient) : null };
    judged = { network: next, ...found };
    changed(next);
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
    changed(trained);
  });

  const costHere = (network) => (view.target ? squaredError(forward(network, view.image), view.target) : null);

  function judgement() {
    if (judged.network !== view.network) judged = { network: view.network, ...judge(view.network, examples) };
    return { here: costHere(view.network), cost: judged.cost, accuracy: judged.accuracy };
  }

  // The slope says how much a small step changes the cost; of a large one it is only the beginning.
  function foretold() {
    if (!earlier || earlier.foretold === null) return "";
    return ` The slope foretold a change of ${number(earlier.foretold)}, it was ${number(costHere(view.network) - earlier.here)}.`;
  }

  function show(next, steps) {
    if (view && next.image !== view.image) earlier = null;
    view = next;
    find("teach-note").classList.remove("alarm");
    for (const radio of answers) radio.checked = Number(radio.value) === view.label;
    say(find("teach-note"), `${note(view, steps)}${foretold()}`);
    const columns = [{ here: costHere(trained), ...judgedTrained }, earlier, judgement()];
    const row = (name, key, text) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, name),
        ...columns.map((column) => html("td", {}, column && column[key] !== null ? text(column[key]) : "–")),
      );
    find("judged").replaceChildren(
      row("cost of this example", "here", number),
      row(`cost over the ${examples.length} images`, "cost", number),
      row("of these read right", "accuracy", percent),
    );
    wishes.show(view);
  }

  return { show };
}

function note({ outputs, target, label }, steps) {
  const taken = steps === 0 ? "" : ` ${steps.toLocaleString("en")} step${steps === 1 ? "" : "s"} away from the trained network.`;
  if (target === null) return `No digit chosen yet, so there is no cost.${taken}`;
  return `How lousy, if it should have been ${label}? C = Σ (a − y)² = ${number(squaredError(outputs, target))}.${taken}`;
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
  const none = html("p", { class: "small" }, "Choose a digit to see them.");
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
      const from = source === null ? "" : `${layer === 0 ? "pixel" : "neuron"} ${source} → `;
      say(each.name, from + neuronName(layer, neuron, layers));
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
