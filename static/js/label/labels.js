// The labels as buttons with their keys beside them; where several may be chosen, as toggles.

import { fold } from "./fold.js";
import { breakable } from "./names.js";

const MS_SHOWN_AS_PICKED = 160;

export class Labels extends EventTarget {
  #list;
  #template;
  #keys;
  #labels = [];
  #buttons = new Map();
  #are_toggles;
  #on = new Set();

  // Dispatches "pick" {label} when one is clicked or tapped, "toggle" when another set of them is on.
  constructor(list, template, keys, { are_toggles = false } = {}) {
    super();
    this.#list = list;
    this.#template = template;
    this.#keys = keys;
    keys.addEventListener("change", () => this.#show_keys());
    this.#are_toggles = are_toggles;
    list.addEventListener("click", (event) => {
      const label = this.by_id(event.target.closest("[data-label-id]")?.dataset.labelId);
      if (label) this.dispatchEvent(new CustomEvent("pick", { detail: { label, by_pointer: event.detail > 0 } }));
    });
  }

  get n() {
    return this.#labels.length;
  }

  at(place) {
    return this.#labels[place] ?? null;
  }

  by_id(id) {
    return this.#labels.find((label) => label.id === id) ?? null;
  }

  get all() {
    return this.#labels;
  }

  // Those toggled on, in the order of the page.
  get on() {
    return this.#labels.filter((label) => this.#on.has(label.id));
  }

  show(labels) {
    if (JSON.stringify(labels) === JSON.stringify(this.#labels)) return;
    this.#labels = labels;
    this.#buttons = new Map(labels.map((label) => [label.id, this.#button_of(label)]));
    this.#show_keys();
    this.#list.replaceChildren(...this.#buttons.values());
    this.turn_on([...this.#on]);
    this.dispatchEvent(new CustomEvent("change"));
  }

  // Mark those suggested.
  suggest(ids) {
    for (const [other, button] of this.#buttons) button.classList.toggle("is-suggested", ids.includes(other));
  }

  // Let exactly these be on; where picking one is the answer, it is the one given before.
  turn_on(ids) {
    this.#on = new Set(ids.filter((id) => this.#buttons.has(id)));
    for (const [id, button] of this.#buttons) {
      if (this.#are_toggles) button.setAttribute("aria-pressed", String(this.#on.has(id)));
      else button.classList.toggle("is-said", this.#on.has(id));
    }
    this.dispatchEvent(new CustomEvent("toggle"));
  }

  toggle(id) {
    this.turn_on(this.#on.has(id) ? [...this.#on].filter((other) => other !== id) : [...this.#on, id]);
  }

  flash(id) {
    const button = this.#buttons.get(id);
    button?.classList.add("is-picked");
    setTimeout(() => button?.classList.remove("is-picked"), MS_SHOWN_AS_PICKED);
  }

  // Show only labels whose name holds these words. Returns the first shown.
  filter(words) {
    const wanted = fold(words);
    let first = null;
    for (const label of this.#labels) {
      const is_shown = fold(label.name).includes(wanted);
      this.#buttons.get(label.id).hidden = !is_shown;
      if (is_shown) first ??= label;
    }
    return first;
  }

  #button_of(label) {
    const button = this.#template.content.firstElementChild.cloneNode(true);
    button.dataset.labelId = label.id;
    button.classList.add(`label-${label.colour}`);
    if (label.description) button.title = label.description;
    button.querySelector("[data-name]").append(...breakable(label.name));
    return button;
  }

  #show_keys() {
    for (const [place, label] of this.#labels.entries()) {
      const key = this.#buttons.get(label.id).querySelector("kbd");
      key.textContent = this.#keys.words_of_label(place);
      key.hidden = !key.textContent;
    }
  }
}
