// What a dot is, beside the pointer that rests on it. For the eyes only: the list says the same to everybody else.

import { ask, elements_of } from "../ask.js";

const REST_MS = 110;
const MOST_KEPT = 300;

export class Hover {
  #card;
  #view;
  #url;
  #id_at;
  #known = new Map(); // what was fetched, by public id
  #place = -1;
  #timer = null;

  // `id_at(place)` is the public id of a point.
  constructor(canvas, view, card, { url, id_at }) {
    this.#card = card;
    this.#view = view;
    this.#url = url;
    this.#id_at = id_at;
    canvas.addEventListener("pointermove", (event) => this.#on_move(canvas, event));
    for (const kind of ["pointerdown", "pointerleave", "wheel", "blur"]) {
      canvas.addEventListener(kind, () => this.hide(), { passive: true });
    }
  }

  hide() {
    clearTimeout(this.#timer);
    this.#place = -1;
    this.#card.hidden = true;
  }

  // Something else is said of the samples now.
  forget() {
    this.#known.clear();
    this.hide();
  }

  #on_move(canvas, event) {
    if (event.pointerType !== "mouse" || event.buttons) return;
    const box = canvas.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    const place = this.#view.hit(at);
    if (place === this.#place) return;
    this.hide();
    this.#place = place;
    if (place >= 0) this.#timer = setTimeout(() => this.#show(place, at, box), REST_MS);
  }

  async #show(place, at, box) {
    const id = this.#id_at(place);
    let content;
    try {
      content = this.#known.get(id) ?? (await ask(`${this.#url}?ids=${id.slice("sample_".length)}`));
    } catch {
      return; // the press that opens it says what is wrong
    }
    if (this.#known.size > MOST_KEPT) this.#known.clear();
    this.#known.set(id, content);
    if (place !== this.#place) return;
    this.#card.replaceChildren(...elements_of(content).querySelectorAll(".near-item > *"));
    this.#card.classList.toggle("is-left", at.x > box.width / 2);
    this.#card.classList.toggle("is-above", at.y > box.height / 2);
    this.#card.style.translate = `${Math.round(at.x)}px ${Math.round(at.y)}px`;
    this.#card.hidden = false;
  }
}
