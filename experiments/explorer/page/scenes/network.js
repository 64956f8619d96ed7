// A digit is drawn, and the whole network answers: every neuron, every strong line, one neuron from close by.

import { activation, announce, chosen, find, html, label, number, percent, repeater, say } from "page/dom.js";
import { classify, dot, brightest, sizesOf } from "page/network.js";
import { PENS, SIDE } from "page/digit.js";
import { drawImage, drawSigned, strongest } from "page/picture.js";
import { TURN, readAll } from "page/drawings.js";
import { createPad } from "page/pad.js";
import { bareWeight, flow } from "page/lines.js";
import { createStage, neuronName } from "page/stage.js";
import { wholeNumber } from "page/address.js";
import { uniform } from "page/chance.js";
import { text } from "page/text.js";
import { strongestTerms } from "page/weight.js";

const FORMULA = {
  sigmoid: (z) => `σ(${z})`,
  relu: (z) => `max(0, ${z})`,
  tanh: (z) => `tanh(${z})`,
  scaled_tanh: (z) => `1.7159 tanh(0.6666 (${z}))`,
  softmax: (z) => `softmax(${z})`,
};
const ACROSS = 16; // cells in a row of the picture over neurons
const TERMS = 3;
const MOST_DREAMT = 300; // steps to please an output

export function createScene({ section, lesson, changed }) {
  const { networks, examples, state } = lesson;
  const random = uniform(7);
  const trained = networks[0].network;
  find("negative").hidden = !trained.layers.some(({ activation: name }) => ["tanh", "scaled_tanh"].includes(name));
  const touched = (layer, neuron, source) => lesson.change({ selected: { layer, neuron, source } });
  const stage = createStage(find("stage"), sizesOf(trained), touched);
  const pattern = find("pattern");
  const announceGuess = () =>
    announce(
      text("network.saidAloud", {
        shown: lesson.whatIsShown(),
        guess: find("guess").textContent,
        certainty: find("certainty").textContent,
      }),
    );

  const pad = createPad(find("pad"), {
    drawn: (strokes, sheet) => {
      const begun = state.strokes.length === 0;
      lesson.showDrawing(strokes, begun ? null : state.label, { sheet, drawing: pad.pressed() ? section : null });
    },
    lifted: () => {
      lesson.change({ drawing: null });
      announceGuess();
    },
  });

  find("undo").addEventListener("click", () => {
    lesson.showDrawing(state.strokes.slice(0, -1), state.strokes.length > 1 ? state.label : null);
    announceGuess();
  });
  find("clear").addEventListener("click", () => {
    lesson.showDrawing([], null);
    announceGuess();
  });
  for (const radio of document.querySelectorAll('input[name="pen"]')) {
    radio.addEventListener("change", () => {
      if (state.strokes.length) lesson.showDrawing(state.strokes, state.label, { pen: radio.value });
      else lesson.change({ pen: radio.value });
    });
  }
  const showExample = (shown) => {
    lesson.showExample(shown);
    announceGuess();
  };
  find("number").max = examples.length - 1;
  find("number").addEventListener("input", () => {
    const shown = chosen(find("number"));
    if (shown !== null) showExample(shown);
  });
  find("random").addEventListener("click", () => showExample(Math.floor(random() * examples.length)));
  find("wrong").addEventListener("click", () => {
    const wrong = examples.map(({ image, label: digit }, i) => (classify(state.network, image) === digit ? -1 : i));
    const others = wrong.filter((i) => i >= 0 && i !== state.shown);
    if (others.length) return showExample(others[Math.floor(random() * others.length)]);
    say(find("shown"), text("network.noOther"));
    return announce(find("shown").textContent);
  });
  find("drawn").addEventListener("click", () => {
    lesson.showDrawn(Math.floor(random() * lesson.drawings.length));
    announceGuess();
  });
  find("noise").addEventListener("click", () => {
    lesson.showNoise(Math.floor(1e6 * random()));
    announceGuess();
  });
  find("lines").addEventListener("change", () => show(lesson.current()));

  const figures = networks.map(({ accuracy }) => {
    const reads = html("span", { class: "small" });
    say(reads, text("network.reads", { percent: percent(accuracy) }));
    return reads;
  });
  find("networks").append(...networks.map(({ name }, i) => choice(i, name)));
  readAll(networks.map(({ network }) => network), lesson.drawings, (counts) => {
    counts.forEach(({ straight, crooked }, i) => {
      const all = lesson.drawings.length;
      const values = { percent: percent(networks[i].accuracy), straight, all, crooked, twice: 2 * all, degrees: TURN };
      say(figures[i], text("network.readsAll", values));
    });
  });

  function choice(i, name) {
    const radio = html("input", { type: "radio", name: "network", value: i });
    radio.addEventListener("change", () => {
      lesson.choose(i);
      announceGuess();
    });
    return html("label", {}, radio, html("span", {}, html("b", {}, text(`network.${name}`)), figures[i]));
  }

  const wanted = () => Number(document.querySelector('input[name="dream"]:checked').value);
  const tellDream = () => announce(find("dream-note").textContent);
  function dreamOn() {
    lesson.showDream(wanted());
    return state.dream.steps < MOST_DREAMT;
  }
  const again = repeater(find("dream-again"), dreamOn, tellDream);
  find("dream-step").addEventListener("click", () => {
    dreamOn();
    tellDream();
  });
  find("dream-blank").addEventListener("click", () => {
    again.stop();
    lesson.showDrawing([], null);
    tellDream();
  });
  find("dream").addEventListener("change", () => lesson.change({}));

  pattern.addEventListener("click", (event) => {
    const box = pattern.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * pattern.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * pattern.height);
    const place = row * pattern.width + column;
    const { layer, neuron } = state.selected;
    if (place < state.network.layers[layer].weights[neuron].length) touched(layer, neuron, place);
  });

  function show(view) {
    const { outputs, guess, strokes, pen, shown } = view;
    stage.show({ ...view, lines: find("lines").value === "weights" ? bareWeight(view) : flow(view) });
    pad.show(strokes, PENS[pen]);
    find("undo").disabled = strokes.length === 0;
    for (const radio of document.querySelectorAll('input[name="pen"]')) radio.checked = radio.value === pen;
    for (const radio of document.querySelectorAll('input[name="network"]')) radio.checked = Number(radio.value) === view.chosen;
    if (document.activeElement !== find("number") || shown === null) find("number").value = shown ?? "";
    const others = outputs.map((a, j) => (j === guess ? -Infinity : a));
    const second = brightest(others);
    say(find("guess"), String(guess));
    say(find("certainty"), text("network.certainty", { first: activation(outputs[guess]), second, next: activation(outputs[second]) }));
    say(find("shown"), lesson.whatIsShown());
    if (view.drawing) return;
    showNeuron(pattern, view);
    showDream(view, wanted());
    changed();
  }

  lesson.listen(section, show);
  const choices = () => ({ output: wanted() || null, ...lesson.choices() });
  function restore(asked) {
    const output = wholeNumber(asked.get("output") ?? "0", 0, lesson.classes - 1);
    if (output !== null) find("dream").querySelector(`[value="${output}"]`).checked = true;
    return [...(output === null ? ["output"] : []), ...lesson.restore(asked)];
  }
  return { stage, choices, restore };
}

