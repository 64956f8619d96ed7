// A surface from above: colours and lines for its heights, arrows downhill, and the ball's way.

import { contour, gridOf, levelsOf, scaleOf, shareOf } from "page/relief.js";
import { tick, ticks } from "page/plot.js";

const GRID = 111; // heights each way
const ARROWS = 11; // each way
const EDGE = { left: 34, right: 10, top: 10, bottom: 34 }; // of the map, at the usual size of letters
const COLOURS = ["--height-0", "--height-1", "--height-2", "--height-3", "--height-4"];
const NEAR = 46; // how close two labels may come
const DOTS = 300; // so many steps are marked one by one
const BEYOND = 1e4; // pixels that are far enough outside
const MOST_CORNERS = 2000; // of a way, at its beginning and at its end

// `canvases` are the ground and the track that lies on it.
export function createMap(box, canvases) {
  const [ground, track] = canvases.map((canvas) => canvas.getContext("2d"));
  let frame = null; // {left, top, side, unit}: where the map lies in the box
  let relief = null; // of the surface and the view shown last

  function measure() {
    const side = box.clientWidth;
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const ratio = Math.min(2, devicePixelRatio);
    for (const canvas of canvases) {
      if (canvas.width !== Math.round(side * ratio)) canvas.width = canvas.height = Math.round(side * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    frame = { left: EDGE.left * unit, top: EDGE.top * unit, side: side - (EDGE.left + EDGE.right) * unit, unit, whole: side };
  }

  const across = ({ x, half }, at) => frame.left + (frame.side * (at - x + half)) / (2 * half);
  const down = ({ y, half }, at) => frame.top + (frame.side * (y + half - at)) / (2 * half);
  const clipped = (pixels) => Math.max(-BEYOND, Math.min(BEYOND, pixels));

  // Where a place of the plane lies in the box, and back.
  const pixelOf = (view, { x, y }) => [clipped(across(view, x)), clipped(down(view, y))];
  const placeAt = (view, left, top) => ({
    x: view.x + view.half * ((2 * (left - frame.left)) / frame.side - 1),
    y: view.y - view.half * ((2 * (top - frame.top)) / frame.side - 1),
  });

  function drawGround(surface, view) {
    if (relief?.surface !== surface || relief.view !== view) {
      const heights = gridOf(surface.height, view, GRID);
      const scale = scaleOf(heights);
      const lines = scale ? levelsOf(scale).map((level) => ({ level, lines: contour(heights, GRID, level) })) : [];
      relief = { surface, view, heights, scale, lines };
    }
    const { left, top, side, whole } = frame;
    relief.palette = paletteOf();
    ground.clearRect(0, 0, whole, whole);
    if (relief.scale) {
      ground.imageSmoothingQuality = "high";
      ground.drawImage(picture(relief), left, top, side, side);
    }
    const ink = colourOf("--ink");
    drawLines(ink);
    drawArrows(surface, view, ink);
    drawLabels(ink);
    drawAxes(view);
    return relief.scale;
  }

  const onGrid = (x, y) => [frame.left + (x / (GRID - 1)) * frame.side, frame.top + (1 - y / (GRID - 1)) * frame.side];

  function drawLines(ink) {
    ground.strokeStyle = ink;
    ground.globalAlpha = 0.5;
    ground.lineWidth = frame.unit;
    ground.beginPath();
    for (const [x0, y0, x1, y1] of relief.lines.flatMap(({ lines }) => lines)) {
      ground.moveTo(...onGrid(x0, y0));
      ground.lineTo(...onGrid(x1, y1));
    }
    ground.stroke();
    ground.globalAlpha = 1;
  }

  // Longer where it is steeper, by the root, so that gentle slopes, too, can be seen.
  function drawArrows(surface, view, ink) {
    const room = frame.side / ARROWS;
    const all = [];
    for (let i = 0; i < ARROWS * ARROWS; i += 1) {
      const [column, row] = [(i % ARROWS) + 0.5, Math.floor(i / ARROWS) + 0.5];
      const [left, top] = [frame.left + column * room, frame.top + row * room];
      const { x, y } = placeAt(view, left, top);
      const [, dx, dy] = surface.jet(x, y);
      const steep = Math.hypot(dx, dy);
      if (Number.isFinite(steep) && steep > 0) all.push({ left, top, across: -dx / steep, down: dy / steep, steep });
    }
    const most = Math.max(...all.map(({ steep }) => steep));
    ground.strokeStyle = ground.fillStyle = ink;
    ground.lineWidth = 1.3 * frame.unit;
    for (const arrow of all) {
      const length = room * (0.1 + 0.62 * Math.sqrt(arrow.steep / most));
      drawArrow(ground, arrow.left, arrow.top, arrow.across * length, arrow.down * length, 4.5 * frame.unit);
    }
  }

  // One label a line, as far as possible from the others.
  function drawLabels(ink) {
    const taken = [];
    const { left, top, side, unit } = frame;
    ground.font = `600 ${11.5 * unit}px system-ui, sans-serif`;
    ground.textAlign = "center";
    ground.textBaseline = "middle";
    ground.lineJoin = "round";
    for (const { level, lines } of relief.lines) {
      let best = { room: NEAR * unit };
      for (let i = 0; i < lines.length; i += Math.ceil(lines.length / 80)) {
        const [x, y] = onGrid((lines[i][0] + lines[i][2]) / 2, (lines[i][1] + lines[i][3]) / 2);
        const border = 2.2 * Math.min(x - left, left + side - x, y - top, top + side - y);
        const room = Math.min(border, ...taken.map(([x1, y1]) => Math.hypot(x - x1, 1.6 * (y - y1))));
        if (room > best.room) best = { room, x, y };
      }
      if (best.x === undefined) continue;
      taken.push([best.x, best.y]);
      const words = tick(level);
      ground.strokeStyle = `rgb(${mixed(relief.palette, shareOf(relief.scale, level)).join(" ")})`;
      ground.lineWidth = 5 * unit;
      ground.strokeText(words, best.x, best.y);
      ground.fillStyle = ink;
      ground.fillText(words, best.x, best.y);
    }
  }

  function drawAxes(view) {
    const { left, top, side, unit } = frame;
    const below = top + side;
    ground.strokeStyle = colourOf("--field");
    ground.lineWidth = unit;
    ground.strokeRect(left, top, side, side);
    ground.fillStyle = colourOf("--quiet");
    ground.font = `${12 * unit}px system-ui, sans-serif`;
    ground.textBaseline = "top";
    ground.textAlign = "center";
    ground.beginPath();
    const inner = ([low, high]) => ticks(low, high).filter((at) => at > low + 0.02 * (high - low) && at < high - 0.02 * (high - low));
    for (const at of inner([view.x - view.half, view.x + view.half])) {
      ground.moveTo(across(view, at), below);
      ground.lineTo(across(view, at), below + 4 * unit);
      ground.fillText(tick(at), across(view, at), below + 7 * unit);
    }
    ground.textAlign = "right";
    ground.textBaseline = "middle";
    for (const at of inner([view.y - view.half, view.y + view.half])) {
      ground.moveTo(left, down(view, at));
      ground.lineTo(left - 4 * unit, down(view, at));
      ground.fillText(tick(at), left - 6 * unit, down(view, at));
    }
    ground.stroke();
    ground.font = `italic 600 ${14 * unit}px serif`;
    ground.fillStyle = colourOf("--ink");
    ground.textAlign = "right";
    ground.fillText("x", left + side, below + 13 * unit);
    ground.textAlign = "center";
    ground.fillText("y", left - 14 * unit, top + 7 * unit);
  }

  // The lines through the place that the slices show, the way come, and where the next step leads.
  function drawTrack(view, path, next) {
    const { left, top, side, unit, whole } = frame;
    const last = path.at(-1);
    const [x, y] = pixelOf(view, last);
    track.clearRect(0, 0, whole, whole);
    track.save();
    track.beginPath();
    track.rect(left, top, side, side);
    track.clip();
    track.lineWidth = 1.5 * unit;
    track.strokeStyle = colourOf("--ink");
    for (const [dashes, ...line] of [[[], left, y, left + side, y], [[5 * unit, 4 * unit], x, top, x, top + side]]) {
      track.setLineDash(dashes);
      stroke(track, [line.slice(0, 2), line.slice(2)]);
    }
    track.setLineDash([]);
    const [halo, colour] = ["--halo", "--mini"].map(colourOf);
    const way = corners(path.map((place) => pixelOf(view, place)));
    track.lineJoin = "round";
    for (const [style, wide] of [[halo, 4.6], [colour, 2.2]]) {
      track.strokeStyle = style;
      track.lineWidth = wide * unit;
      stroke(track, way);
      track.fillStyle = style;
      if (way.length <= DOTS) for (const [left, top] of way.slice(0, -1)) dot(track, left, top, (wide / 2 + 1.6) * unit);
    }
    if (next) {
      for (const [style, wide] of [[halo, 5], [colour, 2.4]]) {
        track.strokeStyle = style;
        track.lineWidth = wide * unit;
        track.setLineDash([7 * unit, 5 * unit]);
        stroke(track, [[x, y], pixelOf(view, next)]);
        track.setLineDash([]);
        track.beginPath();
        track.arc(...pixelOf(view, next), 6 * unit, 0, 2 * Math.PI);
        track.stroke();
      }
    }
    track.restore();
  }

  // Where the ball is to be seen: at the border where it has left the map.
  function seenAt(view, place) {
    const { left, top, side } = frame;
    const [x, y] = pixelOf(view, place);
    const inside = [Math.max(left, Math.min(left + side, x)), Math.max(top, Math.min(top + side, y))];
    return { left: inside[0], top: inside[1], off: inside[0] !== x || inside[1] !== y };
  }

  return { measure, drawGround, drawTrack, placeAt, seenAt };
}

// The grid as a picture of one pixel a place; where there is no height it is clear.
function picture({ heights, scale, palette }) {
  const canvas = new OffscreenCanvas(GRID, GRID);
  const image = new ImageData(GRID, GRID);
  const table = Array.from({ length: 256 }, (_, i) => mixed(palette, i / 255));
  heights.forEach((height, place) => {
    if (Number.isNaN(height)) return;
    const row = GRID - 1 - Math.floor(place / GRID);
    image.data.set([...table[Math.round(255 * shareOf(scale, height))], 255], 4 * (row * GRID + (place % GRID)));
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const paletteOf = () =>
  COLOURS.map(colourOf).map((code) => [1, 3, 5].map((begin) => parseInt(code.slice(begin, begin + 2), 16)));

// The colour of a height, by its share of the scale.
function mixed(palette, share) {
  const at = share * (palette.length - 1);
  const first = Math.min(palette.length - 2, Math.floor(at));
  return palette[first].map((part, i) => Math.round(part + (at - first) * (palette[first + 1][i] - part)));
}

// The corners of a way that are worth drawing: not those that fall on the one before, and of very many the outer ones.
function corners(way) {
  const kept = [];
  for (const [x, y] of way) {
    const before = kept.at(-1);
    if (!before || Math.abs(x - before[0]) + Math.abs(y - before[1]) > 0.5) kept.push([x, y]);
  }
  return kept.length <= 2 * MOST_CORNERS ? kept : [...kept.slice(0, MOST_CORNERS), ...kept.slice(-MOST_CORNERS)];
}

function stroke(context, way) {
  context.beginPath();
  way.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
}

function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

// An arrow through (x, y), as long as (across, down).
function drawArrow(context, x, y, across, down, head) {
  const length = Math.hypot(across, down);
  const [unitX, unitY] = [across / length, down / length];
  const [tipX, tipY] = [x + across / 2, y + down / 2];
  const size = Math.min(head, 0.6 * length);
  stroke(context, [[x - across / 2, y - down / 2], [tipX - 0.7 * size * unitX, tipY - 0.7 * size * unitY]]);
  context.beginPath();
  context.moveTo(tipX, tipY);
  context.lineTo(tipX - size * unitX + 0.55 * size * unitY, tipY - size * unitY - 0.55 * size * unitX);
  context.lineTo(tipX - size * unitX - 0.55 * size * unitY, tipY - size * unitY + 0.55 * size * unitX);
  context.fill();
}
