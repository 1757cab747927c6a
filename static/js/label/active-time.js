// How long somebody was at it: from one sign of life to the next, while the page is seen. A pause of more than a minute is
// left out as a whole: nobody knows what it was.

const LONGEST_PAUSE_MS = 60_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "touchmove"];

export class ActiveTime {
  #ms = 0;
  #last;

  constructor() {
    this.#last = document.hidden ? null : performance.now();
    for (const sign of SIGNS) addEventListener(sign, () => this.#note(), { capture: true, passive: true });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#note();
      this.#last = document.hidden ? null : performance.now();
    });
  }

  // Whether there was a sign of life lately.
  get is_active() {
    return this.#last !== null && performance.now() - this.#last <= LONGEST_PAUSE_MS;
  }

  // Returns the milliseconds since it was last asked.
  take() {
    this.#note();
    const ms = Math.round(this.#ms);
    this.#ms = 0;
    return ms;
  }

  #note() {
    if (this.#last === null) return;
    const now = performance.now();
    const gap = now - this.#last;
    if (gap <= LONGEST_PAUSE_MS) this.#ms += gap;
    this.#last = now;
  }
}
