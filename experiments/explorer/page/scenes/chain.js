// One weight from close by: the three factors of the chain rule.

import { chosen, find, html, number, say } from "page/dom.js";
import { dot, factors } from "page/network.js";
import { neuronName, sourceName } from "page/stage.js";
import { createSubject } from "page/subject.js";
import { strongestTerms } from "page/scenes/network.js";
import { text } from "page/text.js";

export function createScene({ section, lesson, changed }) {
  const { state } = lesson;
  createSubject(find("chain-subject"), section, lesson);
  const source = find("source");
  source.addEventListener("input", () => {
    const place = chosen(source);
    if (place !== null) lesson.change({ selected: { ...state.selected, source: place } });
  });
  source.addEventListener("blur", () => (source.value = lineOf(lesson.current())));

  lesson.listen(section, (view) => {
    const { network, selected } = view;
    source.max = network.layers[selected.layer].weights[selected.neuron].length - 1;
    const line = lineOf(view);
    if (document.activeElement !== source) source.value = line;
    showLine(view, line);
    changed();
  });
  return { choices: lesson.choices, restore: lesson.restore };
}

// The line that is chosen, or else the one through which most comes into the neuron.
function lineOf({ network, activations, selected }) {
  if (selected.source !== null) return selected.source;
  const w = network.layers[selected.layer].weights[selected.neuron];
  return strongestTerms(w, activations[selected.layer])[0];
}

function showLine({ network, image, target, selected }, source) {
  const { layer, neuron } = selected;
  const layers = network.layers.length;
  const from = sourceName(layer, source, layers);
  say(find("line-title"), text("chain.line", { from, to: neuronName(layer, neuron, layers) }));
  say(find("source-label"), text(layer === 0 ? "chain.fromPixel" : "chain.fromNeuron"));
  const w = network.layers[layer].weights[neuron][source];
  const parts = [html("p", { class: "equation" }, `w = ${number(w)}`)];
  if (target === null) {
    parts.push(html("p", {}, text("chain.noDigit")));
  } else {
    const { dz_dw, da_dz, dC_da, product } = factors(network, image, target, layer, neuron, source);
    const many = Array.isArray(da_dz);
    const [middle, last] = many
      ? [da_dz, dC_da].map((all) => text("chain.slopes", { number: all.length }))
      : [number(da_dz), number(dC_da)];
    parts.push(
      html("p", { class: "equation" }, many ? "∂C/∂w = ∂z/∂w · Σ ∂a/∂z · ∂C/∂a" : "∂C/∂w = ∂z/∂w · ∂a/∂z · ∂C/∂a"),
      html(
        "div",
        { class: "factors" },
        factor("∂C/∂w", number(product), text("chain.dC_dw")),
        factor("∂z/∂w", number(dz_dw), text("chain.dz_dw")),
        factor("∂a/∂z", middle, text("chain.da_dz")),
        factor("∂C/∂a", last, text(layer === layers - 1 ? "chain.dC_da" : "chain.dC_da_later")),
      ),
      html("p", { class: "equation more" }, `${number(product)} = ${number(dz_dw)} × ${many ? `Σ (${sumOf(da_dz, dC_da)})` : `${number(da_dz)} × ${bracketed(dC_da)}`}`),
      html("p", { class: "small" }, advice(product)),
    );
  }
  find("factors").replaceChildren(...parts);
}

const factor = (name, value, meaning) =>
  html("div", {}, html("b", {}, name), html("span", {}, value), html("small", {}, meaning));

const bracketed = (value) => (value < 0 ? `(${number(value)})` : number(value));

const sumOf = (da_dz, dC_da) => number(dot(da_dz, dC_da));

function advice(slope) {
  if (slope === 0) return text("chain.nothing");
  return text(slope > 0 ? "chain.down" : "chain.up", { nudge: number(-slope) });
}
