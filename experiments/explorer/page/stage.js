// The network from left to right: 784 pixels, the hidden layers, the outputs, and the lines between them.

import { html, svg, activation, label, say, set } from "page/dom.js";
import { SIDE } from "page/digit.js";
import { SHAPES, byActivation } from "page/fills.js";
import { createLines, flow, nearest, strongLines } from "page/lines.js";
import { drawImage } from "page/picture.js";
import { text } from "page/text.js";

const [TOP, BOTTOM] = [34, 10]; // room for captions, and below
const IN_A_COLUMN = 20;

export const neuronName = (layer, neuron, layers) =>
  layer === layers - 1 ? text("page.output", { neuron }) : text("page.neuron", { neuron, layer: layer + 1 });

export const sourceName = (layer, source, layers) =>
  layer === 0
    ? text("page.pixel", { pixel: source, row: Math.floor(source / SIDE), column: source % SIDE })
    : neuronName(layer - 1, source, layers);

// `touched(layer, neuron, source)` is called for a neuron, source null, and for a line. `labels` is how much room the
// outputs' digits and numbers get.
export function createStage(box, sizes, touched, labels = 74) {
  const layers = sizes.length - 1;
  const pixels = html("canvas", { "aria-hidden": "true" });
  const lines = svg("g", { class: "lines" });
  const drawLines = createLines(lines);
  const captions = svg("g", { "aria-hidden": "true" });
  const buttons = sizes.slice(1).map((size, layer) => Array.from({ length: size }, (_, j) => button(layer, j, layers)));
  const drawing = svg("svg", { role: "group", "aria-label": text("network.stage") });
  drawing.append(lines, captions, svg("g", {}, ...buttons.flat().map(({ element }) => element)));
  box.append(pixels, drawing);
  let places = null;
  let drawn = [];
  let view = null;

  function arrange() {
    if (places && box.clientWidth === 0) return; // a scene that is not shown has no size
    places = arranged(sizes, box.clientWidth, box.clientHeight, labels);
    const { picture } = places;
    Object.assign(pixels.style, {
      left: `${picture.x}px`,
      top: `${picture.y}px`,
      width: `${picture.side}px`,
      height: `${picture.side}px`,
    });
    captions.replaceChildren(
      caption(picture.x + picture.side / 2, picture.y - 10, text("network.pixels", { number: sizes[0] })),
      ...places.layers.map(({ x }, layer) =>
        caption(x, 16, places.narrow ? sizes[layer + 1] : text(layer === layers - 1 ? "network.outputs" : "network.neurons", { number: sizes[layer + 1] })),
      ),
    );
    buttons.forEach((row, layer) => row.forEach((each, j) => put(each, places.layers[layer].neurons[j])));
    if (view) show(view);
  }

  // A view is {image, network, activations, guess, selected: {layer, neuron, source}} and, where they are not to be the
  // flow and the activations: lines(layer, neuron, source), the number that colours a line; fills; marks {shape, rows};
  // values, what is written beside the outputs; words(layer, neuron, name), what a screen reader says of a neuron.
  function show(next) {
    view = next;
    const { image, activations, guess, selected, marks } = view;
    const { lines: shown = flow(view), fills = byActivation(activations) } = view;
    const words = view.words ?? ((layer, j, name) => text("network.neuronLabel", { name, activation: activation(activations[layer + 1][j]) }));
    drawImage(pixels, image);
    drawn = strongLines(shown, sizes, selected, places);
    drawLines(drawn);
    buttons.forEach((row, layer) =>
      row.forEach((each, j) => {
        const chosen = selected.layer === layer && selected.neuron === j;
        light(each, fills[layer + 1][j]);
        mark(each, marks?.shape, marks?.rows[layer + 1][j], places.layers[layer].neurons[j].r);
        set(each.element, "aria-pressed", chosen);
        set(each.element, "tabindex", chosen ? "0" : "-1");
        label(each.element, words(layer, j, neuronName(layer, j, layers)));
        if (layer === layers - 1) {
          each.element.classList.toggle("brightest", j === guess);
          say(each.value, view.values?.[j] ?? activation(activations[layer + 1][j]));
        }
      }),
    );
  }

  function choose(layer, neuron) {
    touched(layer, neuron, null);
    buttons[layer][neuron].element.focus();
  }

  buttons.forEach((row, layer) =>
    row.forEach(({ element }, j) => {
      element.addEventListener("click", () => choose(layer, j));
      element.addEventListener("keydown", (event) => {
        const there = neighbour(event.key, layer, j, sizes);
        if (!there) return;
        event.preventDefault();
        choose(...there);
      });
    }),
  );
  drawing.addEventListener("click", (event) => {
    if (event.target.closest(".neuron")) return;
    const { left, top } = drawing.getBoundingClientRect();
    const line = nearest(drawn, event.clientX - left, event.clientY - top);
    if (line) touched(line.layer, line.neuron, line.source);
  });
  new ResizeObserver(arrange).observe(box);
  arrange();
  return { show, lines: () => drawn };
}

