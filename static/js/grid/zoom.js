// A close look at one sample of the grid, with the ways to the next, the one before, and to pick it out from here.

import { keys_of, words_of } from "../keys.js";
import { element_of } from "../label/specimen.js";

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export class Zoom {
  #dialog;
  #board;
  #keys;

  constructor(dialog, board, keys) {
    this.#dialog = dialog;
    this.#board = board;
    this.#keys = keys;
    dialog.addEventListener("keydown", (event) => this.#on_key(event));
    dialog.addEventListener("close", () => board.focus());
    this.#part("pick").addEventListener("click", () => this.#toggle());
    this.#part("before").addEventListener("click", () => this.#step(-1));
    this.#part("after").addEventListener("click", () => this.#step(1));
  }

  open(id) {
    if (!this.#board.item(id)) return;
    this.#show(id);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #show(id) {
    const item = this.#board.item(id);
    this.#board.move_to(id);
    this.#part("title").textContent = item.name || "Closer";
    this.#part("specimen").replaceChildren(element_of(item));
    this.#show_pick(id);
  }

  #show_pick(id) {
    const is_left = this.#board.left.some((item) => item.sampleId === id);
    this.#part("pick").disabled = !is_left;
    this.#part("pick").setAttribute("aria-pressed", String(this.#board.picked.includes(id)));
  }

  #toggle() {
    const id = this.#board.cursor;
    if (id === null || this.#part("pick").disabled) return;
    this.#board.toggle(id);
    this.#show_pick(id);
  }

  #step(by) {
    const left = this.#board.left.map((item) => item.sampleId);
    const next = left[left.indexOf(this.#board.cursor) + by];
    if (next) this.#show(next);
  }

  #on_key(event) {
    const does = this.#action_of(event);
    if (!does) return;
    event.preventDefault();
    does();
  }

  #action_of(event) {
    const by = STEPS[event.key];
    if (by) return () => this.#step(by);
    if (!this.#keys.are_on) return null;
    const is = (command) => keys_of(event).some((key) => words_of(key) === this.#keys.words(command));
    if (is("select")) return () => this.#toggle();
    return is("open") ? () => this.#dialog.close() : null;
  }

  #part(name) {
    return this.#dialog.querySelector(`[data-part="${name}"]`);
  }
}
