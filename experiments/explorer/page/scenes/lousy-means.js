// A field for each digit and each output: how bright the output is, on average, when it is shown that digit.

import { activation, say } from "page/dom.js";
import { text } from "page/text.js";

const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Fills the table, a row for each digit that there are images of; `said` is where a field says its number;
// `pressed()` is called when another one does.
export function createMeans(table, said, digits, pressed) {
  const rows = Array.from(table.tBodies[0].rows);
  rows.forEach((row, digit) => (row.hidden = !digits.has(digit)));
  const fields = rows
    .map((row, digit) => Array.from(row.querySelectorAll("td"), (element, j) => ({ element, digit, j, value: element.firstElementChild })))
    .filter((_, digit) => digits.has(digit));
  const all = fields.flat();
  let means = null;
  let last = null; // the field that was touched last
  all[0].element.tabIndex = 0;
  table.style.setProperty("--columns", fields[0].length);

  const fieldOf = (event) => all.find(({ element }) => element === event.target.closest("tbody td"));

  const value = ({ digit, j }) => (means ? activation(means[digit][j]) : "…");

  const tell = (field) =>
    say(said, field ? text("lousy.mean", { digit: field.digit, output: field.j, value: value(field) }) : text("lousy.touch"));

  function press(field) {
    for (const each of all) {
      each.element.tabIndex = each === (field ?? all[0]) ? 0 : -1;
      each.element.classList.toggle("pressed", each === field);
    }
    last = field;
    tell(field);
    pressed();
  }

  table.addEventListener("focusin", (event) => press(fieldOf(event)));
  table.addEventListener("click", (event) => fieldOf(event)?.element.focus());
  table.addEventListener("pointerover", (event) => tell(fieldOf(event) ?? last));
  table.addEventListener("pointerleave", () => tell(last));
  table.addEventListener("keydown", (event) => {
    const way = KEYS[event.key];
    if (way || event.key === " ") event.preventDefault(); // a space would scroll the page
    if (!way) return;
    const row = fields.findIndex((row) => row.includes(last));
    fields[row + way[0]]?.[last.j + way[1]]?.element.focus();
  });

  // Means are rows of outputs, by digit; null as long as nobody knows them.
  function show(next) {
    means = next;
    const scale = Math.max(1, ...all.map(({ digit, j }) => Math.abs(means?.[digit][j] ?? 0)));
    for (const field of all) {
      const mean = means ? means[field.digit][field.j] : 0;
      field.element.style.setProperty("--part", `${((100 * Math.abs(mean)) / scale).toFixed(1)}%`);
      field.element.classList.toggle("negative", mean < 0);
      say(field.value, value(field));
    }
    tell(last);
  }

  // A field by its name, and back; undefined where there is none of that name.
  const name = (field) => field && `${field.digit}.${field.j}`;
  const named = (asked) => all.find((field) => name(field) === asked);
  return { show, press, named, name: () => name(last) };
}
