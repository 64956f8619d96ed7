// All that the page says, in one language: page/english.json, or a translation of it. Nothing is said that is not there.

const all = JSON.parse(document.getElementById("text").textContent);

// The text of that name, as in "walk.title", with {name} replaced by values.name.
export function text(name, values = {}) {
  const found = name.split(".").reduce((part, key) => part?.[key], all);
  if (typeof found !== "string") throw new Error(`there is no text ${name}`);
  return found.replace(/\{(\w+)\}/g, (_, key) => {
    if (!(key in values)) throw new Error(`the text ${name} needs ${key}`);
    return values[key];
  });
}
