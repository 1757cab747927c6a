// Keeps the samples this page has fetched from being asked of others, for as long as somebody is at work here.

const MS_BETWEEN = 45_000;

export class Holding {
  #send;
  #sample_ids;
  #is_active;

  // `send(body)` is keepalive; `sample_ids()` names what the page holds.
  constructor(send, sample_ids, is_active) {
    this.#send = send;
    this.#sample_ids = sample_ids;
    this.#is_active = is_active;
    setInterval(() => this.#renew(), MS_BETWEEN);
    document.addEventListener("visibilitychange", () => this.#renew());
    addEventListener("pagehide", () => this.#tell({ released: this.#sample_ids() }));
    addEventListener("pageshow", (event) => event.persisted && this.#renew());
  }

  #renew() {
    if (!document.hidden && this.#is_active()) this.#tell({ held: this.#sample_ids() });
  }

  // What cannot be told now runs out by itself, or is told the next time.
  #tell(body) {
    if (Object.values(body).some((ids) => ids.length)) this.#send(body).catch(() => {});
  }
}
