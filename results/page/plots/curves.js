// Every learning curve: discarded ones grey and thin, survivors in the colour of their standing, the winner in the accent colour.

import { choice, toggle } from "../chart.js";
import { add, s } from "../dom.js";
import { count, metricName, percent, plural } from "../format.js";
import { axisBelow, axisLeft, extent, linear, log, path, quantile, spread } from "../scale.js";

const CHUNK = 60;  // grey curves in one path: few elements, and none so long that it draws slowly
const REACH = 16;  // pixels between pointer and curve

let clips = 0;

export const curves = {
  id: "curves",
  colours: true,
  height: (width) => (width < 600 ? 320 : 420),

  message({ sweep, curves: told, trials, pictures }) {
    const trained = (told[sweep.metric] ?? []).filter((curve) => curve.length).length;
    if (!trained) return { title: "No epoch yet", empty: "Curves appear with the first epoch that a trial reports." };
    const farthest = Math.max(0, ...trials.values.rung_epochs), first = trials.values.rung_epochs.filter((rung) => rung === farthest && rung > 0).length;
    const overtaken = trained > 1 && pictures.progress.trial.length ? behindAt(sweep, told, trials) : null;
    const title = overtaken !== null && overtaken.ahead > 0 ? `At epoch ${overtaken.rung}, ${plural(overtaken.ahead, "trial")} stood before the winner` : overtaken !== null ? `The winner led from epoch ${overtaken.rung} on` : `${plural(trained, "trial")} trained${sweep.state === "finished" ? "" : " so far"}`;
    return { title, subtitle: `One line a trial, ${count(trained)} in all. ${first && first < trained ? `Grey: behind or dropped; coloured: ${count(first)} ${farthest >= sweep.max_epochs ? "trained in full" : `at the highest rung so far, ${plural(farthest, "epoch")}`}, the brighter the better. ` : ""}${sweep.ladder.length ? "Dotted: rungs, at which the scheduler compares." : ""}` };
  },

  rows({ sweep, curves: told, trials }) {
    const metrics = Object.keys(told).filter((name) => name !== "scale");
    const rows = [["trial", "epoch", ...metrics]];
    trials.values.trial.forEach((id, place) => (told[sweep.metric] ?? told[metrics[0]])[place].forEach((_, i) => rows.push([id, i + 1, ...metrics.map((metric) => (told[metric][place][i] ?? null) === null ? null : told[metric][place][i] / told.scale)])));
    return rows;
  },

  controls(options, redraw, { sweep, curves: told }) {
    options.metric ??= sweep.metric;
    const metrics = Object.keys(told).filter((name) => name !== "scale").map((name) => [name, metricName(name)]);
    return [metrics.length > 1 && choice("show", metrics, options, "metric", redraw), toggle("log epochs", options, "log", redraw), toggle("whole range", options, "whole", redraw)];
  },

  draw({ layer, width, height, options }, store) {
    const { sweep, curves: told, trials } = store.data, metric = options.metric ?? sweep.metric;
    const all = told[metric], fraction = metric.endsWith("accuracy"), factor = (fraction ? 100 : 1) / told.scale;
    const up = fraction, area = { left: 52, right: width - (width < 600 ? 58 : 78), top: 32, bottom: height - 46 };
    const finite = all.flat().filter((value) => value !== null);
    const [low, high] = range(finite, up, options.whole);
    const margin = (high - low) * 0.03;
    const y = linear([(low - margin) * factor, (high + margin) * factor], [area.bottom, area.top]);
    const longest = Math.max(sweep.max_epochs, ...all.map((curve) => curve.length));
    const x = (options.log ? log : linear)([1, Math.max(2, longest)], [area.left, area.right]);
    const clip = `clip-${(clips += 1)}`;
    const lines = s("g", { "clip-path": `url(#${clip})` });
    const cut = finite.filter((value) => value < low || value > high).length / Math.max(1, finite.length);
    add(layer,
      s("clipPath", { id: clip }, s("rect", { x: area.left - 2, y: area.top - 4, width: area.right - area.left + 4, height: area.bottom - area.top + 6 })),
      axisLeft(y, { ...area, name: `${metricName(metric)}${fraction ? ", %" : metric.includes("loss") ? ", nats" : ""}, ${up ? "higher" : "lower"} is better` }),
      cut > 0.001 && s("text", { x: 0, y: height - 12, class: "label" }, `${percent(cut, cut < 0.1 ? 1 : 0)} of the values lie ${up ? "below" : "above"}`),
      axisBelow(x, { ...area, y: area.bottom, n: width / 90, name: "epoch", label: String }),
      sweep.ladder.map((rung) => s("line", { class: "rung", x1: x(rung), x2: x(rung), y1: area.top, y2: area.bottom })),
      lines,
    );
    const points = (place) => all[place].map((value, i) => (value === null ? null : [x(i + 1), y(value * factor)]));
    const faint = [], strong = [];
    all.forEach((curve, place) => { if (curve.length && store.isShown(place)) (store.survives(place) ? strong : faint).push(place); });
    for (let i = 0; i < faint.length; i += CHUNK) add(lines, s("path", { class: "line dropped", d: faint.slice(i, i + CHUNK).map((place) => path(lone(points(place)))).join("") }));
    for (const place of strong.toReversed()) add(lines, s("path", { class: place === store.winner ? "line winner" : "line", d: path(lone(points(place))), stroke: store.colour(place), "stroke-width": place === store.winner ? 2.4 : 1.3, "stroke-opacity": strong.length > 40 && place !== store.winner ? 0.6 : null }));
    const shown = [...faint, ...strong];
    return {
      nearest: (px, py) => {
        if (px < area.left - 4 || px > area.right + 4) return null;
        const epoch = Math.round(x.invert(px));
        let best = null, least = REACH;
        for (const place of shown) {
          const value = all[place][epoch - 1];
          if (value === null || value === undefined) continue;
          const distance = Math.abs(y(value * factor) - py) - (store.survives(place) ? 2 : 0);
          if (distance < least) { least = distance; best = place; }
        }
        return best;
      },
      highlight: (top) => {
        const places = store.highlighted().filter((place) => all[place].length);
        lines.classList.toggle("dimmed", store.selected.length > 0);
        const group = s("g", { "clip-path": `url(#${clip})` });
        for (const place of places) {
          const line = points(place), end = line.findLast((point) => point !== null);
          add(group, s("path", { class: "line halo", d: path(lone(line)) }), s("path", { class: "line", d: path(lone(line)), stroke: place === store.hovered && !store.selected.length ? (store.winner === place ? "var(--accent)" : "var(--ink)") : store.colour(place), "stroke-width": 2.2 }));
          if (end) add(group, s("circle", { cx: end[0], cy: end[1], r: 3, fill: store.colour(place) }));
        }
        const named = places.length ? places : store.winner >= 0 && all[store.winner].length && store.isShown(store.winner) ? [store.winner] : [];
        const labels = spread(named.slice(-14).map((place) => { const end = points(place).findLast((point) => point !== null); return { place, x: end?.[0], y: end ? Math.min(area.bottom, Math.max(area.top, end[1])) : 0, own: end }; }).filter((label) => label.own), 15, area.top, area.bottom);
        add(top, group, labels.map((label) => [
          label.x < area.right - 6 && s("line", { class: "leader", x1: label.x + 4, x2: area.right + 4, y1: Math.min(area.bottom, Math.max(area.top, label.own[1])), y2: label.y }),
          s("text", { x: area.right + 7, y: label.y + 4, class: "label strong", style: `fill:${store.colour(label.place)}` }, trials.values.trial[label.place])]));
      },
    };
  },
};

/** Return a curve; one of a single epoch becomes a short stroke that can be seen. */
const lone = (points) => (points.filter(Boolean).length === 1 ? points.flatMap((point) => (point ? [[point[0] - 2, point[1]], [point[0] + 2, point[1]]] : [null])) : points);

/** Return the values between which the picture lies: all, or without the worst tail, which would flatten everything else. */
function range(values, up, whole) {
  const [low, high] = extent(values);
  if (whole || values.length < 20) return [low, high];
  return up ? [quantile(values, 0.1), high] : [low, quantile(values, 0.9)];
}

/** Return the first rung at which the winner and others were compared, and how many stood before it there; null where there is none. */
function behindAt(sweep, told, trials) {
  const winner = trials.values.rank.indexOf(1), all = told[sweep.metric], rung = sweep.ladder[0];
  const own = rung === undefined || winner < 0 ? null : all[winner][rung - 1] ?? null;
  if (own === null) return null;
  const better = (value) => (sweep.mode === "max" ? value > own : value < own);
  return { rung, ahead: all.filter((curve) => (curve[rung - 1] ?? null) !== null && better(curve[rung - 1])).length };
}
