// One weight, and a nudge to it: what the chain rule says of it, factor by factor, and what the network does.

import { announce, chosen, complaint, find, html, label, number, percent, say, watch } from "page/dom.js";
import { sizesOf } from "page/network.js";
import { takeOver } from "page/address.js";
import { createAnswers } from "page/answers.js";
import { byChange } from "page/fills.js";
import { flow } from "page/lines.js";
import { follow } from "page/nudge.js";
import { createStage } from "page/stage.js";
import { createSubject } from "page/subject.js";
import { showFactors } from "page/scenes/factors.js";
import { stepsOfTheWay } from "page/scenes/way.js";
import { text } from "page/text.js";
import { strongestInto, strongestOfAll, weightInAddress, weightName, weightOfAddress } from "page/weight.js";

const [TINY, USUAL, HUGE] = [0.001, 0.1, 1];

// The slider's place is the cube root of the nudge: fine around zero. Nudges have two digits that matter.
export const nudgeAt = (place) => Number(((place / 100) ** 3).toPrecision(2));
export const placeOf = (nudge) => Math.round(100 * Math.cbrt(nudge));

export function createScene({ section, lesson, changed }) {
  const { state } = lesson;
  const sizes = sizesOf(lesson.networks[0].network);
  const layers = sizes.length - 1;
  createSubject(find("chain-subject"), section, lesson);
  createAnswers(section, lesson);
  const [source, slider] = [find("source"), find("nudge")];
  const kinds = Array.from(document.querySelectorAll('input[name="kind"]'));
  const choose = (weight) => lesson.change({ weight });
  const current = () => state.weight ?? strongestOfAll(lesson.current());
  // A neuron was touched: the strongest line into it, or its bias where a bias is what one looks at.
  const touched = (layer, neuron, from) => {
    const bias = from === null && current().source === null;
    choose(from === null && !bias ? strongestInto(lesson.current(), layer, neuron) : { layer, neuron, source: from });
  };
  const stage = createStage(find("chain-stage"), sizes, touched, 100);
  watch(source);
  let nudge = USUAL;

  source.addEventListener("input", () => {
    const wrong = complaint(source);
    say(find("source-note"), wrong);
    if (!wrong) choose({ ...current(), source: chosen(source) });
  });
  source.addEventListener("change", () => announce(complaint(source) || find("line-title").textContent));
  source.addEventListener("blur", () => show(lesson.current()));
  for (const radio of kinds) {
    radio.addEventListener("change", () => {
      const { layer, neuron } = current();
      choose(radio.value === "bias" ? { layer, neuron, source: null } : strongestInto(lesson.current(), layer, neuron));
    });
  }
  const take = (next) => {
    nudge = next;
    show(lesson.current());
  };
  slider.addEventListener("input", () => take(nudgeAt(slider.valueAsNumber)));
  slider.addEventListener("change", () => announce(saidOfTheCost()));
  for (const [id, size] of [["nudge-tiny", TINY], ["nudge-huge", HUGE]]) {
    find(id).addEventListener("click", () => {
      take(size);
      announce(saidOfTheCost());
    });
  }

  let followed = null;
  function saidOfTheCost() {
    const { predicted, measured } = followed;
    if (predicted.cost === null) return text("chain.nudgedBy", { nudge: signed(nudge) });
    return text("chain.said", { nudge: signed(nudge), predicted: signed(predicted.cost), measured: signed(measured.cost) });
  }

  function show(view) {
    const weight = view.weight ?? strongestOfAll(view);
    const { network, image, target, activations } = view;
    followed = follow(network, image, target, weight, nudge);
    const changes = followed.measured.activations;
    const inflow = flow(view);
    stage.show({
      ...view,
      selected: weight,
      // Up to the weight's own layer what comes in; from there on what the nudge brings.
      lines: (l, j, k) => (l <= weight.layer || nudge === 0 ? inflow(l, j, k) : network.layers[l].weights[j][k] * changes[l][k]),
      fills: byChange(changes),
      marks: { shape: "sign", rows: changes },
      values: changes.at(-1).map(briefly),
      words: (l, j, name) => text("chain.neuronLabel", { name, change: briefly(changes[l + 1][j]) }),
    });
    showWeight(weight, activations);
    say(find("nudge-value"), signed(nudge));
    if (nudgeAt(slider.valueAsNumber) !== nudge) slider.value = placeOf(nudge);
    slider.setAttribute("aria-valuetext", signed(nudge));
    showFactors(find("factors"), view, weight, { nudge, predicted: followed.predicted.cost });
    const rows = stepsOfTheWay(followed, weight, nudge, layers);
    find("followed").replaceChildren(
      ...rows.map(({ name, predicted, measured, difference }) =>
        row(
          name,
          ...[predicted, measured].map((change) => (change === null ? "–" : signed(change))),
          difference === null ? "–" : part(difference),
        ),
      ),
    );
    changed();
  }

  function showWeight({ layer, neuron, source: from }, activations) {
    const name = weightName({ layer, neuron, source: from }, layers);
    say(find("line-title"), name[0].toUpperCase() + name.slice(1));
    const kind = text(layer === 0 ? "chain.fromPixel" : "chain.fromNeuron");
    say(find("source-label"), kind);
    label(source, kind);
    source.max = activations[layer].length - 1;
    for (const radio of kinds) radio.checked = radio.value === (from === null ? "bias" : "weight");
    if (document.activeElement === source) return;
    source.value = from ?? strongestInto(lesson.current(), layer, neuron).source;
    source.setAttribute("aria-invalid", "false");
    say(find("source-note"), "");
  }

  const choices = () => ({ ...lesson.choices(), weight: weightInAddress(state.weight), nudge: nudge === USUAL ? null : nudge });

  function restore(asked) {
    const numeric = (value) => (/^-?[\d.e-]+$/.test(value) && Math.abs(value) <= 1 ? Number(value) : null);
    return [
      ...lesson.restore(asked),
      ...takeOver(asked, {
        weight: { usual: null, read: (value) => weightOfAddress(value, sizes), use: choose },
        nudge: { usual: USUAL, read: numeric, use: take },
      }),
    ];
  }

  lesson.listen(section, show);
  return { stage, followed: () => followed, choices, restore };
}

// The roles say what a table is where a narrow screen lays it out as something else.
const row = (name, ...cells) =>
  html(
    "tr",
    { role: "row" },
    html("th", { scope: "row", role: "rowheader" }, name),
    ...cells.map((cell) => html("td", { role: "cell" }, cell)),
  );

const briefly = (change) => signed(change, Math.abs(change) < 0.001 ? 1 : 2);

const signed = (value, digits = 3) => (value > 0 ? `+${number(value, digits)}` : number(value, digits));

const part = (share) => (share < 10 ? percent(share, 2) : `${number(100 * share)} %`);
