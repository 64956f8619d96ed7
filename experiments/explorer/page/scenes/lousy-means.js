// A field for each digit and each output: how bright the output is, on average, when it is shown that digit.

import { activation, html, say } from "page/dom.js";
import { text } from "page/text.js";

const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Fills the table; rows are the `digits` that there are images of, `said` is where a field says its number.
export function createMeans(table, said, digits, classes) {
  const fields = digits.map((digit) =>
    Array.from({ length: classes }, (_, j) => {
      const value = html("span", { class: "unseen" });
      return { digit, j, value, element: html("td", { tabindex: "-1", class: digit === j ? "own" : "" }, value) };
    }),
  );
  const all = fields.flat();
  let means = null;
  let pressed = null; // the field that was touched last

  table.replaceChildren(
    html(
      "thead",
      {},
      html("tr", {}, html("td"), html("th", { scope: "colgroup", colspan: classes }, text("lousy.outputs"))),
      html(
        "tr",
        {},
        html("th", { scope: "col" }, text("lousy.shown")),
        ...Array.from({ length: classes }, (_, j) => html("th", { scope: "col" }, String(j))),
      ),
    ),
    html(
      "tbody",
      {},
      ...fields.map((row, i) =>
        html("tr", {}, html("th", { scope: "row" }, String(digits[i])), ...row.map(({ element }) => element)),
      ),
    ),
  );
  table.style.setProperty("--columns", classes);
  all[0].element.tabIndex = 0;

  const fieldOf = (event) => all.find(({ element }) => element === event.target.closest("tbody td"));

  const value = ({ digit, j }) => (means ? activation(means[digit][j]) : "…");

  const tell = (field) =>
    say(said, field ? text("lousy.mean", { digit: field.digit, output: field.j, value: value(field) }) : text("lousy.touch"));

  function press(field) {
    for (const each of all) {
      each.element.tabIndex = each === field ? 0 : -1;
      each.element.classList.toggle("pressed", each === field);
    }
    pressed = field;
    tell(field);
  }

  table.addEventListener("focusin", (event) => press(fieldOf(event)));
  table.addEventListener("click", (event) => fieldOf(event)?.element.focus());
  table.addEventListener("pointerover", (event) => tell(fieldOf(event) ?? pressed));
  table.addEventListener("pointerleave", () => tell(pressed));
  table.addEventListener("keydown", (event) => {
    const way = KEYS[event.key];
    if (!way) return;
    event.preventDefault();
    const { digit, j } = fieldOf(event);
    fields[digits.indexOf(digit) + way[0]]?.[j + way[1]]?.element.focus();
  });

  // Means are rows of outputs, by digit; null as long as nobody knows them.
  function show(next) {
    means = next;
    const sizes = means ? digits.flatMap((digit) => means[digit].map(Math.abs)) : [];
    const scale = Math.max(1, ...sizes);
    for (const field of all) {
      const mean = means ? means[field.digit][field.j] : 0;
      field.element.style.setProperty("--part", `${((100 * Math.abs(mean)) / scale).toFixed(1)}%`);
      field.element.classList.toggle("negative", mean < 0);
      say(field.value, value(field));
    }
    tell(pressed);
  }
  return { show };
}
