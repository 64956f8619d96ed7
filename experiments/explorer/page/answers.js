// Which digit it should be: a row of buttons, of which one can be chosen.

import { html } from "page/dom.js";
import { text } from "page/text.js";

// Fills the box, and keeps it up to date as long as the section is seen.
export function createAnswers(box, section, lesson) {
  const radios = Array.from({ length: lesson.classes }, (_, label) => {
    const radio = html("input", { type: "radio", name: `${section.id}-answer`, value: label });
    radio.addEventListener("change", () => lesson.change({ label }));
    return radio;
  });
  const choices = radios.map((radio, label) => html("label", {}, radio, html("span", {}, String(label))));
  box.classList.add("answers");
  box.append(html("legend", {}, text("page.shouldBe")), ...choices);
  lesson.listen(section, ({ label }) => {
    radios.forEach((radio, j) => (radio.checked = j === label));
  });
}
