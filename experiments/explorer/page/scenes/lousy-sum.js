// The cost of one image, output by output, as a sum that one can follow.

import { activation, localized, number, say } from "page/dom.js";
import { terms } from "page/moments.js";
import { text } from "page/text.js";

export const total = (numbers) => numbers.reduce((sum, one) => sum + one, 0);

// A square in three decimals, where it is not enormous.
export const decimals = (value) => (value < 1000 ? localized(value.toFixed(3)) : number(value));

// Fills the table, a row for each output; `show(outputs, target)` takes a target of null where nobody has said what it
// should be.
export function createSum(table) {
  const rows = Array.from(table.tBodies[0].rows, ({ cells }) => {
    const [name, bars, difference, area, term] = cells;
    const [says, wanted] = bars.querySelectorAll("i");
    return { name, says, wanted, difference, square: area.firstElementChild, term };
  });
  const [meaning, sum] = table.tFoot.rows[0].cells;

  function show(outputs, target) {
    const squares = target && terms(outputs, target);
    const low = Math.min(0, ...outputs);
    const high = Math.max(1, ...outputs);
    const along = (value) => `${((100 * (value - low)) / (high - low)).toFixed(2)}%`;
    const largest = squares && Math.max(1, ...squares);
    rows.forEach(({ name, says, wanted, square, difference, term }, j) => {
      const a = outputs[j];
      says.style.clipPath = `inset(0 calc(100% - ${along(Math.max(0, a))}) 0 ${along(Math.min(0, a))})`;
      says.classList.toggle("negative", a < 0);
      wanted.style.left = along(0);
      wanted.style.right = `calc(100% - ${along(target ? target[j] : 0)})`;
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
