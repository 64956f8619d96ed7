// The network from left to right: 784 pixels, the hidden layers, the outputs, and the lines between them.

import { html, svg, activation, label, say } from "page/dom.js";
import { SIDE } from "page/digit.js";
import { drawImage } from "page/picture.js";
import { text } from "page/text.js";

const [TOP, BOTTOM, LABELS] = [34, 10, 74]; // room for captions, below, and for the digits at the right
const IN_A_COLUMN = 20;
const FROM_PIXELS = { all: 220, own: 90 }; // of 12,544 lines the strongest ones; of those into the chosen neuron, too
const BETWEEN = 900;
const LEVELS = 4;
const FAINT = 0.06; // of the strongest line of the layer; below that it is not drawn
const NEAR = 9; // pixels from a line that still touch it

export const neuronName = (layer, neuron, layers) =>
  layer === layers - 1 ? text("page.output", { neuron }) : text("page.neuron", { neuron, layer: layer + 1 });

export const sourceName = (layer, source, layers) =>
  layer === 0
    ? text("page.pixel", { pixel: source, row: Math.floor(source / SIDE), column: source % SIDE })
    : neuronName(layer - 1, source, layers);

// `touched(layer, neuron, source)` is called for a neuron, source null, and for a line.
export function createStage(box, sizes, touched) {
  const layers = sizes.length - 1;
  const pixels = html("canvas", { "aria-hidden": "true" });
  const lines = svg("g", { class: "lines" });
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
    places = arranged(sizes, box.clientWidth, box.clientHeight);
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

  function show(next) {
    view = next;
    drawImage(pixels, view.image);
    drawn = strongLines(view, places);
    drawLines(lines, drawn, view.selected);
    // Outputs want 2 at most; where they want little, so do all others.
    const loud = view.nudges ? Math.max(...Array.from(view.nudges.at(-1), Math.abs)) / 2 : 0;
    buttons.forEach((row, layer) => {
      const a = view.activations[layer + 1];
      const scale = Math.max(1, ...Array.from(a, Math.abs));
      const wishes = view.nudges?.[layer + 1];
      const most = wishes ? Math.max(...Array.from(wishes, Math.abs)) : 0;
      const best = layer === layers - 1 ? view.guess : -1;
      row.forEach((each, j) => {
        const chosen = view.selected.layer === layer && view.selected.neuron === j;
        light(each, a[j], scale, most > 0 ? (Math.min(1, loud) * wishes[j]) / most : 0, places.layers[layer].neurons[j].r);
        each.element.setAttribute("aria-pressed", String(chosen));
        each.element.setAttribute("tabindex", chosen ? "0" : "-1");
        label(each.element, text("network.neuronLabel", { name: neuronName(layer, j, layers), activation: activation(a[j]) }));
        if (layer === layers - 1) {
          each.element.classList.toggle("brightest", j === best);
          say(each.value, activation(a[j]));
        }
      });
    });
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
function arranged(sizes, width, height) {
  const narrow = width < 520;
  const side = Math.round(Math.min(250, Math.max(104, 0.29 * width)));
  const picture = { x: 0, y: Math.round((TOP + height - BOTTOM - side) / 2), side };
  const layers = sizes.length - 1;
  const [left, right] = [side, width - LABELS];
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
    nudge: svg("path", { class: "nudge" }),
  };
  const element = svg("g", { class: "neuron", role: "button" }, parts.ground, parts.light, parts.nudge);
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

// As bright as its activation; the triangle says which way its cost wants it to go, and how much.
function light({ light, nudge }, a, scale, wish, r) {
  light.setAttribute("fill-opacity", Math.min(1, Math.abs(a) / scale).toFixed(3));
  light.classList.toggle("below", a < 0);
  const size = 0.72 * r * Math.sqrt(Math.abs(wish));
  const tip = wish > 0 ? -size : size;
  nudge.setAttribute("d", size < 1 ? "" : `M0 ${tip}L${size} ${-0.6 * tip}L${-size} ${-0.6 * tip}Z`);
  nudge.setAttribute("class", `nudge ${wish > 0 ? "up" : "down"}`);
}

// The lines worth drawing, weak ones first, and the chosen one in any case: {layer, neuron, source, strength from -1 to 1, own, x1, y1, x2, y2}.
function strongLines({ network, activations, selected, show }, places) {
  return network.layers.flatMap(({ weights }, layer) => {
    const before = activations[layer];
    const values = weights.map((w) => (show === "weights" ? w : w.map((one, source) => one * before[source])));
    const enough = nthLargest(values, layer === 0 ? FROM_PIXELS.all : BETWEEN);
    const lines = [];
    values.forEach((row, neuron) => {
      const own = selected.layer === layer && selected.neuron === neuron;
      for (let source = 0; source < row.length; source += 1) {
        const value = row[source];
        if (own ? value !== 0 || source === selected.source : value !== 0 && Math.abs(value) >= enough) {
          lines.push({ layer, neuron, source, value, own });
        }
      }
    });
    lines.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
    const most = Math.abs(lines[0]?.value ?? 0);
    const strong = lines.slice(0, layer === 0 ? FROM_PIXELS.all : BETWEEN);
    const own = lines.filter((line) => line.own).slice(0, layer === 0 ? FROM_PIXELS.own : Infinity);
    const chosen = lines.filter((line) => line.own && line.source === selected.source);
    return [...new Set([...chosen, ...own, ...strong])]
      .filter((line) => Math.abs(line.value) > FAINT * most || chosen.includes(line))
      .map((line) => ({ ...line, strength: line.value / (most || 1), ...ends(places, line) }))
      .reverse();
  });
}

// The size of the nth largest of some rows of numbers; 0 where there are fewer.
function nthLargest(rows, n) {
  const sizes = new Float64Array(rows.length * rows[0].length);
  let count = 0;
  for (const row of rows) {
    for (let k = 0; k < row.length; k += 1) if (row[k] !== 0) sizes[count++] = Math.abs(row[k]);
  }
  return sizes.subarray(0, count).sort().at(-n) ?? 0;
}

function ends({ picture, layers }, { layer, neuron, source }) {
  const pixel = picture.side / SIDE;
  const from =
    layer === 0
      ? { x: picture.x + ((source % SIDE) + 0.5) * pixel, y: picture.y + (Math.floor(source / SIDE) + 0.5) * pixel, r: 0 }
      : layers[layer - 1].neurons[source];
  const to = layers[layer].neurons[neuron];
  return { x1: from.x + from.r, y1: from.y, x2: to.x - to.r, y2: to.y };
}

// Lines of the same colour and strength are one path.
function drawLines(group, lines, selected) {
  const paths = new Map();
  for (const own of ["", "own "]) {
    for (let level = 1; level <= LEVELS; level += 1) {
      for (const sign of ["plus", "minus"]) paths.set(`${own}${sign} level${level}`, []);
    }
  }
  for (const sign of ["plus", "minus", "zero"]) paths.set(`${sign} chosen`, []);
  for (const line of lines) {
    const chosen = selected.source === line.source && line.own;
    const level = Math.ceil(LEVELS * Math.abs(line.strength));
    const sign = line.strength > 0 ? "plus" : line.strength < 0 ? "minus" : "zero";
    const name = chosen ? `${sign} chosen` : `${line.own ? "own " : ""}${sign} level${level}`;
    const way = `M${line.x1.toFixed(1)} ${line.y1.toFixed(1)}L${line.x2.toFixed(1)} ${line.y2.toFixed(1)}`;
    paths.get(name).push(way);
  }
  group.replaceChildren(...[...paths].map(([name, ways]) => svg("path", { class: name, d: ways.join("") })));
}

function nearest(lines, x, y) {
  let [best, least] = [null, NEAR];
  for (const line of lines) {
    const [dx, dy] = [line.x2 - line.x1, line.y2 - line.y1];
    const along = Math.min(1, Math.max(0, ((x - line.x1) * dx + (y - line.y1) * dy) / (dx * dx + dy * dy)));
    const distance = Math.hypot(x - line.x1 - along * dx, y - line.y1 - along * dy);
    if (distance <= least) [best, least] = [line, distance];
  }
  return best;
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
