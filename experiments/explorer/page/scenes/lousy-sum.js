// The cost of one image, output by output, as a sum that one can follow.

import { activation, html, localized, number, say } from "page/dom.js";
import { terms } from "page/moments.js";
import { text } from "page/text.js";

export const total = (numbers) => numbers.reduce((sum, one) => sum + one, 0);

// A square in three decimals, where it is not enormous.
export const decimals = (value) => (value < 1000 ? localized(value.toFixed(3)) : number(value));

// Fills the table; `show(outputs, target)` takes a target of null where nobody has said what it should be.
export function createSum(table, classes) {
  const rows = Array.from({ length: classes }, (_, j) => {
    const [says, wanted, square] = ["says", "wanted", "square"].map((name) => html("i", { class: name }));
    const [name, difference, term] = [html("th", { scope: "row" }, String(j)), html("td"), html("td")];
    const bars = html("td", {}, html("span", { class: "track" }, says), html("span", { class: "track" }, wanted));
    const element = html("tr", {}, name, bars, difference, html("td", { class: "area" }, square), term);
    return { element, name, says, wanted, square, difference, term };
  });
  table.tBodies[0].replaceChildren(...rows.map(({ element }) => element));
  const [meaning, sum] = table.tFoot.rows[0].cells;

  function show(outputs, target) {
    const squares = target && terms(outputs, target);
    const low = Math.min(0, ...outputs);
    const high = Math.max(1, ...outputs);
    const largest = squares && Math.max(1, ...squares);
    rows.forEach(({ name, says, wanted, square, difference, term }, j) => {
      const a = outputs[j];
      lay(says, a, low, high);
      says.classList.toggle("negative", a < 0);
      lay(wanted, target ? target[j] : 0, low, high);
      wanted.hidden = !target;
      name.classList.toggle("aim", Boolean(target) && target[j] === 1);
      say(difference, target ? `(${activation(a)} − ${target[j]})²` : activation(a));
      square.style.setProperty("--side", squares ? Math.sqrt(squares[j] / largest).toFixed(3) : "0");
      say(term, squares ? `${j === 0 ? "" : "+ "}${decimals(squares[j])}` : "");
    });
    say(meaning, text(target ? "lousy.sum" : "lousy.noDigit"));
    say(sum, squares ? `= ${decimals(total(squares))}` : "");
  }
  return { show };
}

// A bar from zero to a value, on an axis from low to high.
function lay(bar, value, low, high) {
  bar.style.left = `${((100 * (Math.min(0, value) - low)) / (high - low)).toFixed(2)}%`;
  bar.style.width = `${((100 * Math.abs(value)) / (high - low)).toFixed(2)}%`;
}
