// What an address asks of the scene of surfaces.

import { MOST_STEPS, OWN, SURFACES, surfaceOf } from "page/slopes.js";

export const MOST_TRIED = 100; // rates that are marked
export const VIEW = { least: 1e-4, most: 1e4 }; // half the width of what the map shows
export const RATE = { least: 1e-6, most: 100 };
const FARTHEST = 1e6; // a number of an address

const isRate = (rate) => rate >= RATE.least && rate <= RATE.most;

const READERS = {
  formula: (value) => (surfaceOf(value, OWN.home).wrong ? null : value),
  surface: (value) => (Object.hasOwn(SURFACES, value) ? value : null),
  point: (value) => {
    const [x, y] = numbersIn(value, 2) ?? [];
    return x === undefined ? null : { x, y };
  },
  view: (value) => {
    const [x, y, half] = numbersIn(value, 3) ?? [];
    return half >= VIEW.least && half <= VIEW.most ? { x, y, half } : null;
  },
  rate: (value) => {
    const [rate] = numbersIn(value, 1) ?? [];
    return isRate(rate) ? rate : null;
  },
  steps: (value) => (/^\d{1,5}$/.test(value) && value <= MOST_STEPS ? Number(value) : null),
  sharpness: (value) => (value === "shown" ? true : null),
  tried: (value) => {
    const all = numbersIn(value, Math.min(MOST_TRIED, value.split(",").length));
    return all?.every((rate) => isRate(Math.abs(rate))) ? all.map((rate) => ({ rate: Math.abs(rate), rested: rate > 0 })) : null;
  },
};

// {found: {name: value}, wrong: names}: what can be understood of the choices of an address, and what cannot.
export function wantedOf(asked) {
  const names = Object.keys(READERS).filter((name) => asked.has(name));
  const read = names.map((name) => [name, READERS[name](asked.get(name))]);
  const good = read.filter(([, value]) => value !== null);
  return { found: Object.fromEntries(good), wrong: read.filter(([, value]) => value === null).map(([name]) => name) };
}

// Those tried as an address has them: negative where the ball did not come to rest.
export const triedIn = (tried) => tried.map(({ rate, rested }) => (rested ? rate : -rate)).join(",");

// So many numbers with commas between, or null.
function numbersIn(words, count) {
  const all = words.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return all.length === count && all.every((each) => Math.abs(each) <= FARTHEST) ? all : null;
}
