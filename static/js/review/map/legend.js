// The legend: which look means what, how many there are, and a press shows only those.

import { icon } from "./shapes.js";
import { rgb_of } from "./view.js";

const N_COLOURS = 12;

export class Legend extends EventTarget {
  #root;
  #words;
  #only = null;

  // "only" {name}: null shows all again.
  constructor(root, words) {
    super();
    this.#root = root;
    this.#words = words;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      this.#only = button.dataset.name === this.#only ? null : button.dataset.name;
      this.dispatchEvent(new CustomEvent("only", { detail: { name: this.#only } }));
    });
  }

  get only() {
    return this.#only;
  }

  show({ lines, words, only, styles }) {
    this.#only = only;
    const had = this.#root.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.#root.replaceChildren(...lines.map((line) => entry_of(line, styles[line.of[0]], only)));
    this.#words.textContent = words;
    this.#words.hidden = !words;
    if (had !== null) [...this.#root.children].find((each) => each.dataset.name === had)?.focus();
  }
}

function entry_of(line, style, only) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "map-entry";
  button.dataset.name = line.name;
  button.setAttribute("aria-pressed", String(line.name === only));
  const shape = icon(style.shape, `rgb(${style.colour.join(" ")})`);
  const name = document.createElement("span");
  name.className = "truncate";
  name.textContent = line.name;
  const n = document.createElement("span");
  n.className = "chip-count";
  n.textContent = line.n.toLocaleString("en");
  button.append(shape, name, n);
  return button;
}

// The colours of the theme as numbers, read from the page: {labels, muted, ink, right, wrong}.
export function palette_of(probe) {
  const colour = (name) => {
    probe.className = name;
    return rgb_of(getComputedStyle(probe).color);
  };
  const palette = {
    labels: Array.from({ length: N_COLOURS }, (_, n) => livelier(colour(`label-${n}`))),
    muted: colour("map-is-no"),
    ink: colour("map-is-several"),
    right: colour("map-is-right"),
    wrong: colour("map-is-wrong"),
  };
  probe.className = "";
  return palette;
}

// The inks of labels are made for words on their paper; as dots they want to be brighter.
function livelier(colour) {
  const most = Math.max(...colour);
  const least = Math.min(...colour);
  if (most > 150) return colour; // the dark theme's are bright already
  const stretch = most === least ? 0 : 1.25;
  const middle = (most + least) / 2;
  return colour.map((each) => Math.round(Math.min(255, middle + (each - middle) * stretch + 34)));
}
