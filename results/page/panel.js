// One trial in full: figures, curves, what was decided about it and why, its configuration, its files.

import { command, fill, h, s } from "./dom.js";
import { count, duration, formatter, metricName, number, score, words } from "./format.js";
import { axisBelow, axisLeft, extent, linear, path } from "./scale.js";

const PAIRS = [["accuracy", "val_accuracy", "train_accuracy", 100], ["loss", "val_loss", "train_loss", 1]];

export class Panel {
  constructor(element, store, rows) {
    Object.assign(this, { element, store, rows, before: null, shown: null });
    element.setAttribute("role", "dialog");
    element.setAttribute("aria-label", "trial");
    element.setAttribute("tabindex", "-1");
    for (const event of ["open", "theme"]) store.addEventListener(event, () => this.refresh());
    store.addEventListener("selection", () => this.mark());
    element.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowLeft" ? -1 : 1);
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.store.open !== null && !event.defaultPrevented) this.store.show(null); });
  }

  /** Draw the panel of the open trial, or take it away; the keyboard's focus goes there and back. */
  refresh() {
    const { store, element } = this, id = store.open;
    if (id === null) {
      element.hidden = true;
      if (this.shown !== null) { (this.before?.isConnected ? this.before : null)?.focus(); this.rows.open = null; if (!this.before?.isConnected) this.rows.focus(); }
      this.shown = null;
      return;
    }
    if (this.shown === null) this.before = document.activeElement;
    const fresh = this.shown !== id;
    this.shown = id;
    element.hidden = false;
    const top = element.scrollTop;
    this.draw(store.places.get(id));
    if (fresh) { element.scrollTop = 0; element.focus({ preventScroll: true }); } else element.scrollTop = top;
  }

  step(by) {
    const { shown, ids, places } = this.store;
    const at = shown.indexOf(places.get(this.store.open)), next = shown[at + by];
    if (next !== undefined) this.store.show(ids[next]);
  }

  draw(place) {
    const { store } = this, { data } = store, { sweep, trials: { values }, details, parameters } = data, own = details.trials[place] ?? {}, id = values.trial[place];
    const rank = values.rank[place], at = store.shown.indexOf(place);
    this.element.setAttribute("aria-label", `trial ${id}`);
    this.pick = h("button", { type: "button", onclick: () => store.toggle(place) });
    const chosen = parameters.filter((parameter) => values[`config.${parameter.path}`][place] !== null);
    fill(this.element,
      h("div", { class: "panel-head" },
        h("h2", {}, id), h("span", { class: `status ${values.status[place]}` }, words(values.status[place])),
        h("span", { class: "space" }),
        h("button", { type: "button", "aria-label": "previous row", disabled: at <= 0, onclick: () => this.step(-1) }, "←"),
        h("button", { type: "button", "aria-label": "next row", disabled: at < 0 || at >= store.shown.length - 1, onclick: () => this.step(1) }, "→"),
        this.pick,
        h("button", { type: "button", "aria-label": "close", class: "close", onclick: () => store.show(null) }, "close")),
      h("p", { class: "lead" }, rank === null ? "No rank" : `Rank ${count(rank)} of ${count(values.rank.filter((each) => each !== null).length)}: ${metricName(sweep.metric)} ${score(sweep, values.score[place])} at epoch ${values.rung_epochs[place]}`,
        values.best_score[place] !== null && `; best ${score(sweep, values.best_score[place])} at epoch ${values.best_epoch[place]}`),
      values.reason?.[place] && h("p", { class: ["diverged", "failed", "out_of_memory"].includes(values.status[place]) ? "reason bad" : "reason" }, values.reason[place]),
      values.notes?.[place] && h("p", { class: "notes" }, values.notes[place]),
      this.curves(place),
      part("Searched parameters", chosen.length && facts(chosen.map((parameter) => [parameter.label, formatter(parameter.number ? "number" : "text")(values[`config.${parameter.path}`][place])]))),
      part("Decisions", own.decisions && table(["epoch", "score", "cut-off", "decision", "why"], own.decisions.map(([epoch, value, action, cutoff, why]) => [epoch, score(sweep, value), cutoff === null ? "" : score(sweep, cutoff), action, why]), 3)),
      part("Cost", facts([["parameters", values.parameters[place], count], ["device time", values.device_s[place], duration], ["images/s", values.images_per_s?.[place], number], ["memory", values.peak_memory_bytes?.[place] || null, formatter("bytes")], ["host", values.host[place]], ["device", values.device[place]]].filter(([, value]) => value !== null && value !== undefined).map(([name, value, write = String]) => [name, write(value)]))),
      part("Segments (UTC)", own.segments && table(["segment", "epochs", "why", "started", "lost"], own.segments.map(([attempt, from, until, why, started, lost]) => [attempt, `${from}–${until}`, why, started.replace("T", " "), lost]), 1)),
      part("Last lines of its log", own.log && h("pre", {}, own.log.join("\n"))),
      part("Whole configuration", (own.config || Object.keys(details.common).length > 0) && h("details", {}, h("summary", {}, "every field"), facts(Object.entries({ ...own.config, ...details.common }).toSorted(([a], [b]) => a.localeCompare(b))))),
      part("Files", own.checkpoint && h("code", {}, own.checkpoint)),
      part("In a terminal", h("div", {}, command(`shortlist show ${quotedName(sweep.name)} ${id}`), rank !== null && command(`shortlist promote ${quotedName(sweep.name)} --trial ${id}`))),
    );
    this.mark();
  }

  mark() {
    if (this.store.open === null || !this.pick) return;
    const picked = this.store.selected.includes(this.store.open);
    this.pick.textContent = picked ? "unpick" : "pick";
    this.pick.setAttribute("aria-pressed", String(picked));
  }

  /** Draw validation and training curves, accuracies and losses, side by side. */
  curves(place) {
    const { data } = this.store, width = Math.max(260, Math.min(520, (this.element.clientWidth || 480) - 48)), height = 190;
    return PAIRS.map(([name, ours, theirs, factor]) => {
      const [validation, training] = [ours, theirs].map((metric) => (data.curves[metric]?.[place] ?? []).map((value) => (value === null ? null : (value / data.curves.scale) * factor)));
      const all = [...validation, ...training].filter((value) => value !== null);
      if (!all.length) return null;
      const area = { left: 44, right: width - 66, top: 28, bottom: height - 24 };
      const [low, high] = extent(all), y = linear([low, high], [area.bottom, area.top]), x = linear([1, Math.max(2, validation.length, training.length)], [area.left, area.right]);
      const points = (values) => { const line = values.map((value, i) => (value === null ? null : [x(i + 1), y(value)])); return line.length === 1 && line[0] ? [line[0], [line[0][0] + 3, line[0][1]]] : line; };
      const ends = [[validation, "validation", "accent"], [training, "training", "faint"]].filter(([values]) => values.at(-1) !== null && values.length);
      const placed = ends.map(([values, text, kind]) => ({ y: y(values.at(-1)), text, kind })).toSorted((a, b) => a.y - b.y);
      if (placed.length === 2 && placed[1].y - placed[0].y < 14) { const middle = (placed[0].y + placed[1].y) / 2; placed[0].y = middle - 7; placed[1].y = middle + 7; }
      return s("svg", { width, height, role: "img", "aria-label": `${name} of ${data.trials.values.trial[place]} over its epochs, validation and training` },
        axisLeft(y, { ...area, n: 4, name: factor === 100 ? "accuracy, %" : "loss, nats" }),
        axisBelow(x, { ...area, y: area.bottom, n: 6, label: String }),
        data.sweep.ladder.filter((rung) => rung <= x.domain[1]).map((rung) => s("line", { class: "rung", x1: x(rung), x2: x(rung), y1: area.top, y2: area.bottom })),
        s("path", { class: "line faint", d: path(points(training)) }), s("path", { class: "line accent", d: path(points(validation)) }),
        placed.map((label) => s("text", { x: area.right + 6, y: label.y + 4, class: `label ${label.kind}` }, label.text)));
    });
  }
}

const part = (title, content) => content && h("section", {}, h("h3", {}, title), content);

const facts = (pairs) => h("dl", {}, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

const table = (head, rows, numbers) => h("div", { class: "sideways" }, h("table", {}, h("thead", {}, h("tr", {}, head.map((name, i) => h("th", { scope: "col", class: i < numbers ? "number" : null }, name)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) => h("td", { class: i < numbers ? "number" : null }, String(cell))))))));

export const quotedName = (name) => (/^[\w.,@%+=:/-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);
