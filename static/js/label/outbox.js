// Answers on their way: sent in order, in batches, again and again until the server has them; each carries a token, so
// that arriving twice counts once. They outlive a reload on the shelf.
//
//   "change"   on every change of what waits          "refused"  {operation, message}: one cannot be saved
//   "arrived"  {operations}: the server has them

import { Failure } from "./api.js";
import { Shelf } from "./shelf.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
const MOST_AT_ONCE = 50;

export class Outbox extends EventTarget {
  #deliver;
  #shelf;
  #waiting;
  #in_flight = new Set();
  #n_failures = 0;
  #timer = null;
  #trouble = null;

  // `deliver(operations)` sends some of one kind and resolves to [{token, message}] of those refused, or throws Failure.
  constructor(name, deliver) {
    super();
    this.#deliver = deliver;
    this.#shelf = new Shelf(`hundredfold:outbox:${name}:`);
    this.#waiting = this.#shelf.all();
    addEventListener("online", () => this.retry_now());
    document.addEventListener("visibilitychange", () => this.retry_now());
    document.body.addEventListener("live:reopened", () => this.retry_now());
  }

  get n_waiting() {
    return this.#waiting.length;
  }

  // Whether flags or comments are among what waits.
  get has_notes() {
    return this.#waiting.some(({ kind }) => kind === "mark" || kind === "comment");
  }

  // Why nothing gets through at present: a Failure, or null.
  get trouble() {
    return this.#trouble;
  }

  // Leaving now would keep an answer from the others for as long as this page stays closed, or lose it.
  get is_leaving_risky() {
    return this.n_waiting > 0 && (this.#trouble !== null || this.#waiting.some((operation) => operation.key === null));
  }

  sample_ids() {
    return this.#waiting.map((operation) => operation.sampleId).filter(Boolean);
  }

  // Take up what an earlier page left behind.
  start() {
    this.#changed();
    this.#send();
  }

  add(operation) {
    this.#waiting.push({ ...operation, key: this.#shelf.keep(operation) });
    this.#changed();
    this.#send();
  }

  // Take an answer back before it has left. False where it has.
  withdraw(token) {
    const found = this.#waiting.find((operation) => operation.token === token);
    if (!found || this.#in_flight.has(found)) return false;
    this.#forget([found]);
    this.#changed();
    return true;
  }

  retry_now() {
    if (document.hidden || this.#trouble?.kind === "blocked") return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#send();
  }

  async #send() {
    if (this.#in_flight.size || this.#timer !== null || this.#trouble?.kind === "blocked") return;
    this.#forget(this.#waiting.filter((operation) => !this.#shelf.has(operation.key)));
    const batch = this.#next_batch();
    if (!batch.length) return;
    this.#in_flight = new Set(batch);
    try {
      const refused = await this.#deliver(batch);
      this.#settle(batch, refused);
    } catch (error) {
      this.#fail(batch, error);
    }
    this.#in_flight.clear();
    this.#changed();
    this.#send();
  }

  #next_batch() {
    const kind = this.#waiting[0]?.kind;
    const end = this.#waiting.findIndex((operation) => operation.kind !== kind);
    const alike = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    return alike.slice(0, kind === "answer" ? MOST_AT_ONCE : 1);
  }

  #settle(batch, refused) {
    this.#n_failures = 0;
    this.#trouble = null;
    this.#forget(batch);
    const messages = new Map(refused.map((refusal) => [refusal.token, refusal.message]));
    for (const operation of batch) {
      const message = messages.get(operation.token);
      if (message !== undefined) this.#tell("refused", { operation, message });
    }
    this.#tell("arrived", { operations: batch.filter((operation) => !messages.has(operation.token)) });
  }

  #fail(batch, error) {
    if (!(error instanceof Failure)) throw error;
    if (error.kind === "refused") {
      // The request as a whole: no use in sending it again. Each is told, none vanishes in silence.
      this.#forget(batch);
      for (const operation of batch) this.#tell("refused", { operation, message: error.message });
      return;
    }
    this.#trouble = error;
    this.#n_failures += 1;
    if (error.kind === "blocked") return;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#n_failures - 1));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#send();
    }, wait * (0.75 + Math.random() / 2));
  }

  #forget(operations) {
    for (const operation of operations) this.#shelf.drop(operation.key);
    this.#waiting = this.#waiting.filter((operation) => !operations.includes(operation));
  }

  #changed() {
    this.#tell("change", {});
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
