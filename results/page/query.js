// The table's filter: words that a row must hold, and comparisons such as lr<0.01 or optimizer=sgd, all of which must be true.

import { words } from "./format.js";

const COMPARISON = /^([\w.\- ]*?[\w.\-])\s*(<=|>=|!=|=|<|>)(.*)$/;

/**
 * Return what tells whether a row is meant, and what was not understood.
 *
 * @param text What was typed. Per cent are compared as they are shown: score>94.
 * @param trials The table: columns and values.
 */
export function parse(text, trials) {
  const tests = [], problems = [];
  const searched = ["status", "reason", "tags", "notes", ...trials.columns.filter((c) => c.id.startsWith("config.") && c.kind === "text").map((c) => c.id)]
    .filter((id) => trials.values[id]);
  for (const token of tokens(text)) {
    const found = token.quoted ? null : COMPARISON.exec(token.text);
    if (found === null) {
      const word = token.text.toLowerCase();
      tests.push((i) => trials.values.trial[i].toLowerCase().includes(word)
        || searched.some((id) => trials.values[id][i] !== null && words(String(trials.values[id][i])).toLowerCase().includes(words(word))));
      continue;
    }
    const [, name, operator, wanted] = found;
    const column = columnNamed(name, trials);
    if (column === null) problems.push(`no column is called ${name}`);
    else tests.push(comparison(trials.values[column.id], column.kind, operator, wanted));
  }
  return { matches: (i) => tests.every((test) => test(i)), problems };
}

/** Return a filter without the comparisons of a column, and with these instead. */
export function withComparisons(text, label, comparisons) {
  const kept = tokens(text).filter((token) => token.quoted || COMPARISON.exec(token.text)?.[1] !== label).map((token) => quote(token));
  return [...kept, ...comparisons.map((rest) => `${label.includes(" ") ? `"${label}"` : label}${rest}`)].join(" ");
}

/** Return a value as it must be written behind an operator. */
export const quoted = (value) => (/[\s"]/.test(value) ? `"${value.replaceAll('"', "")}"` : value);

const quote = (token) => (token.quoted ? `"${token.text}"` : /\s/.test(token.text) ? token.raw : token.text);

function tokens(text) {
  return [...text.matchAll(/((?:[^\s"]|"[^"]*")+)/g)].map(([raw]) => {
    const bare = raw.replaceAll('"', "");
    return { raw, text: bare, quoted: raw.startsWith('"') && raw.endsWith('"') && raw.slice(1, -1) === bare };
  }).filter((token) => token.text);
}

function columnNamed(name, trials) {
  const wanted = name.toLowerCase();
  if (wanted === "trial") return { id: "trial", kind: "text" };
  return trials.columns.find((c) => [c.id, c.label, c.id.replace("config.", "")].some((known) => known.toLowerCase() === wanted)) ?? null;
}

function comparison(values, kind, operator, wanted) {
  const bound = Number(wanted);
  const numeric = wanted.trim() !== "" && !Number.isNaN(bound) && kind !== "text" && kind !== "status";
  const shownValue = (value) => (kind === "fraction" ? value * 100 : value);
  if (numeric) {
    const near = (value) => Math.abs(value - bound) <= 1e-9 * Math.max(Math.abs(value), Math.abs(bound));
    const rules = { "<": (v) => v < bound, ">": (v) => v > bound, "<=": (v) => v < bound || near(v), ">=": (v) => v > bound || near(v), "=": near, "!=": (v) => !near(v) };
    return (i) => values[i] !== null && rules[operator](shownValue(values[i]));
  }
  const text = words(wanted.toLowerCase());
  const own = (i) => (values[i] === null ? "" : words(String(values[i]).toLowerCase()));
  const rules = { "=": (i) => own(i) === text, "!=": (i) => own(i) !== text, "<": (i) => own(i) < text, ">": (i) => own(i) > text, "<=": (i) => own(i) <= text, ">=": (i) => own(i) >= text };
  return rules[operator];
}
