// Numbers with their slopes: automatic differentiation, forward and to second order. A jet holds, at one point,
// [f, ∂f/∂x, ∂f/∂y, ∂²f/∂x², ∂²f/∂x∂y, ∂²f/∂y²]; each operation on jets is a rule of calculus.

const square = (v) => v * v;
const sigmoid = (v) => 1 / (1 + Math.exp(-v));

// Functions of one number: the value g(v), and from v and that value [g′(v), g″(v)].
const FUNCTIONS = {
  sin: [Math.sin, (v, g) => [Math.cos(v), -g]],
  cos: [Math.cos, (v, g) => [-Math.sin(v), -g]],
  tan: [Math.tan, (_, g) => [1 + g * g, 2 * g * (1 + g * g)]],
  exp: [Math.exp, (_, g) => [g, g]],
  ln: [Math.log, (v) => [1 / v, -1 / (v * v)]],
  log: [Math.log, (v) => [1 / v, -1 / (v * v)]],
  sqrt: [Math.sqrt, (v, g) => [0.5 / g, -0.25 / (g * v)]],
  abs: [Math.abs, (v) => [Math.sign(v), 0]],
  tanh: [Math.tanh, (v, g) => [1 / square(Math.cosh(v)), (-2 * g) / square(Math.cosh(v))]],
  sigmoid: [sigmoid, (v, g) => [g * sigmoid(-v), g * sigmoid(-v) * (sigmoid(-v) - g)]],
  negate: [(v) => -v, () => [-1, 0]],
};

const each = (make) => Object.fromEntries(Object.entries(FUNCTIONS).map(([name, parts]) => [name, make(...parts)]));

// The operations of formulas, for numbers.
export const NUMBERS = {
  ...each((g) => g),
  constant: (value) => value,
  x: (x) => x,
  y: (_, y) => y,
  add: (u, v) => u + v,
  subtract: (u, v) => u - v,
  multiply: (u, v) => u * v,
  divide: (u, v) => u / v,
  power: (u, v) => u ** v,
  min: Math.min,
  max: Math.max,
};

// The jet of g(u), from g, g′ and g″ at the value of u.
const through = ([, ux, uy, uxx, uxy, uyy], g, first, second) => [
  g,
  first * ux,
  first * uy,
  second * ux * ux + first * uxx,
  second * ux * uy + first * uxy,
  second * uy * uy + first * uyy,
];

const sum = (a, u, b, v) => u.map((part, i) => a * part + b * v[i]);

const product = ([u, ux, uy, uxx, uxy, uyy], [v, vx, vy, vxx, vxy, vyy]) => [
  u * v,
  ux * v + u * vx,
  uy * v + u * vy,
  uxx * v + 2 * ux * vx + u * vxx,
  uxy * v + ux * vy + uy * vx + u * vxy,
  uyy * v + 2 * uy * vy + u * vyy,
];

function power(u, v) {
  const [base, exponent] = [u[0], v[0]];
  const value = base ** exponent;
  if (v.some((slope, i) => i > 0 && slope !== 0)) {
    // u^v = exp(v ln u)
    return through(product(v, JETS.ln(u)), value, value, value);
  }
  // Factors of zero, as in the slope of u^0, hold for u = 0, too.
  const first = exponent === 0 ? 0 : exponent * base ** (exponent - 1);
  const second = exponent === 0 || exponent === 1 ? 0 : exponent * (exponent - 1) * base ** (exponent - 2);
  return through(u, value, first, second);
}

// Where both are the same, the slopes lie halfway, as in JAX.
function extreme(u, v, of) {
  if (u[0] === v[0]) return sum(0.5, u, 0.5, v);
  return of(u[0], v[0]) === u[0] ? u : v;
}

// The same operations, for jets.
export const JETS = {
  ...each((g, slopes) => (u) => {
    const value = g(u[0]);
    return through(u, value, ...slopes(u[0], value));
  }),
  constant: (value) => [value, 0, 0, 0, 0, 0],
  x: (x) => [x, 1, 0, 0, 0, 0],
  y: (_, y) => [y, 0, 1, 0, 0, 0],
  add: (u, v) => sum(1, u, 1, v),
  subtract: (u, v) => sum(1, u, -1, v),
  multiply: product,
  divide: (u, v) => product(u, through(v, 1 / v[0], -1 / v[0] ** 2, 2 / v[0] ** 3)),
  power,
  min: (u, v) => extreme(u, v, Math.min),
  max: (u, v) => extreme(u, v, Math.max),
};

// A tree of formula.js as a function of x and y: of numbers, or of jets.
export function compiled(tree, operations) {
  if ("value" in tree) {
    const constant = operations.constant(tree.value);
    return () => constant;
  }
  if (tree.of.length === 0) return operations[tree.operation];
  const [first, second] = tree.of.map((part) => compiled(part, operations));
  const operation = operations[tree.operation];
  return second ? (x, y) => operation(first(x, y), second(x, y)) : (x, y) => operation(first(x, y));
}
