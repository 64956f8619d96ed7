// Numbers as pictures: pixels that light up, and signed numbers in blue and red.

import { SIDE } from "page/digit.js";

// The image, white on black.
export function drawImage(canvas, image) {
  paint(canvas, SIDE, SIDE, (place) => {
    const light = 255 * image[place];
    return [16 + light * (239 / 255), 18 + light * (237 / 255), 22 + light * (233 / 255)];
  });
}

// One signed number a cell: blue is positive, red negative, the colour of the sheet zero; full colour from `scale` on.
export function drawSigned(canvas, numbers, columns, scale) {
  const rows = Math.ceil(numbers.length / columns);
  const [none, plus, minus] = ["--sheet", "--plus", "--minus"].map(colour);
  paint(canvas, columns, rows, (place) => {
    const value = place < numbers.length ? numbers[place] : 0;
    const part = Math.min(1, Math.abs(value) / scale);
    return none.map((from, i) => from + part * ((value > 0 ? plus : minus)[i] - from));
  });
}

// Nearly the largest size among the numbers, for a few strong ones would pale all others.
export function strongest(numbers) {
  const sizes = Array.from(numbers, Math.abs).sort((one, other) => one - other);
  return sizes[Math.floor(0.995 * (sizes.length - 1))] || 1;
}

// The colours of the style, as red, green and blue.
function colour(name) {
  const code = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((begin) => parseInt(code.slice(begin, begin + 2), 16));
}

function paint(canvas, width, height, colourAt) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(width, height);
  for (let place = 0; place < width * height; place += 1) picture.data.set([...colourAt(place), 255], 4 * place);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
