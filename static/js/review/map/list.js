// The list beside the map: the samples that are chosen, or those in view, a page at a time. It is the map's way for the
// keyboard: what is chosen in it is chosen on the map.

import { Selection } from "../../selection.js";
import { ask, elements_of } from "../ask.js";

const AT_ONCE = 40;

export class List extends EventTarget {
  #root;
  #url;
  #selection;
  #ids = [];
  #n_shown = 0;
  #asked = 0;
  #is_syncing = false;

  // "change" {added, removed}: chosen, or not any more, in the list.   "move" {id}: the cursor.   "shown": others are.
  constructor(root, url) {
    super();
    this.#root = root;
    this.#url = url;
    this.#selection = new Selection(root);
    this.#selection.toggle_key = ""; // the page's own list of keys has it
    this.#selection.addEventListener("change", () => this.#on_change());
    this.#selection.addEventListener("move", () => this.dispatchEvent(new Event("move")));
  }

  get cursor() {
    return this.#selection.cursor;
  }

  get has_more() {
    return this.#n_shown < this.#ids.length;
  }

  get has_focus() {
    return document.activeElement === this.#root;
  }

  focus() {
    this.#root.focus({ preventScroll: true });
  }

  toggle() {
    if (this.cursor) this.#selection.toggle(this.cursor);
  }

  move_to(id) {
    this.#selection.move_to(id);
  }

  // Show these, of which `is_chosen(id)` are chosen.
  async show(ids, is_chosen) {
    this.#ids = ids;
    await this.#fill(Math.min(AT_ONCE, ids.length), is_chosen);
  }

  async more(is_chosen) {
    await this.#fill(Math.min(this.#n_shown + AT_ONCE, this.#ids.length), is_chosen);
  }

  // The same samples, with what is said of them by now.
  async refresh(is_chosen) {
    await this.#fill(this.#n_shown, is_chosen);
  }

  // Others are chosen now, by the map.
  sync(is_chosen) {
    this.#is_syncing = true;
    this.#selection.select(this.#shown_ids().filter(is_chosen));
    this.#is_syncing = false;
  }

  async #fill(n, is_chosen) {
    this.#asked += 1;
    const asked = this.#asked;
    const parts = [];
    for (let start = 0; start < n; start += AT_ONCE) {
      const ids = this.#ids.slice(start, Math.min(start + AT_ONCE, n)).map((id) => id.slice("sample_".length));
      parts.push(await ask(`${this.#url}?ids=${ids.join(",")}`));
    }
    if (asked !== this.#asked) return; // others were asked for meanwhile
    const top = this.#root.scrollTop;
    this.#root.replaceChildren(elements_of(parts.join("")));
    this.#n_shown = n;
    this.#is_syncing = true;
    this.#selection.refresh();
    this.#is_syncing = false;
    this.sync(is_chosen);
    this.#root.scrollTop = top;
    this.dispatchEvent(new Event("shown"));
  }

  #shown_ids() {
    return this.#ids.slice(0, this.#n_shown);
  }

  #on_change() {
    if (this.#is_syncing) return;
    const chosen = new Set(this.#selection.ids);
    const shown = this.#shown_ids();
    const detail = { added: shown.filter((id) => chosen.has(id)), removed: shown.filter((id) => !chosen.has(id)) };
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}
