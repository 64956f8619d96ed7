// Elements of the page, and numbers as a person writes them. Text goes in as text, never as markup.

import { text } from "page/text.js";

export const find = (id) => document.getElementById(id);

export const html = (name, attributes, ...children) => filled(document.createElement(name), attributes, children);

export const svg = (name, attributes, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

function filled(element, attributes = {}, children = []) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Sets a text only where it changes, so that nothing is drawn, or read out, twice.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The same for an attribute, whose style a browser would work out again.
export function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// What a screen reader calls an element.
export const label = (element, text) => set(element, "aria-label", text);

// For whoever listens to the page: once for each thing that somebody did, not at every movement.
export const announce = (text) => say(find("said"), text);

// The signs of a number as the page's language has them.
export const localized = (digits) => digits.replace(/[.,]/g, (sign) => text(sign === "." ? "numbers.decimal" : "numbers.thousands"));

// So many digits that matter.
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? text("page.notANumber") : signed(value < 0, "∞");
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e6) {
    const [front, power] = size.toExponential(digits - 1).split("e");
    return signed(value < 0, `${localized(front)}·10${raised(Number(power))}`);
  }
  return signed(value < 0, size >= 1000 ? whole(size) : localized(size.toPrecision(digits)));
}

// A number's digits with a sign between thousands. Intl would take as long to begin as the whole first scene.
export const grouped = (digits) => localized(digits.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ",")));

export const whole = (value) => grouped(Math.round(value).toFixed(0));

const signed = (negative, text) => (negative ? `−${text}` : text);

const raised = (power) => [...String(power)].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");

export const activation = (a) => (Math.abs(a) < 1000 ? signed(a < 0, localized(Math.abs(a).toFixed(2))) : number(a));

export const percent = (share, decimals = 1) => `${localized((100 * share).toFixed(decimals))} %`;

// What a number field holds, or null where it holds nothing that its limits allow. Rates are written in fields for text,
// for those for numbers drop a decimal comma without a word: 0,5 would be 5. A real minus sign is one, too.
export function chosen(input) {
  const decimal = input.type === "text";
  const value = decimal ? Number(input.value.trim().replace(",", ".").replace("−", "-") || NaN) : input.valueAsNumber;
  const allowed = decimal ? value >= input.min && value <= input.max : input.checkValidity();
  return allowed && Number.isFinite(value) ? value : null;
}

// Marks the fields as right or wrong while somebody writes in them.
export function watch(...inputs) {
  for (const input of inputs) {
    input.addEventListener("input", () => input.setAttribute("aria-invalid", String(chosen(input) === null)));
  }
}

// What is wrong with the number fields, in words; empty where nothing is.
export function complaint(...inputs) {
  const wrong = inputs.find((input) => chosen(input) === null);
  if (!wrong) return "";
  const name = wrong.getAttribute("aria-label") ?? wrong.closest("label").textContent.trim();
  const kind = text(wrong.step === "any" ? "page.aNumber" : "page.aWholeNumber");
  return text(wrong.max === "" ? "page.wrongFrom" : "page.wrongBetween", {
    name,
    value: wrong.value || text("page.notANumber"),
    kind,
    least: wrong.min,
    most: wrong.max,
  });
}

// Does something as soon as there is nothing else to do.
export const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 20));

// Does something again and again until it is stopped: once a frame, or after so many milliseconds for whoever wants
// little motion. `stopped()` is called when it has come to rest.
export function repeater(button, action, stopped, pause = 500) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const resting = button.textContent;
  let running = false;
  const next = () => (calm.matches ? setTimeout(turn, pause) : requestAnimationFrame(turn));
  const show = (on) => {
    if (running && !on) stopped();
    running = on;
    button.classList.toggle("running", on);
    button.textContent = on ? text("page.pause") : resting;
  };
  let waiting = null;
  function turn() {
    waiting = null;
    if (!running) return;
    if (action()) waiting = next();
    else show(false);
  }
  function set(on) {
    show(on);
    if (on && waiting === null) waiting = next();
  }
  button.addEventListener("click", () => set(!running));
  return { start: () => set(true), stop: () => show(false) };
}
