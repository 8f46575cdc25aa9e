// Light and dark: the system's choice until the reader makes another; paper is light.

import { h } from "./dom.js";

const KEY = "shortlist-theme";
const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
let chosen = remembered();

function remembered() {
  try { return localStorage.getItem(KEY); } catch { return null; }
}

/** Set the colours that hold now; return whether they have changed. */
export function applyTheme() {
  const name = paper.matches ? "light" : chosen ?? (dark.matches ? "dark" : "light");
  if (document.documentElement.dataset.theme === name) return false;
  document.documentElement.dataset.theme = name;
  return true;
}

/** Return the switch; `changed` is called when the colours have. */
export function themeButton(changed) {
  const button = h("button", { type: "button", class: "theme", onclick: () => { chosen = other(); try { localStorage.setItem(KEY, chosen); } catch { /* files may not keep anything */ } if (applyTheme()) changed(); name(); } });
  const other = () => (document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const name = () => { button.textContent = other(); button.setAttribute("aria-label", `switch to ${other()} colours`); };
  dark.addEventListener("change", () => { if (!button.isConnected) return; if (applyTheme()) changed(); name(); });
  name();
  return button;
}

/** Call back when the page goes to paper, or comes back from it. */
export function onPaper(back) {
  paper.addEventListener("change", back);
  addEventListener("beforeprint", back);
}
