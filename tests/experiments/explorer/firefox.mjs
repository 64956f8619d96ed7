// Opens the page in Firefox, over WebDriver BiDi, uses every control of all scenes, and prints as JSON what it saw:
//     node firefox.mjs FOLDER_OF_PUPPETEER_CORE FIREFOX ADDRESS 'JSON of {drawing, script}'

import { createRequire } from "node:module";

const [folder, executablePath, address, given] = process.argv.slice(2);
const { drawing, script } = JSON.parse(given);
const puppeteer = createRequire(`${folder}/`)("puppeteer-core");

const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
const page = await browser.newPage();
const trouble = [];
page.on("console", (message) => trouble.push(`console: ${message.text()}`));
page.on("pageerror", (error) => trouble.push(`error: ${error.message ?? error}`));
page.on("request", (request) => {
  const url = request.url();
  if (!url.startsWith("data:") && url.split("#")[0] !== address) trouble.push(`request: ${url}`);
});
await page.setViewport({ width: 1280, height: 900 });
await page.goto(address);

async function drag(places) {
  await page.mouse.move(...places[0]);
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...place, { steps: 3 });
  await page.mouse.up();
}

// What one sees of a control once it has been scrolled to the middle of the screen; null where it cannot be used.
const ready = (control) =>
  control.evaluate((c) => {
    if (!c.isConnected || !c.checkVisibility() || c.disabled) return null;
    c.scrollIntoView({ block: "center" });
    const kind = c.getAttribute("role") ?? (c.localName === "input" ? c.type : c.localName);
    const { x, y, width, height } = c.getBoundingClientRect();
    return { kind, x: x + width / 2, y: y + height / 2 };
  });

async function use(control) {
  const { kind, x, y } = (await ready(control)) ?? {};
  if (!kind) return 0;
  if (kind === "select") {
    for (const value of await control.evaluate((c) => Array.from(c.options, (option) => option.value))) await control.select(value);
  } else if (kind === "number" || kind === "text") {
    const before = await control.evaluate((c) => c.value);
    await page.mouse.click(x, y, { count: 3 });
    await page.keyboard.type("-1");
    await page.keyboard.press("Tab");
    await page.mouse.click(x, y, { count: 3 });
    await page.keyboard.type(before || "1");
    await page.keyboard.press("Tab");
  } else if (kind === "range") {
    await control.focus();
    for (const key of ["End", "Home", "ArrowRight"]) await page.keyboard.press(key);
  } else if (["button", "radio", "checkbox", "summary"].includes(kind)) {
    await page.mouse.click(x, y);
    if (await control.evaluate((c) => c.classList.contains("running"))) await page.mouse.click(x, y, { delay: 100 });
  } else {
    await drag([[x, y], [x + 20, y + 30]]);
    await control.focus();
    for (const key of ["ArrowRight", "ArrowDown", " ", "ArrowLeft", " "]) await page.keyboard.press(key);
  }
  return 1;
}

let used = 0;
const scenes = [];
for (const link of await page.$$("#contents a")) {
  await link.click();
  scenes.push(await page.evaluate(() => document.querySelector("#contents [aria-current]").hash.slice(1)));
  const controls = await page.$$(`#${scenes.at(-1)} :is(button, summary, select, input, textarea, [tabindex='0'])`);
  for (const control of controls) used += await use(control);
}

await page.click("#clear");
await page.evaluate(() => explorer.lesson.choose(0));
const { x, y, width } = await (await page.$("#pad")).boundingBox();
for (const stroke of drawing) await drag(stroke.map(([across, down]) => [x + (across * width) / 280, y + (down * width) / 280]));
await new Promise((done) => setTimeout(done, 500));
const guess = await page.evaluate(() => document.getElementById("guess").textContent);
const calculated = await page.evaluate(`(${script})(20)`);
const shifted = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
console.log(JSON.stringify({ version: await browser.version(), scenes, used, guess, calculated, trouble, wider: shifted }));
await browser.close();
