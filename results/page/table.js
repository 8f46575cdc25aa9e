// The table of trials: sorted, filtered, searched, its columns chosen; only the rows in view are in the document.

import { dataLink, fill, h, s } from "./dom.js";
import { atThePoint, count, figures, formatter, isNumeric, plural, words } from "./format.js";
import { parse, withComparisons } from "./query.js";
import { extent, quantile } from "./scale.js";

const ROW = 32, SPARE = 8;  // pixels; rows beyond the edges of the view
const PRINTED = 40;  // rows on paper
const NARROW = 640;  // below: rank, score and trial, the rest opens below the row
const SPARK = { width: 88, height: 22 };
const MARKS = { running: "◐", pending: "○", paused: "‖", stopped: "■", completed: "✓", diverged: "✕", out_of_memory: "✕", failed: "✕" };

/** Return the table. `choices` {filter, sort, columns} come from the address; `changed` is called when they do. */
export class Table {
  constructor(store, changed) {
    this.store = store;
    this.changed = changed;
    this.filter = "";
    this.sort = null;  // column id, with - in front where descending
    this.columns = null;  // ids; null as the data have it
    this.withHidden = false;
    this.onlyPicked = false;
    this.expanded = null;  // id of the row that is open below, where the page is narrow
    this.focused = 0;  // row that the keyboard is on
    this.printing = false;
    this.build();
    store.addEventListener("selection", () => { if (this.onlyPicked) this.refresh(); else this.paint(); this.tools(); });
    store.addEventListener("hover", () => this.mark());
    store.addEventListener("open", () => this.mark());
    new ResizeObserver(() => this.resized()).observe(this.scroller);
    matchMedia("print").addEventListener("change", (event) => { this.printing = event.matches; this.paint(); });
  }

