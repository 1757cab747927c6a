// What was decided here, newest first, and what it did: how many are right now, and how many were before.

import { ask } from "./ask.js";
import { glimpse_of } from "./then.js";

const MOST_SHOWN = 8;
const LEARNED_FROM = new Set(["changed", "labelled"]);

export class Decided {
  #section;
  #list;
  #effect;
  #url;
  #before = null;
  #is_pending = false;

  constructor(section, accuracy_url) {
    this.#section = section;
    this.#list = section.querySelector("ol");
    this.#effect = section.querySelector("[data-effect]");
    this.#url = accuracy_url;
    this.#start();
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

  async #start() {
    try {
      this.#before = await ask(this.#url);
    } catch {
      this.#before = null; // then it is not said what decisions did
    }
  }

  #wait() {
    this.#is_pending = true;
    this.#effect.textContent = "It is learning from that now.";
  }

  // While corrected samples wait for a verdict the figures are of the past.
  async #look() {
    try {
      const now = await ask(this.#url);
      if (now.waiting || !this.#before || !now.judged) return;
      this.#is_pending = false;
      this.#effect.textContent = words_of(this.#before, now);
    } catch {
      // The next event asks again.
    }
  }
}

function words_of(before, now) {
  const right = (figures) => `${figures.right} of ${figures.judged} right`;
  if (!before.judged) return `Now ${right(now)}.`;
  if (before.right === now.right && before.judged === now.judged) return `Still ${right(now)}.`;
  return `${right(before)} before, ${right(now)} now.`;
}
