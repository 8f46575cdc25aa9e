// The parts of the page that are words: header, headline, findings, failures, provenance.

import { command, dataLink, fill, h } from "./dom.js";
import { count, duration, metricName, moment, number, plural, score, words } from "./format.js";

const STATES = { new: "not started", running: "running", finished: "finished", interrupted: "interrupted", stopped: "stopped", budget: "budget spent", failed: "failed", extended: "extended" };

/** Draw the slim line on top: which sweep, how far, what it has cost, what it learnt from, which software. */
export function header(element, { sweep, trials, provenance }, buttons) {
  const of = sweep.num_trials > trials.values.trial.length ? `${count(trials.values.trial.length)} of ${count(sweep.num_trials)} trials` : plural(trials.values.trial.length, "trial");
  const hours = sweep.device_s / 3600, device = sweep.gpu ? "GPU" : "device";
  fill(element, h("div", { class: "inner" },
    h("h1", {}, sweep.name),
    h("span", { class: `state ${sweep.state}` }, STATES[sweep.state] ?? sweep.state),
    h("ul", { class: "facts" }, [of, hours >= 0.95 ? `${number(hours)} ${device} hours` : `${duration(sweep.device_s)} of ${device} time`, provenance.data?.name, provenance.commit && `commit ${provenance.commit.slice(0, 7)}${provenance.commit.endsWith("+changes") ? "+" : ""}`].filter(Boolean).map((fact) => h("li", {}, fact))),
    h("span", { class: "space" }), buttons));
}

/** Return the sentence that says how the sweep stands, and what to do next. */
export function headline(data) {
  const { sweep, trials: { values }, pictures } = data, total = values.trial.length, n = sweep.counts;
  const badly = (n.failed ?? 0) + (n.diverged ?? 0) + (n.out_of_memory ?? 0);
  const winner = values.rank.findIndex((rank, place) => rank !== null && !values.hidden[place]);
  if (!total) return { title: "No trial has been suggested yet", more: sweep.state === "running" ? "The driver is at work; the first candidates are being drawn." : "Nothing was trained.", next: sweep.next };
  if (winner < 0 && badly === total) return { title: total === 1 ? "The only trial came to nothing" : `All ${count(total)} trials came to nothing`, more: `The commonest cause: ${pictures.failures[0]?.cause || words(pictures.failures[0]?.status ?? "")}. See Failures.`, next: sweep.next };
  if (winner < 0) return { title: "No trial has reached its first rung yet", more: `${plural(total, "trial")} so far; places are given from epoch ${sweep.ladder[0] ?? sweep.max_epochs} on.`, next: sweep.next };
  const parts = data.parameters.filter((parameter) => parameter.varies && values[`config.${parameter.path}`][winner] !== null).slice(0, 6).map((parameter) => `${parameter.label} ${parameter.number ? number(values[`config.${parameter.path}`][winner]) : values[`config.${parameter.path}`][winner]}`);
  const whole = values.rung_epochs[winner] >= sweep.max_epochs;
  return {
    title: `${values.trial[winner]} leads: ${score(sweep, values.score[winner])} ${metricName(sweep.metric)} ${whole ? `after all ${sweep.max_epochs} epochs` : `at epoch ${values.rung_epochs[winner]} of ${sweep.max_epochs}`}`,
    more: parts.join(" · "),
    tied: pictures.tied > 1 ? `The first ${pictures.tied} are within noise of each other: ${metricName(sweep.metric)} moves as much between neighbouring epochs.` : "",
    next: sweep.next,
  };
}

/** Draw what the sweep has shown; each sentence can show the trials that it rests on. */
export function findings(element, store) {
  const { data } = store, { pictures, sweep } = data, said = headline(data);
  const list = pictures.findings.map((finding) => h("li", {}, h("span", {}, `${finding.text}.`), " ", h("button", { type: "button", class: "quiet", onclick: () => store.pickPlaces(finding.trials) }, `pick ${finding.trials.length === 1 ? "the trial" : `the ${finding.trials.length} trials`}`)));
  const left = sweep.state === "running" && sweep.left_s ? `About ${duration(sweep.left_s[0])} to ${duration(sweep.left_s[1])} left. ` : "";
  const ranked = data.trials.values.rank.filter((rank) => rank !== null).length;
  const silence = ranked >= 8 ? "Nothing else stands out from chance." : ranked ? "Too few trials to say more." : "";
  fill(element,
    h("p", { class: "headline" }, said.title),
    said.more && h("p", { class: "recipe" }, said.more),
    said.tied && h("p", { class: "tied" }, said.tied),
    (left || sweep.state === "running") && h("p", {}, `${left}${plural(sweep.busy, "worker")} ${sweep.busy === 1 ? "trains" : "train"} now.`),
    list.length ? h("ol", { class: "findings" }, list) : silence && h("p", { class: "note" }, silence),
    sweep.notes.length > 0 && h("ul", { class: "remarks" }, sweep.notes.map((note) => h("li", {}, `${note.at.slice(0, 10)} ${note.author}: ${note.text}`))),
    said.next && h("p", { class: "next" }, "Next: ", command(said.next)));
}

