// The finals: which there are, and of the one that is looked at its pictures, its mistakes, where it comes from.

import { Chart } from "./chart.js";
import { dataLink, fill, h } from "./dom.js";
import { count, percent, plural, score } from "./format.js";
import { calibration } from "./plots/final_calibration.js";
import { classes } from "./plots/final_classes.js";
import { confusion } from "./plots/final_confusion.js";
import { finalCurves } from "./plots/final_curves.js";
import { versus } from "./plots/final_versus.js";

const SPARE = new Set([1, 2, 3, 4, 7]);  // columns of the table that a phone does without
const HASH = 12;  // characters of a hash that are shown; the whole one is in its title

export class Promotion {
  constructor(store, tip) {
    this.store = store;
    this.charts = [versus, finalCurves, classes, confusion, calibration].map((plot) => new Chart(plot, store, tip));
    this.list = h("div", { class: "wide final-list" });
    this.mistakes = h("div", { class: "final-mistakes" });
    this.lineage = h("div", { class: "wide final-lineage" });
    this.root = h("div", { class: "promotion" }, this.list, this.charts.map((chart) => chart.root), this.mistakes, this.lineage);
    this.shown = "";
    store.addEventListener("final", () => this.take());
  }

  /** Take new data, or another final. */
  take() {
    const { data } = this.store, { final } = data;
    if (!final) {  // the section is hidden
      for (const chart of this.charts) chart.empty = true;
      return;
    }
    const focused = document.activeElement?.dataset?.final;
    fill(this.list, list(this.store));
    if (focused) this.list.querySelector(`[data-final="${CSS.escape(focused)}"]`)?.focus();
    for (const chart of this.charts) {
      chart.take();
      chart.root.hidden = chart.plot.message(data).absent === true;
    }
    const now = JSON.stringify([final.id, final.mistakes?.mistakes, final.lineage]);
    if (now === this.shown) return;
    this.shown = now;
    fill(this.mistakes, mistakes(final));
    this.mistakes.hidden = !this.mistakes.firstChild;
    fill(this.lineage, lineage(final));
    this.lineage.hidden = !this.lineage.firstChild;
  }
}

/** Return the table of all finals, from which one is chosen. */
function list(store) {
  const { finals, final: chosen, trials, sweep } = store.data, many = finals.length > 1;
  const interval = (value, low, high) => (value === null || value === undefined ? "" : [percent(value), low !== null && low !== undefined && h("span", { class: "spare" }, ` (${(low * 100).toFixed(1)}–${(high * 100).toFixed(1)})`)]);
  const name = (final) => (many && final.state !== "damaged" ? h("button", { type: "button", class: "open", "data-final": final.id, "aria-pressed": String(final === chosen), onclick: () => store.choose(final.id) }, final.id) : final.id);
  const from = (final) => (final.trial === null ? "" : h("button", { type: "button", class: "quiet", onclick: () => store.show(trials.values.trial[final.trial]) }, trials.values.trial[final.trial]));
  const header = ["final", "trial", "epochs", "seeds", sweep.percent ? "search" : "", "validation", ["test", h("span", { class: "spare" }, " (95 % interval)")], "parameters"];
  const rows = () => [
    ["final", "state", "trial", "epochs", "parameters", "seed", "val_accuracy", "test_accuracy"],
    ...finals.flatMap((final) => (final.runs ?? []).map((run) => [final.id, final.state, final.trial === null ? null : trials.values.trial[final.trial], run.epochs, final.parameters, run.seed, run.val_accuracy, run.test_accuracy]))];
  const cells = (final) => (final.state === "damaged" ? [h("td", { colspan: 7, class: "problem" }, final.remark)] : [
    h("td", { class: "spare" }, from(final)),
    h("td", { class: "number spare" }, final.epochs ? count(final.epochs) : ""),
    h("td", { class: "number spare" }, final.members ? "" : final.runs.length || final.stages.at(-1)?.runs || ""),
    h("td", { class: "number spare" }, sweep.percent && final.search ? score(sweep, final.search.score) : ""),
    h("td", { class: "number" }, final.val_accuracy === null ? (final.train_on === "all" ? "learned from" : "") : percent(final.val_accuracy)),
    h("td", { class: "number" }, final.state === "at work" ? state(final) : interval(final.test_accuracy, final.test_accuracy_low, final.test_accuracy_high)),
    h("td", { class: "number spare" }, final.parameters === null ? "" : count(final.parameters)),
  ]);
  const troubled = finals.filter((final) => final.remark && final.state !== "damaged");
  return [
    h("div", { class: "sideways" }, h("table", { class: "causes finals" },
      h("thead", {}, h("tr", {}, header.map((text, i) => h("th", { scope: "col", class: `${i > 1 ? "number" : ""} ${SPARE.has(i) ? "spare" : ""}` }, text)))),
      h("tbody", {}, finals.map((final) => h("tr", { class: final === chosen && many ? "chosen" : null }, h("th", { scope: "row" }, name(final)), cells(final)))))),
    h("p", { class: "note" }, many ? "A click on a final shows it below. " : "", "The best of several test figures is better than the model is: what was chosen, validation chose. ", dataLink("finals", rows, "data of every run")),
    troubled.map((final) => h("p", { class: "problem" }, final.remark)),
  ];
}

