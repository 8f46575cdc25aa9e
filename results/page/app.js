// The page: `show(data)` draws a sweep, and draws it again with new data; what the reader has chosen and scrolled to stays.

import { Chart, Tip } from "./chart.js";
import { fill, h } from "./dom.js";
import { Panel } from "./panel.js";
import { curves } from "./plots/curves.js";
import { finals } from "./plots/finals.js";
import { funnel } from "./plots/funnel.js";
import { importance } from "./plots/importance.js";
import { landscape } from "./plots/landscape.js";
import { parallel } from "./plots/parallel.js";
import { pareto } from "./plots/pareto.js";
import { progress } from "./plots/progress.js";
import { slices } from "./plots/slices.js";
import { timeline } from "./plots/timeline.js";
import { failures, findings, header, provenance } from "./prose.js";
import { readAddress, Store, writeAddress } from "./store.js";
import { Table } from "./table.js";

const PLOTS = Object.fromEntries([curves, finals, funnel, importance, landscape, parallel, pareto, progress, slices, timeline].map((plot) => [plot.id, plot]));
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
let restoring = false;
parallel.table = table;

/** Draw a sweep. */
export function show(data) {
  store.take(data);
  document.title = `${data.sweep.name} · shortlist`;
  header(find("head"), data, [contentsMenu(data), themeButton()]);
  if (!drawn.length) build(data);
  for (const take of drawn) take();
  panel.refresh();
}

function build(data) {
  fill(find("main"), data.sections.map((section) => h("section", { id: section.id, class: section.wide ? "wide" : "half", "aria-labelledby": `${section.id}-name` }, h("h2", { id: `${section.id}-name` }, section.name), part(section))));
  fill(find("contents"), links(data));
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
  const chart = new Chart(PLOTS[id], store, tip);
  drawn.push(() => chart.take());
  charts.push(chart);
  return chart.root;
}

function links(data) {
  return h("ul", {}, data.sections.map((section) => h("li", {}, h("a", { href: `#${section.id}`, onclick: (event) => { event.preventDefault(); jump(section.id); } }, section.name))));
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

// Light and dark: the system's choice until the reader makes another.

const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
let chosen = remembered();

function themeButton() {
  const other = () => (document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const button = h("button", { type: "button", class: "theme", onclick: () => { chosen = other(); try { localStorage.setItem("shortlist-theme", chosen); } catch { /* files may not keep anything */ } applyTheme(); button.textContent = other(); button.setAttribute("aria-label", `switch to ${other()} colours`); } }, other());
  button.setAttribute("aria-label", `switch to ${other()} colours`);
  return button;
}

function remembered() {
  try { return localStorage.getItem("shortlist-theme"); } catch { return null; }
}

function applyTheme() {
  const name = paper.matches ? "light" : chosen ?? (dark.matches ? "dark" : "light");
  if (document.documentElement.dataset.theme === name) return;
  document.documentElement.dataset.theme = name;
  if (store.data) { table.paint(); table.tools(); store.say("theme"); }
}

dark.addEventListener("change", () => { applyTheme(); if (store.data) header(find("head"), store.data, [contentsMenu(store.data), themeButton()]); });

// The reader's choices are in the address, so that what is seen can be sent.

function remember() {
  if (restoring) return;
  writeAddress({ picked: store.selected.join(","), open: store.open, filter: table.filter, sort: table.sort, columns: table.columns?.join(",") });
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
  restoring = false;
}

for (const event of ["selection", "open"]) store.addEventListener(event, remember);
addEventListener("hashchange", restore);

// On paper everything is drawn, light.

const toPaper = () => { applyTheme(); for (const chart of charts) { chart.near = true; chart.draw(); } };
paper.addEventListener("change", toPaper);
addEventListener("beforeprint", toPaper);

// A live page brings new data this way.
document.addEventListener("shortlist:data", (event) => show(event.detail));

applyTheme();
show(JSON.parse(find("data").textContent));
restore();
performance.mark("shown");
document.documentElement.dataset.shown = "yes";
