// The address of what is shown: #scene?name=value&..., so that a link shows what was shown.

const FLAGS = ["embed", "present"];

// {scene, choices: a Map, embed, present} of an address such as #walk?rate=4&present; scene is "" where none is named.
export function read(hash) {
  const [scene, query = ""] = decoded(hash.replace(/^#/, ""));
  const choices = new Map(new URLSearchParams(query));
  const flags = Object.fromEntries(FLAGS.map((flag) => [flag, choices.has(flag)]));
  for (const flag of FLAGS) choices.delete(flag);
  return { scene, choices, ...flags };
}

const decoded = (hash) => {
  const cut = hash.indexOf("?");
  return cut < 0 ? [hash] : [hash.slice(0, cut), hash.slice(cut + 1)];
};

// The address of a scene with these choices {name: value}; those that are null or undefined are left out.
export function written(scene, choices, flags = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(choices)) if (value !== null && value !== undefined) query.set(name, value);
  const parts = [...(query.size ? [String(query)] : []), ...FLAGS.filter((flag) => flags[flag])];
  return `#${scene}${parts.length ? `?${parts.join("&")}` : ""}`;
}

// Whole numbers 0 to 255 as letters and digits that an address may hold, and back; null where they are none.
export const packed = (numbers) =>
  btoa(String.fromCharCode(...numbers)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

export function unpacked(letters) {
  try {
    return Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  } catch {
    return null;
  }
}

// Uses what an address asks for. `parts` are {name: {usual, read, use}}: `read` makes a value of the text, null where it
// cannot; what is not asked for, or asked for in vain, becomes the usual. The names of what is asked for in vain.
export function takeOver(asked, parts) {
  const wrong = [];
  for (const [name, { usual, read, use }] of Object.entries(parts)) {
    const value = asked.has(name) ? read(asked.get(name)) : usual;
    if (asked.has(name) && value === null) wrong.push(name);
    use(value ?? usual);
  }
  return wrong;
}

// A whole number of an address, null where it is none from `least` to `most`.
export const wholeNumber = (letters, least, most) =>
  /^\d{1,9}$/.test(letters) && letters >= least && letters <= most ? Number(letters) : null;
