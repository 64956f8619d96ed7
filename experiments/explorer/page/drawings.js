// The drawings that came with the page, and how many of them each network reads: as they are, and turned to either side.

import { PENS, SHEET, centred, ink } from "page/digit.js";
import { classify } from "page/network.js";

export const TURN = 30; // degrees
const idle = window.requestIdleCallback ?? setTimeout; // the page is in use meanwhile

// The same strokes, turned about the middle of the sheet.
export function turned(strokes, degrees) {
  const [sin, cos, middle] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180), SHEET / 2];
  return strokes.map((stroke) =>
    stroke.map(({ x, y }) => ({
      x: middle + (x - middle) * cos - (y - middle) * sin,
      y: middle + (x - middle) * sin + (y - middle) * cos,
    })),
  );
}

// Calls `done` with [{straight, crooked}], one for each network, when all drawings have been read, one at a time.
export function readAll(networks, drawings, done) {
  const counts = networks.map(() => ({ straight: 0, crooked: 0 }));
  const waiting = drawings.flatMap((drawing) => [0, -TURN, TURN].map((angle) => ({ ...drawing, angle })));
  function next() {
    const drawing = waiting.shift();
    if (!drawing) return done(counts);
    const { strokes, pen, digit, angle } = drawing;
    const image = centred(ink(turned(strokes, angle), PENS[pen]));
    networks.forEach((network, i) => {
      if (classify(network, image) === digit) counts[i][angle === 0 ? "straight" : "crooked"] += 1;
    });
    return idle(next);
  }
  idle(next);
}
