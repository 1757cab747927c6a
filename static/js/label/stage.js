// Shows the current sample, why it is asked, and what the model would say; or why there is none.

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
  show(item, state, { suggested, n_skipped }) {
    const { specimen, why, name, suggestion } = this.#parts;
    const is_new = specimen.firstElementChild !== (item?.element ?? null);
    if (is_new) specimen.replaceChildren(...(item ? [item.element] : []));
    if (is_new) specimen.scrollTop = 0;
    specimen.hidden = item === null;
    for (const part of ["waiting", "empty", "done"]) this.#parts[part].hidden = item !== null || part !== state;
    for (const part of this.#root.querySelectorAll("[data-n-skipped]")) {
      part.hidden = n_skipped === 0;
      part.querySelector("[data-n]").textContent = n_skipped === 1 ? "1 sample" : `${n_skipped} samples`;
    }
    why.hidden = item?.pickedBy !== "random";
    name.textContent = item?.name ?? "";
    suggestion.hidden = !suggested;
    if (suggested) this.#suggest(item.suggestion, suggested);
  }

  focus() {
    this.#parts.specimen.focus({ preventScroll: true });
  }

  #suggest({ word }, label) {
    const { suggestion } = this.#parts;
    const chip = suggestion.querySelector("[data-label]");
    chip.className = `chip label-${label.colour}`;
    chip.textContent = label.name;
    suggestion.querySelector("[data-word]").textContent = word;
  }
}
