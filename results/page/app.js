// The page: `show(data)` draws a sweep, and draws it again with new data; what the reader has chosen and scrolled to stays.

import { Chart, Tip } from "./chart.js";
import { fill, h } from "./dom.js";
import { Panel } from "./panel.js";
import { curves } from "./plots/curves.js";
import { funnel } from "./plots/funnel.js";
import { importance } from "./plots/importance.js";
import { landscape } from "./plots/landscape.js";
import { parallel } from "./plots/parallel.js";
import { pareto } from "./plots/pareto.js";
import { progress } from "./plots/progress.js";
import { slices } from "./plots/slices.js";
import { timeline } from "./plots/timeline.js";
import { Promotion } from "./promotion.js";
import { failures, findings, header, provenance } from "./prose.js";
import { readAddress, Store, writeAddress } from "./store.js";
import { Table } from "./table.js";
import { applyTheme, onPaper, themeButton } from "./theme.js";

const PLOTS = Object.fromEntries([curves, funnel, importance, landscape, parallel, pareto, progress, slices, timeline].map((plot) => [plot.id, plot]));
const find = (id) => document.getElementById(id);

const store = new Store(), tip = new Tip(find("tip"));
const table = new Table(store, remember), panel = new Panel(find("panel"), store, table);
const prose = {
  findings: (element) => findings(element, store),
  failures: (element) => failures(element, store),
  provenance: (element) => provenance(element, store.data),
};
const drawn = [];  // of each section: what takes new data
const charts = [];
applyTheme();
const switcher = themeButton(repaint);
let restoring = false;
parallel.table = table;

/** Draw a sweep. */
export function show(data) {
  store.take(data);
  document.title = `${data.sweep.name} · shortlist`;
  header(find("head"), data, [contentsMenu(data), switcher]);
  if (!drawn.length) build(data);
  contents(data);
  for (const take of drawn) take();
  panel.refresh();
}

/** Show the sections that have something to tell: the first final comes while the page is open. */
function contents(data) {
  const shown = data.sections.filter((section) => section.shown).map((section) => section.id).join();
  if (find("contents").dataset.shown === shown) return;
  find("contents").dataset.shown = shown;
  for (const section of data.sections) find(section.id).hidden = !section.shown;
  fill(find("contents"), links(data));
}

function build(data) {
  fill(find("main"), data.sections.map((section) => h("section", { id: section.id, class: section.wide ? "wide" : "half", "aria-labelledby": `${section.id}-name` }, h("h2", { id: `${section.id}-name` }, section.name), part(section))));
  drawn.push(() => table.take());  // first: its rows drive every picture
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) for (const link of document.querySelectorAll(`nav a[href="#${entry.target.id}"]`)) link.classList.toggle("here", entry.isIntersecting);
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
}

function part({ id }) {
  if (id === "trials") return table.root;
  if (prose[id]) {
    const element = h("div", { class: `prose ${id}` });
    drawn.push(() => prose[id](element));
    return element;
  }
  if (id === "finals") {
    const promotion = new Promotion(store, tip);
    drawn.push(() => promotion.take());
    charts.push(...promotion.charts);
    return promotion.root;
  }
  const chart = new Chart(PLOTS[id], store, tip);
  drawn.push(() => chart.take());
  charts.push(chart);
  return chart.root;
}

function links(data) {
  return h("ul", {}, data.sections.filter((section) => section.shown).map((section) => h("li", {}, h("a", { href: `#${section.id}`, onclick: (event) => { event.preventDefault(); jump(section.id); } }, section.name))));
}

function contentsMenu(data) {
  const menu = h("details", { class: "contents-menu" }, h("summary", {}, "contents"), links(data));
  menu.addEventListener("click", (event) => { if (event.target.tagName === "A") menu.open = false; });
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.firstChild.focus(); event.preventDefault(); } });
  return menu;
}

/** Go to a section; the address keeps the reader's choices. */
function jump(id) {
  const section = find(id);
  if (!section) return;
  section.scrollIntoView({ behavior: "instant", block: "start" });
  section.setAttribute("tabindex", "-1");
  section.focus({ preventScroll: true });
}

/** Draw anew what computes its colours. */
function repaint() {
  table.paint();
  table.tools();
  store.say("theme");
}

// The reader's choices are in the address, so that what is seen can be sent.

function remember() {
  if (restoring) return;
  writeAddress({ picked: store.selected.join(","), open: store.open, final: store.chosen, filter: table.filter, sort: table.sort, columns: table.columns?.join(",") });
}

function restore() {
  const address = readAddress(), at = address.get("at");
  if (at !== null) { jump(at); return; }
  restoring = true;
  const list = (name) => (address.get(name) ? address.get(name).split(",") : []);
  table.filter = table.search.value = address.get("filter") ?? "";
  table.sort = address.get("sort");
  table.columns = address.get("columns") ? list("columns") : null;
  table.refresh();
  table.chooseColumns();
  store.pick(list("picked").filter((id) => store.places.has(id)));
  store.show(store.places.has(address.get("open")) ? address.get("open") : null);
  store.choose(address.get("final"));
  restoring = false;
  if ([...address.keys()].join() === "final") jump("finals");  // a link from the list of sweeps
}

for (const event of ["selection", "open", "final"]) store.addEventListener(event, remember);
addEventListener("hashchange", restore);

// On paper everything is drawn, light.

onPaper(() => { if (applyTheme()) repaint(); for (const chart of charts) { chart.near = true; chart.draw(); } });

// A live page brings new data this way.
document.addEventListener("shortlist:data", (event) => show(event.detail));

show(JSON.parse(find("data").textContent));
restore();
performance.mark("shown");
document.documentElement.dataset.shown = "yes";
