// Formulas of x and y, read by recursive descent: each function below reads one rule of the grammar.
//
//   sum      product { ("+" | "-") product }
//   product  signed { ("*" | "/") signed | power }         a power without a sign before it is a factor, too: 2x, 3(x+1)
//   signed   ("-" | "+") signed | power
//   power    value { "²" | "³" } [ ("^" | "**") signed ]   so that -x^2 is -(x^2), and 2^3^2 is 2^(3^2)
//   value    number | x | y | pi | e | function "(" sum { "," sum } ")" | "(" sum ")"

export const LONGEST = 200;
const CONSTANTS = { pi: Math.PI, π: Math.PI, e: Math.E };
const ONE_VALUE = ["sin", "cos", "tan", "exp", "ln", "log", "sqrt", "abs", "tanh", "sigmoid"];
const TWO_VALUES = ["min", "max"];
export const FUNCTION_NAMES = [...ONE_VALUE, ...TWO_VALUES];
const OPERATIONS = { "+": "add", "-": "subtract", "*": "multiply", "/": "divide" };
const ALIKE = { "−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "**": "^" };
const RAISED = { "²": 2, "³": 3 };

// {tree}, or {wrong: {why, at, found, ...}}: what is wrong with the text, and where. A tree is {value} or {operation, of}.
export function parse(text) {
  try {
    if (text.length > LONGEST) fail("long", { at: LONGEST, text: text[LONGEST] }, { most: LONGEST });
    return { tree: read(tokensOf(text)) };
  } catch (error) {
    if (!error.wrong) throw error;
    return { wrong: error.wrong };
  }
}

function fail(why, { at, text }, values = {}) {
  throw Object.assign(new Error(why), { wrong: { why, at, found: text, ...values } });
}

// The pieces of a text: {kind, text, at, end}.
function tokensOf(text) {
  const tokens = [];
  const add = (kind, at, end) => tokens.push({ kind, text: text.slice(at, end), at, end });
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const length = (pattern) => rest.match(pattern)?.[0].length ?? 0;
    const [gap, digits, letters] = [length(/^\s+/), length(/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i), length(/^(π|[a-z]+)/i)];
    const sign = length(/^(\*\*|[-−–+*·×/÷^(),²³])/);
    const size = gap || digits || letters || sign;
    if (!size) fail("sign", { at, text: String.fromCodePoint(text.codePointAt(at)) });
    if (digits) add("number", at, at + size);
    else if (letters && /^[xy]+$/i.test(rest.slice(0, size))) for (let i = 0; i < size; i += 1) add("name", at + i, at + i + 1);
    else if (letters) add("name", at, at + size);
    else if (sign) add("sign", at, at + size);
    at += size;
  }
  return [...tokens, { kind: "end", text: "", at: text.length, end: text.length }];
}

function read(tokens) {
  let next = 0;
  let raised = -1; // the place after the last exponent
  const peek = () => tokens[next];
  const take = () => tokens[next++];
  const signOf = ({ kind, text }) => (kind === "sign" ? (ALIKE[text] ?? text) : null);
  const is = (...signs) => signs.includes(signOf(peek()));
  const call = (operation, ...of) => ({ operation, of });

  function sum() {
    let tree = product();
    while (is("+", "-")) tree = call(OPERATIONS[signOf(take())], tree, product());
    return tree;
  }

  function product() {
    let tree = signed();
    let divided = false;
    for (;;) {
      if (is("*", "/")) {
        divided = is("/");
        tree = call(OPERATIONS[signOf(take())], tree, signed());
      } else if (peek().kind === "number" || peek().kind === "name" || is("(")) {
        checkPlain(divided);
        tree = call("multiply", tree, power());
      } else return tree;
    }
  }

  // A factor without a sign before it, where it could be read in two ways, or is a slip of the hand.
  function checkPlain(divided) {
    if (peek().kind === "number") fail("operator", peek());
    if (divided) fail("afterDivision", peek());
    const before = tokens[next - 1];
    if (raised === next && before.end === peek().at && signOf(before) !== ")") fail("afterPower", peek());
  }

  function signed() {
    if (!is("+", "-")) return power();
    return signOf(take()) === "-" ? call("negate", signed()) : signed();
  }

  function power() {
    let tree = value();
    while (is("²", "³")) tree = call("power", tree, { value: RAISED[take().text] });
    if (!is("^")) return tree;
    take();
    tree = call("power", tree, signed());
    raised = next;
    return tree;
  }

  function value() {
    const token = take();
    const name = token.text.toLowerCase();
    if (token.kind === "number") return { value: Number(token.text) };
    if (signOf(token) === "(") {
      const tree = sum();
      close(token);
      return tree;
    }
    if (token.kind !== "name") fail(tokens.length === 1 ? "empty" : "value", token);
    if (name === "x" || name === "y") return call(name);
    if (Object.hasOwn(CONSTANTS, name)) return { value: CONSTANTS[name] };
    const values = ONE_VALUE.includes(name) ? 1 : TWO_VALUES.includes(name) ? 2 : 0;
    if (!values) fail("name", token);
    if (!is("(")) fail(values === 1 ? "call" : "callTwo", peek(), { name });
    return call(name, ...listed(name, values));
  }

  function listed(name, values) {
    const open = take();
    const all = [sum()];
    while (is(",")) {
      if (all.length === values) fail(values === 1 ? "one" : "two", peek(), { name });
      take();
      all.push(sum());
    }
    if (all.length < values && is(")")) fail("two", peek(), { name });
    close(open);
    return all;
  }

  function close(open) {
    if (is(",")) fail("comma", peek());
    if (!is(")")) fail("close", peek(), { open: open.at + 1 });
    take();
  }

  const tree = sum();
  if (is(",")) fail("comma", peek());
  if (is(")")) fail("open", peek());
  return tree;
}
