// The second half of the scene: how many images vote on one weight, and how much of all their wishes the average keeps.

import { announce, chosen, complaint, find, label, percent, say, watch } from "page/dom.js";
import { takeOver, wholeNumber } from "page/address.js";
import { drawBars } from "page/scenes/bars.js";
import { shuffled, uniform } from "page/chance.js";
import { plot } from "page/plot.js";
import { wish } from "page/scenes/wishes.js";
import { text } from "page/text.js";
import { mean, opinions, vote, whatIsLeft } from "page/votes.js";
import { weightName } from "page/weight.js";

const VOTERS = 100;
const TOLD = [1, 10, 100]; // numbers of voters that the caption tells of
const REST = 7; // times as long as the work took, before it is done again for another network

// `changed()` is called when others vote, or in another order.
export function createVote(examples, { changed }) {
  const [field, order] = [find("voters"), find("vote-order")];
  const usual = Math.min(VOTERS, examples.length);
  field.max = examples.length;
  field.value = usual;
  watch(field);
  let number = usual; // of voters
  let seed = 0; // of their order; 0 is that of the page
  let queue = examples; // of which the first ones vote
  let asked = { network: null, all: null, left: null };
  let waiting = null;
  let restUntil = 0;

  function draw(next) {
    if (seed === next) return;
    seed = next;
    queue = seed === 0 ? examples : shuffled(examples, uniform(seed));
    asked = { network: null, all: null, left: null };
  }

  field.addEventListener("input", () => {
    say(find("voters-note"), complaint(field));
    if (chosen(field) === null) return;
    number = chosen(field);
    changed();
  });
  field.addEventListener("change", () => announce(complaint(field) || find("votes-note").textContent));
  find("voters-other").addEventListener("click", () => {
    draw(seed + 1);
    changed();
    announce(find("votes-note").textContent);
  });
  order.addEventListener("change", changed);

  // At once, or for another network as soon as there is time: while one step follows another that is now and then.
  function show(network, weight) {
    clearTimeout(waiting);
    if (asked.network === network) showVotes(network, weight);
    else waiting = setTimeout(() => ask(network, weight), Math.max(0, restUntil - performance.now()));
  }

  function ask(network, weight) {
    const begun = performance.now();
    const all = opinions(network, queue);
    asked = { network, all, left: whatIsLeft(all) };
    showVotes(network, weight);
    showLeft();
    const end = performance.now();
    restUntil = end + REST * (end - begun);
  }

  function showVotes({ layers }, weight) {
    const votes = asked.all.slice(0, number).map((opinion, i) => ({ value: vote(opinion, weight), label: queue[i].label }));
    const average = mean(votes.map(({ value }) => value));
    const name = weightName(weight, layers.length);
    const count = (wanted) => votes.filter(({ value }) => wanted(value)).length;
    const said = {
      all: number,
      up: count((value) => value > 0),
      down: count((value) => value < 0),
      none: count((value) => value === 0),
      average: wish(average),
    };
    say(find("vote-on"), text("example.voteOn", { name }));
    say(find("votes-note"), text("example.voted", said));
    label(find("votes"), text("example.votesLabel", { ...said, name }));
    drawBars(find("votes"), order.value === "size" ? bySize(votes) : byDigit(votes), order.value === "digit", average);
  }

  function showLeft() {
    const { left } = asked;
    const series = (name, kind) => ({ kind, name: text(`example.${name}`), points: left.map((each) => ({ x: each.number, y: each[kind] })) });
    plot(find("left"), {
      x: text("example.numberVoting"),
      y: text("example.shareLeft"),
      right: 1.04 * left.length,
      top: 1.04,
      series: [series("theirs", "left"), series("unrelated", "unrelated")],
    });
    const told = [...new Set([...TOLD.filter((n) => n < left.length), left.length])].map((n) =>
      text("example.leftOf", { number: n, percent: percent(left[n - 1].left) }),
    );
    say(find("left-note"), text("example.left", { told: told.join(", ") }));
  }

  const choices = () => ({
    voters: number === usual ? null : number,
    draw: seed === 0 ? null : seed,
    order: order.value === "digit" ? null : order.value,
  });

  const restore = (asked) =>
    takeOver(asked, {
      voters: {
        usual,
        read: (value) => wholeNumber(value, 1, examples.length),
        use: (value) => {
          number = value;
          field.value = value;
          say(find("voters-note"), "");
        },
      },
      draw: { usual: 0, read: (value) => wholeNumber(value, 0, 1e6), use: draw },
      order: {
        usual: "digit",
        read: (value) => (["digit", "size"].includes(value) ? value : null),
        use: (value) => (order.value = value),
      },
    });

  return { field, voters: () => queue.slice(0, number), show, asked: () => asked, choices, restore };
}

const byDigit = (votes) => [...votes].sort((one, other) => one.label - other.label);
const bySize = (votes) => [...votes].sort((one, other) => other.value - one.value);
