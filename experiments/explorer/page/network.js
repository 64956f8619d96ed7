// The network, for one image at a time: what its neurons hold, what that costs, and what backpropagation says of every
// weight. Names are those of jaxnet; the tests hold every number of this file against jaxnet's.
//
// A network is {layers}: a list of {weights, biases, activation}, weights a list of rows, row j belonging to neuron j,
// activation the name of a function. All functions here are pure: what they return is new, what they are given stays as
// it is.

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const scaledTanh = (z) => 1.7159 * Math.tanh(0.6666 * z);

// a = f(z) of a whole layer; da/dz, neuron by neuron; and dC/dz = da/dz dC/da.
const alone = (f, slope) => ({
  value: (z) => z.map((one) => f(one)),
  derivative: (z) => z.map((one) => slope(one)),
  chain: (z, dC_da) => z.map((one, j) => slope(one) * dC_da[j]),
});

export const ACTIVATIONS = {
  sigmoid: alone(sigmoid, (z) => sigmoid(z) * (1 - sigmoid(z))),
  relu: alone((z) => Math.max(0, z), (z) => (z > 0 ? 1 : 0)),
  tanh: alone(Math.tanh, (z) => (1 - Math.tanh(z)) * (1 + Math.tanh(z))),
  scaled_tanh: alone(scaledTanh, (z) => 1.7159 * 0.6666 * (1 - Math.tanh(0.6666 * z)) * (1 + Math.tanh(0.6666 * z))),
  // Every activation depends on every z, so da/dz is a matrix: row i says how a_i answers to each z_j.
  softmax: {
    value: softmax,
    derivative: (z) => {
      const a = softmax(z);
      return a.map((one, i) => a.map((other, j) => one * ((i === j ? 1 : 0) - other)));
    },
    chain: (z, dC_da) => {
      const a = softmax(z);
      const mean = dot(a, dC_da);
      return a.map((one, j) => one * (dC_da[j] - mean));
    },
  },
};

function softmax(z) {
  const highest = Math.max(...z);
  const powers = z.map((one) => Math.exp(one - highest));
  const total = powers.reduce((sum, one) => sum + one, 0);
  return powers.map((one) => one / total);
}

export function dot(one, other) {
  let sum = 0;
  for (let k = 0; k < one.length; k += 1) sum += one[k] * other[k];
  return sum;
}

// The same sum over some places only. Where `other` is zero everywhere else, it is the same to the last bit, as long as
// `one` is finite.
function dotAt(places, one, other) {
  let sum = 0;
  for (let i = 0; i < places.length; i += 1) {
    const k = places[i];
    sum += one[k] * other[k];
  }
  return sum;
}

// The places of an image’s pixels that are not black, looked for once, for an image stays as it is. Four fifths of an
// image of MNIST are black.
const litOnes = new WeakMap();
export function lit(image) {
  let places = litOnes.get(image);
  if (!places) {
    places = new Int32Array(image.length);
    let count = 0;
    for (let k = 0; k < image.length; k += 1) if (image[k] !== 0) places[count++] = k;
    places = places.slice(0, count);
    litOnes.set(image, places);
  }
  return places;
}

// The largest size among the numbers.
export const most = (numbers) => numbers.reduce((best, one) => Math.max(best, Math.abs(one)), 0);

// z = w a + b and a = f(z), layer after layer. activations[0] is the image, weightedSums[0] that of the first layer.
export function trace(network, image) {
  const weightedSums = [];
  const activations = [image];
  network.layers.forEach(({ weights, biases, activation }, layer) => {
    const [a, places] = [activations[layer], layer === 0 ? lit(image) : null];
    const z = weights.map((w, j) => (places ? dotAt(places, w, a) : dot(w, a)) + biases[j]);
    weightedSums.push(z);
    activations.push(ACTIVATIONS[activation].value(z));
  });
  return { weightedSums, activations };
}

export const forward = (network, image) => trace(network, image).activations.at(-1);

