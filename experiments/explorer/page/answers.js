// Which digit the scene's image should be: a row of buttons, of which one can be chosen.

import { find } from "page/dom.js";

// Keeps the row up to date as long as the section is seen.
export function createAnswers(section, lesson) {
  const radios = [...find(`${section.id}-answers`).querySelectorAll("input")];
  for (const radio of radios) radio.addEventListener("change", () => lesson.change({ label: Number(radio.value) }));
  lesson.listen(section, ({ label }) => {
    for (const radio of radios) radio.checked = Number(radio.value) === label;
  });
}
