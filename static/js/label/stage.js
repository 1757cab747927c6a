// Shows the current sample, why it is asked, and what the model would say; or why there is none.

const HONEST = "No suggestion on this one, so that the score stays honest.";
const TOO_EARLY = "Suggestions come once it has learned from a few of your labels.";
const NOT_READ = "It has not read this one yet.";

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
  show(item, state, { suggested, has_model, n_skipped }) {
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
    this.#parts.suggestion.hidden = !suggested;
    this.#parts["no-suggestion"].hidden = Boolean(suggested) || item === null;
    this.#parts["no-suggestion"].textContent = has_model ? (is_random ? HONEST : NOT_READ) : TOO_EARLY;
    if (suggested) this.#suggest(item.suggestion, suggested);
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

  #suggest({ word }, label) {
    const { suggestion } = this.#parts;
    const chip = suggestion.querySelector("[data-label]");
    chip.className = `chip label-${label.colour}`;
    chip.textContent = label.name;
    suggestion.querySelector("[data-word]").textContent = word;
  }
}
