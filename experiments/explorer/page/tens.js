// Images of all digits side by side, and beneath each of them what one neuron makes of it.

import { activation, html, label, number as written, say } from "page/dom.js";
import { drawWeighed } from "page/picture.js";
import { text } from "page/text.js";

const KEYS = ["sum", "z", "a", "all"];

// `touched(digit)` is called when an image is pressed.
export function createTens(box, digits, touched) {
  const cards = digits.map((digit) => card(digit, touched));
  // What the rows are: once for each row of five, or only for each row of ten where there is room for ten.
  const keys = digits.flatMap((_, i) => (i % 5 ? [] : [html("div", { class: i % 10 ? "keys five" : "keys", "aria-hidden": "true" }, ...["tile", ...KEYS].map(key))]));
  box.append(...cards.flatMap(({ element }, i) => (i % 5 ? [element] : [keys[i / 5], element])));

  // `readings` are {number, image, sum, z, a, lit, all}, one for each digit; `under` is the digit that lies under the weights.
  function show(readings, { weights, full, under }) {
    readings.forEach(({ number, image, sum, z, a, lit, all }, i) => {
      const { element, tile, picture, light, share, values } = cards[i];
      drawWeighed(picture, image, weights, full);
      label(tile, text("neuron.tile", { label: digits[i], number }));
      tile.setAttribute("aria-pressed", String(digits[i] === under));
      element.classList.toggle("on", z > 0);
      light.style.opacity = a;
      share.style.width = `${(100 * lit) / all}%`;
      say(values.sum, short(sum));
      say(values.z, short(z));
      say(values.a, activation(a));
      say(values.all, text("neuron.ofAll", { lit, all }));
    });
  }

  return { show };
}

// Cards are narrow: no more than three digits after the first ten.
const short = (value) => (Math.abs(value) < 10 ? activation(value) : written(value));

const key = (name) => html("span", { class: `key-${name}` }, text(`neuron.key-${name}`));

function card(digit, touched) {
  const picture = html("canvas", { "aria-hidden": "true" });
  const tile = html("button", { type: "button", class: "tile" }, html("b", {}, String(digit)), picture);
  const light = html("i", {});
  const share = html("i", {});
  const values = Object.fromEntries(KEYS.map((name) => [name, html("span", {})]));
  const row = (name, ...before) =>
    html("p", { class: `value-${name}` }, ...before, html("span", { class: "unseen" }, `${text(`neuron.key-${name}`)}: `), values[name]);
  const element = html(
    "div",
    { class: "card", role: "group", "aria-label": digit },
    tile,
    row("sum"),
    row("z"),
    html("span", { class: "lamp", "aria-hidden": "true" }, light),
    row("a"),
    row("all", html("span", { class: "share", "aria-hidden": "true" }, share)),
  );
  tile.addEventListener("click", () => touched(digit));
  return { element, tile, picture, light, share, values };
}
