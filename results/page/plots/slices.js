// Each parameter by itself: where trials stand along it.

import { choice, nearestOf } from "../chart.js";
import { add, s } from "../dom.js";
import { clipped, metricName, plural } from "../format.js";
import { axisBelow, axisLeft, extent, linear, quantile } from "../scale.js";
import { ordered, valueScale } from "./parameters.js";

const GAP = 36, LEAST = 250, PANEL = 232;

const columnsOf = (width) => Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));

export const slices = {
  id: "slices",
  colours: true,
  height: (width, data) => Math.ceil(Math.max(1, ordered(data).length) / columnsOf(width)) * PANEL,

  message(data) {
    const varied = ordered(data);
    if (!varied.length) return { title: "No parameter differs", empty: "All trials so far have the same values." };
    if (data.pictures.standing.every((place) => place === null)) return { title: "No place in the leaderboard yet", empty: "Trials appear here once they have one, or have diverged." };
    const { effects } = data.pictures, first = varied[0];
    const bins = effects.parameter.map((path, i) => i).filter((i) => effects.parameter[i] === first.path && effects.low[i] !== null);
    const best = bins.toSorted((a, b) => effects.standing[b] - effects.standing[a])[0];
    const clear = best !== undefined && bins.some((i) => effects.high[i] < effects.low[best]);
    return {
      title: clear ? `Trials with ${first.label} ${effects.value[best]} stand highest` : plural(varied.length, "parameter") + " one by one: none is clearly better at one end",
      subtitle: "One dot a trial, the most telling parameter first. Place: 1 is the first of the leaderboard, 0 the last, so that trials of different length compare; crosses diverged; bars: mean of a bin with its 95 % interval.",
    };
  },

  rows({ pictures: { effects } }) {
    const names = Object.keys(effects);
    return [names, ...effects.parameter.map((_, i) => names.map((name) => effects[name][i]))];
  },

  controls(options, redraw, { sweep }) {
    options.by ??= "place";
    return [choice("show", [["place", "place in the leaderboard"], ["score", `${metricName(sweep.metric)} at the rung`]], options, "by", redraw)];
  },

  draw({ layer, width, options }, store) {
    const { data } = store, { sweep, trials: { values }, pictures: { standing, effects } } = data;
    const n = columnsOf(width), own = (width - GAP * (n - 1)) / n, points = [], factor = sweep.percent ? 100 : 1;
    const byScore = options.by === "score";
    const scores = values.score.filter((value) => value !== null);
    const [low, high] = !byScore ? [0, 1] : sweep.mode === "max" ? [quantile(scores, 0.05) * factor, extent(scores)[1] * factor] : [extent(scores)[0] * factor, quantile(scores, 0.95) * factor];
    ordered(data).forEach((parameter, index) => {
      const left = (index % n) * (own + GAP), top = Math.floor(index / n) * PANEL;
      const area = { left: left + 40, right: left + own - 6, top: top + 34, bottom: top + PANEL - 58 };
      const column = values[`config.${parameter.path}`];
      const x = valueScale(parameter, column, [area.left + 8, area.right - 8]), y = linear([low, high], [area.bottom, area.top]);
      const height = (place) => (byScore ? (values.score[place] === null ? null : y(Math.max(low, Math.min(high, values.score[place] * factor)))) : standing[place] === null ? null : y(standing[place]));
      const group = s("g", { transform: "translate(0,0)" });
      add(group,
        s("text", { x: left, y: top + 14, class: "strong" }, parameter.label),
        axisLeft(y, { ...area, n: 4, top: area.top }),
        axisBelow(x, { ...area, y: area.bottom, n: Math.max(3, own / 70), label: shortened(x, parameter) }),
      );
      if (!byScore) {
        effects.parameter.forEach((path, i) => {
          if (path !== parameter.path) return;
          const [from, to] = effects.low_value[i] === null ? around(x, parameter, effects.value[i]) : [x(effects.low_value[i]), x(effects.high_value[i])];
          if (from === null) return;
          if (effects.low[i] !== null) add(group, s("rect", { x: from, width: Math.max(2, to - from), y: y(effects.high[i]), height: Math.max(1, y(effects.low[i]) - y(effects.high[i])), class: "interval" }));
          add(group, s("line", { x1: from, x2: Math.max(to, from + 2), y1: y(effects.standing[i]), y2: y(effects.standing[i]), class: "mean" }));
        });
      }
      values.trial.forEach((_, place) => {
        const value = column[place], py = value === null || !store.isShown(place) || values.hidden[place] ? null : values.status[place] === "diverged" ? area.bottom : height(place);
        if (py === null) return;
        const px = x(value) + (parameter.number && !x.step ? 0 : jitter(place) * Math.min(60, (x.step ?? 40) * 0.55));
        points.push([px, py, place]);
        add(group, values.status[place] === "diverged" ? s("path", { d: `M${px - 2.5},${py - 2.5}l5,5m0,-5l-5,5`, stroke: "var(--bad)", "stroke-width": 1.1 })
          : s("circle", { cx: px, cy: py, r: place === store.winner ? 4.5 : 2.8, fill: store.survives(place) ? store.colour(place) : "var(--surface)", stroke: store.survives(place) ? "var(--surface)" : store.colour(place), "stroke-width": store.survives(place) ? 0.8 : 1.1 }));
      });
      add(layer, group);
    });
    return {
      nearest: (px, py) => nearestOf(points, px, py, 12),
      highlight: (over) => {
        const places = new Map(store.highlighted().map((place) => [place, store.colour(place)]));
        add(over, ...points.filter((point) => places.has(point[2])).map(([px, py, place]) => s("circle", { cx: px, cy: py, r: 5, fill: places.get(place), stroke: "var(--surface)", "stroke-width": 1.4 })));
      },
    };
  },
};

/** Return a shift in -0.5..0.5 that stays the same for a trial. */
const jitter = (place) => ((place * 0.618034) % 1) - 0.5;

function around(x, parameter, value) {
  const key = parameter.number ? Number(value) : value;
  if (!parameter.number && !x.domain.includes(key)) return [null, null];
  const half = (x.step ?? 24) * 0.36;
  return [x(key) - half, x(key) + half];
}

const shortened = (x, parameter) => (parameter.number ? x.label : (value) => wrapped(value, Math.max(4, Math.floor(x.step / 6.4))));

/** Return a name in up to three lines, broken behind its joints. */
function wrapped(text, most) {
  const lines = [""];
  for (const piece of text.split(/(?<=[-_ /.,])/)) {
    if (lines.at(-1) && (lines.at(-1) + piece).length > most && lines.length < 3) lines.push(piece);
    else lines[lines.length - 1] += piece;
  }
  return lines.map((line) => clipped(line, most + 1));
}
