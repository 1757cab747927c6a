// The answers given on this page, to be taken back or looked at again.

const MOST_KEPT = 200;

export class History {
  #steps = [];
  #place = null;

  // A step is {token, item, said, unsure}; `said` is {labels, labelId} or {labels, tags}, null where it was passed over.
  add(step) {
    this.#steps.push(step);
    if (this.#steps.length > MOST_KEPT) this.#steps.shift();
  }

  // The step looked at again, or null where the page is at the newest sample.
  get looked_at() {
    return this.#place === null ? null : this.#steps[this.#place];
  }

  // False where there is nothing further back.
  back() {
    const place = (this.#place ?? this.#steps.length) - 1;
    if (place < 0) return false;
    this.#place = place;
    return true;
  }

  // False where the newest is shown already.
  forward() {
    if (this.#place === null) return false;
    this.#place = this.#place + 1 < this.#steps.length ? this.#place + 1 : null;
    return true;
  }

  // Take the newest step out, to undo it.
  take_last() {
    this.#place = null;
    return this.#steps.pop();
  }

  // Forget the step looked at, to undo it.
  take_looked_at() {
    const [step] = this.#steps.splice(this.#place, 1);
    this.#place = null;
    return step;
  }
}