export const brightest = (outputs) => outputs.reduce((best, a, j) => (a > outputs[best] ? j : best), 0);

export const classify = (network, image) => brightest(forward(network, image));

export const oneHot = (label, classes) => Array.from({ length: classes }, (_, j) => (j === label ? 1 : 0));

// How lousy: the sum of the squared differences, without a one-half.
export const squaredError = (outputs, target) => outputs.reduce((sum, a, j) => sum + (a - target[j]) ** 2, 0);

// The mean over examples {image, target, label} of their cost, and the share of them that are read right.
export function judge(network, examples) {
  let [cost, right] = [0, 0];
  for (const { image, target, label } of examples) {
    const outputs = forward(network, image);
    cost += squaredError(outputs, target);
    right += brightest(outputs) === label ? 1 : 0;
  }
  return { cost: cost / examples.length, accuracy: right / examples.length };
}

export const cost = (network, examples) => judge(network, examples).cost;
export const accuracy = (network, examples) => judge(network, examples).accuracy;

// From the output back to the input: delta = dC/dz of every layer, and on the way dC/da of its activations.
export function errors(network, { weightedSums, activations }, target) {
  const [deltas, dC_da] = [[], []];
  const last = network.layers.length - 1;
  dC_da[last] = activations[last + 1].map((a, j) => 2 * (a - target[j]));
  for (let layer = last; layer >= 0; layer -= 1) {
    const { weights, activation } = network.layers[layer];
    deltas[layer] = ACTIVATIONS[activation].chain(weightedSums[layer], dC_da[layer]);
    if (layer > 0) dC_da[layer - 1] = backward(weights, deltas[layer]);
  }
  return { deltas, dC_da };
}

// w^T delta: what reaches the activations before a layer.
function backward(weights, delta) {
  const sum = new Float64Array(weights[0].length);
  weights.forEach((w, j) => {
    for (let k = 0; k < w.length; k += 1) sum[k] += w[k] * delta[j];
  });
  return sum;
}

// The gradient of one example's cost, shaped like the layers: dC/dw = delta a', dC/db = delta.
export function backprop(network, image, target) {
  const traced = trace(network, image);
  return errors(network, traced, target).deltas.map((delta, layer) => ({
    weights: Array.from(delta, (one) => scaled(one, traced.activations[layer])),
    biases: delta,
  }));
}

function scaled(factor, numbers) {
  const product = new Float64Array(numbers.length);
  for (let k = 0; k < numbers.length; k += 1) product[k] = factor * numbers[k];
  return product;
}

// What one example wants of every activation, weight and bias: the negatives of its derivatives.
export function nudges(network, image, target) {
  const negative = (numbers) => scaled(-1, numbers);
  const { deltas, dC_da } = errors(network, trace(network, image), target);
  return {
    activations: [backward(network.layers[0].weights, deltas[0]), ...dC_da].map(negative),
    layers: backprop(network, image, target).map(({ weights, biases }) => ({
      weights: weights.map(negative),
      biases: negative(biases),
    })),
  };
}

// How the weighted sum of one output answers to every pixel: dz/da of the image, back through all the layers.
export function inputGradient(network, image, output) {
  const { weightedSums } = trace(network, image);
  let slope = network.layers.at(-1).weights[output];
  for (let layer = network.layers.length - 2; layer >= 0; layer -= 1) {
    const { weights, activation } = network.layers[layer];
    slope = backward(weights, ACTIVATIONS[activation].chain(weightedSums[layer], slope));
  }
  return slope;
}

// The image after one step uphill for an output: the pixel that matters most changes by a tenth; all stay from 0 to 1.
export function pleasing(network, image, output) {
  const slope = inputGradient(network, image, output);
  const most = slope.reduce((size, one) => Math.max(size, Math.abs(one)), 0) || 1;
  return image.map((a, i) => Math.min(1, Math.max(0, a + (0.1 * slope[i]) / most)));
}

