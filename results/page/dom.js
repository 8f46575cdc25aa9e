// Elements. Text only ever becomes text nodes: whatever a trial, a note or an error holds, it is never read as markup.

const parsed = document.createElement("template");
parsed.innerHTML = "<svg></svg>";
const SVG = parsed.content.firstChild.namespaceURI;

/** Return an HTML element. Attributes: `on…` listen, `class`, `hidden` and the like as in HTML; null and false leave one out. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
export function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return add(element, ...children);
}

/** Append elements and texts; lists are opened, and what is nothing is left out. */
export function add(element, ...children) {
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, ...children);
}

/** Return a link that saves rows, made only when it is asked for, as CSV. */
export function dataLink(name, rows, words = "data") {
  const link = h("a", { class: "data", href: "#", download: `${name}.csv`, "aria-label": `${words}: ${name} as CSV` }, words);
  link.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([csv(rows())], { type: "text/csv" }));
    link.href = address;
    setTimeout(() => { URL.revokeObjectURL(address); link.href = "#"; }, 60_000);
  });
  return link;
}

/** Return rows as CSV. A cell that a spreadsheet would take for a formula is given an apostrophe. */
export function csv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Return a button that copies a command. */
export function command(text) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `copy: ${text}` }, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.previousSibling);  // no clipboard from a file: the text is marked instead
      button.textContent = "marked";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  return h("span", { class: "command" }, h("code", {}, text), button);
}
