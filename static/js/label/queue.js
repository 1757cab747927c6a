// The samples to come, fetched before they are needed, pictures decoded.
//
//   "labels"  {labels}: as they are on the server now       "change"  something to show may have come or gone

import { element_of } from "./specimen.js";

const N_AHEAD = 8;
const FETCH_BELOW = 6;
// When the model has learned something, all but the next two are asked for anew.
const N_KEPT_ON_REFRESH = 2;
const MS_BETWEEN_REFRESHES = 1_500;
const MS_BEFORE_RETRY = 2_000;

export class Queue extends EventTarget {
  #api;
  #url;
  #excluded_elsewhere;
  #ahead = [];
  #handled = new Set();
  #n_given;
  #is_fetching = false;
  #is_exhausted = false;
  #refreshed_at = -Infinity;
  #refresh_timer = null;

  current = null;
  n_skipped = 0;
  has_samples = true;
  has_model = false;
  // Why no further samples come at present: a Failure, or null.
  trouble = null;

  // `excluded_elsewhere()` names samples whose answers have not arrived yet.
  constructor(api, url, first, excluded_elsewhere) {
    super();
    this.#api = api;
    this.#url = url;
    this.#excluded_elsewhere = excluded_elsewhere;
    this.#n_given = first.nGiven;
    this.#take_in(first, first.items.length);
    this.current = this.#ahead.shift() ?? null;
    this.#fill();
  }

  get is_waiting() {
    return this.current === null && !this.#is_exhausted;
  }

  // Everything fetched and not dealt with.
  sample_ids() {
    return [this.current, ...this.#ahead].filter(Boolean).map((item) => item.sampleId);
  }

  // Others are asked about these now. The one on the table stays: somebody is looking at it.
  drop(ids) {
    this.#ahead = this.#ahead.filter((item) => !ids.includes(item.sampleId));
    this.#fill();
  }

  // The current sample is dealt with: go to the next, which is here already.
  advance() {
    this.#handled.add(this.current.sampleId);
    this.current = this.#ahead.shift() ?? null;
    this.#fill();
  }

  // Ask this one now, and the current one after it.
  put_first(item) {
    this.#handled.delete(item.sampleId);
    this.#ahead = this.#ahead.filter((other) => other.sampleId !== item.sampleId);
    if (this.current && this.current.sampleId !== item.sampleId) this.#ahead.unshift(this.current);
    this.current = item.element ? item : prepared(item);
  }

  // This one may be asked again: its answer could not be saved.
  release(sample_id) {
    this.#handled.delete(sample_id);
    this.look_again();
  }

  // The server has forgotten what was skipped; so do we.
  release_skipped() {
    this.#handled = new Set(this.#excluded_elsewhere());
    this.look_again();
  }

  // Samples may have come in.
  look_again() {
    this.#is_exhausted = false;
    this.#fill();
  }

  // The model sees things differently now.
  refresh() {
    if (this.#refresh_timer !== null) return;
    const wait = Math.max(0, this.#refreshed_at + MS_BETWEEN_REFRESHES - performance.now());
    this.#refresh_timer = setTimeout(() => {
      this.#refresh_timer = null;
      this.#refreshed_at = performance.now();
      this.#is_exhausted = false;
      if (this.#is_fetching) this.refresh();
      else this.#fetch(Math.min(N_KEPT_ON_REFRESH, this.#ahead.length));
    }, wait);
  }

  #fill() {
    if (!this.#is_exhausted && this.#ahead.length < FETCH_BELOW) this.#fetch(this.#ahead.length);
  }

  // Fetch what follows the first `n_kept` of those ahead, and put it in the place of the rest.
  async #fetch(n_kept) {
    if (this.#is_fetching) return;
    this.#is_fetching = true;
    const n_wanted = N_AHEAD - n_kept;
    const replaced = new Set(this.#ahead.slice(n_kept));
    const n_given = Math.max(0, this.#n_given - replaced.size);
    try {
      const answer = await this.#api.get(this.#address(n_wanted, n_given, replaced));
      this.trouble = null;
      this.#ahead = this.#ahead.filter((item) => !replaced.has(item));
      this.#n_given = answer.nGiven;
      this.#take_in(answer, n_wanted);
    } catch (error) {
      this.trouble = error;
      if (error.kind !== "blocked") setTimeout(() => this.#fill(), MS_BEFORE_RETRY);
    }
    this.#is_fetching = false;
    this.current ??= this.#ahead.shift() ?? null;
    this.dispatchEvent(new CustomEvent("change"));
    if (!this.trouble) this.#fill();
  }

  #take_in(answer, n_wanted) {
    const here = new Set([this.current, ...this.#ahead].map((item) => item?.sampleId));
    const fresh = answer.items.filter((item) => !this.#handled.has(item.sampleId) && !here.has(item.sampleId));
    this.#ahead.push(...fresh.map(prepared));
    this.#is_exhausted = answer.items.length < n_wanted;
    this.n_skipped = answer.nSkipped;
    this.has_samples = answer.hasSamples;
    this.has_model = answer.hasModel;
    this.dispatchEvent(new CustomEvent("labels", { detail: { labels: answer.labels } }));
  }

  #address(n_wanted, n_given, replaced) {
    const held = [this.current, ...this.#ahead].filter((item) => item && !replaced.has(item));
    const exclude = new Set([...held.map((item) => item.sampleId), ...this.#excluded_elsewhere()]);
    const query = new URLSearchParams({ n: n_wanted, given: n_given, exclude: [...exclude].join(",") });
    return `${this.#url}?${query}`;
  }
}

function prepared(item) {
  return { ...item, element: element_of(item) };
}
