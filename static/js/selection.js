// Choosing some of many samples, by pointer, finger or keys. What is chosen is up to the page; here is only which.
//
// The root becomes a listbox whose items are its options: the focus stays on the root while a cursor moves among them.
//   arrows, Home, End    move the cursor             click, Space, X      choose the item, or let it go again
//   shift with those     choose everything between   Ctrl or Cmd with A   choose all        Esc   let all go
//
//   "change" {ids, cursor}   others are chosen now
//   "move" {cursor, by_key}  the cursor is elsewhere; `by_key` where arrows brought it there, and nothing was chosen

const FIELDS = "input, textarea, select, [contenteditable]";
// What has a click of its own; an option must not hold buttons, so a page may mark other things.
const OF_THEIR_OWN = "a, button, input, label, summary, [data-own-click]";

export class Selection extends EventTarget {
  #root;
  #item;
  #order = [];
  #elements = new Map();
  #chosen = new Set();
  #cursor = null;
  #anchor = null;
  #before_range = new Set();

  // The key that chooses beside Space; empty for none. Whoever remaps keys sets it.
  toggle_key = "x";

  // Items carry their id in `data-sample`. Keys are heard from `keys_from`: the root, or the document where a page is
  // all about its samples.
  constructor(root, { item = "[data-sample]", keys_from = root } = {}) {
    super();
    this.#root = root;
    this.#item = item;
    root.setAttribute("role", "listbox");
    root.setAttribute("aria-multiselectable", "true");
    root.tabIndex = 0;
    root.addEventListener("click", (event) => this.#on_click(event));
    // Else shift with a click would mark the words in between.
    root.addEventListener("mousedown", (event) => event.shiftKey && this.#id_at(event.target) && event.preventDefault());
    keys_from.addEventListener("keydown", (event) => this.#on_key(event));
    this.refresh();
  }

  // Those chosen, in the order of the page.
  get ids() {
    return this.#order.filter((id) => this.#chosen.has(id));
  }

  get cursor() {
    return this.#cursor;
  }

  has(id) {
    return this.#chosen.has(id);
  }

  // Let exactly these be chosen.
  select(ids) {
    this.#choose(new Set(ids.filter((id) => this.#elements.has(id))));
    this.#anchor_at(this.#cursor);
  }

  toggle(id) {
    if (!this.#elements.has(id)) return;
    const chosen = new Set(this.#chosen);
    if (!chosen.delete(id)) chosen.add(id);
    this.#move_to(id);
    this.#choose(chosen);
    this.#anchor_at(id);
  }

  // Choose everything from where the range began to here, and only that besides what was chosen before it began.
  extend_to(id) {
    if (!this.#elements.has(id)) return;
    if (this.#anchor === null) this.#anchor_at(this.#cursor ?? id);
    this.#move_to(id);
    this.#choose(new Set([...this.#before_range, ...between(this.#order, this.#anchor, id)]));
  }

  all() {
    this.select(this.#order);
  }

  clear() {
    this.select([]);
  }

  // The items are others now: what is gone is not chosen any more.
  refresh() {
    const items = [...this.#root.querySelectorAll(this.#item)];
    this.#elements = new Map(items.map((element) => [element.dataset.sample, element]));
    this.#order = [...this.#elements.keys()];
    for (const [id, element] of this.#elements) {
      element.setAttribute("role", "option");
      element.id ||= `option-${id}`;
      element.setAttribute("aria-selected", String(this.#chosen.has(id)));
    }
    const left = this.#order.filter((id) => this.#chosen.has(id));
    if (!this.#elements.has(this.#anchor)) this.#anchor = null;
    this.#move_to(this.#elements.has(this.#cursor) ? this.#cursor : null, { is_quiet: true });
    this.#choose(new Set(left));
    this.#before_range = new Set(this.#chosen);
  }

  // Go to an item, or with null to none.
  move_to(id) {
    this.#move_to(this.#elements.has(id) ? id : null);
    this.#anchor_at(this.#cursor);
  }

  #choose(chosen) {
    const is_same = chosen.size === this.#chosen.size && [...chosen].every((id) => this.#chosen.has(id));
    this.#chosen = chosen;
    if (is_same) return;
    for (const [id, element] of this.#elements) element.setAttribute("aria-selected", String(chosen.has(id)));
    this.dispatchEvent(new CustomEvent("change", { detail: { ids: this.ids, cursor: this.#cursor } }));
  }

  #anchor_at(id) {
    this.#anchor = id;
    this.#before_range = new Set(this.#chosen);
  }

  #move_to(id, { is_quiet = false, by_key = false } = {}) {
    const is_elsewhere = id !== this.#cursor;
    this.#cursor = id;
    for (const [other, element] of this.#elements) element.classList.toggle("is-cursor", other === id);
    const element = this.#elements.get(id);
    if (element) this.#root.setAttribute("aria-activedescendant", element.id);
    else this.#root.removeAttribute("aria-activedescendant");
    if (is_quiet) return;
    element?.scrollIntoView({ block: "nearest" });
    if (is_elsewhere || by_key) this.dispatchEvent(new CustomEvent("move", { detail: { cursor: id, by_key } }));
  }

  #on_click(event) {
    const id = this.#id_at(event.target);
    if (id === null || event.defaultPrevented) return;
    if (event.shiftKey) this.extend_to(id);
    else this.toggle(id);
    this.#root.focus({ preventScroll: true });
  }

  #id_at(target) {
    const element = target.closest(this.#item);
    if (!element || !this.#root.contains(element)) return null;
    const own = target.closest(OF_THEIR_OWN);
    return own && own !== element && element.contains(own) ? null : element.dataset.sample;
  }

  #on_key(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey || this.#is_busy(event.target)) return;
    if (this.#does(event)) event.preventDefault();
  }

  // True where the key was meant for the samples.
  #does(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "a" || event.shiftKey || !this.#order.length) return false;
      this.all();
      return true;
    }
    if (key === "Escape") {
      if (!this.#chosen.size) return false;
      this.clear();
      return true;
    }
    const target = this.#target_of(key);
    if (target !== null) {
      this.#go_to(target, event.shiftKey);
      return true;
    }
    return this.#toggles(event, key);
  }

  #go_to(id, is_range) {
    if (is_range) {
      this.extend_to(id);
      return;
    }
    this.#move_to(id, { by_key: true });
    this.#anchor_at(id);
  }

  #toggles(event, key) {
    const is_button = Boolean(event.target.closest?.("a, button, summary"));
    const is_space = key === " " && !is_button;
    if (!is_space && (key !== this.toggle_key || event.shiftKey)) return false;
    if (this.#cursor !== null && !event.repeat) this.toggle(this.#cursor);
    return true;
  }

  // Where a key leads: an id, or null where it leads nowhere.
  #target_of(key) {
    const here = this.#order.indexOf(this.#cursor);
    const last = this.#order.length - 1;
    if (last < 0) return null;
    if (key === "Home") return this.#order[0];
    if (key === "End") return this.#order[last];
    if (!key.startsWith("Arrow")) return null;
    if (here < 0) return this.#order[0];
    if (key === "ArrowLeft") return this.#order[Math.max(0, here - 1)];
    if (key === "ArrowRight") return this.#order[Math.min(last, here + 1)];
    const boxes = this.#order.map((id) => this.#elements.get(id).getBoundingClientRect());
    return this.#order[next_row(boxes, here, key === "ArrowDown" ? 1 : -1)];
  }

  #is_busy(target) {
    const dialog = document.querySelector("dialog[open]");
    if (dialog && !dialog.contains(this.#root)) return true;
    // The field of a dialog just closed keeps the focus until the next frame; a quick hand is faster.
    return Boolean(target.closest?.(FIELDS)?.getClientRects().length);
  }
}

// All ids from one to the other, whichever comes first.
export function between(order, from, to) {
  const [first, last] = [order.indexOf(from), order.indexOf(to)].sort((a, b) => a - b);
  return first < 0 ? [to] : order.slice(first, last + 1);
}

// The place of the box in the next row (`step` 1) or the one before (-1) that is nearest across; the same one where
// there is no such row.
export function next_row(boxes, place, step) {
  const here = boxes[place];
  const is_beyond = (box) => (step > 0 ? box.top >= here.bottom - 1 : box.bottom <= here.top + 1);
  const distance = (box) => Math.abs(box.top - here.top) * 10_000 + Math.abs(box.left + box.width / 2 - here.left - here.width / 2);
  let best = place;
  for (const [other, box] of boxes.entries()) {
    if (is_beyond(box) && (best === place || distance(box) < distance(boxes[best]))) best = other;
  }
  return best;
}
