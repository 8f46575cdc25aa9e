// Every run of a final, epoch by epoch, stage behind stage: validation solid, training dashed, the kept run in the accent colour.

import { choice } from "../chart.js";
import { add, s } from "../dom.js";
import { count, plural } from "../format.js";
import { axisBelow, axisLeft, extent, linear, path, quantile, spread } from "../scale.js";

const KINDS = [["accuracy", "accuracy"], ["loss", "loss"]];

export const finalCurves = {
  id: "final-curves",
  height: (width) => (width < 600 ? 280 : 300),

  message({ final }) {
    const runs = final.stages.reduce((sum, stage) => sum + stage.runs, 0), epochs = length(final);
    if (!epochs) return { title: "No epoch yet", absent: final.state !== "at work", empty: "Curves appear with the first epoch of its runs." };
    const drawn = final.stages.reduce((sum, stage) => sum + stage.lines.length, 0), last = final.stages.at(-1);
    const left = drawn < runs ? ` ${count(drawn)} of ${count(runs)} runs are drawn.` : "";
    const stages = final.stages.length > 1 ? " Dotted: where a stage begins, from the best weights of the one before." : "";
    const title = final.stages.length > 1 ? `${plural(final.stages.length, "stage")}, ${count(epochs)} epochs` : last.runs > 1 ? spreadOf(last, final) : `${count(epochs)} epochs, one seed`;
    return { title, subtitle: `Solid: validation; dashed: training.${final.train_on === "all" ? " The validation images are among those it learns from." : ""} Blue: the run that is kept.${stages}${left}` };
  },

  rows({ final, curves: { scale } }) {
    const names = ["val_accuracy", "val_loss", "train_accuracy", "train_loss"];
    return [["stage", "run", "seed", "epoch", ...names], ...final.stages.flatMap((stage, number) => stage.lines.flatMap((line) => Array.from({ length: longest(line) }, (_, i) => [number + 1, line.run, line.seed, i + 1, ...names.map((name) => ((line[name]?.[i] ?? null) === null ? null : line[name][i] / scale))])))];
  },

  controls(options, redraw) {
    options.kind ??= "accuracy";
    return [choice("show", KINDS, options, "kind", redraw)];
  },

  draw({ layer, width, height, options }, { data: { final, curves: { scale } } }) {
    const kind = options.kind ?? "accuracy", factor = (kind === "accuracy" ? 100 : 1) / scale;
    const area = { left: 52, right: width - 84, top: 32, bottom: height - 46 };
    const values = final.stages.flatMap((stage) => stage.lines.flatMap((line) => [...(line[`val_${kind}`] ?? []), ...(line[`train_${kind}`] ?? [])])).filter((value) => value !== null).map((value) => value * factor);
    if (!values.length) return {};
    const [low, high] = values.length < 40 ? extent(values) : kind === "accuracy" ? [quantile(values, 0.06), extent(values)[1]] : [extent(values)[0], quantile(values, 0.94)];
    const margin = (high - low) * 0.04 || 0.01;
    const y = linear([low - margin, high + margin], [area.bottom, area.top]), x = linear([1, Math.max(2, length(final))], [area.left, area.right]);
    const clip = "clip-final-curves", lines = s("g", { "clip-path": `url(#${clip})` }), ends = [];
    add(layer,
      s("clipPath", { id: clip }, s("rect", { x: area.left - 2, y: area.top - 4, width: area.right - area.left + 4, height: area.bottom - area.top + 6 })),
      axisLeft(y, { ...area, name: kind === "accuracy" ? "accuracy, %, higher is better" : "loss, nats, lower is better" }),
      axisBelow(x, { ...area, y: area.bottom, n: width / 90, name: "epoch", label: String }), lines);
    let before = 0;
    final.stages.forEach((stage, number) => {
      if (number) add(layer, s("line", { class: "rung", x1: x(before + 0.5), x2: x(before + 0.5), y1: area.top, y2: area.bottom }), s("text", { x: x(before + 0.5) + 4, y: area.top + 10, class: "label" }, `stage ${number + 1}`));
      for (const line of stage.lines.toReversed()) {  // the kept one last, over the others
        for (const part of ["train", "val"]) {
          const told = line[`${part}_${kind}`];
          if (!told) continue;
          const points = told.map((value, i) => (value === null ? null : [x(before + i + 1), y(value * factor)]));
          add(lines, s("path", { class: line.kept ? "line accent" : "line faint", d: path(points), "stroke-dasharray": part === "train" ? "4 3" : null, "stroke-opacity": line.kept ? null : 0.75 }));
          const end = points.findLast((point) => point !== null);
          if (end && line.kept && number === final.stages.length - 1) ends.push({ y: Math.min(area.bottom, Math.max(area.top, end[1])), text: part === "val" ? "validation" : "training", class: part === "val" ? "label accent" : "label" });
        }
      }
      before += stage.epochs;
    });
    for (const label of spread(ends, 15, area.top, area.bottom)) add(layer, s("text", { x: area.right + 6, y: label.y + 4, class: label.class }, label.text));
    return {};
  },
};

const longest = (line) => Math.max(...["val_accuracy", "val_loss", "train_accuracy", "train_loss"].map((name) => line[name]?.length ?? 0));

/** Return the epochs of all stages, the last as far as it has come. */
const length = (final) => (final.stages.some((stage) => stage.lines.some(longest)) ? final.stages.reduce((sum, stage) => sum + stage.epochs, 0) : 0);

/** Return how far apart the seeds end. */
function spreadOf(stage, final) {
  const seeds = (final.runs ?? []).map((run) => run.val_accuracy).filter((value) => value !== null && value !== undefined);
  if (seeds.length < 2) return `${plural(stage.runs, "seed")}`;
  const [low, high] = extent(seeds);
  return `${plural(seeds.length, "seed")} end within ${((high - low) * 100).toFixed(1)} points of each other`;
}
