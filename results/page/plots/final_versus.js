// What was expected of a trial and what came of it: search, confirmation, full training, test split, each with its interval.

import { add, s } from "../dom.js";
import { percent, plural } from "../format.js";
import { axisBelow, extent, linear } from "../scale.js";

const ROW = 46, TOP = 8;

export const versus = {
  id: "final-versus",
  height: (width, { final, sweep }) => (final ? lines(final, sweep).length * ROW + TOP + 44 : 0),

  message({ final, sweep, trials }) {
    const told = lines(final, sweep), id = final.trial === null ? final.id : trials.values.trial[final.trial];
    if (final.state !== "finished") return { title: `${final.id} is not finished`, empty: "Its figures appear when all of its runs are trained and the test split was read." };
    if (!told.length) return { title: id, absent: true, empty: "No figures." };
    const test = final.test_accuracy !== null && final.test_accuracy !== undefined;
    const what = final.members ? `Mean of ${plural(final.members.length, "network")}` : `${id}, trained in full`;
    return {
      title: test ? `${what}: ${percent(final.test_accuracy)} of the test images right` : what,
      subtitle: `Bars: 95 % intervals${final.runs.length > 1 ? "; small dots: every seed" : ""}. ${final.train_on === "all" ? "It has learned from the validation images, which therefore say nothing of it. " : ""}${test ? `The test split was ${readings(final)}${final.test_readings > 1 ? ", first" : ","} after every choice was made, and chose nothing.` : ""}`,
    };
  },

  rows({ final, sweep }) {
    return [["what", "accuracy", "low", "high"], ...lines(final, sweep).map((line) => [line.name, line.value, line.low, line.high])];
  },

  draw({ layer, width }, { data: { final, sweep } }) {
    const told = lines(final, sweep), bottom = TOP + told.length * ROW;
    const [low, high] = extent(told.flatMap((line) => [line.value, line.low, line.high, ...line.dots]));
    const margin = (high - low) * 0.08 || 0.01, left = Math.min(168, width * 0.42), right = width - 64;
    const x = linear([Math.max(0, low - margin) * 100, Math.min(100, (high + margin) * 100)], [left, right]), at = (value) => x(value * 100);
    add(layer, axisBelow(x, { left, right, y: bottom, n: Math.max(4, (right - left) / 60), name: "accuracy, %, higher is better" }));
    told.forEach((line, i) => {
      const y = TOP + i * ROW + ROW / 2 - 2, colour = line.test ? "var(--accent)" : "var(--steel)";
      if (line.test && i) add(layer, s("line", { class: "grid-line", x1: 0, x2: width, y1: y - ROW / 2 + 1, y2: y - ROW / 2 + 1 }));
      const ends = Math.max(at(line.value), line.high === null ? 0 : at(line.high), ...line.dots.map(at));
      add(layer,
        s("text", { x: 0, y: y - 1, class: line.test ? "strong accent" : "strong" }, line.name),
        s("text", { x: 0, y: y + 14, class: "label" }, line.more),
        line.low !== null && s("line", { x1: at(line.low), x2: at(line.high), y1: y, y2: y, stroke: colour, "stroke-width": line.test ? 4 : 2.5, "stroke-opacity": line.test ? 0.5 : 0.6 }),
        line.dots.map((dot) => s("circle", { cx: at(dot), cy: y + 9, r: 2.2, fill: colour })),
        s("circle", { cx: at(line.value), cy: y, r: 5, fill: line.single ? "var(--surface)" : colour, stroke: line.single ? colour : "var(--surface)", "stroke-width": 1.5 }),
        s("text", { x: Math.min(ends + 10, width - 52), y: y + 4, class: line.test ? "strong accent" : "label" }, percent(line.value)),
      );
    });
    return {};
  },
};

const readings = (final) => (final.test_readings > 1 ? `read ${final.test_readings} times` : "read once");

/** Return what is known, in the order in which it was found out: name, more, value, low, high, dots (seeds), single, test. */
function lines(final, sweep) {
  const found = [], known = (value) => value !== null && value !== undefined;
  const add = (name, more, value, low, high, rest) => { if (known(value)) found.push({ name, more, value, low: low ?? null, high: high ?? null, dots: [], ...rest }); };
  if (sweep.percent && final.search) add("search", `epoch ${final.search.epochs}, one run`, final.search.score, final.search.low, final.search.high, { single: true });
  if (sweep.percent && final.confirmed) add("confirmed", `mean of ${plural(final.confirmed.seeds, "fresh seed")}`, final.confirmed.score, final.confirmed.low, final.confirmed.high);
  const dots = (name) => (final.runs?.length > 1 ? final.runs.map((run) => run[name]).filter(known) : []);
  for (const member of final.members ?? []) add(`${member.final.split("-")[0]}, seed ${member.seed}`, `validation, counts for ${percent(member.share, 0)}`, member.val_accuracy);
  add(final.members ? "all, validation" : "final, validation", final.members ? "which selected them" : `${plural(final.epochs ?? 0, "epoch")}, the kept run`, final.val_accuracy, final.val_accuracy_low, final.val_accuracy_high, { dots: dots("val_accuracy") });
  add("final, test", readings(final), final.test_accuracy, final.test_accuracy_low, final.test_accuracy_high, { test: true, dots: dots("test_accuracy") });
  return found;
}
