// The list of sweeps: each with its leader and its finals, asked for again while the page is looked at.

import { command, fill, h } from "./dom.js";
import { count, metricName, number, percent, plural } from "./format.js";
import { applyTheme, onPaper, themeButton } from "./theme.js";

const POLL_MS = 3000;
const WHERE = "/api/v1/sweeps";
const STATES = { new: "not started", budget: "budget spent" };
const find = (id) => document.getElementById(id);

let before = "", rows = [], words = "", sorted = "state";

const score = (row) => (row.score === null ? "" : row.metric.endsWith("accuracy") ? percent(row.score) : number(row.score));
const whole = (value) => (value === null ? "" : count(value));

function header() {
  fill(find("head"), h("div", { class: "inner" }, h("h1", {}, "Sweeps"), h("span", { class: "space" }), themeButton(() => {})));
}

/** Draw what the service has said last. */
function draw() {
  const sweeps = groups(rows), running = sweeps.filter(({ sweep }) => sweep.state === "running").length;
  const tested = rows.filter((row) => row.test_accuracy !== null), best = tested.reduce((most, row) => Math.max(most, row.test_accuracy), -1);
  const top = tested.find((row) => row.test_accuracy === best);
  find("said").textContent = !sweeps.length ? "No sweep here yet" : `${plural(sweeps.length, "sweep")}, ${running ? `${count(running)} running` : "none running"}`;
  fill(find("more"), !sweeps.length ? [] : top ? `The best tested model is ${top.final} of ${top.sweep}: ${percent(best)} on its test split. Models of other data sets do not compare.` : "No model has been promoted and tested yet.");
  if (!sweeps.length) {
    fill(find("sweeps"), h("p", { class: "next" }, "Start one: ", command("shortlist run SWEEP.yaml")));
    return;
  }
  const kept = document.activeElement?.dataset?.name, box = find("search") ?? searchBox();
  const shown = ordered(sweeps.filter(({ sweep }) => sweep.sweep.toLowerCase().includes(words.toLowerCase())));
  fill(find("sweeps"), h("div", { class: "tools" }, box, sorting()),
    h("div", { class: "sideways" }, h("table", { class: "causes sweeps" },
      h("thead", {}, h("tr", {}, ["sweep", "state", "trials", "leader", "validation", "epochs", "parameters", "test"].map((text, i) => h("th", { scope: "col", class: [CLASSES[i]] }, text)))),
      h("tbody", {}, shown.flatMap(({ sweep, finals }) => [line(sweep, false), ...finals.map((final) => line(final, final === top))])))),
    !shown.length && h("p", { class: "empty" }, "No sweep has this in its name."));
  if (kept) find("sweeps").querySelector(`[data-name="${CSS.escape(kept)}"]`)?.focus();
}

const CLASSES = ["", "", "number spare", "spare", "number", "number spare", "number spare", "number"];

function line(row, best) {
  const first = row.final === null ? h("a", { href: `/sweeps/${encodeURIComponent(row.sweep)}`, "data-name": row.sweep }, row.sweep) : h("a", { href: `/sweeps/${encodeURIComponent(row.sweep)}#final=${encodeURIComponent(row.final)}`, "data-name": `${row.sweep}/${row.final}` }, row.final);
  const state = row.final === null ? h("span", { class: `state ${row.state || "failed"}` }, h("span", { class: "word" }, row.state ? STATES[row.state] ?? row.state : "unreadable")) : h("span", { class: "word" }, "final");
  const cells = [whole(row.trials), row.trial ?? "", h("span", { title: row.metric ? metricName(row.metric) : null }, score(row)), whole(row.epochs), whole(row.parameters), row.test_accuracy === null ? "" : percent(row.test_accuracy)];
  return h("tr", { class: [row.final === null ? "sweep" : "final", best ? "best" : ""].join(" ").trim() },
    h("th", { scope: "row" }, first), h("td", { class: row.final === null ? null : "faint" }, state),
    row.remark && row.score === null ? h("td", { colspan: 6, class: "remark" }, row.remark) : cells.map((cell, i) => h("td", { class: CLASSES[i + 2] || null }, cell)));
}

function searchBox() {
  return h("input", { type: "search", id: "search", "data-name": "search", placeholder: "find a sweep", "aria-label": "find a sweep by its name", oninput: (event) => { words = event.target.value; draw(); } });
}

function sorting() {
  const choice = (value, text) => h("option", { value, selected: value === sorted }, text);
  return h("label", { class: "choice" }, "first ", h("select", { "data-name": "sorting", onchange: (event) => { sorted = event.target.value; draw(); } }, choice("state", "the running ones"), choice("name", "by name"), choice("score", "the best on validation"), choice("test", "the best tested")));
}

/** Return the sweeps, each with its finals. */
function groups(all) {
  const found = [];
  for (const row of all) {
    if (row.final === null) found.push({ sweep: row, finals: [] });
    else found.at(-1)?.finals.push(row);
  }
  return found;
}

function ordered(sweeps) {
  const tested = ({ finals }) => Math.max(-1, ...finals.map((final) => final.test_accuracy ?? -1));
  const by = {
    name: () => 0,
    state: (a, b) => (b.sweep.state === "running") - (a.sweep.state === "running"),
    score: (a, b) => rank(b.sweep) - rank(a.sweep),
    test: (a, b) => tested(b) - tested(a),
  };
  return sweeps.toSorted((a, b) => by[sorted](a, b) || a.sweep.sweep.localeCompare(b.sweep.sweep, "en", { numeric: true }));
}

/** Return an accuracy; what is measured in another unit comes behind. */
const rank = (row) => (row.score !== null && row.metric.endsWith("accuracy") ? row.score : -1);

async function look() {
  try {
    const answer = await fetch(WHERE, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(await answer.text());
    const text = await answer.text();
    if (text !== before) {
      before = text;
      rows = JSON.parse(text);
      draw();
    }
  } catch (error) {
    before = "";
    find("said").textContent = `Not up to date: ${error.message}`;
  }
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : look()), POLL_MS);
}

applyTheme();
onPaper(applyTheme);
header();
look();
