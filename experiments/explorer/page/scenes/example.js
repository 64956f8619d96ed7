// What one example wants of every number; what many want on average; and steps that give them what they want.

import { announce, find, html } from "page/dom.js";
import { classify, sizesOf } from "page/network.js";
import { takeOver } from "page/address.js";
import { createAnswers } from "page/answers.js";
import { uniform } from "page/chance.js";
import { createStage } from "page/stage.js";
import { createSubject } from "page/subject.js";
import { text } from "page/text.js";
import { createTeaching } from "page/scenes/teaching.js";
import { createVote } from "page/scenes/vote.js";
import { createWishes } from "page/scenes/wishes.js";
import { strongestOfAll, weightInAddress, weightOfAddress } from "page/weight.js";

export function createScene({ section, lesson, changed }) {
  const { examples, snapshots, state } = lesson;
  const sizes = sizesOf(lesson.networks[0].network);
  const random = uniform(5);
  createSubject(find("example-subject"), section, lesson);
  createAnswers(section, lesson);
  const touched = (layer, neuron, source) => lesson.change({ weight: { layer, neuron, source } });
  const again = () => show(lesson.current());
  const stage = createStage(find("example-stage"), sizes, touched, 90);
  const wishes = createWishes(stage, sizes, { touched, changed: again });
  const vote = createVote(examples, { changed: again });
  const teaching = createTeaching(lesson, vote, { changed });

  find("example-wrong").addEventListener("click", () => {
    const all = examples.map(({ image, label }, i) => (classify(state.network, image) === label ? -1 : i));
    const wrong = all.filter((i) => i >= 0 && i !== state.shown);
    if (wrong.length === 0) return announce(text("network.noOther"));
    lesson.showExample(wrong[Math.floor(random() * wrong.length)]);
    return announce(lesson.whatIsShown());
  });

  // The moments of learning that the page has of the first network; another network is none of them.
  const after = find("example-after");
  const moments = snapshots.map(({ steps }, i) => {
    const name = i === snapshots.length - 1 ? "moment.last" : steps === 0 ? "moment.start" : "moment.after";
    return html("option", { value: i }, text(`example.${name}`, { steps }));
  });
  after.append(...moments, html("option", { value: "", hidden: "" }, text("example.moment.other")));
  after.closest("label").hidden = snapshots.length < 2;
  const begin = ({ network }) => lesson.change({ chosen: 0, network, steps: 0 });
  after.addEventListener("change", () => after.value && begin(snapshots[after.value]));
  const momentOf = (network) => snapshots.findIndex((each) => each.network === network);

  function show(view) {
    const weight = view.weight ?? wishes.strongest(view) ?? strongestOfAll(view);
    wishes.show(view, weight);
    vote.show(view.network, weight);
    teaching.show(view);
    const moment = momentOf(teaching.first());
    after.value = moment < 0 ? "" : moment;
    changed();
  }

  function choices() {
    const moment = momentOf(teaching.first());
    const first = moment >= 0 && moment < snapshots.length - 1 ? snapshots[moment].steps : null;
    const weight = weightInAddress(state.weight);
    return { ...lesson.choices(), after: first, weight, ...wishes.choices(), ...vote.choices(), ...teaching.choices() };
  }

  function restore(asked) {
    const wrong = [...lesson.restore(asked), ...wishes.restore(asked), ...vote.restore(asked)];
    const mine = takeOver(asked, {
      after: {
        usual: null,
        read: (value) => snapshots.findLast(({ steps }) => String(steps) === value) ?? null,
        use: (snapshot) => snapshot && begin(snapshot),
      },
      weight: {
        usual: null,
        read: (value) => weightOfAddress(value, sizes),
        use: (weight) => lesson.change({ weight }),
      },
    });
    wrong.push(...mine, ...teaching.restore(asked));
    again();
    return wrong;
  }

  lesson.listen(section, show);
  return { stage, asked: vote.asked, choices, restore };
}
