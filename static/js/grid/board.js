// The grid on show: its cards, which are picked out, which are labelled already, and which somebody has yet to see.
//
//   "change"  others are picked out, the cursor is elsewhere, or another card has been seen

import { Selection } from "../selection.js";
import { card_of, settle } from "./cards.js";

// A card counts as seen once half of it, or of what fits the window, has been on the screen.
const SEEN_SHARE = 0.5;

export class Board extends EventTarget {
  #list;
  #selection;
  #items = [];
  #cards = new Map();
  // What was said here, by id: labels.
  #settled = new Map();
  #unseen = new Set();
  #pointed = null;
  #observer;

  #are_open;

  // `are_open`: a sample can be told more once something was said of it, as with tags.
  constructor(list, { are_open = false } = {}) {
    super();
    this.#list = list;
    this.#are_open = are_open;
    this.#selection = new Selection(list, { keys_from: document });
    this.#selection.toggle_key = ""; // the page's own list of keys has it
    this.#selection.addEventListener("change", () => this.#point_at(null));
    this.#selection.addEventListener("move", ({ detail }) => this.#point_at(detail.by_key ? detail.cursor : null));
    this.#observer = new IntersectionObserver((entries) => this.#see(entries), { threshold: [0, 0.25, SEEN_SHARE, 0.75] });
  }

  get items() {
    return this.#items;
  }

  // Those that can still be picked.
  get left() {
    return this.#items.filter((item) => this.#are_open || !this.#settled.has(item.sampleId));
  }

  get picked() {
    return this.#selection.ids;
  }

  get others() {
    return this.left.map((item) => item.sampleId).filter((id) => !this.#selection.has(id));
  }

  get cursor() {
    return this.#selection.cursor;
  }

  // The sample that arrows went to, while nothing was picked there: a label's key may be meant for it. Where the cursor
  // went by itself, or by a click, a key pressed twice must not label what nobody pointed at.
  get pointed() {
    return this.#pointed;
  }

  get n_unseen() {
    return this.#unseen.size;
  }

  // What it takes to show this grid again as it is.
  get state() {
    return { items: this.#items, settled: new Map(this.#settled), picked: this.picked, cursor: this.cursor };
  }

  show({ items, settled = new Map(), picked = [], cursor = null }) {
    this.#items = items;
    this.#settled = new Map(settled);
    this.#cards = new Map(items.map((item) => [item.sampleId, card_of(item)]));
    for (const id of this.#settled.keys()) this.#show_said(id);
    this.#list.replaceChildren(...this.#cards.values());
    this.#watch();
    this.#selection.refresh();
    this.#selection.select(picked);
    if (cursor) this.#selection.move_to(cursor);
    this.#tell();
  }

  // These are labelled; they stay where they are until the whole grid goes, so that nothing moves under a hand.
  settle(ids, label) {
    const after = this.#items.slice(this.#items.findIndex((item) => item.sampleId === this.cursor) + 1);
    for (const id of ids) {
      const said = (this.#settled.get(id) ?? []).filter((other) => other.id !== label.id);
      this.#settled.set(id, [...said, label]);
      this.#show_said(id);
    }
    this.#selection.refresh();
    const next = after.find((item) => this.left.includes(item));
    if (this.cursor === null && next) this.#selection.move_to(next.sampleId);
    this.#point_at(null);
  }

  flag(id, is_on) {
    this.item(id).isFlagged = is_on;
    this.#cards.get(id).classList.toggle("is-flagged", is_on);
  }

  // Nothing is said of these any more.
  open(ids) {
    for (const id of ids) {
      this.#settled.delete(id);
      this.#show_said(id);
    }
    this.#selection.refresh();
    this.#tell();
  }

  item(id) {
    return this.#items.find((item) => item.sampleId === id) ?? null;
  }

  toggle(id) {
    this.#selection.toggle(id);
  }

  clear() {
    this.#selection.clear();
  }

  move_to(id) {
    this.#selection.move_to(id);
  }

  // Bring the first card that nobody has seen to the top.
  show_unseen() {
    const first = this.#items.find((item) => this.#unseen.has(item.sampleId));
    if (first) this.#cards.get(first.sampleId).scrollIntoView({ block: "start" });
  }

  focus() {
    this.#list.focus({ preventScroll: true });
  }

  #show_said(id) {
    settle(this.#cards.get(id), this.#settled.get(id) ?? [], { is_open: this.#are_open });
  }

  #point_at(id) {
    this.#pointed = id;
    this.#tell();
  }

  #watch() {
    this.#observer.disconnect();
    this.#unseen = new Set(this.left.map((item) => item.sampleId));
    for (const card of this.#cards.values()) this.#observer.observe(card);
  }

  #see(entries) {
    const n_before = this.#unseen.size;
    for (const { intersectionRatio, intersectionRect, rootBounds, target } of entries) {
      const fills = rootBounds ? intersectionRect.height / rootBounds.height : 0;
      if (intersectionRatio < SEEN_SHARE && fills < SEEN_SHARE) continue;
      this.#unseen.delete(target.dataset.sample ?? target.dataset.settled);
      this.#observer.unobserve(target);
    }
    if (this.#unseen.size !== n_before) this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
