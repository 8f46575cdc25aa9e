// What the reader has chosen: picked trials, the one under the pointer, the one whose panel is open, the table's rows. Pictures listen.
//
// Trials are kept by id, so that new data leave every choice as it is; pictures ask for places, the rows of the data at hand.

import { picked, viridis } from "./colour.js";

export class Store extends EventTarget {
  constructor() {
    super();
    this.data = null;
    this.selected = [];  // ids, in the order in which they were picked
    this.open = null;  // id
    this.chosen = null;  // id of the final that is looked at; null for the first
    this.hovered = null;  // place
    this.shown = [];  // places that the table's filter leaves, in its order
    this.isShown = () => true;
  }

  /** Take new data; choices stay as far as their trials exist. `data.final` is the final that is looked at, null without any. */
  take(data) {
    this.data = data;
    this.findFinal();
    this.ids = data.trials.values.trial;
    this.places = new Map(this.ids.map((id, place) => [id, place]));
    this.hovered = null;
    const { rank, hidden, rung_epochs } = data.trials.values;
    this.farthest = Math.max(0, ...rung_epochs);
    this.winner = rank.findIndex((place, i) => place !== null && !hidden[i]);
    this.selected = this.selected.filter((id) => this.places.has(id));
    if (this.open !== null && !this.places.has(this.open)) this.open = null;
  }

  say(what) { this.dispatchEvent(new Event(what)); }

  toggle(place) { this.pick(this.selected.includes(this.ids[place]) ? this.selected.filter((id) => id !== this.ids[place]) : [...this.selected, this.ids[place]]); }

  pick(ids) {
    this.selected = ids;
    this.say("selection");
  }

  pickPlaces(places) { this.pick(places.map((place) => this.ids[place])); }

  hover(place) {
    if (place === this.hovered) return;
    this.hovered = place;
    this.say("hover");
  }

  show(id) {
    this.open = id;
    this.say("open");
  }

  /** Look at a final, by id; null for the first. */
  choose(id) {
    const { finals } = this.data;
    this.chosen = id !== finals[0]?.id && finals.some((final) => final.id === id) ? id : null;
    this.findFinal();
    this.say("final");
  }

  findFinal() {
    const { finals } = this.data;
    this.data.final = finals.find((final) => final.id === this.chosen) ?? finals[0] ?? null;
  }

  /** Set which rows the table shows. */
  setShown(places) {
    this.shown = places;
    const all = places.length === this.ids.length, set = all ? null : new Set(places);
    this.isShown = all ? () => true : (place) => set.has(place);
    this.say("rows");
  }

  /** Return the places that stand out now: picked ones, and the one under the pointer last. */
  highlighted() {
    const places = this.selected.map((id) => this.places.get(id));
    if (this.hovered !== null && !places.includes(this.hovered)) places.push(this.hovered);
    return places;
  }

  /** Return a trial's colour: picked ones have their own, the winner the accent, ranked ones by standing, others none. */
  colour(place) {
    const order = this.selected.indexOf(this.ids[place]);
    if (order >= 0) return picked(order);
    if (place === this.winner) return "var(--accent)";
    const standing = this.data.pictures.standing[place];
    return standing === null || this.data.trials.values.rank[place] === null ? "var(--mute)" : viridis(standing);
  }

  /** Return whether a trial has come as far as any: trained in full or, as long as none is, at the highest rung reached. */
  survives(place) { return this.data.trials.values.rank[place] !== null && this.data.trials.values.rung_epochs[place] >= this.farthest; }
}

/** Return the part of the page's address behind # as a mapping. */
export function readAddress() {
  const text = location.hash.slice(1);
  return text.includes("=") ? new URLSearchParams(text) : new URLSearchParams(text ? { at: text } : {});
}

/** Put choices into the address, without a new step in the browser's history. */
export function writeAddress(entries) {
  const kept = new URLSearchParams(Object.entries(entries).filter(([, value]) => value));
  const text = kept.toString().replaceAll("%2C", ",");
  if (location.hash.slice(1) !== text) history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}
