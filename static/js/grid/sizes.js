// How large the cards are: remembered by this browser, for pictures and for everything else apart.

const SIZES = ["s", "m", "l"];

export class Sizes {
  #list;
  #buttons;
  #name;

  constructor(list, buttons, kind) {
    this.#list = list;
    this.#buttons = buttons;
    this.#name = `hundredfold:grid-size:${kind}`;
    buttons.addEventListener("click", (event) => {
      const size = event.target.closest("[data-size]")?.dataset.size;
      if (size) this.#choose(size);
    });
    this.#show(remembered(this.#name));
  }

  // One step larger (1) or smaller (-1).
  step(by) {
    const place = SIZES.indexOf(this.#list.dataset.size) + by;
    if (SIZES[place]) this.#choose(SIZES[place]);
  }

  #choose(size) {
    this.#show(size);
    try {
      localStorage.setItem(this.#name, size);
    } catch {
      // A browser that keeps nothing forgets this with the page.
    }
  }

  #show(size) {
    this.#list.dataset.size = size;
    for (const button of this.#buttons.querySelectorAll("[data-size]")) {
      button.setAttribute("aria-pressed", String(button.dataset.size === size));
    }
  }
}

function remembered(name) {
  try {
    const size = localStorage.getItem(name);
    return SIZES.includes(size) ? size : "m";
  } catch {
    return "m";
  }
}