// Where the picture of the pixels and every neuron lie in a box of this size; long layers stand in several columns.
function arranged(sizes, width, height, labels) {
  const narrow = width < 520;
  const side = Math.round(Math.min(250, Math.max(76, 0.29 * width)));
  const picture = { x: 0, y: Math.round((TOP + height - BOTTOM - side) / 2), side };
  const layers = sizes.length - 1;
  const [left, right] = [side, width - labels];
  const layer = (size, index) => {
    const columns = index === layers - 1 ? 1 : Math.ceil(size / IN_A_COLUMN);
    const rows = Math.ceil(size / columns);
    const down = (height - TOP - BOTTOM) / rows;
    const room = (right - left) / layers;
    const across = Math.min(28, (0.6 * room) / columns);
    const r = Math.max(0, Math.min(narrow ? 11 : 13, 0.42 * down, columns > 1 ? 0.42 * across : Infinity));
    const x = left + (index + 1) * room;
    const neurons = Array.from({ length: size }, (_, j) => ({
      x: x + ((j % columns) - (columns - 1) / 2) * across,
      y: TOP + (Math.floor(j / columns) + 0.5) * down,
      r,
    }));
    return { x, neurons };
  };
  return { narrow, picture, layers: sizes.slice(1).map(layer) };
}

const caption = (x, y, text) => svg("text", { x, y, "text-anchor": "middle" }, text);

function button(layer, neuron, layers) {
  const parts = {
    ground: svg("circle", { class: "ground" }),
    light: svg("circle", { class: "light" }),
    mark: svg("path"),
  };
  const element = svg("g", { class: "neuron", role: "button" }, parts.ground, parts.light, parts.mark);
  if (layer < layers - 1) return { element, ...parts };
  const digit = svg("text", { class: "digit", x: 22, y: 6 }, String(neuron));
  const value = svg("text", { class: "value", x: 40, y: 5 });
  element.append(digit, " ", value);
  return { element, ...parts, value };
}

function put({ element, ground, light }, { x, y, r }) {
  element.setAttribute("transform", `translate(${x} ${y})`);
  ground.setAttribute("r", r);
  light.setAttribute("r", Math.max(0, r - 1));
}

function light({ light }, { part, look }) {
  set(light, "fill-opacity", part.toFixed(3));
  set(light, "class", `light ${look}`);
}

function mark({ mark }, shape, part = 0, r = 0) {
  set(mark, "d", shape ? SHAPES[shape](part, r) : "");
  set(mark, "class", `mark ${shape} ${part < 0 ? "down" : "up"}`);
}

// Up and down within a layer, left and right to the neuron at the same height; the space bar and Enter stay.
function neighbour(key, layer, neuron, sizes) {
  const size = sizes[layer + 1];
  const sideways = (to) => [to, Math.min(sizes[to + 1] - 1, Math.floor(((neuron + 0.5) / size) * sizes[to + 1]))];
  switch (key) {
    case "ArrowUp":
      return [layer, Math.max(0, neuron - 1)];
    case "ArrowDown":
      return [layer, Math.min(size - 1, neuron + 1)];
    case "ArrowLeft":
      return sideways(Math.max(0, layer - 1));
    case "ArrowRight":
      return sideways(Math.min(sizes.length - 2, layer + 1));
    case " ":
    case "Enter":
      return [layer, neuron];
    default:
      return null;
  }
}
