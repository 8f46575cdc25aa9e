// Numbers, times and words as people read them. Accuracies are fractions in the data and per cent on the page.

const POINT_SPACE = "\u2008", FIGURE_SPACE = "\u2007";

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export const count = (value) => value.toLocaleString("en-US");

/** Return a share in per cent; a number keeps its unit beside it at the end of a line. */
export const percent = (value, digits = 1) => `${(value * 100).toFixed(digits)}\u00a0%`;

/** Return a number with three significant digits: 0.00292, 1.23e-5, 1,234, 1.2e7. */
export function number(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  if (size >= 1000) return count(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** Return what writes a column's numbers with three significant digits; all in powers of ten where one of them is small or large. */
export function figures(values) {
  const sizes = values.map(Math.abs).filter(Boolean);
  if (sizes.some((size) => size < 1e-3 || size >= 1e9)) return (value) => value.toExponential(2);
  if (values.every(Number.isInteger)) return count;
  return (value) => (Math.abs(value) >= 1000 ? count(Math.round(value)) : value.toPrecision(3));
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)}s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  const pad = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}h ${pad(minutes % 60)}m` : `${minutes}m ${pad(Math.floor(seconds % 60))}s`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (value >= 1024 && step < 4) { value /= 1024; step += 1; }
  return `${value < 10 && step ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

export const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

/** Return a count in few characters, for axes: 250k, 1.5M. */
export function short(value) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** Return the metric's name in words: val_accuracy is validation accuracy. */
export const metricName = (metric) => metric.replace("val_", "validation ").replace("train_", "training ").replaceAll("_", " ");

/** Return a score of the sweep with its unit. */
export const score = (sweep, value) => (value === null || value === undefined ? "–" : sweep.percent ? percent(value) : number(value));

/** Return a status as a word. */
export const words = (status) => status.replaceAll("_", " ");

/** Return what draws a cell's text for a kind of column. */
export function formatter(kind) {
  switch (kind) {
    case "fraction": return (value) => (value * 100).toFixed(1);
    case "number": return number;
    case "count": case "rung": return count;
    case "seconds": return duration;
    case "bytes": return bytes;
    case "time": return moment;
    case "status": return words;
    default: return String;
  }
}

export const isNumeric = (kind) => ["fraction", "number", "count", "rung", "seconds", "bytes", "time"].includes(kind);

/** Return what pads a column's number texts so that their decimal points stand below each other when aligned to the right. */
export function atThePoint(texts) {
  const tail = (text) => { const mark = text.search(/[.e]/); return mark < 0 ? 0 : text[mark] === "." ? text.length - mark : -1; };
  const longest = Math.max(0, ...texts.map(tail));
  return (text) => {
    const own = tail(text);
    if (own < 0 || longest === 0 || own === longest) return text;
    return text + (own === 0 ? POINT_SPACE + FIGURE_SPACE.repeat(longest - 1) : FIGURE_SPACE.repeat(longest - own));
  };
}

/** Return a text in so many characters; what is left out is in its middle, as names differ at their ends. */
export const clipped = (text, most) => (text.length <= most ? text : `${text.slice(0, Math.ceil((most - 1) / 2))}…${text.slice(text.length - Math.floor((most - 1) / 2))}`);

/** Return name -> what is written where names may have so many characters: what all of them share gives way first. */
export function shortNames(names, most) {
  if (names.every((name) => name.length <= most) || names.length < 2) return new Map(names.map((name) => [name, clipped(name, most)]));
  const joints = names.map((name) => name.split(/(?<=[-_ /.,])/));
  const shared = (lists) => { let n = 0; while (lists.every((list) => n < list.length - 1 && list[n] === lists[0][n])) n += 1; return n; };
  const front = shared(joints), back = shared(joints.map((list) => list.slice(front).toReversed()));
  return new Map(names.map((name, i) => {
    const middle = joints[i].slice(front, joints[i].length - back).join("");
    return [name, clipped(`${front ? "…" : ""}${back ? middle.replace(/[-_ /.,]$/, "") : middle}${back ? "…" : ""}`, most)];
  }));
}
