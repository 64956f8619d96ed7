// What a scene looks at: a small picture of the image, and how to take another one.

import { announce, html, label, say } from "page/dom.js";
import { drawImage } from "page/picture.js";
import { text } from "page/text.js";
import { uniform } from "page/chance.js";

// Fills the box, and keeps it up to date as long as the section is seen.
export function createSubject(box, section, lesson) {
  const random = uniform(11);
  const picture = html("canvas", { role: "img", class: "thumbnail" });
  const shown = html("span");
  const another = html("button", { type: "button" }, text("page.another"));
  another.addEventListener("click", () => {
    lesson.showExample(Math.floor(random() * lesson.examples.length));
    announce(lesson.whatIsShown());
  });
  const draw = html("a", { href: "#network" }, text("page.draw"));
  box.classList.add("subject");
  box.append(picture, html("p", { class: "small" }, html("span", {}, `${text("page.looking")}: `, shown)), another, draw);
  lesson.listen(section, ({ image }) => {
    drawImage(picture, image);
    label(picture, lesson.whatIsShown());
    say(shown, lesson.whatIsShown());
  });
}