/** Draw why trials came to nothing. */
export function failures(element, store) {
  const { pictures: { failures: causes }, trials } = store.data, total = causes.reduce((sum, cause) => sum + cause.trials.length, 0);
  const kinds = Object.entries(Object.groupBy(causes, (cause) => cause.status)).map(([status, same]) => `${count(same.reduce((sum, cause) => sum + cause.trials.length, 0))} ${words(status)}`);
  const rows = () => [["status", "cause", "trials"], ...causes.map((cause) => [cause.status, cause.cause, cause.trials.map((place) => trials.values.trial[place]).join(" ")])];
  fill(element,
    h("h3", {}, total ? `${plural(total, "trial")} of ${count(trials.values.trial.length)} came to nothing: ${kinds.join(", ")}` : "No trial failed, diverged or ran out of memory"),
    total > 0 && [
      dataLink("failures", rows),
      h("p", { class: "subtitle" }, "Causes that differ in figures, ids and paths alone count as one."),
      h("div", { class: "sideways" }, h("table", { class: "causes" }, h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "number" }, "trials"), h("th", { scope: "col" }, "status"), h("th", { scope: "col" }, "cause, of the first"), h("th", { scope: "col" }, ""))),
        h("tbody", {}, causes.map((cause) => h("tr", {}, h("td", { class: "number" }, count(cause.trials.length)), h("td", { class: `status ${cause.status}` }, words(cause.status)), h("td", { class: "cause" }, cause.cause || "no reason known"),
          h("td", {}, cause.trials.length === 1 ? h("button", { type: "button", class: "quiet", onclick: () => store.show(trials.values.trial[cause.trials[0]]) }, `open ${trials.values.trial[cause.trials[0]]}`) : h("button", { type: "button", class: "quiet", onclick: () => store.pickPlaces(cause.trials) }, `pick ${cause.trials.length}`)))))))]);
}

/** Draw where the figures come from. */
export function provenance(element, { provenance: known, sweep, made_at }) {
  const rule = known.scheduler && Object.entries(known.scheduler).find(([, options]) => options && typeof options === "object");
  const rejected = Object.entries(known.rejected);
  const pairs = [
    ["started", known.started_at && `${known.started_at.replace("T", " ")} UTC`],
    ["state", `${STATES[sweep.state] ?? sweep.state}${sweep.state_at ? ` since ${sweep.state_at.replace("T", " ")} UTC` : ""}`],
    ["data", known.data && Object.entries(known.data).filter(([, value]) => value !== null && typeof value !== "object").map(([name, value]) => `${name} ${value}`).join(", ")],
    ["objective", `${metricName(sweep.metric)}, ${sweep.mode === "max" ? "maximised" : "minimised"}`],
    ["sampler", known.sampler], ["seed", known.seed],
    ["scheduler", rule && `${rule[0]}: ${Object.entries(rule[1]).filter(([, value]) => value !== null).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ")}`],
    ["trained", `${plural(sweep.epochs, "epoch")}, ${duration(sweep.device_s)} of devices, ${duration(sweep.wall_s)} of time`],
    ["budget", Object.entries({ epochs: sweep.limits.epochs && `${count(sweep.limits.epochs)} epochs`, hours: sweep.limits.gpu_hours && `${sweep.limits.gpu_hours} device hours`, wall: sweep.limits.wall_s && `${duration(sweep.limits.wall_s)} of time` }).map(([, text]) => text).filter(Boolean).join(", ")],
    ["rejected candidates", rejected.map(([reason, n]) => `${count(n)}: ${reason}`).join("; ")],
    ["workers lost", known.lost || null],
    ["machines", [known.hosts.join(", "), known.devices.join(", ")].filter(Boolean).join(" · ")],
    ["commit", known.commit], ["sweep hash", known.sweep_hash],
    ["versions", Object.entries(known.versions).map(([name, version]) => `${name} ${version}`).join(", ")], ["platform", known.platform],
    ["this page", `made ${moment(made_at)} UTC`],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  fill(element, h("dl", { class: "provenance" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value))))),
    known.file && h("details", {}, h("summary", {}, "sweep.yaml as it was run"), h("pre", {}, known.file)));
}
