// Which parameter decided: how much worse a trial's standing is predicted without each.

import { add, s } from "../dom.js";
import { clipped, count, percent } from "../format.js";
import { linear } from "../scale.js";

const ROW = 30, TOP = 10;  // pixels; parameters drawn

export const importance = {
  id: "importance",
  height: (width, { pictures: { importance: found } }) => Math.min(TOP, found.rows.parameter.length) * ROW + 52,

  message({ parameters, pictures: { importance: found } }) {
    const { rows } = found;
    if (!rows.parameter.length) return { title: "Which parameter decided cannot be said", empty: `${found.remark[0].toUpperCase()}${found.remark.slice(1)}.` };
    const names = labels(parameters), [first, second] = rows.parameter.map((path) => names.get(path));
    const sure = rows.low.filter((low) => low > 0).length, apart = rows.low[0] > rows.high[1];
    return {
      title: !sure ? "No single parameter decided" : sure === 1 && !apart && second ? `${first} mattered, nothing else surely` : apart || sure === 1 ? `${first} decided most` : `${first} and ${second} decided most`,
      subtitle: `Share of the variance of standings that is no longer predicted when a parameter's values are exchanged; bars: 95 % interval. From ${count(found.n)}${found.of > found.n ? ` of ${count(found.of)} trials, drawn at random,` : " trials"} forests predict ${percent(found.explained, 0)} of it on trials they have not seen; it is what goes together, not what causes.`,
    };
  },

  rows({ pictures: { importance: { rows } } }) {
    return [["parameter", "importance", "low", "high"], ...rows.parameter.map((path, i) => [path, rows.importance[i], rows.low[i], rows.high[i]])];
  },

  draw({ layer, width }, store) {
    const { parameters, pictures: { importance: { rows } } } = store.data, names = labels(parameters), n = Math.min(TOP, rows.parameter.length);
    const left = Math.min(width * 0.42, 24 + 7.2 * Math.max(...rows.parameter.slice(0, n).map((path) => names.get(path).length)));
    const bottom = n * ROW + 6;
    const x = linear([Math.min(0, ...rows.low), Math.max(...rows.high)], [left, width - 14]);
    add(layer, x.ticks(4).map((tick) => [s("line", { class: tick === 0 ? "zero" : "grid-line", x1: x(tick), x2: x(tick), y1: 0, y2: bottom }), s("text", { x: x(tick), y: bottom + 16, "text-anchor": "middle", class: "label" }, percent(tick, 0))]),
      s("text", { x: width - 14, y: bottom + 34, "text-anchor": "end", class: "label" }, "importance, more decides more"));
    rows.parameter.slice(0, n).forEach((path, i) => {
      const y = i * ROW + ROW / 2, sure = rows.low[i] > 0;
      add(layer,
        s("text", { x: left - 12, y: y + 4, "text-anchor": "end", class: sure ? "strong" : "label" }, clipped(names.get(path), Math.floor(left / 7.2))),
        s("line", { x1: x(rows.low[i]), x2: x(rows.high[i]), y1: y, y2: y, stroke: sure ? "var(--accent)" : "var(--mute)", "stroke-width": 3 }),
        s("circle", { cx: x(rows.importance[i]), cy: y, r: 5, fill: sure ? "var(--accent)" : "var(--surface)", stroke: sure ? "var(--surface)" : "var(--faint)", "stroke-width": 1.5 }),
      );
    });
    return {};
  },
};

const labels = (parameters) => new Map(parameters.map((parameter) => [parameter.path, parameter.label]));
