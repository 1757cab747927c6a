// The labels as buttons with their keys beside them.

import { fold } from "./fold.js";

const MS_SHOWN_AS_PICKED = 160;

export class Labels extends EventTarget {
  #list;
  #template;
  #labels = [];
  #buttons = new Map();

  // Dispatches "pick" {label} when one is clicked or tapped.
  constructor(list, template) {
    super();
    this.#list = list;
    this.#template = template;
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

  show(labels) {
    if (JSON.stringify(labels) === JSON.stringify(this.#labels)) return;
    this.#labels = labels;
    this.#buttons = new Map(labels.map((label) => [label.id, this.#button_of(label)]));
    this.#list.replaceChildren(...this.#buttons.values());
    this.dispatchEvent(new CustomEvent("change"));
  }

  // Mark the suggested one; none for null.
  suggest(id) {
    for (const [other, button] of this.#buttons) button.classList.toggle("is-suggested", other === id);
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
    button.querySelector("[data-name]").textContent = label.name;
    const key = button.querySelector("kbd");
    key.textContent = label.key;
    key.hidden = !label.key;
    return button;
  }
}
