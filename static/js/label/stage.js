// Shows the current sample, why it is asked, and what the model would say; or why there is none.

const HONEST = "No suggestion on this one, so that the score stays honest.";
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

  // `item` is null when there is nothing to show; then `state` is "waiting", "empty" or "done".
  // `suggested` are labels, `suggestions` the model's words on them; null where it has not said anything.
  show(item, state, { suggested, suggestions, has_model, n_skipped }) {
    this.#root.classList.toggle("is-idle", item === null);
    this.#swap(item);
    for (const part of ["waiting", "empty", "done"]) this.#parts[part].hidden = item !== null || part !== state;
    for (const part of this.#root.querySelectorAll("[data-n-skipped]")) {
      part.hidden = n_skipped === 0;
      part.querySelector("[data-n]").textContent = n_skipped === 1 ? "1 sample" : `${n_skipped} samples`;
    }
    const is_random = item?.pickedBy === "random";
    this.#parts.why.hidden = !is_random;
    this.#parts.name.textContent = item?.name ?? "";
    this.#parts.suggestion.hidden = suggested.length === 0;
    this.#parts["no-suggestion"].hidden = suggested.length > 0 || item === null;
    this.#parts["no-suggestion"].textContent = has_model ? (is_random ? HONEST : suggestions ? NONE : NOT_READ) : TOO_EARLY;
    if (suggested.length) this.#suggest(suggestions, suggested);
  }

  focus() {
    this.#parts.specimen.focus({ preventScroll: true });
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
    const chips = labels.slice(0, MOST_SUGGESTED).flatMap((label) => [chip_of(label), " "]);
    const n_more = labels.length - MOST_SUGGESTED;
    suggestion.querySelector("[data-labels]").replaceChildren(...chips, n_more > 0 ? `and ${n_more} more ` : "");
    // As sure of all of them as of the least sure.
    suggestion.querySelector("[data-word]").textContent = suggestions.at(-1).word;
  }
}

function chip_of(label) {
  const chip = document.createElement("span");
  chip.className = `chip label-${label.colour}`;
  chip.textContent = label.name;
  return chip;
}
