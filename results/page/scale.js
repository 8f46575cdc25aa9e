// From values to pixels: scales, their ticks, and axes drawn from them.

import { number, short } from "./format.js";
import { s } from "./dom.js";

const CHARACTER = 6.4;  // pixels of one at 13 px, on average

/** Return a linear scale. */
export function linear([low, high], [from, to]) {
  if (!(high > low)) { const around = Math.abs(low) * 0.05 || 0.5; low -= around; high += around; }
  const scale = (value) => from + ((value - low) / (high - low)) * (to - from);
  scale.invert = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
  scale.domain = [low, high];
  scale.ticks = (n) => {
    const rough = (high - low) / Math.max(1, n), power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough * 0.999);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(Math.min(12, decimals))));
  };
  scale.label = (value) => (Math.abs(value) >= 10_000 ? short(value) : number(value));
  return scale;
}

/** Return a logarithmic scale; values must be positive. */
export function log([low, high], [from, to]) {
  if (!(high > low)) { low /= 2; high *= 2; }
  const inner = linear([Math.log10(low), Math.log10(high)], [from, to]);
  const scale = (value) => inner(Math.log10(value));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  scale.domain = [low, high];
  scale.ticks = (n) => {
    const [a, b] = [Math.log10(low), Math.log10(high)];
    const powers = [];
    for (let power = Math.ceil(a - 1e-9); power <= b + 1e-9; power += Math.max(1, Math.ceil((b - a) / n))) powers.push(power);
    if (powers.length > 1) return powers.map((power) => Number(`1e${power}`));
    const fine = [];  // less than two decades: 1, 2, 5
    for (let power = Math.floor(a); power <= b; power += 1) for (const m of [1, 2, 5]) fine.push(Number(`${m}e${power}`));
    return fine.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  };
  scale.label = (value) => {
    if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(2)));
    return value >= 1000 && value < 1e9 ? short(value) : value.toExponential(0).replace("e+", "e");
  };
  return scale;
}

/** Return a scale of categories: each in the middle of its share. */
export function band(values, [from, to]) {
  const step = (to - from) / Math.max(1, values.length), index = new Map(values.map((value, i) => [value, i]));
  const scale = (value) => from + (index.get(value) + 0.5) * step;
  scale.invert = (pixel) => values[Math.min(values.length - 1, Math.max(0, Math.floor((pixel - from) / step)))];
  scale.domain = values;
  scale.step = Math.abs(step);
  scale.ticks = () => values;
  scale.label = String;
  return scale;
}

/** Draw the axis below a picture: hairline, ticks, labels, and what it shows. */
export function axisBelow(scale, { left, right, y, name, n = 6, label = scale.label }) {
  const ticks = scale.ticks(n);
  let end = -Infinity;  // of the label before: one that would touch it is left out
  const labelled = ticks.map((tick) => {
    const texts = [label(tick)].flat(), half = Math.max(...texts.map((text) => String(text).length)) * CHARACTER / 2;
    if (scale(tick) - half < end + 4) return null;
    end = scale(tick) + half;
    return texts;
  });
  return s("g", { class: "axis" },
    s("line", { x1: left, x2: right, y1: y, y2: y }),
    ticks.map((tick, i) => [
      s("line", { x1: scale(tick), x2: scale(tick), y1: y, y2: y + 4 }),
      labelled[i] && s("text", { x: scale(tick), y: y + 17, "text-anchor": "middle" }, labelled[i].map((text, i) => (i ? s("tspan", { x: scale(tick), dy: 14 }, text) : text))),
    ]),
    name && s("text", { x: right, y: y + 34, "text-anchor": "end", class: "name" }, name));
}

/** Draw the axis at the left: labels and light lines across; its name stands above, horizontally. */
export function axisLeft(scale, { left, right, name, top, n = 5, label = scale.label }) {
  return s("g", { class: "axis" },
    scale.ticks(n).map((tick) => [
      s("line", { class: "grid", x1: left, x2: right, y1: scale(tick), y2: scale(tick) }),
      s("text", { x: left - 8, y: scale(tick) + 4, "text-anchor": "end" }, label(tick)),
    ]),
    name && s("text", { x: 0, y: top - 12, class: "name" }, name));
}

/** Move labels apart that would lie over each other: each is {y}, ascending order is kept. */
export function spread(labels, gap, low, high) {
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i += 1) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + gap);
  const over = labels.length ? labels[labels.length - 1].y - high : 0;
  if (over > 0) {
    labels[labels.length - 1].y = high;
    for (let i = labels.length - 2; i >= 0; i -= 1) labels[i].y = Math.min(labels[i].y, labels[i + 1].y - gap);
  }
  return labels.filter((label) => label.y >= low - gap);
}

/** Return the path of points, [x, y] or null for a gap. */
export function path(points) {
  let text = "", down = false;
  for (const point of points) {
    if (point === null) { down = false; continue; }
    text += `${down ? "L" : "M"}${point[0].toFixed(1)},${point[1].toFixed(1)}`;
    down = true;
  }
  return text;
}

export const extent = (values) => {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (value !== null && value !== undefined) { if (value < low) low = value; if (value > high) high = value; }
  return [low, high];
};

export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
}
