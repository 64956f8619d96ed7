// Heights on a grid, as a map shows them: how high is bright, which heights have a line, and where that runs.

const LINES = 11; // about so many
const BEND = 5; // the strongest bending of the scale

// The heights at `size` places each way of a square part of the plane, row by row from below.
export function gridOf(height, { x, y, half }, size) {
  const at = (middle, i) => middle + half * ((2 * i) / (size - 1) - 1);
  const heights = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) heights[row * size + column] = height(at(x, column), at(y, row));
  }
  return heights;
}

// {low, high, bend}: nearly all heights lie between low and high. Where most are low, the scale is bent so that the low
// ones, too, are told apart: share = part of the way from low to high, to the power of 1 / bend.
export function scaleOf(heights) {
  const finite = Array.from(heights).filter(Number.isFinite).sort((one, other) => one - other);
  if (finite.length === 0) return null;
  const quantile = (part) => finite[Math.round(part * (finite.length - 1))];
  const [low, middle, high] = [quantile(0.002), quantile(0.5), quantile(0.998)];
  if (!(high > low)) return { low, high: low + 1, bend: 1 };
  const bend = Math.log((middle - low) / (high - low)) / Math.log(0.5);
  return { low, high, bend: Math.min(BEND, Math.max(1, bend)) };
}

// Where a height lies on the scale, from 0 to 1.
export const shareOf = ({ low, high, bend }, height) =>
  Math.min(1, Math.max(0, (height - low) / (high - low))) ** (1 / bend);

// Round heights that have a line: evenly spaced, or, on a bent scale, closer together where it is low.
export function levelsOf(scale) {
  const { low, high, bend } = scale;
  const size = 10 ** Math.floor(Math.log10((high - low) / LINES));
  const even = [1, 2, 5, 10].map((each) => each * size).find((each) => (high - low) / each <= LINES);
  if (bend < 2) {
    const first = Math.ceil(low / even);
    return Array.from({ length: Math.floor(high / even) - first + 1 }, (_, i) => round((first + i) * even));
  }
  const fine = 10 ** (Math.floor(Math.log10(high - low)) - 2);
  const base = Math.abs(low) < 0.005 * (high - low) ? 0 : Math.floor(low / fine) * fine;
  const levels = [];
  for (let power = Math.floor(Math.log10(high - base)) - 5; levels.length === 0 || levels.at(-1) < high; power += 1) {
    for (const each of [1, 2, 3, 5, 7]) {
      const level = round(Math.round(base / 10 ** power + each) * 10 ** power);
      const apart = shareOf(scale, level) - (levels.length ? shareOf(scale, levels.at(-1)) : 0);
      if (level >= high) return levels;
      if (apart >= 0.6 / LINES) levels.push(level);
    }
  }
  return levels;
}

const round = (value) => Number(value.toPrecision(10));

// Where the surface has that height: short lines [x0, y0, x1, y1] on the grid, found square by square.
export function contour(heights, size, level) {
  const lines = [];
  for (let row = 0; row + 1 < size; row += 1) {
    for (let column = 0; column + 1 < size; column += 1) {
      const place = row * size + column;
      const low = heights[place] < level;
      if (heights[place + 1] < level === low && heights[place + size + 1] < level === low && heights[place + size] < level === low) continue;
      const corners = [heights[place], heights[place + 1], heights[place + size + 1], heights[place + size]];
      if (!corners.every(Number.isFinite)) continue;
      const crossings = corners.flatMap((height, i) => {
        const after = corners[(i + 1) % 4];
        if (height < level === after < level) return [];
        const [x, y] = onEdge(i, (level - height) / (after - height));
        return [[column + x, row + y]];
      });
      // Where all four edges are crossed, the middle says which two belong together.
      const middle = corners.reduce((sum, each) => sum + each, 0) / 4;
      const turned = crossings.length === 4 && low !== middle < level;
      const order = turned ? [...crossings.slice(1), crossings[0]] : crossings;
      for (let i = 0; i + 1 < order.length; i += 2) lines.push([...order[i], ...order[i + 1]]);
    }
  }
  return lines;
}

// A place on the edge from corner i to the next, counted around from below left.
const onEdge = (i, part) =>
  [
    [part, 0],
    [1, part],
    [1 - part, 1],
    [0, 1 - part],
  ][i];
