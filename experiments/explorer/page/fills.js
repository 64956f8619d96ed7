// What the neurons of the network's picture look like: how they are filled, and which marks they bear.

import { most } from "page/network.js";

// How neurons are filled: rows of {part, look}, part from 0 to 1, look the class that colours it, one row a layer
// and the pixels first. Here as bright as the activation,
export const byActivation = (activations) =>
  activations.map((a) => {
    const scale = Math.max(1, most(a));
    return Array.from(a, (one) => ({ part: Math.min(1, Math.abs(one) / scale), look: one < 0 ? "below" : "" }));
  });

// here as strong as a change, the largest of its layer in full colour.
export const byChange = (changes) =>
  changes.map((row) => {
    const scale = most(row) || 1;
    return Array.from(row, (one) => ({ part: Math.abs(one) / scale, look: one < 0 ? "down" : "up" }));
  });

// Marks on neurons, by their shape: the outline of one that fills `part` of a neuron, from -1 to 1.
export const SHAPES = {
  triangle: (part, r) => {
    const size = 0.72 * r * Math.sqrt(Math.abs(part));
    const tip = part > 0 ? -size : size;
    return size < 1 ? "" : `M0 ${tip}L${size} ${-0.6 * tip}L${-size} ${-0.6 * tip}Z`;
  },
  sign: (part, r) => {
    const [long, thin] = [0.55 * r, Math.max(0.8, 0.13 * r)];
    const across = `M${-long} ${-thin}H${long}V${thin}H${-long}Z`;
    if (part === 0) return "";
    return part < 0 ? across : `${across}M${-thin} ${-long}H${thin}V${long}H${-thin}Z`;
  },
};
