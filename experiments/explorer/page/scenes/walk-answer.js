// The answer to the question of the drunk walk, in words: who needed fewer images, fewer steps, less time.

import { find, html, localized, say, whole } from "page/dom.js";
import { RECENT } from "page/descent.js";
import { GOALS, KINDS, compared } from "page/race.js";
import { text } from "page/text.js";

export const nameOf = (kind) => text(`walk.${kind}`);
export const hundredths = (seconds) => localized(seconds.toFixed(2));

// As far as there is one yet.
export function showAnswer(race, goal, images) {
  const found = compared(race, goal);
  say(find("walk-found"), found ? verdict(found, goal) : onTheWay(race, goal));
  const more = found ? reasons(found, images) : [];
  const box = find("walk-more");
  while (box.children.length < more.length) box.append(html("p"));
  [...box.children].forEach((each, i) => {
    each.hidden = i >= more.length;
    if (i < more.length) say(each, more[i]);
  });
}

// How many times as much, as one says it.
const times = (ratio) => (ratio < 9.95 ? localized(ratio.toFixed(1)) : whole(ratio));

function verdict({ full, mini, times: ratio }, goal) {
  const way = ratio > 1.05 ? "walk.fewer" : ratio < 0.95 ? "walk.asMany" : "walk.alike";
  return text(way, { goal, full: whole(full.seen), mini: whole(mini.seen), times: times(Math.max(ratio, 1 / ratio)) });
}

function onTheWay(race, goal) {
  const there = KINDS.find((kind) => goal in race[kind].reached);
  if (!there) return text(race.full.at.steps + race.mini.at.steps ? "walk.neither" : "walk.notYet", { goal });
  const other = KINDS.find((kind) => kind !== there);
  return text("walk.one", { goal, name: nameOf(there), seen: whole(race[there].reached[goal].seen), other: nameOf(other), soFar: whole(race[other].at.seen) });
}

// Room for the longest that can stand there, so that nothing below it moves.
export function reserveRoom(images) {
  const [much, goal] = [1e7, GOALS.at(-1)];
  const run = { seen: much, steps: much, seconds: 1000 };
  reserve("walk-found", verdict({ full: run, mini: run, times: 1000 }, goal));
  reserve("walk-found", text("walk.one", { goal, name: nameOf("mini"), seen: whole(much), other: nameOf("full"), soFar: whole(much) }));
  reserve("walk-more", ...reasons({ full: run, mini: { ...run, seen: 1, steps: 1 } }, images).map((each) => html("p", {}, each)));
  for (const help of ["walk.wholeHelp", "walk.closeHelp"]) reserve("above-note", text(help, { recent: RECENT }));
}

function reserve(id, ...longest) {
  const copy = find(id).cloneNode(false);
  copy.removeAttribute("id");
  copy.setAttribute("aria-hidden", "true");
  copy.append(...longest);
  find(id).after(copy);
}

// What else there is to say once both have arrived.
function reasons({ full, mini }, images) {
  const first = full.steps < mini.steps ? "walk.fullFirst" : full.steps > mini.steps ? "walk.miniFirst" : "walk.bothFirst";
  return [
    `${text("walk.measured", { images: whole(images) })} ${text("walk.why", { here: times((images * mini.steps) / mini.seen) })}`,
    `${text("walk.passes", { full: whole(full.steps), mini: whole(mini.steps) })} ${text(first)}`,
    text("walk.took", { full: hundredths(full.seconds), mini: hundredths(mini.seconds) }),
  ];
}