  build() {
    this.search = h("input", { type: "search", placeholder: "filter: adam lr<0.01 score>90", "aria-label": "filter the trials: words, and comparisons such as lr<0.01", spellcheck: "false", autocomplete: "off", oninput: () => this.setFilter(this.search.value, true) });
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.statuses = h("div", { class: "statuses", role: "group", "aria-label": "filter by status" });
    this.toolbar = h("div", { class: "picked", "aria-live": "polite" });
    this.menu = h("div", { class: "menu" });
    this.chooser = h("details", { class: "chooser" }, h("summary", {}, "columns"), this.menu);
    document.addEventListener("click", (event) => { if (!this.chooser.contains(event.target)) this.chooser.open = false; });
    this.chooser.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.chooser.open = false; this.chooser.firstChild.focus(); } });
    this.head = h("thead");
    this.body = h("tbody");
    this.table = h("table", { class: "trials", "aria-label": "trials" }, this.head, this.body);
    this.scroller = h("div", { class: "scroller", tabindex: "-1" }, this.table);
    this.scroller.addEventListener("scroll", () => { if (!this.pending) { this.pending = true; requestAnimationFrame(() => { this.pending = false; this.paint(); }); } });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("pointerover", (event) => this.store.hover(placeOf(event.target)));
    this.body.addEventListener("pointerleave", () => this.store.hover(null));
    this.body.addEventListener("click", (event) => this.click(event));
    this.same = h("p", { class: "note" });
    this.root = h("div", {}, h("div", { class: "tools" }, this.search, this.chooser, dataLink("trials", () => this.rows(), "data")), this.statuses, this.problem, this.toolbar, this.scroller, this.same);
  }

  /** Take new data; scroll position and focus stay. */
  take() {
    const { data } = this.store;
    this.formats = new Map();
    const curves = data.curves[data.sweep.metric] ?? [];
    this.sparkDomain = extent(curves.flat());
    if (this.sparkDomain[0] < Infinity) {  // the worst quarter of the values would flatten all others
      const finite = curves.flat().filter((value) => value !== null), worst = data.sweep.mode === "max" ? 0.1 : 0.9;
      this.sparkDomain[data.sweep.mode === "max" ? 0 : 1] = quantile(finite, worst);
    }
    this.refresh();
    this.chooseColumns();
  }

  get narrow() { return this.width < NARROW && !this.printing; }

  resized() {
    const width = this.scroller.clientWidth;
    if (width === this.width || !width) return;
    this.width = width;
    if (this.store.data) { this.header(); this.tools(); this.paint(); }
  }

  /** Return the columns shown now. */
  visible() {
    const all = this.store.data.trials.columns;
    if (this.narrow) return all.filter((column) => ["rank", "score"].includes(column.id));
    return all.filter((column) => (this.columns ? this.columns.includes(column.id) : column.on));
  }

  setFilter(text, typed = false) {
    this.filter = text;
    if (!typed) this.search.value = text;
    this.scroller.scrollTop = 0;
    this.refresh();
    this.changed();
  }

  /** Set what a picture asks of one column: comparisons such as ">=0.1"; none lets all through. */
  restrict(label, comparisons) { this.setFilter(withComparisons(this.filter, label, comparisons)); }

  /** Filter and sort anew. */
  refresh() {
    const { trials } = this.store.data, { values } = trials;
    const { matches, problems } = parse(this.filter, trials);
    const picked = new Set(this.store.selected);
    let places = values.trial.map((_, place) => place).filter((place) => matches(place) && (this.withHidden || !values.hidden[place]) && (!this.onlyPicked || picked.has(values.trial[place])));
    const [id, sign] = this.sort?.startsWith("-") ? [this.sort.slice(1), -1] : [this.sort, 1];
    const column = values[id];
    if (column) {
      const compare = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b), "en", { numeric: true }) : a - b);
      places = places.toSorted((a, b) => (column[a] === null ? 1 : 0) - (column[b] === null ? 1 : 0) || (column[a] === null ? 0 : sign * compare(column[a], column[b])));
    }
    this.problem.hidden = !problems.length;
    this.problem.textContent = problems.join("; ");
    this.places = places;
    this.focused = Math.min(this.focused, Math.max(0, places.length - 1));
    this.store.setShown(places);
    this.header();
    this.tools();
    this.paint();
  }

  header() {
    if (!this.places) return;
    const label = (id, text, meaning, kind) => {
      const [by, descending] = this.sort?.startsWith("-") ? [this.sort.slice(1), true] : [this.sort, false];
      const sorted = by === id ? (descending ? "descending" : "ascending") : null;
      const button = h("button", { type: "button", title: meaning, onclick: () => this.sortBy(id, kind) }, text, sorted && h("span", { "aria-hidden": "true" }, sorted === "ascending" ? " ↑" : " ↓"));
      return h("th", { scope: "col", class: isNumeric(kind) ? "number" : null, "aria-sort": sorted, "data-column": id }, button);
    };
    const shown = this.visible();
    const [first, ...rest] = shown[0]?.id === "rank" ? shown : [null, ...shown];
    fill(this.head, h("tr", {},
      first && label("rank", "rank", first.meaning, "count"),
      label("trial", "trial", "Id of the trial, in the order of suggestion.", "text"),
      h("th", { scope: "col", class: "spark" }, this.narrow ? "" : "curve"),
      rest.filter(Boolean).map((column) => label(column.id, column.kind === "fraction" ? `${column.label} %` : column.label, column.meaning, column.kind))));
    this.table.setAttribute("aria-colcount", String(shown.length + 2));
    this.table.setAttribute("aria-rowcount", String(this.places.length + 1));
  }

  sortBy(id, kind) {
    const first = isNumeric(kind) && !["rank"].includes(id) ? `-${id}` : id;
    const other = first === id ? `-${id}` : id;
    this.sort = this.sort === first ? other : this.sort === other ? null : first;
    this.refresh();
    this.head.querySelector(`[data-column="${CSS.escape(id)}"] button`)?.focus();
    this.changed();
  }

  /** Draw the rows in view. */
  paint() {
    if (!this.places) return;
    const total = this.places.length, height = this.scroller.clientHeight || 640;
    const at = this.narrow && this.expanded !== null ? this.places.indexOf(this.store.places.get(this.expanded)) : -1;
    const top = Math.max(0, this.scroller.scrollTop);
    let from = Math.max(0, Math.floor(top / ROW) - SPARE), to = Math.min(total, Math.ceil((top + height) / ROW) + SPARE);
    if (at >= 0) from = Math.max(0, from - Math.ceil((this.below ?? 0) / ROW));
    if (this.printing) [from, to] = [0, Math.min(total, PRINTED)];
    const focus = this.body.contains(document.activeElement) ? document.activeElement.dataset : null;
    const columns = this.visible();
    const gap = (rows, extra = 0) => (rows > 0 || extra) && !this.printing ? h("tr", { class: "gap", "aria-hidden": "true" }, h("td", { colspan: columns.length + 2, style: `height:${rows * ROW + extra}px` })) : null;
    const above = at >= 0 && at < from ? this.below ?? 0 : 0;
    const rows = [];
    for (let index = from; index < to; index += 1) {
      rows.push(this.row(index, columns));
      if (index === at) rows.push(this.details(this.places[index], columns));
    }
    if (!total) rows.push(h("tr", { class: "empty" }, h("td", { colspan: columns.length + 2 }, this.store.ids.length ? "no trial fits the filter" : "no trial yet")));
    fill(this.body, gap(from, above), rows, gap(total - to));
    if (this.printing && total > PRINTED) this.body.append(h("tr", { class: "empty" }, h("td", { colspan: columns.length + 2 }, `and ${count(total - PRINTED)} more`)));
    const open = this.body.querySelector("tr.details");
    if (open) this.below = open.offsetHeight;
    this.mark();
    if (focus?.place !== undefined) (this.body.querySelector(`tr[data-place="${focus.place}"]`) ?? this.body.querySelector("tr[tabindex='0']"))?.focus({ preventScroll: true });
  }

  row(index, columns) {
    const { store } = this, { values } = store.data.trials, place = this.places[index];
    const id = values.trial[place], selected = store.selected.includes(id);
    const [first, ...rest] = columns[0]?.id === "rank" ? columns : [null, ...columns];
    return h("tr", { "data-place": place, tabindex: index === this.focused ? "0" : "-1", "aria-rowindex": String(index + 2), "aria-selected": String(selected), class: values.rank[place] === null ? "unranked" : place === store.winner ? "winner" : null, "aria-expanded": this.narrow ? String(this.expanded === id) : null },
      first && h("td", { class: "number rank" }, values.rank[place] ?? ""),
      h("th", { scope: "row" }, h("span", { class: "chip", style: selected ? `background:${store.colour(place)}` : null, "aria-hidden": "true" }), h("button", { type: "button", class: "open", tabindex: "-1", "aria-label": `open ${id}` }, id)),
      h("td", { class: "spark" }, this.spark(place)),
      rest.filter(Boolean).map((column) => this.cell(column, place)));
  }

  cell(column, place) {
    const value = this.store.data.trials.values[column.id][place];
    if (value === null) return h("td", { class: isNumeric(column.kind) ? "number" : null });
    switch (column.kind) {
      case "rung": return h("td", { class: "rung" }, this.dots(value));
      case "status": return h("td", { class: `status ${value}` }, h("span", { "aria-hidden": "true" }, MARKS[value] ?? ""), ` ${words(value)}`);
      default: {
        const text = this.format(column)(value);
        return h("td", { class: isNumeric(column.kind) ? "number" : "text", title: text.length > 24 ? text : null }, text);
      }
    }
  }

  /** Return what writes a column's values, aligned at the decimal point. */
  format(column) {
    if (!this.formats.has(column.id)) {
      const write = formatter(column.kind);
      const present = column.kind === "number" ? this.store.data.trials.values[column.id].filter((value) => value !== null) : [];
      const figure = column.kind === "number" ? figures(present) : write, pad = atThePoint(present.map(figure));
      this.formats.set(column.id, (value) => pad(figure(value)));
    }
    return this.formats.get(column.id);
  }

  dots(rung) {
    const { ladder, max_epochs } = this.store.data.sweep, steps = [...ladder, max_epochs];
    const filled = steps.filter((step) => step <= rung).length;
    return [h("span", { class: "dots", role: "img", "aria-label": `rung ${rung}` }, "●".repeat(filled), h("i", {}, "○".repeat(steps.length - filled))), h("span", { class: "epochs" }, String(rung))];
  }

  spark(place) {
    const { data } = this.store, curve = data.curves[data.sweep.metric]?.[place] ?? [];
    const [low, high] = this.sparkDomain, { width, height } = SPARK;
    const y = (value) => Math.min(height - 2, Math.max(2, height - 2 - ((value - low) / (high - low || 1)) * (height - 4)));
    const x = (epoch) => 2 + ((epoch - 1) / Math.max(1, data.sweep.max_epochs - 1)) * (width - 4);
    let d = "", down = false;
    curve.forEach((value, i) => { if (value === null) { down = false; return; } d += `${down ? "L" : "M"}${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`; down = true; });
    const last = curve.length && curve.at(-1) !== null ? s("circle", { cx: x(curve.length), cy: y(curve.at(-1)), r: 1.7, fill: this.store.colour(place) }) : null;
    return s("svg", { width, height, "aria-hidden": "true" }, s("path", { d, fill: "none", stroke: this.store.colour(place), "stroke-width": 1.3 }), last);
  }

  details(place, columns) {
    const { store } = this, { trials } = store.data;
    const left = trials.columns.filter((column) => !["rank", "score"].includes(column.id) && (this.columns ? this.columns.includes(column.id) : column.on) && trials.values[column.id][place] !== null);
    return h("tr", { class: "details" }, h("td", { colspan: columns.length + 2 },
      h("dl", {}, left.map((column) => h("div", {}, h("dt", {}, column.label), h("dd", {}, column.kind === "rung" ? this.dots(trials.values[column.id][place]) : formatter(column.kind)(trials.values[column.id][place]) + (column.kind === "fraction" ? " %" : ""))))),
      h("p", { class: "buttons" }, h("button", { type: "button", "data-act": "open", "data-of": place }, "Open"), h("button", { type: "button", "data-act": "pick", "data-of": place }, store.selected.includes(store.ids[place]) ? "Unpick" : "Pick"))));
  }

  click(event) {
    const button = event.target.closest("button[data-act]");
    if (button) {
      const place = Number(button.dataset.of);
      if (button.dataset.act === "open") this.store.show(this.store.ids[place]); else this.store.toggle(place);
      return;
    }
    const place = placeOf(event.target);
    if (place === null) return;
    this.focused = this.places.indexOf(place);
    if (event.target.closest("button.open") && !this.narrow) { this.store.show(this.store.ids[place]); return; }
    if (this.narrow) {
      this.expanded = this.expanded === this.store.ids[place] ? null : this.store.ids[place];
      this.paint();
    } else this.store.toggle(place);
    this.focus();
  }

  key(event) {
    if (event.target.tagName === "BUTTON" && event.target.dataset.act) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 2), last = this.places.length - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.focused = Math.min(last, Math.max(0, this.focused + steps[event.key]));
    else if (event.key === "Enter") this.store.show(this.store.ids[this.places[this.focused]]);
    else if (event.key === " ") this.store.toggle(this.places[this.focused]);
    else return;
    event.preventDefault();
    if (event.key in steps) this.focus();
  }

  /** Bring the row of the keyboard into view and focus it. */
  focus() {
    const top = this.focused * ROW, { scroller } = this, head = this.head.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW + head > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + ROW + head - scroller.clientHeight;
    this.paint();
    this.body.querySelector(`tr[data-place="${this.places[this.focused]}"]`)?.focus({ preventScroll: true });
  }

  mark() {
    for (const row of this.body.querySelectorAll("tr[data-place]")) {
      const place = Number(row.dataset.place);
      row.classList.toggle("hovered", place === this.store.hovered);
      row.classList.toggle("opened", this.store.ids[place] === this.store.open);
    }
  }

  /** Draw what stands above the table: statuses, what is picked. */
  tools() {
    const { store } = this, { sweep, trials, parameters } = store.data;
    const wanted = /(?:^|\s)status=("?)([\w ]+)\1(?=\s|$)/.exec(this.filter)?.[2].replaceAll(" ", "_");
    const chips = Object.entries(sweep.counts).map(([status, n]) => h("button", { type: "button", "aria-pressed": String(wanted === status), class: status, onclick: () => this.restrict("status", wanted === status ? [] : [`=${status}`]) }, h("span", { "aria-hidden": "true" }, MARKS[status]), ` ${count(n)} ${words(status)}`));
    const hidden = trials.values.hidden.filter(Boolean).length;
    fill(this.statuses, chips, hidden > 0 && h("button", { type: "button", "aria-pressed": String(this.withHidden), onclick: () => { this.withHidden = !this.withHidden; this.refresh(); } }, `${count(hidden)} hidden`),
      h("span", { class: "count", role: "status" }, this.places.length === store.ids.length ? plural(store.ids.length, "trial") : `${count(this.places.length)} of ${plural(store.ids.length, "trial")}`));
    fill(this.toolbar, store.selected.length === 0 ? h("span", { class: "hint" }, this.narrow ? "Tap a row for more." : "Click a row to pick it in every picture, its id to open it. Keys: ↑ ↓, space, enter.") : [
      h("span", {}, `${count(store.selected.length)} picked`),
      store.selected.slice(0, 12).map((id) => h("button", { type: "button", class: "pick", "aria-label": `unpick ${id}`, onclick: () => store.toggle(store.places.get(id)) }, h("span", { class: "chip", style: `background:${store.colour(store.places.get(id))}` }), id, h("span", { "aria-hidden": "true" }, " ×"))),
      store.selected.length > 12 && h("span", {}, `and ${count(store.selected.length - 12)} more`),
      h("button", { type: "button", "aria-pressed": String(this.onlyPicked), onclick: () => { this.onlyPicked = !this.onlyPicked; this.refresh(); } }, "only these"),
      h("button", { type: "button", onclick: () => { this.onlyPicked = false; store.pick([]); this.refresh(); } }, "clear")]);
    const fixed = parameters.filter((parameter) => !parameter.varies && trials.values.trial.length > 1 && trials.values[`config.${parameter.path}`].some((value) => value !== null)).map((parameter) => [parameter.label, trials.values[`config.${parameter.path}`].find((value) => value !== null)]);
    this.same.textContent = fixed.length ? `The same in all trials: ${fixed.map(([name, value]) => `${name} ${value}`).join(", ")}.` : "";
  }

  chooseColumns() {
    const shown = new Set(this.columns ?? this.store.data.trials.columns.filter((column) => column.on).map((column) => column.id));
    fill(this.menu, this.store.data.trials.columns.filter((column) => !column.empty).map((column) => h("label", { title: column.meaning },
      h("input", { type: "checkbox", checked: shown.has(column.id), value: column.id, onchange: (event) => {
        if (event.target.checked) shown.add(column.id); else shown.delete(column.id);
        this.columns = this.store.data.trials.columns.filter((each) => shown.has(each.id)).map((each) => each.id);
        this.header(); this.paint(); this.changed();
      } }), column.label)),
      h("button", { type: "button", onclick: () => { this.columns = null; this.chooseColumns(); this.header(); this.paint(); this.changed(); } }, "as at first"));
  }

  /** Return the rows shown, every column, for a CSV. */
  rows() {
    const { columns, values } = this.store.data.trials;
    return [["trial", ...columns.map((column) => column.id)], ...this.places.map((place) => [values.trial[place], ...columns.map((column) => values[column.id][place])])];
  }
}

const placeOf = (target) => { const row = target.closest("tr[data-place]"); return row ? Number(row.dataset.place) : null; };
