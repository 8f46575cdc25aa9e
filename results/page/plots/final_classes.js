// How many images of each class are found: a dot with its 95 % interval, the hardest class first.

import { toggle } from "../chart.js";
import { add, s } from "../dom.js";
import { clipped, count, percent } from "../format.js";
import { axisBelow, linear } from "../scale.js";

const ROW = 24, MOST = 20;

export const classes = {
  id: "final-classes",
  height: (width, { final }, options) => shown(final, options).length * ROW + 44,

  message({ final }) {
    const told = final.classes;
    if (!told) return { title: "", absent: true, empty: "No figures by class." };
    const order = sorted(told), hardest = order[0], n = told.class.length;
    const apart = told.stands_out.some(Boolean);
    return {
      title: apart ? `${told.class[hardest]} is the hardest: ${percent(told.accuracy[hardest])} of ${count(told.examples[hardest])} are found` : `No class stands out: chance alone may have ordered them`,
      subtitle: `Share of each class's test images that are found, with its 95 % interval, the hardest first; dotted: all classes together.${apart ? " Blue: further from that than chance would have it, all classes considered." : ""}${n > MOST ? ` The first ${MOST} of ${n}.` : ""}`,
    };
  },

  rows({ final: { classes: told } }) {
    const names = ["class", "examples", "accuracy", "accuracy_low", "accuracy_high", "precision"];
    return [names, ...told.class.map((_, i) => names.map((name) => told[name][i]))];
  },

  controls(options, redraw, { final }) {
    return final.classes.class.length > MOST ? [toggle("all classes", options, "all", redraw)] : [];
  },

  draw({ layer, width, options }, { data: { final } }) {
    const told = final.classes, order = shown(final, options), bottom = order.length * ROW + 6;
    const left = Math.min(width * 0.4, 20 + 7.2 * Math.max(...order.map((i) => told.class[i].length)));
    const right = width - 58, low = Math.min(...told.accuracy_low.filter((value) => value !== null));
    const x = linear([Math.floor(low * 20) * 5, 100], [left, right]), at = (value) => x(value * 100);
    add(layer, axisBelow(x, { left, right, y: bottom, n: (right - left) / 70, name: "found, %, higher is better" }),
      x.ticks((right - left) / 70).map((tick) => s("line", { class: "grid-line", x1: x(tick), x2: x(tick), y1: 0, y2: bottom })),
      s("line", { class: "rung", x1: at(final.test_accuracy), x2: at(final.test_accuracy), y1: 0, y2: bottom }));
    order.forEach((i, row) => {
      const y = row * ROW + ROW / 2, apart = told.stands_out[i], colour = apart ? "var(--accent)" : "var(--steel)";
      add(layer, s("text", { x: left - 12, y: y + 4, "text-anchor": "end", class: apart ? "strong" : null }, clipped(told.class[i], Math.floor(left / 7))));
      if (told.accuracy[i] === null) return;
      add(layer,
        s("line", { x1: at(told.accuracy_low[i]), x2: at(told.accuracy_high[i]), y1: y, y2: y, stroke: colour, "stroke-width": 7, "stroke-opacity": 0.35 }),
        s("circle", { cx: at(told.accuracy[i]), cy: y, r: 4.5, fill: colour, stroke: "var(--surface)", "stroke-width": 1.5 }),
        s("text", { x: width, y: y + 4, "text-anchor": "end", class: "label" }, percent(told.accuracy[i])));
    });
    return {};
  },
};

/** Return the classes by their place, the hardest first; one without an image last. */
const sorted = ({ accuracy }) => accuracy.map((_, i) => i).sort((a, b) => (accuracy[a] ?? 2) - (accuracy[b] ?? 2) || a - b);

const shown = (final, options) => (final?.classes ? (options?.all ? sorted(final.classes) : sorted(final.classes).slice(0, MOST)) : []);
