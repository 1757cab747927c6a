// Keeps the samples this page has fetched from being asked of others, for as long as somebody is at work here.
//
//   "lost" {ids}: somebody else is asked about these now

const MS_BETWEEN = 45_000;
const MS_AFTER_OPENING = 3_000;

export class Holding extends EventTarget {
  #send;
  #sample_ids;
  #is_active;

  // `send(body)` is keepalive and resolves to {kept}; `sample_ids()` names what the page holds.
  constructor(send, sample_ids, is_active) {
    super();
    this.#send = send;
    this.#sample_ids = sample_ids;
    this.#is_active = is_active;
    // The page before this one may have let go of the same samples a moment too late.
    setTimeout(() => this.#renew(), MS_AFTER_OPENING);
    setInterval(() => this.#renew(), MS_BETWEEN);
    document.addEventListener("visibilitychange", () => this.#renew());
    addEventListener("pagehide", () => {
      const released = this.#sample_ids();
      if (released.length) this.#tell({ released });
    });
    addEventListener("pageshow", (event) => event.persisted && this.#renew());
  }

  async #renew() {
    const held = this.#sample_ids();
    if (document.hidden || !held.length || !this.#is_active()) return;
    const answer = await this.#tell({ held });
    const lost = answer ? held.filter((id) => !answer.kept.includes(id)) : [];
    if (lost.length) this.dispatchEvent(new CustomEvent("lost", { detail: { ids: lost } }));
  }

  // What cannot be told now runs out by itself, or is told the next time.
  async #tell(body) {
    try {
      return await this.#send(body);
    } catch {
      return null;
    }
  }
}