function state(final) {
  const stage = final.stages.at(-1), done = Math.max(0, ...(stage?.lines ?? []).map((line) => (line.train_loss ?? line.val_loss ?? []).length));
  if (!stage) return "at work";
  const which = final.stages.length > 1 ? `stage ${final.stages.length}, ` : "";
  return stage.state === "running" ? `at work: ${which}epoch ${done} of ${stage.epochs}` : `${which}epoch ${done} of ${stage.epochs}, ${stage.state}`;
}

/** Return the images that the final takes for something else. */
function mistakes({ mistakes: told }) {
  if (!told) return [];
  const subtitle = "Validation images, the surest mistakes first: what they are → what they are taken for, and how sure the model is. Nobody is shown test images, lest somebody fits to them.";
  if (told.learned_from) return [h("h3", {}, "No mistakes to show"), h("p", { class: "subtitle" }, "This model has learned from the validation images, too, and test images are shown to nobody.")];
  if (!told.mistakes) return [h("h3", {}, `Not one of ${count(told.examples)} validation images is taken for something else`)];
  const shown = told.images.length;
  return [
    h("h3", {}, `${plural(told.mistakes, "mistake")} on ${count(told.examples)} validation images${shown && shown < told.mistakes ? `; the ${shown} surest` : ""}`),
    h("p", { class: "subtitle" }, shown ? subtitle : "Their images are left out: with those of the other finals this page would be too large."),
    dataLink("mistakes", () => [["number", "true", "predicted", "confidence", "of_true"], ...told.images.map((image) => [image.number, image.true, image.predicted, image.confidence, image.of_true])]),
    h("ul", { class: "mistakes" }, told.images.map((image) => h("li", {}, h("figure", {},
      h("img", { src: image.image, alt: `${image.true}, taken for ${image.predicted}`, width: 64, height: 64, title: `validation image ${image.number}; the true class got ${percent(image.of_true)}` }),
      h("figcaption", {}, h("span", { class: "what" }, `${image.true} → ${image.predicted}`), h("span", { class: "sure" }, sure(image.confidence))))))),
  ];
}

/** Return a probability in whole per cent; one that is not certain is never shown as certain. */
const sure = (share) => (share >= 0.995 && share < 1 ? ">\u00a099\u00a0%" : percent(share, 0));

/** Return where the final comes from: data, sweep, trial, confirmation, final, test split, files. */
function lineage({ lineage: steps }) {
  if (!steps?.length) return [];
  const value = (text, isHash) => (isHash ? h("code", { title: text }, text.slice(0, HASH)) : text);
  return [
    h("h3", {}, "From the data to the files"),
    h("p", { class: "subtitle" }, "Each step with what identifies it; a hash is shown by its first characters."),
    dataLink("lineage", () => [["step", "name", "what", "value"], ...steps.flatMap((step) => (step.facts.length ? step.facts : [["", ""]]).map(([what, text]) => [step.step, step.name, what, text]))]),
    h("ol", { class: "lineage" }, steps.map((step) => h("li", {},
      h("span", { class: "step" }, step.step), h("strong", {}, step.name),
      h("dl", {}, step.facts.map(([what, text, isHash]) => h("div", {}, h("dt", {}, what), h("dd", {}, value(text, isHash)))))))),
  ];
}
