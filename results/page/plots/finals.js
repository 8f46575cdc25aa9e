// Finished models beside the trials they came from: what the search saw, what the full training reached, what the test split said.

import { add, s } from "../dom.js";
import { metricName, percent, plural, score } from "../format.js";
import { axisBelow, extent, linear } from "../scale.js";

const ROW = 64;

export const finals = {
  id: "finals",
  height: (width, { finals: found }) => found.filter((final) => !final.remark).length * ROW + 70,

  message({ sweep, finals: found, trials }) {
    const whole = found.filter((final) => !final.remark), damaged = found.filter((final) => final.remark).map((final) => final.remark).join("; ");
    if (!whole.length) return { title: "No final yet", empty: damaged || (sweep.next.includes("promote") ? `A winner becomes a finished model, trained in full and tested once, with: ${sweep.next}` : "Finals appear once a winner is promoted.") };
    const best = whole[0], from = best.trial === null ? best.id : trials.values.trial[best.trial];
    return {
      title: `${from}, trained in full: ${percent(best.test_accuracy)} on the test split`,
      subtitle: `${plural(whole.length, "final")}. Ring: the trial's ${metricName(sweep.metric)} at its rung; small dots: validation accuracy of each seed; dot and bar: test accuracy with its 95 % interval, read once, which chose nothing.${damaged ? ` ${damaged}` : ""}`,
    };
  },

  rows({ finals: found, trials }) {
    return [["final", "trial", "seed", "epochs", "val_accuracy", "test_accuracy"], ...found.flatMap((final) => (final.runs ?? []).map((run) => [final.id, final.trial === null ? null : trials.values.trial[final.trial], run.seed, run.epochs, run.val_accuracy, run.test_accuracy]))];
  },

  draw({ layer, width }, store) {
    const { finals: all, sweep, trials: { values } } = store.data, found = all.filter((final) => !final.remark);
    const searched = (final) => (final.trial !== null && sweep.percent ? values.score[final.trial] : null);
    const [low, high] = extent(found.flatMap((final) => [searched(final), final.val_accuracy, final.test_accuracy_low, final.test_accuracy_high, ...final.runs.map((run) => run.val_accuracy)]));
    const margin = (high - low) * 0.05 || 0.01, left = Math.min(250, width * 0.36), bottom = found.length * ROW + 10;
    const x = linear([(low - margin) * 100, Math.min(100, (high + margin) * 100)], [left, width - 20]), at = (value) => x(value * 100);
    add(layer, axisBelow(x, { left, right: width - 20, y: bottom, n: width / 130, name: "accuracy, %, higher is better" }));
    found.forEach((final, i) => {
      const y = i * ROW + 26, own = searched(final);
      add(layer,
        s("line", { class: "grid-line", x1: left, x2: width - 20, y1: y, y2: y }),
        s("text", { x: 0, y: y - 3, class: "strong" }, final.trial === null ? final.id : values.trial[final.trial]),
        s("text", { x: 0, y: y + 14, class: "label" }, `${plural(final.epochs, "epoch")}, ${plural(final.runs.length, "seed")}`),
        own === null ? "" : s("circle", { cx: at(own), cy: y, r: 5, fill: "var(--surface)", stroke: "var(--faint)", "stroke-width": 1.5 }),
        final.runs.map((run) => s("circle", { cx: at(run.val_accuracy), cy: y, r: 3, fill: "var(--steel)" })),
        s("line", { x1: at(final.test_accuracy_low), x2: at(final.test_accuracy_high), y1: y + 14, y2: y + 14, stroke: "var(--accent)", "stroke-width": 3 }),
        s("circle", { cx: at(final.test_accuracy), cy: y + 14, r: 5, fill: "var(--accent)", stroke: "var(--surface)", "stroke-width": 1.5 }),
        s("text", { x: at(final.test_accuracy), y: y + 34, "text-anchor": "middle", class: "label accent" }, `test ${percent(final.test_accuracy)}`),
        own === null ? "" : s("text", { x: at(own), y: y - 10, "text-anchor": "middle", class: "label" }, `search ${score(sweep, own)}`),
      );
    });
    const rows = found.map((final, i) => [final.trial, i * ROW + 26]);
    return { nearest: (px, py) => rows.find(([place, y]) => place !== null && Math.abs(py - y) < ROW / 2)?.[0] ?? null };
  },
};
