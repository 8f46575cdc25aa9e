// All parameters at once: one line a trial from its values to its score. Dragging along an axis filters the table, and so every picture.

import { add, s } from "../dom.js";
import { plural, shortNames } from "../format.js";
import { extent, linear, path, quantile } from "../scale.js";
import { quoted } from "../query.js";
import { ordered, valueScale } from "./parameters.js";

const MOST = 9;  // axes besides the score's
const REACH = 8, LONGEST = 16;  // pixels between pointer and line; characters of a label

export const parallel = {
  id: "parallel",
  colours: true,
  least: 620,
  height: () => 380,
  table: null,  // set by app.js: what the filter is told to

  message(data) {
    const varied = ordered(data), ranked = data.trials.values.rank.filter((rank) => rank !== null).length;
    if (!varied.length || !ranked) return { title: "Nothing to compare yet", empty: varied.length ? "No trial has a rank." : "All trials so far have the same values." };
    const top = Math.max(1, Math.round(ranked / 10));
    const common = agreed(data, varied, top);
    return {
      title: ranked >= 20 && common ? `The best ${top} of ${ranked} have ${common}` : `How ${plural(ranked, "ranked trial")} combine ${plural(varied.length, "parameter")}`,
      subtitle: `One line a ranked trial, the brighter the higher it stands; the last axis is its score at its rung. Drag along an axis to filter, click its name to let all through again. An inactive parameter interrupts the line.${varied.length > MOST ? ` The ${MOST} most important of ${varied.length}.` : ""}`,
    };
  },

  rows(data) {
    const varied = ordered(data), { values } = data.trials;
    return [["trial", "rank", "score", ...varied.map((parameter) => parameter.path)], ...values.trial.map((id, i) => [id, values.rank[i], values.score[i], ...varied.map((parameter) => values[`config.${parameter.path}`][i])])];
  },

  draw({ layer, width, height }, store) {
    const { data } = store, { sweep, trials: { values } } = data, shown = ordered(data).slice(0, MOST), factor = sweep.percent ? 100 : 1;
    const area = { left: 34, right: width - 54, top: 44, bottom: height - 20 };
    const ranked = values.trial.map((_, place) => place).filter((place) => values.rank[place] !== null && !values.hidden[place]);
    const scores = ranked.map((place) => values.score[place]), [least, most] = extent(scores);
    const scoreRange = sweep.mode === "max" ? [quantile(scores, 0.05) * factor, most * factor] : [least * factor, quantile(scores, 0.95) * factor];
    const axes = [
      ...shown.map((parameter) => ({ label: parameter.label, parameter, scale: valueScale(parameter, values[`config.${parameter.path}`], [area.bottom, area.top]), value: (place) => values[`config.${parameter.path}`][place] })),
      { label: `score${sweep.percent ? " %" : ""}`, name: "score", scale: linear(scoreRange, [area.bottom, area.top]), value: (place) => Math.max(scoreRange[0], Math.min(scoreRange[1], values.score[place] * factor)) },
    ];
    area.left = Math.max(34, ...axes[0].scale.ticks(6).map((tick) => 14 + 6.8 * written(axes[0].scale)(tick).length));
    axes.forEach((axis, i) => { axis.x = area.left + (i / (axes.length - 1)) * (area.right - area.left); });
    const points = (place) => axes.map((axis) => { const value = axis.value(place); return value === null ? null : [axis.x, axis.scale(value) + (axis.scale.step ? jitter(place) * axis.scale.step * 0.3 : 0)]; });
    const lines = s("g"), drawn = ranked.filter((place) => store.isShown(place));
    for (const place of drawn.toReversed()) {
      const winner = place === store.winner;
      add(lines, s("path", { class: "line", d: path(points(place)), stroke: store.colour(place), "stroke-width": winner ? 2.6 : 1.2, "stroke-opacity": winner ? 1 : Math.max(0.25, Math.min(0.75, 40 / drawn.length)) }));
    }
    add(layer, lines);
    axes.forEach((axis, i) => add(layer, this.axis(axis, i === axes.length - 1, area)));
    return {
      nearest: (px, py) => {
        const i = Math.max(0, axes.findLastIndex((axis) => axis.x <= px)), j = Math.min(axes.length - 1, i + 1);
        let best = null, reach = REACH;
        for (const place of drawn) {
          const line = points(place), [a, b] = [line[i], line[j]];
          if (!a || !b) continue;
          const share = j === i ? 0 : (px - a[0]) / (b[0] - a[0]), distance = Math.abs(a[1] + share * (b[1] - a[1]) - py);
          if (distance < reach) { reach = distance; best = place; }
        }
        return best;
      },
      highlight: (over) => {
        lines.classList.toggle("dimmed", store.selected.length > 0);
        for (const place of store.highlighted().filter((each) => values.rank[each] !== null)) add(over, s("path", { class: "line halo", d: path(points(place)) }), s("path", { class: "line", d: path(points(place)), stroke: store.colour(place), "stroke-width": 2.4 }));
      },
    };
  },

  axis(axis, last, area) {
    const { table } = this, name = axis.name ?? axis.label;
    const label = written(axis.scale);
    const side = last ? 1 : -1;
    const group = s("g", { class: "axis upright" },
      s("line", { x1: axis.x, x2: axis.x, y1: area.top, y2: area.bottom }),
      axis.scale.ticks(6).map((tick) => [s("line", { x1: axis.x, x2: axis.x + 4 * side, y1: axis.scale(tick), y2: axis.scale(tick) }), s("text", { class: "halo-text", x: axis.x + 7 * side, y: axis.scale(tick) + 4, "text-anchor": last ? "start" : "end" }, label(tick))]));
    const title = s("text", { class: "strong clear", x: last ? area.right + 46 : Math.max(axis.x, 2 + axis.label.length * 3.4), y: 16, "text-anchor": last ? "end" : "middle" }, axis.label);
    title.addEventListener("click", (event) => { event.stopPropagation(); table.restrict(name, []); });
    const mark = s("rect", { class: "brush", x: axis.x - 8, width: 16, y: 0, height: 0 });
    const handle = s("rect", { class: "handle", x: axis.x - 14, width: 28, y: area.top, height: area.bottom - area.top });
    let from = null;
    const at = (event) => Math.min(area.bottom, Math.max(area.top, event.clientY - handle.ownerSVGElement.getBoundingClientRect().top));
    handle.addEventListener("pointerdown", (event) => { from = at(event); handle.setPointerCapture(event.pointerId); event.preventDefault(); });
    handle.addEventListener("pointermove", (event) => {
      if (from === null) return;
      event.stopPropagation();
      const to = at(event);
      mark.setAttribute("y", Math.min(from, to));
      mark.setAttribute("height", Math.abs(to - from));
    });
    handle.addEventListener("pointerup", (event) => {
      const to = at(event), start = from;
      from = null;
      if (Math.abs(to - start) < 4) return;
      handle.addEventListener("click", (click) => click.stopPropagation(), { once: true });
      table.restrict(name, comparisons(axis, start, to));
    });
    add(group, mark, handle, title);
    return group;
  },
};

/** Return what a drag along an axis says in the language of the filter. */
function comparisons(axis, start, end) {
  const [low, high] = [axis.scale.invert(Math.max(start, end)), axis.scale.invert(Math.min(start, end))];
  if (!axis.scale.step) return [`>=${Number(low.toPrecision(3))}`, `<=${Number(high.toPrecision(3))}`];
  if (axis.parameter.number) return [`>=${Math.min(low, high)}`, `<=${Math.max(low, high)}`];
  return [`=${quoted(low)}`];
}

/** Return the choices that all of the best trials share, in words; empty where there are none that others lack. */
function agreed({ trials: { values } }, varied, top) {
  const found = [];
  for (const { path: name, label, number } of varied) {
    if (number) continue;
    const column = values[`config.${name}`], best = new Set(column.slice(0, top));
    if (best.size === 1 && !best.has(null)) found.push(`${label} ${[...best][0]}`);
  }
  return found.slice(0, 3).join(", ");
}

const jitter = (place) => ((place * 0.618034) % 1) - 0.5;

/** Return what writes an axis's values. */
function written(scale) {
  if (!scale.step) return scale.label;
  const texts = shortNames(scale.domain.map(scale.label), LONGEST);
  return (value) => texts.get(scale.label(value));
}
