// What this example wants of every number, and steps that give it what it wants.

import { find, html, number, activation, percent, chosen, complaint, repeater, say } from "page/dom.js";
import { averageGradient, backprop, judge, squaredError, step, forward } from "page/network.js";
import { shuffled } from "page/chance.js";
import { neuronName } from "page/stage.js";

const MOST = 5; // of the weights and of the biases
const MOST_NEURONS = 16; // of a long layer those with the strongest wishes

// `answered(label)` when a digit is chosen, `changed(network)` after a step, `touched(layer, neuron, source)` for a line.
export function createTeacher({ examples, trained, random, answered, changed, touched }) {
  let view = null;
  let waiting = [];
  let earlier = null; // what there was to judge before the last step
  const [rate, batch] = [find("teach-rate"), find("teach-batch")];
  batch.max = examples.length;
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
    const wrong = complaint(rate, batch);
    if (wrong) return refuse(wrong);
    if (onOne() && view.target === null) return refuse("Choose first which digit it should have been.");
    const { network, image, target } = view;
    const gradient = onOne() ? backprop(network, image, target) : averageGradient(network, nextBatch());
    const next = step(network, gradient, chosen(rate));
    if (!Number.isFinite(judge(next, examples).cost)) {
      return refuse("This step leads to numbers that are not finite; take a smaller rate.");
    }
    earlier = judgement();
    changed(next);
    return true;
  }

  function refuse(why) {
    say(find("teach-note"), why);
    find("teach-note").classList.add("alarm");
    return false;
  }

  const again = repeater(find("teach-again"), take);
  find("teach-step").addEventListener("click", take);
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

  function show(next, steps) {
    if (view && next.image !== view.image) earlier = null;
    view = next;
    find("teach-note").classList.remove("alarm");
    for (const radio of answers) radio.checked = Number(radio.value) === view.label;
    say(find("teach-note"), note(view, steps));
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
    showWishes(view, touched);
  }

  return { show };
}

function note({ outputs, target, label }, steps) {
  const taken = steps === 0 ? "" : ` ${steps.toLocaleString("en")} step${steps === 1 ? "" : "s"} away from the trained network.`;
  if (target === null) return `No digit chosen yet, so there is no cost.${taken}`;
  return `How lousy, if it should have been ${label}? C = Σ (a − y)² = ${number(squaredError(outputs, target))}.${taken}`;
}

function showWishes({ network, activations, target, label, nudges }, touched) {
  const layers = network.layers.length;
  const last = activations.length - 1;
  const fill = (id, content) => find(id).replaceChildren(...content);
  fill("wish-outputs", bars(activations[last], nudges && nudges.activations[last], label));
  fill("wish-before", bars(activations[last - 1], nudges && nudges.activations[last - 1], null));
  if (nudges === null) {
    for (const id of ["wish-weights", "wish-biases"]) fill(id, [html("p", { class: "small" }, "Choose a digit to see them.")]);
    return;
  }
  const wishes = nudges.layers.flatMap(({ weights, biases }, layer) =>
    Array.from(biases, (value, neuron) => ({ layer, neuron, source: null, value })),
  );
  const button = ({ layer, neuron, source, value }) => {
    const from = source === null ? "" : `${layer === 0 ? "pixel" : "neuron"} ${source} → `;
    const element = html(
      "button",
      { type: "button", class: "go" },
      html("span", {}, from + neuronName(layer, neuron, layers)),
      html("span", { class: value > 0 ? "up-text" : "down-text" }, wish(value)),
    );
    element.addEventListener("click", () => touched(layer, neuron, source));
    return element;
  };
  fill("wish-weights", strongestWeights(nudges.layers).map(button));
  fill("wish-biases", wishes.sort((one, other) => Math.abs(other.value) - Math.abs(one.value)).slice(0, MOST).map(button));
}

const wish = (value) => (value === 0 ? "0" : `${value > 0 ? "▲ +" : "▼ "}${number(value, 2)}`);

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
