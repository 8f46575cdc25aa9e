// The frame of a picture: its finding as title, what is drawn as subtitle, a text alternative, its rows as CSV; drawn once it comes near
// the view, again when its size, the data, the theme or the table's rows change. Pointer and pictures speak through the store.

import { dataLink, fill, h, s } from "./dom.js";
import { formatter, score } from "./format.js";

const NEAR = "600px";  // below the view: drawn before it is seen

/**
 * A picture is an object with
 *   id, height(width, data), message(data) -> {title, subtitle, empty}, rows(data) -> rows with a header,
 *   draw(frame, store) -> {highlight(layer), nearest(x, y) -> place or null}; frame is {layer, width, height, redraw, options},
 *   least: the width below which it scrolls sideways within itself; controls(options, redraw, data) -> elements above it.
 */
export class Chart {
  constructor(plot, store, tip) {
    Object.assign(this, { plot, store, tip, options: {}, empty: true, near: false, stale: true, width: 0 });
    this.title = h("h3");
    this.subtitle = h("p", { class: "subtitle" });
    this.controls = h("div", { class: "controls" });
    this.stage = h("div", { class: "stage" });
    this.root = h("figure", { class: `picture ${plot.id}` }, dataLink(plot.id, () => plot.rows(store.data)), h("figcaption", {}, this.title, this.subtitle), this.controls, this.stage);
    this.redraw = () => this.refresh();
    for (const event of ["rows", "theme"]) store.addEventListener(event, this.redraw);
    store.addEventListener("selection", () => (plot.colours ? this.refresh() : this.highlight()));
    store.addEventListener("hover", () => { if (this.near) this.highlight(); });
    new ResizeObserver(() => { if (Math.abs(this.stage.clientWidth - this.width) > 1) this.redraw(); }).observe(this.stage);
    new IntersectionObserver(([entry]) => { this.near = entry.isIntersecting; if (this.near && this.stale) this.draw(); }, { rootMargin: NEAR }).observe(this.stage);
    this.stage.addEventListener("pointermove", (event) => this.point(event));
    this.stage.addEventListener("pointerleave", () => { this.store.hover(null); this.tip.hide(); });
    this.stage.addEventListener("click", (event) => { const place = this.at(event); if (place !== null) this.store.toggle(place); });
    this.stage.addEventListener("dblclick", (event) => { const place = this.at(event); if (place !== null) this.store.show(this.store.ids[place]); });
  }

  /** Take new data. */
  take() {
    const { data } = this.store, { title, subtitle, empty } = this.plot.message(data);
    this.title.textContent = title;
    fill(this.subtitle, subtitle ?? "");
    this.empty = empty;
    fill(this.controls, empty ? [] : this.plot.controls?.(this.options, this.redraw, data) ?? []);
    this.root.classList.toggle("nothing", Boolean(empty));
    if (empty) fill(this.stage, h("p", { class: "empty" }, empty));
    this.redraw();
  }

  refresh() {
    this.stale = true;
    if (!this.empty && this.store.data) this.stage.style.minHeight = `${this.plot.height(this.stage.clientWidth, this.store.data, this.options)}px`;
    else this.stage.style.minHeight = "";
    if (this.near && !this.asked) {
      this.asked = true;
      requestAnimationFrame(() => { this.asked = false; this.draw(); });
    }
  }

  /** Draw now, near or not. */
  draw() {
    this.stale = false;
    this.width = this.stage.clientWidth;
    this.drawn = null;
    if (this.empty || !this.width || !this.store.data) return;
    const width = Math.max(this.width, this.plot.least ?? 0), height = this.plot.height(width, this.store.data, this.options);
    this.layer = s("g", { class: "highlight" });
    const base = s("g");
    this.frame = { layer: base, width, height, options: this.options, redraw: this.redraw };
    this.drawn = this.plot.draw(this.frame, this.store) ?? {};
    this.svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${this.title.textContent}. ${this.subtitle.textContent}` }, base, this.layer);
    fill(this.stage, this.svg);
    this.stage.style.minHeight = `${height}px`;
    this.highlight();
  }

  /** Draw what stands out now over what is drawn already. */
  highlight() {
    if (!this.drawn?.highlight) return;
    fill(this.layer);
    this.drawn.highlight(this.layer);
  }

  at(event) {
    if (!this.drawn?.nearest || !this.svg) return null;
    const box = this.svg.getBoundingClientRect();
    return this.drawn.nearest(event.clientX - box.left, event.clientY - box.top);
  }

  point(event) {
    const place = this.at(event);
    this.stage.classList.toggle("hit", place !== null);
    this.store.hover(place);
    if (place === null) this.tip.hide(); else this.tip.show(event, line(this.store, place));
  }
}

/** Return a trial's line of the table, for the tip beside the pointer. */
function line(store, place) {
  const { sweep, trials, parameters } = store.data, { values } = trials;
  const rank = values.rank[place];
  const chosen = parameters.filter((parameter) => parameter.varies && values[`config.${parameter.path}`][place] !== null).slice(0, 8);
  return [
    h("b", {}, values.trial[place]), rank === null ? ` ${values.status[place].replaceAll("_", " ")}` : ` rank ${rank}, ${score(sweep, values.score[place])} at epoch ${values.rung_epochs[place]}`,
    h("div", { class: "values" }, chosen.map((parameter) => `${parameter.label} ${formatter(parameter.number ? "number" : "text")(values[`config.${parameter.path}`][place])}`).join(" · ")),
  ];
}

/** The one tip of the page, beside the pointer. */
export class Tip {
  constructor(element) { this.element = element; }

  show(event, content) {
    fill(this.element, content);
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = event.clientX + 16 + width > innerWidth ? event.clientX - width - 12 : event.clientX + 16;
    const top = event.clientY + 16 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 16;
    this.element.style.left = `${Math.max(4, left)}px`;
    this.element.style.top = `${Math.max(4, top)}px`;
  }

  hide() { this.element.hidden = true; }
}

/** Return the place nearest to a point among candidates of [x, y, place], within reach. */
export function nearestOf(points, x, y, reach = 18) {
  let best = null, least = reach * reach;
  for (const [px, py, place] of points) {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) { least = distance; best = place; }
  }
  return best;
}

/** Return a labelled select for a picture's controls. */
export function choice(label, values, options, name, redraw) {
  const select = h("select", { "aria-label": label, onchange: () => { options[name] = select.value; redraw(); } }, values.map(([value, text]) => h("option", { value, selected: options[name] === value }, text)));
  return h("label", { class: "choice" }, `${label} `, select);
}

/** Return a labelled checkbox for a picture's controls. */
export function toggle(label, options, name, redraw) {
  const box = h("input", { type: "checkbox", checked: Boolean(options[name]), onchange: () => { options[name] = box.checked; redraw(); } });
  return h("label", { class: "choice" }, box, ` ${label}`);
}
