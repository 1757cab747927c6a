// The instructions beside the labels: a column of the page where there is room, else a dialog over it. Whoever has not
// read them as they are now finds them open.

const KEY = "hundredfold:instructions-read:";
const is_wide = matchMedia("(min-width: 1200px)");

export class Instructions {
  #panel;
  #function;

  constructor(panel, function_id) {
    this.#panel = panel;
    this.#function = function_id;
    panel.addEventListener("close", () => this.#remember());
    // A column is no dialog, nor the other way round.
    is_wide.addEventListener("change", () => {
      if (!panel.open) return;
      panel.close();
      this.#open();
    });
    if (is_wide.matches && !this.#is_read()) this.#open();
  }

  toggle() {
    if (this.#panel.open) this.#panel.close();
    else this.#open();
  }

  #open() {
    if (!is_wide.matches) {
      this.#panel.showModal();
      return;
    }
    const focused = document.activeElement;
    this.#panel.show();
    // Opening moved the focus to its button: Enter and Space belong to the sample.
    document.activeElement.blur();
    focused?.focus();
  }

  #is_read() {
    try {
      return localStorage.getItem(KEY + this.#function) === this.#panel.dataset.version;
    } catch {
      return true;
    }
  }

  #remember() {
    try {
      localStorage.setItem(KEY + this.#function, this.#panel.dataset.version);
    } catch {
      // A browser that keeps nothing shows them again.
    }
  }
}
