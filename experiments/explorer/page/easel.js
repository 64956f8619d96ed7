// A picture of weights that is painted with mouse, finger, pen or keyboard. An image may lie under it, to be traced.

import { SIDE, drawLine } from "page/digit.js";
import { drawSigned } from "page/picture.js";

const KEYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const RADIUS = 1.5; // pixels of the image; the brush covers its middle fully, and less and less from half a pixel within
const FINE = 20; // what lies over the weights is drawn in so many pixels for each of theirs
const INK = 0.4; // the outline of an image runs around pixels with at least so much

// `begun()` is called when the brush touches the picture, `covered(parts)` once a frame while it moves, with the part of
// each pixel that the stroke has covered so far, and `lifted()` at its end.
export function createEasel(canvas, over, { begun, covered, lifted }) {
  const cursor = { x: SIDE / 2 + 0.5, y: SIDE / 2 + 0.5 };
  let stroke = null; // {parts, last}
  let pointer = null; // the one that paints; a second finger or the palm does not
  let waiting = null;
  let traced = null;
  let keyed = false; // the keyboard was used last, so its brush is shown
  over.width = over.height = SIDE * FINE;

  function begin(point) {
    begun();
    stroke = { parts: new Float64Array(SIDE * SIDE), last: point };
    add(point);
  }

  function add(point) {
    drawLine(stroke.parts, stroke.last, point, RADIUS, SIDE);
    stroke.last = point;
    waiting ??= requestAnimationFrame(tell);
  }

  function tell() {
    waiting = null;
    covered(stroke.parts);
  }

  function end() {
    if (waiting !== null) {
      cancelAnimationFrame(waiting);
      tell();
    }
    stroke = null;
    pointer = null;
    drawOver();
    lifted();
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * SIDE, y: ((event.clientY - box.top) / box.height) * SIDE };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    if (stroke) end();
    keyed = false;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) add(place(each));
  });
  canvas.addEventListener("lostpointercapture", (event) => event.pointerId === pointer && end());

  canvas.addEventListener("keydown", (event) => {
    if (pointer !== null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") {
      if (stroke) end();
      else begin({ ...cursor });
    } else if (event.key in KEYS) {
      const [dx, dy] = KEYS[event.key];
      const within = (value) => Math.min(SIDE - 0.5, Math.max(0.5, value));
      Object.assign(cursor, { x: within(cursor.x + dx), y: within(cursor.y + dy) });
      if (stroke) add({ ...cursor });
    } else return;
    event.preventDefault();
    showCursor(true);
  });
  canvas.addEventListener("focus", () => showCursor(canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => {
    if (stroke && pointer === null) end();
    showCursor(false);
  });

  function showCursor(shown) {
    keyed = shown;
    drawOver();
  }

  // The outline of the image under the weights, and where the keyboard's brush is; both light in dark, seen on any colour.
  function drawOver() {
    const context = over.getContext("2d");
    context.clearRect(0, 0, over.width, over.height);
    if (traced) {
      const lines = outline(traced);
      for (const [width, colour] of [[7, "#101216"], [3, "#ffffff"]]) {
        context.beginPath();
        for (const [x0, y0, x1, y1] of lines) {
          context.moveTo(FINE * x0, FINE * y0);
          context.lineTo(FINE * x1, FINE * y1);
        }
        Object.assign(context, { lineWidth: width, strokeStyle: colour, lineCap: "round" });
        context.stroke();
      }
    }
    if (keyed) {
      context.beginPath();
      context.arc(FINE * cursor.x, FINE * cursor.y, FINE * RADIUS, 0, 2 * Math.PI);
      for (const [width, colour] of [[stroke ? 14 : 9, "#101216"], [stroke ? 8 : 3, "#ffc433"]]) {
        Object.assign(context, { lineWidth: width, strokeStyle: colour });
        context.stroke();
      }
    }
  }

  // The weights, full colour at ±full, and an image to be traced, or null.
  function show(weights, full, image) {
    drawSigned(canvas, weights, SIDE, full);
    if (image === traced) return;
    traced = image;
    drawOver();
  }

  return { show };
}

// The sides of pixels between ink and none: [x0, y0, x1, y1], in pixels.
function outline(image) {
  const inked = (row, column) => row >= 0 && column >= 0 && row < SIDE && column < SIDE && image[row * SIDE + column] >= INK;
  const sides = [];
  for (let row = 0; row <= SIDE; row += 1) {
    for (let column = 0; column <= SIDE; column += 1) {
      if (inked(row, column) !== inked(row - 1, column)) sides.push([column, row, column + 1, row]);
      if (inked(row, column) !== inked(row, column - 1)) sides.push([column, row, column, row + 1]);
    }
  }
  return sides;
}
