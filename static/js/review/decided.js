// What was decided here, newest first, and what came of it: how many are right now, and how many were before.

import { ask } from "./ask.js";
import { glimpse_of } from "./then.js";

const MOST_SHOWN = 8;
const LEARNED_FROM = new Set(["changed", "labelled"]);

export class Decided {
  #section;
  #list;
  #effect;
  #url;
  #is_pending = false;

  constructor(section, effect_url) {
    this.#section = section;
    this.#list = section.querySelector("ol");
    this.#effect = section.querySelector("[data-effect]");
    this.#url = effect_url;
    for (const kind of ["predictions", "reopened"]) {
      document.body.addEventListener(`live:${kind}`, () => this.#is_pending && this.#look());
    }
  }

  add(item, words, did) {
    const line = document.createElement("li");
    line.dataset.of = item.id;
    const said = document.createElement("strong");
    said.textContent = words;
    line.append(said, " ", glimpse_of(item));
    this.#list.prepend(line);
    while (this.#list.children.length > MOST_SHOWN) this.#list.lastElementChild.remove();
    this.#section.hidden = false;
    if (LEARNED_FROM.has(did)) this.#wait();
  }

  remove(item) {
    this.#list.querySelector(`[data-of="${item.id}"]`)?.remove();
    this.#section.hidden = !this.#list.children.length;
    this.#wait();
  }

  #wait() {
    this.#is_pending = true;
    this.#effect.textContent = "It is learning from that now.";
  }

  async #look() {
    try {
      const { words, isWaiting } = await ask(this.#url);
      this.#is_pending = isWaiting;
      if (words) this.#effect.textContent = words;
    } catch {
      // The next event asks again.
    }
  }
}
