// Score against what it costs: which trials nothing beats in both.

import { choice, nearestOf } from "../chart.js";
import { add, s } from "../dom.js";
import { bytes, duration, metricName, plural, score, short } from "../format.js";
import { axisBelow, axisLeft, extent, linear, log, path, quantile } from "../scale.js";

const COSTS = { parameters: ["parameters", short], flops_per_image: ["FLOPs of an image", short], device_s: ["device time", duration], peak_memory_bytes: ["memory", bytes] };

export const pareto = {
  id: "pareto",
  colours: true,
  height: () => 330,

  message({ trials, pictures }) {
    const costs = usable(trials.values);
    if (!costs.length) return { title: "Nothing to weigh a score against yet", empty: "No ranked trial whose cost is known." };
    const front = pictures.pareto[costs[0]];
    const cheapest = front.toSorted((a, b) => trials.values[costs[0]][a] - trials.values[costs[0]][b])[0];
    return {
      title: front.length === 1 ? `${trials.values.trial[front[0]]} is the best and the ${costs[0] === "parameters" ? "smallest" : "cheapest"}` : `${plural(front.length, "trial")} that nothing beats, from ${COSTS[costs[0]][1](trials.values[costs[0]][cheapest])} ${COSTS[costs[0]][0]} on`,
      subtitle: "Ranked trials, score at their rung; brighter stands higher, hollow did not come as far as the first ones. Line: nothing beats these in both.",
    };
  },

  rows({ trials, pictures }) {
    const costs = usable(trials.values), fronts = costs.map((cost) => new Set(pictures.pareto[cost]));
    return [["trial", "score", "rung_epochs", ...costs, ...costs.map((cost) => `undominated_by_${cost}`)], ...trials.values.trial.flatMap((id, i) => (trials.values.rank[i] === null ? [] : [[id, trials.values.score[i], trials.values.rung_epochs[i], ...costs.map((cost) => trials.values[cost][i]), ...fronts.map((front) => front.has(i))]]))];
  },

  controls(options, redraw, { trials }) {
    const costs = usable(trials.values);
    if (!costs.includes(options.cost)) [options.cost] = costs;
    return costs.length > 1 ? [choice("against", costs.map((cost) => [cost, COSTS[cost][0]]), options, "cost", redraw)] : [];
  },

  draw({ layer, width, height, options }, store) {
    const { sweep, trials: { values }, pictures } = store.data, cost = options.cost ?? usable(values)[0], factor = sweep.percent ? 100 : 1;
    const all = values.trial.map((_, place) => place).filter((place) => values.rank[place] !== null && values[cost][place] > 0 && !values.hidden[place]);
    const area = { left: 52, right: width - 20, top: 32, bottom: height - 46 };
    const [low, high] = extent(all.map((place) => values[cost][place]));
    const logarithmic = high / low > 8;
    const x = (logarithmic ? log : linear)(logarithmic ? [low / 1.15, high * 1.15] : [low - (high - low) * 0.05, high + (high - low) * 0.05], [area.left + 4, area.right - 4]);
    const scores = all.map((place) => values.score[place]), [worst, top] = [sweep.mode === "max" ? quantile(scores, 0.02) : extent(scores)[0], sweep.mode === "max" ? extent(scores)[1] : quantile(scores, 0.98)];
    const y = linear([(worst - (top - worst) * 0.05) * factor, (top + (top - worst) * 0.06) * factor], [area.bottom, area.top]);
    const at = (place) => [x(values[cost][place]), Math.min(area.bottom, Math.max(area.top - 8, y(values.score[place] * factor))), place];
    const points = all.filter((place) => store.isShown(place)).map(at);
    const front = pictures.pareto[cost].filter((place) => !values.hidden[place]).map(at).toSorted((a, b) => a[0] - b[0]);
    const steps = [];
    front.forEach(([px, py], i) => { if (i) steps.push([px, steps.at(-1)[1]]); steps.push([px, py]); });
    if (steps.length) steps.push([area.right, steps.at(-1)[1]]);
    add(layer,
      axisLeft(y, { ...area, name: `${metricName(sweep.metric)}${sweep.percent ? ", %" : ""}, ${sweep.mode === "max" ? "higher" : "lower"} is better` }),
      axisBelow(x, { ...area, y: area.bottom, n: width / 120, label: COSTS[cost][1], name: `${COSTS[cost][0]}, less is better` }),
      s("path", { class: "line accent thin", d: path(steps) }),
      points.toReversed().map(([px, py, place]) => { const whole = store.survives(place); return s("circle", { cx: px, cy: py, r: place === store.winner ? 5 : whole ? 4 : 3, fill: whole ? store.colour(place) : "var(--surface)", stroke: whole ? "var(--surface)" : store.colour(place), "stroke-width": whole ? 1 : 1.2 }); }),
    );
    return {
      nearest: (px, py) => nearestOf(points, px, py),
      highlight: (over) => add(over, ...store.highlighted().filter((place) => all.includes(place)).map((place) => {
        const [px, py] = at(place), end = px > area.right - 60;
        return s("g", {}, s("circle", { cx: px, cy: py, r: 6, fill: store.colour(place), stroke: "var(--surface)", "stroke-width": 1.5 }), s("text", { x: end ? px - 9 : px + 9, y: py - 7, "text-anchor": end ? "end" : "start", class: "label strong halo-text" }, values.trial[place]));
      })),
    };
  },
};

/** Return the costs that differ between ranked trials; parameters first, even where they do not. */
const usable = (values) => Object.keys(COSTS).filter((cost) => {
  const [low, high] = extent((values[cost] ?? []).filter((value, i) => values.rank[i] !== null && value > 0));
  return high > low || (cost === "parameters" && high > 0);
});
