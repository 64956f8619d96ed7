// The first half of the scene: the wishes on the picture of the network, and a list of the strongest.

import { activation, find, html, number, say } from "page/dom.js";
import { takeOver, wholeNumber } from "page/address.js";
import { most } from "page/network.js";
import { neuronName } from "page/stage.js";
import { text } from "page/text.js";
import { largestOfEach, strongestOf } from "page/weight.js";

// `touched(layer, neuron, source)` is called for what is chosen in the list, `changed()` when more or fewer layers show.
export function createWishes(stage, sizes, { touched, changed }) {
  const layers = sizes.length - 1;
  const list = buttons(find("wishes"), 2 * layers, touched);
  // From the outputs alone to all layers: `from` is the first whose activations' wishes are shown.
  const radios = sizes.slice(1).map((_, i) => {
    const from = layers - i;
    const radio = html("input", { type: "radio", name: "back", value: i });
    radio.checked = from === 1;
    radio.addEventListener("change", changed);
    const name = from === layers ? text("example.ofOutputs") : text("example.ofLayer", { layer: from });
    find("example-back").append(html("label", {}, radio, ` ${name}`));
    return radio;
  });
  const from = () => layers - radios.findIndex(({ checked }) => checked);
  let strong = { nudges: null, wishes: [] };

  function strongWishes({ nudges }) {
    if (strong.nudges !== nudges) strong = { nudges, wishes: nudges ? largestOfEach(nudges.layers) : [] };
    return strong.wishes;
  }

  // The strongest wish, or undefined where there is none.
  const strongest = (view) => (view.nudges ? strongestOf(strongWishes(view)) : undefined);

  function show(view, weight) {
    const { nudges, activations } = view;
    const first = from();
    const rows = nudges && nudges.activations.map((row, l) => (l < first ? row.map(() => 0) : row));
    stage.show({
      ...view,
      selected: weight,
      // A weight can be asked what it should be as soon as the wish of the neuron behind it is known.
      lines: (l, neuron, source) => (nudges && l + 1 >= first ? nudges.layers[l].weights[neuron][source] : 0),
      marks: rows && { shape: "triangle", rows: relative(rows) },
      values: rows && Array.from(rows.at(-1), briefly),
      words: (l, j, name) => {
        const said = { name, activation: activation(activations[l + 1][j]) };
        return rows && l + 1 >= first ? text("example.neuronLabel", { ...said, wish: briefly(rows[l + 1][j]) }) : text("network.neuronLabel", said);
      },
    });
    list(strongWishes(view), weight, layers);
    say(find("wishes-help"), text(nudges ? "example.strongestHelp" : "example.chooseToSee"));
  }

  const choices = () => ({ back: from() === 1 ? null : layers - from() });

  const restore = (asked) =>
    takeOver(asked, {
      back: {
        usual: layers - 1,
        read: (value) => wholeNumber(value, 0, layers - 1),
        use: (value) => (radios[value].checked = true),
      },
    });

  return { strongest, show, choices, restore };
}

// Each layer's strongest wish in full size.
function relative(rows) {
  return rows.map((row) => {
    const scale = most(row) || 1;
    return Array.from(row, (one) => one / scale);
  });
}

// A function that shows wishes {layer, neuron, source, value} as buttons, or nothing where there are none: the buttons
// keep their places.
function buttons(box, length, touched) {
  const all = Array.from({ length }, () => {
    const [name, value] = [html("span"), html("span")];
    const element = html("button", { type: "button", class: "go" }, name, value);
    const each = { element, name, value, wished: null };
    element.addEventListener("click", () => touched(each.wished.layer, each.wished.neuron, each.wished.source));
    return each;
  });
  box.replaceChildren(...all.map(({ element }) => element));
  return (wishes, weight, layers) => {
    all.forEach((each, i) => {
      each.element.classList.toggle("absent", i >= wishes.length);
      if (i >= wishes.length) return;
      each.wished = wishes[i];
      const same = ["layer", "neuron", "source"].every((part) => each.wished[part] === weight[part]);
      each.element.setAttribute("aria-pressed", String(same));
      say(each.name, shortName(each.wished, layers));
      say(each.value, wish(each.wished.value));
      each.value.className = each.wished.value > 0 ? "up-text" : "down-text";
    });
  };
}

function shortName({ layer, neuron, source }, layers) {
  const name = neuronName(layer, neuron, layers);
  if (source === null) return text("page.biasOf", { name });
  return text(layer === 0 ? "example.pixelTo" : "example.neuronTo", { source, name });
}

const arrow = (value) => (value > 0 ? "▲" : "▼");

// With its sign, and as short as it can be.
export const wish = (value) => (value === 0 ? "0" : `${arrow(value)} ${value > 0 ? "+" : ""}${number(value, 2)}`);
const briefly = (value) => (value === 0 ? "0" : `${arrow(value)} ${activation(Math.abs(value))}`);
