// The sheet that one draws on, with mouse, finger, pen or keyboard. What one sees is the very ink that is read.

import { PENS, SHEET, blank, drawLine, ink } from "page/digit.js";
import { text } from "page/text.js";

const KEYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const KEY_STEP = 10;
const [ALL, NONE] = [[0, SHEET], [SHEET, 0]]; // rows, from and to

// A picture of the sheet, white wherever there is ink.
function white() {
  const picture = new ImageData(SHEET, SHEET);
  picture.data.fill(255);
  return picture;
}

// `drawn(strokes, sheet)` is called whenever there is other ink, `lifted()` when the pen has left the sheet.
export function createPad(canvas, { drawn, lifted }) {
  const context = canvas.getContext("2d");
  const pen = { x: SHEET / 2, y: SHEET / 4, down: false };
  const picture = white();
  let sheet = blank();
  let strokes = [];
  let radius = PENS.medium;
  let rows = ALL; // of the sheet, changed since they were drawn
  let waiting = false;
  let pointer = null; // the one that draws; a second finger or the palm does not

  function add(point) {
    const stroke = strokes.at(-1);
    const from = stroke.at(-1) ?? point;
    drawLine(sheet, from, point, radius);
    const [top, bottom] = [Math.min(from.y, point.y) - radius - 1, Math.max(from.y, point.y) + radius + 1];
    rows = [Math.max(0, Math.min(rows[0], top)), Math.min(SHEET, Math.max(rows[1], bottom))];
    stroke.push(point);
    later();
  }

  // However many points come in, the network reads once a frame.
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
      if (strokes.length) drawn(strokes, sheet);
    });
  }

  function draw() {
    for (let place = rows[0] * SHEET; place < rows[1] * SHEET; place += 1) picture.data[4 * place + 3] = 255 * sheet[place];
    rows = NONE;
    context.putImageData(picture, 0, 0);
    if (strokes.length === 0) {
      context.fillStyle = "#8b9099";
      context.font = "20px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(text("network.drawHere"), SHEET / 2, SHEET / 2);
    }
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) {
      context.beginPath();
      context.arc(pen.x, pen.y, radius, 0, 2 * Math.PI);
      context.strokeStyle = "#ffc433";
      context.lineWidth = pen.down ? 5 : 2;
      context.stroke();
    }
  }

  function lift() {
    pen.down = false;
    if (pointer !== null) canvas.releasePointerCapture(pointer);
    pointer = null;
  }

  // Shows these strokes, drawn with a pen of that radius, where they are not what lies on the sheet.
  function show(others, thickness) {
    if (others === strokes && thickness === radius) return;
    if (others !== strokes) lift();
    strokes = others;
    radius = thickness;
    sheet = ink(strokes, radius);
    rows = ALL;
    draw();
  }

  // To two pixels, as the address keeps them.
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const along = (part) => 2 * Math.round((Math.min(1, Math.max(0, part)) * SHEET) / 2);
    return { x: along((event.clientX - box.left) / box.width), y: along((event.clientY - box.top) / box.height) };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    pointer = event.pointerId;
    pen.down = false;
    canvas.setPointerCapture(pointer);
    strokes = [...strokes, []];
    add(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) add(place(each));
  });
  canvas.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    requestAnimationFrame(lifted);
  });

  canvas.addEventListener("keydown", (event) => {
    if (pointer !== null) return;
    if (event.key === " ") {
      pen.down = !pen.down;
      if (pen.down) {
        strokes = [...strokes, []];
        add({ x: pen.x, y: pen.y });
      } else requestAnimationFrame(lifted);
    } else if (event.key in KEYS) {
      const [dx, dy] = KEYS[event.key];
      pen.x = Math.min(SHEET, Math.max(0, pen.x + KEY_STEP * dx));
      pen.y = Math.min(SHEET, Math.max(0, pen.y + KEY_STEP * dy));
      if (pen.down) add({ x: pen.x, y: pen.y });
    } else return;
    event.preventDefault();
    draw();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
  draw();
  return { show, pressed: () => pointer !== null };
}
