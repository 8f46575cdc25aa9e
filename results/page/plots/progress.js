// How good the leader was after how much work.

import { nearestOf } from "../chart.js";
import { add, s } from "../dom.js";
import { metricName, percent } from "../format.js";
import { axisBelow, axisLeft, extent, linear, path, spread } from "../scale.js";

const UNITS = [[3600 * 3, 3600, "hours"], [180, 60, "minutes"], [0, 1, "seconds"]];

export const progress = {
  id: "progress",
  height: () => 300,

  message({ sweep, pictures: { progress: steps }, trials }) {
    const n = steps.trial.length;
    if (!n) return { title: "Nobody leads yet", empty: "No trial has reached its first rung." };
    const device = sweep.gpu ? "GPU" : "device";
    const total = sweep.device_s / 3600, share = total ? steps.device_h[lastChange(steps)] / total : 0;
    const leader = trials.values.trial[steps.trial[n - 1]];
    return {
      title: new Set(steps.trial).size === 1 ? `${leader} has led from the first rung on` : total && share < 0.98 ? `${leader} took the lead after ${percent(share, 0)} of the work` : `${leader} took the lead at the very end`,
      subtitle: `Score of the leader, who stands highest by rung, then by score there, against ${device} time of all trials together; dots: a new leader or rung. The line falls where a trial that came further passed one that looked better early.`,
    };
  },

  rows({ pictures: { progress: steps }, trials }) {
    return [["device_h", "epochs", "trial", "rung_epochs", "score", "best"], ...steps.trial.map((place, i) => [steps.device_h[i], steps.epochs[i], trials.values.trial[place], steps.rung_epochs[i], steps.score[i], steps.best[i]])];
  },

  draw({ layer, width, height }, store) {
    const { sweep, pictures: { progress: steps } } = store.data;
    const total = Math.max(sweep.device_s, steps.device_h.at(-1) * 3600), [, unit, name] = UNITS.find(([least]) => total >= least);
    const area = { left: 52, right: width - 70, top: 32, bottom: height - 46 };
    const x = linear([0, total / unit], [area.left, area.right]);
    const [low, high] = extent([...steps.score, ...steps.best]), margin = (high - low) * 0.06 || 0.01;
    const factor = sweep.percent ? 100 : 1;
    const y = linear([(low - margin) * factor, (high + margin) * factor], [area.bottom, area.top]);
    const at = (i) => [x((steps.device_h[i] * 3600) / unit), y(steps.score[i] * factor)];
    const stepped = (values) => {
      const points = [];
      values.forEach((value, i) => { const px = at(i)[0]; if (i) points.push([px, points.at(-1)[1]]); points.push([px, y(value * factor)]); });
      points.push([x(total / unit), points.at(-1)[1]]);
      return path(points);
    };
    add(layer,
      axisLeft(y, { ...area, name: `${metricName(sweep.metric)}${sweep.percent ? ", %" : ""}, ${sweep.mode === "max" ? "higher" : "lower"} is better` }),
      axisBelow(x, { ...area, y: area.bottom, n: Math.max(3, width / 110), name: `${sweep.gpu ? "GPU" : "device"} ${name}, all trials together` }),
      s("path", { d: stepped(steps.best), class: "line faint" }),
      s("path", { d: stepped(steps.score), class: "line accent" }),
    );
    const dots = steps.trial.map((place, i) => [...at(i), place]);
    for (const [px, py, place] of dots) add(layer, s("circle", { cx: px, cy: py, r: 2.6, fill: place === store.winner ? "var(--accent)" : "var(--surface)", stroke: "var(--accent)", "stroke-width": 1.3 }));
    const ends = spread([{ y: y(steps.score.at(-1) * factor), text: "leader", class: "label accent" }, { y: y(steps.best.at(-1) * factor), text: "best at any", more: "epoch", class: "label" }], 26, area.top, area.bottom);
    if (Math.abs(y(steps.score.at(-1) * factor) - y(steps.best.at(-1) * factor)) < 1) ends.splice(0, ends.length, { y: y(steps.score.at(-1) * factor), text: "leader", class: "label accent" });
    for (const label of ends) add(layer, s("text", { x: area.right + 6, y: label.y + 4, class: label.class }, label.text, label.more && s("tspan", { x: area.right + 6, dy: 14 }, label.more)));
    return {
      nearest: (px, py) => nearestOf(dots, px, py),
      highlight: (top) => {
        for (const place of store.highlighted()) for (const [px, py] of dots.filter((dot) => dot[2] === place)) add(top, s("circle", { cx: px, cy: py, r: 5, fill: store.colour(place), stroke: "var(--surface)", "stroke-width": 1.5 }));
      },
    };
  },
};

/** Return the step at which the last change of the leading trial happened. */
function lastChange(steps) {
  const last = steps.trial.at(-1);
  let i = steps.trial.length - 1;
  while (i > 0 && steps.trial[i - 1] === last) i -= 1;
  return i;
}
