// What is taken for what: a row for what images are, a column for what they are taken for; mistakes the darker the more.

import { add, s } from "../dom.js";
import { clipped, count, plural } from "../format.js";

const CELL = 34, FIGURES = 20;  // below this many pixels, or above this many classes, cells have no figures
const MOST_LABELS = 40, LIST = 10, LINE = 26;
const RULE = "Rows: what the test images are; columns: what they are taken for; the diagonal is right.";
const FEW = 5;  // as few mistakes as this are never drawn as strongly as many
const STRONGEST = 55;  // per cent of the colour: figures are read on it, light and dark

export const confusion = {
  id: "final-confusion",
  height: (width, { final }) => {
    if (!final?.confusion) return 0;
    if (!final.confusion.matrix) return Math.min(LIST, final.confusion.pairs.length) * LINE + 8;
    const { top, cell, n } = plan(width, final);
    return top + n * cell + 8;
  },

  message({ final }) {
    const told = final.confusion;
    if (!told) return { title: "", absent: true, empty: "No confusions." };
    const names = final.classes.class, first = told.pairs[0];
    if (!first) return { title: "Every test image is classified right", subtitle: RULE };
    const [is, as, n] = first;
    if (n === 1) return { title: `${plural(told.wrong, "mistake")} on ${count(final.test_examples)} test images, no two of them alike`, subtitle: RULE };
    return {
      title: `The commonest mistake: ${names[is]} taken for ${names[as]}, ${n} of ${count(final.classes.examples[is])} times`,
      subtitle: told.matrix ? `${RULE} ${plural(told.wrong, "mistake")}, the stronger coloured the more.` : `The commonest of ${plural(told.wrong, "mistake")} on test images.`,
    };
  },

  rows({ final: { confusion: told, classes: { class: names } } }) {
    if (told.matrix) return [["true", ...names], ...told.matrix.map((row, i) => [names[i], ...row])];
    return [["true", "predicted", "images"], ...told.pairs.map(([is, as, n]) => [names[is], names[as], n])];
  },

  draw({ layer, width }, { data: { final } }) {
    const { matrix, pairs } = final.confusion, names = final.classes.class;
    if (!matrix) {
      const most = pairs[0][2];
      pairs.slice(0, LIST).forEach(([is, as, n], i) => add(layer,
        s("rect", { x: 0, y: i * LINE + 2, width: Math.max(2, (n / most) * 64), height: LINE - 8, fill: tint(1) }),
        s("text", { x: 74, y: i * LINE + 16, class: "strong" }, count(n)), s("text", { x: 112, y: i * LINE + 16 }, clipped(`${names[is]} → ${names[as]}`, Math.floor((width - 112) / 7.2)))));
      return {};
    }
    const { left, top, cell, n } = plan(width, final), most = Math.max(FEW, pairs[0]?.[2] ?? 0), figures = cell >= FIGURES && n <= FIGURES;
    const across = 8 * Math.max(...names.map((name) => name.length)) < cell;  // names of columns lie as they are read
    const step = Math.ceil(n / Math.min(MOST_LABELS, (n * cell) / 13)), size = cell >= 28 ? 13 : 11, longest = Math.floor((left - 14) / 7);
    for (let i = 0; i < n; i += step) {
      const middle = (i + 0.5) * cell, name = clipped(names[i], longest);
      add(layer, s("text", { x: left - 8, y: top + middle + 4, "text-anchor": "end", class: "label", "font-size": Math.min(13, Math.max(9, cell)) }, name),
        s("text", { transform: across ? `translate(${left + middle},${top - 8})` : `translate(${left + middle + 4},${top - 8}) rotate(-50)`, "text-anchor": across ? "middle" : "start", class: "label", "font-size": Math.min(13, Math.max(9, cell)) }, name));
    }
    matrix.forEach((row, i) => row.forEach((images, j) => {
      if (!images && !figures && i !== j) return;
      const x = left + j * cell, y = top + i * cell;
      add(layer,
        (images > 0 || i === j) && s("rect", { x, y, width: cell, height: cell, fill: i === j ? "var(--raised)" : tint(Math.sqrt(images / most)) }, s("title", {}, `${names[i]} taken for ${names[j]}: ${count(images)}`)),
        figures && images > 0 && s("text", { x: x + cell / 2, y: y + cell / 2 + size * 0.36, "text-anchor": "middle", class: i === j ? "strong" : null, "font-size": String(images).length > 3 ? size - 2 : size, "pointer-events": "none" }, images));
    }));
    for (const edge of [0, n]) add(layer, s("line", { class: "grid-line", x1: left, x2: left + n * cell, y1: top + edge * cell, y2: top + edge * cell }), s("line", { class: "grid-line", x1: left + edge * cell, x2: left + edge * cell, y1: top, y2: top + n * cell }));
    return {};
  },
};

/** Return a mistake's colour, 0 none to 1 the commonest. */
const tint = (share) => `color-mix(in srgb, var(--bad) ${Math.round(8 + share * (STRONGEST - 8))}%, var(--surface))`;

/** Return where the matrix lies: room for names, side of a cell. */
function plan(width, final) {
  const names = final.classes.class, n = names.length, longest = Math.max(...names.map((name) => name.length));
  const left = Math.min(110, 18 + 7.2 * longest, width * 0.3), cell = Math.min(CELL, (width - left - 24) / n);
  const top = 8 * longest < cell ? 24 : Math.min(84, 22 + 5.6 * longest);
  return { left, top, cell, n };
}
