// The sigmoid, and on it a dot for each of some neurons' z.

import { localized, say, svg } from "page/dom.js";
import { ACTIVATIONS } from "page/network.js";
import { text } from "page/text.js";

const MOST = 10; // z from -10 to 10; what lies beyond is drawn at the end
const CURVE = Array.from({ length: 101 }, (_, i) => MOST * (i / 50 - 1));

export const sigmoid = (z) => ACTIVATIONS.sigmoid.value([z])[0];

// A dot with a name for each of `names`.
export function createSigmoid(drawing, names) {
  const ground = svg("g", {});
  const bar = svg("text", { class: "bar-name" });
  const marks = names.map((name) => ({
    leader: svg("path", { class: "leader" }),
    dot: svg("circle", { class: "dot" }),
    name: svg("text", { class: "name", "text-anchor": "middle" }, String(name)),
  }));
  drawing.append(ground, bar, ...["leader", "dot", "name"].flatMap((part) => marks.map((mark) => mark[part])));
  let scale = null;
  let shown = null;

  // `zs` are in the order of the names; `above` says at z = 0 what it means to be above that.
  function show(zs, above) {
    shown = { zs, above };
    if (!scale) return;
    const { em, left, right, top, across, up } = scale;
    const order = [...zs.keys()].sort((one, other) => zs[one] - zs[other]);
    const places = spread(order.map((i) => across(zs[i])), 1.05 * em, left, right);
    say(bar, above);
    order.forEach((i, rank) => {
      const { leader, dot, name } = marks[i];
      const [x, y] = [across(zs[i]), up(sigmoid(zs[i]))].map((each) => each.toFixed(1));
      leader.setAttribute("d", `M${places[rank]} ${top - 0.2 * em}L${x} ${y}`);
      dot.setAttribute("transform", `translate(${x} ${y})`);
      name.setAttribute("transform", `translate(${places[rank]} ${top - 0.5 * em})`);
      dot.classList.toggle("on", zs[i] > 0);
      name.classList.toggle("on", zs[i] > 0);
    });
  }

  // All lengths follow the size of the letters. They are asked for here and not at every stroke, for to answer costs a
  // layout of the page.
  function arrange() {
    const { clientWidth: width, clientHeight: height } = drawing;
    scale = null;
    if (width === 0) return; // nobody sees it
    const em = parseFloat(getComputedStyle(drawing).fontSize);
    const [left, right, top, bottom] = [2 * em, width - em, 1.7 * em, height - 2.8 * em];
    const across = (z) => left + ((Math.min(MOST, Math.max(-MOST, z)) + MOST) / (2 * MOST)) * (right - left);
    const up = (a) => bottom - a * (bottom - top - 0.9 * em);
    scale = { em, left, right, top, across, up };
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    ground.replaceChildren(...axes(width, bottom, scale));
    bar.setAttribute("x", across(0) + 0.5 * em);
    bar.setAttribute("y", bottom - 0.6 * em);
    for (const { dot } of marks) dot.setAttribute("r", 0.36 * em);
    if (shown) show(shown.zs, shown.above);
  }

  new ResizeObserver(arrange).observe(drawing);
  return { show };
}

function axes(width, bottom, { em, left, right, top, across, up }) {
  const label = (x, y, anchor, words) => svg("text", { x, y, "text-anchor": anchor }, words);
  const curve = CURVE.map((z) => `${across(z).toFixed(1)} ${up(sigmoid(z)).toFixed(1)}`).join("L");
  return [
    svg("rect", { class: "above", x: across(0), y: top, width: Math.max(0, right - across(0)), height: bottom - top }),
    ...[0, 0.5, 1].flatMap((a) => [
      svg("line", { class: "grid", x1: left, x2: right, y1: up(a), y2: up(a) }),
      label(left - 0.4 * em, up(a) + 0.35 * em, "end", localized(String(a))),
    ]),
    ...[-10, -5, 0, 5, 10].map((z) => label(across(z), bottom + 1.2 * em, "middle", String(z).replace("-", "−"))),
    label((left + right) / 2, bottom + 2.4 * em, "middle", text("neuron.axis")),
    ...(width > 30 * em ? [label(right, up(1) + 1.4 * em, "end", text("neuron.curve"))] : []),
    svg("line", { class: "bar", x1: across(0), x2: across(0), y1: top, y2: bottom }),
    svg("path", { class: "curve", d: `M${curve}` }),
  ];
}

// Places in the same order, as near as may be to where they would like to be, and at least so far apart: neighbours that
// are too close share the mean of what they want.
export function spread(wanted, apart, low, high) {
  const groups = [];
  wanted.forEach((place, i) => {
    groups.push({ sum: place - i * apart, size: 1 });
    while (groups.length > 1 && groups.at(-2).sum / groups.at(-2).size > groups.at(-1).sum / groups.at(-1).size) {
      const { sum, size } = groups.pop();
      groups.at(-1).sum += sum;
      groups.at(-1).size += size;
    }
  });
  const last = high - (wanted.length - 1) * apart;
  const means = groups.flatMap(({ sum, size }) => Array(size).fill(Math.max(low, Math.min(last, sum / size))));
  return means.map((mean, i) => mean + i * apart);
}
