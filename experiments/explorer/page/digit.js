// From the strokes of a pen to an image as MNIST has them: the ink is scaled into a box of 20 x 20 pixels, its shape
// kept, and the box put into 28 x 28 so that the ink's centre of mass lies in the middle: in the pixel after it, as in all
// of MNIST's images.

export const SIDE = 28;
export const SHEET = 280; // pixels along the sheet that one draws on
export const PENS = { thin: 6, medium: 11, thick: 16 }; // radii, in those pixels; of medium a digit 200 high gets the 2.2 pixels of MNIST's lines
const BOX = 20;

export const blank = () => new Float64Array(SHEET * SHEET);

// Lays one straight line of ink, from 0 to 1, on a sheet of side x side pixels: full within the pen's radius less half a
// pixel, none beyond half a pixel more, evenly less in between. Points are {x, y} in pixels of the sheet, of which the
// first reaches from 0 to 1. Where lines cross, the darker one counts.
export function drawLine(sheet, from, to, radius, side = SHEET) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const reach = radius + 0.5;
  const [top, bottom] = within(from.y, to.y, radius, side);
  const [left, right] = within(from.x, to.x, radius, side);
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (x * dx + y * dy) / length));
      const [across, down] = [x - along * dx, y - along * dy];
      const squared = across * across + down * down;
      if (squared >= reach * reach) continue;
      const ink = Math.min(1, reach - Math.sqrt(squared));
      const place = row * side + column;
      if (ink > sheet[place]) sheet[place] = ink;
    }
  }
}

const within = (one, other, radius, side) => [
  Math.max(0, Math.floor(Math.min(one, other) - radius - 1)),
  Math.min(side - 1, Math.ceil(Math.max(one, other) + radius + 1)),
];

// Strokes are lists of points; a stroke of one point is a dot.
export function ink(strokes, radius) {
  const sheet = blank();
  for (const stroke of strokes) {
    stroke.forEach((point, i) => drawLine(sheet, stroke[Math.max(0, i - 1)], point, radius));
  }
  return sheet;
}

// The 784 pixels that a sheet of ink becomes; all zero for an empty one.
export function centred(sheet) {
  const image = new Float64Array(SIDE * SIDE);
  const box = boxOf(sheet);
  if (box === null) return image;
  const longest = Math.max(box.height, box.width);
  const height = Math.max(1, Math.round((BOX * box.height) / longest));
  const width = Math.max(1, Math.round((BOX * box.width) / longest));
  const small = scaled(sheet, box, height, width);
  let [mass, down, across] = [0, 0, 0];
  small.forEach((ink, place) => {
    mass += ink;
    down += ink * (Math.floor(place / width) + 0.5);
    across += ink * ((place % width) + 0.5);
  });
  const top = start(down / mass, height);
  const left = start(across / mass, width);
  small.forEach((ink, place) => {
    image[(top + Math.floor(place / width)) * SIDE + left + (place % width)] = ink;
  });
  return image;
}

// Where the box begins, in whole pixels, so that its centre lies between 14 and 15; none of the box leaves the image. The
// last digits of a sum must not decide where a symmetric drawing lies.
const start = (centre, length) => Math.min(SIDE - length, Math.max(0, Math.ceil(SIDE / 2 - centre - 1e-9)));

// The smallest box that holds all the ink.
function boxOf(sheet) {
  let [top, bottom, left, right] = [SHEET, -1, SHEET, -1];
  for (let place = 0; place < sheet.length; place += 1) {
    if (sheet[place] === 0) continue;
    const [row, column] = [Math.floor(place / SHEET), place % SHEET];
    if (row < top) top = row;
    if (column < left) left = column;
    if (column > right) right = column;
    bottom = row;
  }
  return bottom < 0 ? null : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

// Each small pixel is the mean of the ink that it covers; pixels covered in part count by that part. First every row is
// made narrow, then every narrow column low.
function scaled(sheet, box, height, width) {
  const [rows, columns] = [shares(box.top, box.height, height), shares(box.left, box.width, width)];
  const narrow = new Float64Array(box.height * width);
  for (let row = 0; row < box.height; row += 1) {
    const begin = (box.top + row) * SHEET;
    for (let column = 0; column < width; column += 1) {
      const { first, parts } = columns[column];
      let sum = 0;
      for (let j = 0; j < parts.length; j += 1) sum += parts[j] * sheet[begin + first + j];
      narrow[row * width + column] = sum;
    }
  }
  const small = new Float64Array(height * width);
  for (let row = 0; row < height; row += 1) {
    const { first, parts } = rows[row];
    for (let i = 0; i < parts.length; i += 1) {
      const begin = (first - box.top + i) * width;
      for (let column = 0; column < width; column += 1) small[row * width + column] += parts[i] * narrow[begin + column];
    }
  }
  return small;
}

// For each of `number` equal parts of a length: the first pixel that it covers, and the shares of the part that this one
// and those after it make up.
function shares(begin, length, number) {
  return Array.from({ length: number }, (_, part) => {
    const [from, to] = [(part * length) / number, ((part + 1) * length) / number];
    const first = Math.floor(from);
    const parts = [];
    for (let pixel = first; pixel < Math.min(length, Math.ceil(to)); pixel += 1) {
      parts.push((Math.min(to, pixel + 1) - Math.max(from, pixel)) / (to - from));
    }
    return { first: begin + first, parts };
  });
}
