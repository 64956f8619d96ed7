// Numbers as pictures: pixels that light up, and signed numbers in blue and red.

import { SIDE } from "page/digit.js";

// Images lie on black, whatever the colours of the page.
const GROUND = [16, 18, 22];
const INK = { white: [255, 255, 255], grey: [164, 166, 170], blue: [74, 166, 255], red: [255, 92, 80] };

// The image, white on black.
export function drawImage(canvas, image) {
  paint(canvas, SIDE, SIDE, (data, place) => mix(data, place, GROUND, INK.white, image[place]));
}

// One signed number a cell: blue is positive, red negative, the colour of the sheet zero; full colour from `scale` on.
export function drawSigned(canvas, numbers, columns, scale) {
  const rows = Math.ceil(numbers.length / columns);
  const [none, plus, minus] = ["--sheet", "--plus", "--minus"].map(colour);
  paint(canvas, columns, rows, (data, place) => {
    const value = place < numbers.length ? numbers[place] : 0;
    mix(data, place, none, value > 0 ? plus : minus, Math.min(1, Math.abs(value) / scale));
  });
}

// The image as a neuron counts it: its ink blue where it excites, red where it silences, grey where it has no weight.
export function drawWeighed(canvas, image, weights, scale) {
  paint(canvas, SIDE, SIDE, (data, place) => {
    const counted = weights[place] > 0 ? INK.blue : INK.red;
    const part = Math.min(1, Math.abs(weights[place]) / scale);
    for (let i = 0; i < 3; i += 1) {
      const ink = INK.grey[i] + part * (counted[i] - INK.grey[i]);
      data[4 * place + i] = GROUND[i] + image[place] * (ink - GROUND[i]);
    }
  });
}

// Nearly the largest size among the numbers, for a few strong ones would pale all others.
export function strongest(numbers) {
  const sizes = new Float64Array(numbers).map(Math.abs).sort();
  return sizes[Math.floor(0.995 * (sizes.length - 1))] || 1;
}

// The colours of the style, as red, green and blue. To ask for a style takes a while.
const colours = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.clear());
function colour(name) {
  if (!colours.has(name)) {
    const code = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    colours.set(name, [1, 3, 5].map((begin) => parseInt(code.slice(begin, begin + 2), 16)));
  }
  return colours.get(name);
}

// A cell of a picture, `part` of the way from one colour to another.
function mix(data, place, from, to, part) {
  for (let i = 0; i < 3; i += 1) data[4 * place + i] = from[i] + part * (to[i] - from[i]);
}

// `colourAt(data, place)` writes the colour of one cell.
function paint(canvas, width, height, colourAt) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(width, height);
  picture.data.fill(255);
  for (let place = 0; place < width * height; place += 1) colourAt(picture.data, place);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
