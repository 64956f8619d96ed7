// The three factors of the chain rule, with their numbers filled in.

import { html, number } from "page/dom.js";
import { dot, factors } from "page/network.js";
import { text } from "page/text.js";

// In the box: the formula, its factors one by one, and what their product says of the nudge.
export function showFactors(box, { network, image, target, label }, weight, { nudge, predicted }) {
  const { layer, neuron, source } = weight;
  if (target === null) {
    box.replaceChildren(html("p", {}, text("chain.noDigit")));
    return;
  }
  const { dz_dw, da_dz, dC_da, product } = factors(network, image, target, layer, neuron, source);
  const many = Array.isArray(da_dz); // in a softmax layer the product is a sum over all activations
  const bias = source === null;
  const [w, by] = bias ? ["b", "bias"] : ["w", "weight"];
  const [steep, far] = many
    ? [da_dz, dC_da].map((all) => text("chain.slopes", { number: all.length }))
    : [number(da_dz), number(dC_da)];
  const last = layer === network.layers.length - 1;
  const filled = many ? `Σ (${number(dot(da_dz, dC_da))})` : `${bracketed(da_dz)} × ${bracketed(dC_da)}`;
  box.replaceChildren(
    html("p", { class: "equation" }, `∂C/∂${w} = ∂z/∂${w} · ${many ? "Σ " : ""}∂a/∂z · ∂C/∂a`),
    html(
      "div",
      { class: "factors" },
      factor(`∂z/∂${w}`, number(dz_dw), text(`chain.dz_dw_${by}`)),
      factor("∂a/∂z", steep, text("chain.da_dz")),
      factor("∂C/∂a", far, text(last ? "chain.dC_da" : "chain.dC_da_later", { label })),
    ),
    html("p", { class: "equation more" }, `∂C/∂${w} = ${number(dz_dw)} × ${filled} = ${number(product)}`),
    html("p", { class: "equation more" }, `ΔC ≈ ∂C/∂${w} · Δ${w} = ${bracketed(product)} × ${bracketed(nudge)} = ${number(predicted)}`),
    html("p", { class: "small" }, advice(product, by)),
  );
}

const factor = (name, value, meaning) =>
  html("div", {}, html("b", {}, name), html("span", {}, value), html("small", {}, meaning));

const bracketed = (value) => (value < 0 ? `(${number(value)})` : number(value));

function advice(slope, by) {
  if (slope === 0) return text("chain.nothing");
  return text(slope > 0 ? `chain.down_${by}` : `chain.up_${by}`, { nudge: number(-slope) });
}