function showNeuron(pattern, { network, weightedSums, activations, selected }) {
  const { layer, neuron } = selected;
  const layers = network.layers.length;
  const w = network.layers[layer].weights[neuron];
  const b = network.layers[layer].biases[neuron];
  const [z, a] = [weightedSums[layer][neuron], activations[layer + 1][neuron]];
  const before = activations[layer];
  const columns = layer === 0 ? SIDE : Math.min(ACROSS, w.length);
  const name = neuronName(layer, neuron, layers);
  say(find("inside-title"), name[0].toUpperCase() + name.slice(1));
  const scale = strongest(w);
  drawSigned(pattern, w, columns, scale);
  const over = text(layer === 0 ? "network.pixelsBefore" : "network.neuronsBefore");
  label(pattern, text("network.patternLabel", { number: w.length, name, over }));
  say(find("pattern-help"), text("network.patternHelp", { number: w.length, over, scale: number(scale) }));
  const f = FORMULA[network.layers[layer].activation];
  const sum = dot(w, before);
  const plus = b < 0 ? `${number(sum)} − ${number(-b)}` : `${number(sum)} + ${number(b)}`;
  const rows = [
    [text("network.sum"), number(sum)],
    [text("network.bias"), number(b)],
    [text("network.z"), number(z)],
    [text("network.a"), number(a)],
  ];
  const terms = strongestTerms(w, before)
    .slice(0, TERMS)
    .map((k) => [text(layer === 0 ? "network.pixelTerm" : "network.neuronTerm", { number: k }), `${number(w[k])} × ${activation(before[k])}`]);
  find("formula").replaceChildren(
    html("p", { class: "equation" }, `a = ${f("Σ w a′ + b")}`),
    html("p", { class: "equation more" }, `= ${f(plus)}`),
    html("p", { class: "equation more" }, `= ${f(number(z))} = ${number(a)}`),
    list(rows),
    html("p", { class: "small" }, text("network.terms")),
    list(terms),
  );
}

const list = (rows) => html("dl", {}, ...rows.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));

function showDream({ image, outputs, dream }, output) {
  drawImage(find("dreamt"), image);
  label(find("dreamt"), text("network.dreamt"));
  const values = { output, activation: activation(outputs[output]) };
  const own = dream?.output === output;
  say(find("dream-note"), own ? text("network.dreamSteps", { ...values, steps: dream.steps }) : text("network.dreamNote", values));
}