// The average over many examples of what backprop says of each: the gradient of the cost over all of them.
export function averageGradient(network, examples) {
  const gradient = sameShape(network).layers;
  for (const { image, target } of examples) {
    const traced = trace(network, image);
    errors(network, traced, target).deltas.forEach((delta, layer) => {
      const before = traced.activations[layer];
      const { weights, biases } = gradient[layer];
      for (let j = 0; j < delta.length; j += 1) {
        const share = delta[j] / examples.length;
        biases[j] += share;
        if (layer === 0) addAt(lit(image), weights[j], share, before);
        else add(weights[j], share, before);
      }
    });
  }
  return gradient;
}

// sum <- sum + share terms, everywhere, or at some places only.
function add(sum, share, terms) {
  for (let k = 0; k < sum.length; k += 1) sum[k] += share * terms[k];
}

function addAt(places, sum, share, terms) {
  for (let i = 0; i < places.length; i += 1) {
    const k = places[i];
    sum[k] += share * terms[k];
  }
}

// dC/dw = dz/dw da/dz dC/da for the weight from `source` to `neuron` of `layer`, or its bias where source is null. In a
// softmax layer da_dz and dC_da are lists, and the product is a sum over them.
export function factors(network, image, target, layer, neuron, source) {
  const traced = trace(network, image);
  const { deltas, dC_da } = errors(network, traced, target);
  const da_dz = ACTIVATIONS[network.layers[layer].activation].derivative(traced.weightedSums[layer]);
  const every = Array.isArray(da_dz[neuron]);
  const dz_dw = source === null ? 1 : traced.activations[layer][source];
  return {
    dz_dw,
    da_dz: every ? da_dz.map((row) => row[neuron]) : da_dz[neuron],
    dC_da: every ? Array.from(dC_da[layer]) : dC_da[layer][neuron],
    product: dz_dw * deltas[layer][neuron],
  };
}

// One step downhill: w <- w - rate dC/dw.
export function step(network, gradient, rate) {
  const next = sameShape(network);
  next.layers.forEach(({ weights, biases }, layer) => {
    const now = network.layers[layer];
    weights.forEach((w, j) => move(w, now.weights[j], rate, gradient[layer].weights[j]));
    move(biases, now.biases, rate, gradient[layer].biases);
  });
  return next;
}

function move(to, from, rate, slopes) {
  for (let k = 0; k < to.length; k += 1) to[k] = from[k] - rate * slopes[k];
}

export const sizesOf = ({ layers }) => [layers[0].weights[0].length, ...layers.map(({ biases }) => biases.length)];

// A network of the same sizes and functions, all of its weights and biases zero. They lie in one `row`, each layer's
// weights and then its biases, so that they can also be taken as one place.
export function sameShape({ layers }) {
  const length = layers.reduce((sum, { weights, biases }) => sum + biases.length * (weights[0].length + 1), 0);
  const row = new Float64Array(length);
  let begin = 0;
  const next = (size) => row.subarray(begin, (begin += size));
  return {
    layers: layers.map(({ weights, biases, activation }) => ({
      weights: weights.map((w) => next(w.length)),
      biases: next(biases.length),
      activation,
    })),
    row,
  };
}

// All weights and biases in one row.
export function flat(network) {
  if (network.row) return network.row;
  const copy = sameShape(network);
  copy.layers.forEach(({ weights, biases }, layer) => {
    weights.forEach((w, j) => w.set(network.layers[layer].weights[j]));
    biases.set(network.layers[layer].biases);
  });
  return copy.row;
}

// A random network with the sizes and the activation functions of another: normal weights with deviation 1/sqrt(inputs),
// normal biases. `normal` gives the next random number.
export function init(other, normal) {
  const layers = other.layers.map(({ weights, activation }) => {
    const [n_out, n_in] = [weights.length, weights[0].length];
    return {
      weights: Array.from({ length: n_out }, () => Float64Array.from({ length: n_in }, () => normal() / Math.sqrt(n_in))),
      biases: Float64Array.from({ length: n_out }, normal),
      activation,
    };
  });
  return { layers };
}
