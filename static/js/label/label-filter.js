// The field that narrows many labels to those whose names hold what is typed: Enter picks the first, Escape gives up.

export class LabelFilter extends EventTarget {
  #field;
  #labels;
  #above;

  // It is shown where there are more labels than `above`. Dispatches "done" {label}, null where none was picked.
  constructor(field, labels, { above }) {
    super();
    this.#field = field;
    this.#labels = labels;
    this.#above = above;
    labels.addEventListener("change", () => this.#show());
    field.addEventListener("input", () => labels.filter(field.value));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      this.#leave(event.key === "Enter" && field.value ? labels.filter(field.value) : null);
    });
    this.#show();
  }

  focus() {
    this.#field.focus();
  }

  #show() {
    this.#field.closest("[data-filter]").hidden = this.#labels.n <= this.#above;
  }

  #leave(label) {
    this.#field.value = "";
    this.#labels.filter("");
    this.dispatchEvent(new CustomEvent("done", { detail: { label } }));
  }
}
