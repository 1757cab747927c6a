// Shows the current sample, why it is asked, and what the model would say; or why there is none.

import { words_for } from "./chips.js";
import { why } from "./why.js";

const HINTS = {
  random: "No suggestion on this one.",
  opinion: "Say what you see: others are asked, too.",
};
const TOO_EARLY = "Suggestions come once it has learned from a few of your labels.";
const NOT_READ = "It has not read this one yet.";
const NONE = "It sees none of them here.";
const MOST_SUGGESTED = 4;

export class Stage {
  #root;
  #parts;

  constructor(root) {
    this.#root = root;
    this.#parts = Object.fromEntries(
      [...root.querySelectorAll("[data-part]")].map((element) => [element.dataset.part, element]),
    );
  }

  // `item` is null when there is nothing to show; then `state` is "waiting", "empty" or "done". `suggested` are labels,
  // `suggestions` the model's words on them, null where it has not said anything. `step` is the answer looked at again.
  show(item, state, { labels, suggested, suggestions, has_model, n_skipped, step }) {
    this.#root.classList.toggle("is-idle", item === null);
    this.#swap(item);
    for (const part of ["waiting", "empty", "done"]) this.#parts[part].hidden = item !== null || part !== state;
    for (const part of this.#root.querySelectorAll("[data-n-skipped]")) {
      part.hidden = n_skipped === 0;
      part.querySelector("[data-n]").textContent = n_skipped === 1 ? "1 sample" : `${n_skipped} samples`;
    }
    this.#parts.why.replaceChildren(...(step ? said_before(step) : why(item?.reason, labels)));
    this.#parts.name.textContent = item?.name ?? "";
    this.#show_sent_back(item);
    this.show_marks(item);
    this.#parts.suggestion.hidden = suggested.length === 0;
    this.#parts["no-suggestion"].hidden = suggested.length > 0 || item === null;
    this.#parts["no-suggestion"].textContent = step ? "" : hint(item, suggestions, has_model);
    if (suggested.length) this.#suggest(suggestions, suggested);
  }

  show_marks(item) {
    this.#parts.marks.hidden = item === null;
    for (const [action, is_on] of [["flag", item?.isFlagged], ["unsure", item?.isUnsure]]) {
      const button = this.#parts.marks.querySelector(`[data-action=${action}]`);
      button.setAttribute("aria-pressed", String(Boolean(is_on)));
    }
  }

  focus() {
    this.#parts.specimen.focus({ preventScroll: true });
  }

  #show_sent_back(item) {
    const part = this.#parts["sent-back"];
    part.hidden = !item?.sentBack;
    if (!item?.sentBack) return;
    part.querySelector("[data-who]").textContent = item.sentBack.who;
    part.querySelector("[data-text]").textContent = item.sentBack.text;
  }

  #swap(item) {
    const { specimen } = this.#parts;
    specimen.hidden = item === null;
    if (specimen.firstElementChild === (item?.element ?? null)) return;
    specimen.replaceChildren(...(item ? [item.element] : []));
    specimen.scrollTop = 0;
  }

  #suggest(suggestions, labels) {
    const { suggestion } = this.#parts;
    suggestion.querySelector("[data-labels]").replaceChildren(...words_for(labels, MOST_SUGGESTED));
    // As sure of all of them as of the least sure.
    suggestion.querySelector("[data-word]").textContent = suggestions.at(-1).word;
  }
}

function said_before({ said }) {
  return said ? ["Looking back: you said ", ...words_for(said.labels)] : ["Looking back: you passed this one over"];
}

function hint(item, suggestions, has_model) {
  if (!has_model) return TOO_EARLY;
  return HINTS[item?.reason?.kind] ?? (suggestions ? NONE : NOT_READ);
}
