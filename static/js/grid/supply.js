// The samples to come, fetched before they are needed: while one grid is looked over, the next is here already.
//
//   "labels"  {labels, counts}: as they are on the server now       "change"  something to show may have come or gone

const MS_BETWEEN_REFRESHES = 1_500;
const MS_BEFORE_RETRY = 2_000;
// As many as the server leaves out; beyond that the oldest that were passed over may come again.
const MOST_EXCLUDED = 200;

export class Supply extends EventTarget {
  #api;
  #url;
  #n;
  #held;
  #ahead = [];
  #handled = new Set();
  #round = 0;
  #is_fetching = false;
  #is_exhausted = false;
  #refreshed_at = -Infinity;
  #timer = null;

  show = "alike";
  label_id = null;
  has_samples = true;
  has_model = false;
  // Why no further samples come at present: a Failure, or null.
  trouble = null;

  // `n` are on one grid; `held()` names the samples on show, and those on their way to the server.
  constructor(api, url, first, { n, held }) {
    super();
    this.#api = api;
    this.#url = url;
    this.#n = n;
    this.#held = held;
    Object.assign(this, { show: first.show, label_id: first.labelId });
    this.#take_in(first);
  }

  get ahead() {
    return this.#ahead;
  }

  get is_waiting() {
    return this.#ahead.length < this.#n && !this.#is_exhausted;
  }

  // Whether a grid can be shown: a whole one, or what there is where no more comes.
  get is_ready() {
    return this.#ahead.length > 0 && (!this.is_waiting || this.trouble !== null);
  }

  // The next grid's samples, fewer where there are no more. They are not given again until they are put back.
  take() {
    const items = this.#ahead.splice(0, this.#n);
    for (const item of items) this.#handled.add(item.sampleId);
    this.fill();
    return items;
  }

  // Give these again, first of all.
  put_back(items) {
    for (const item of items) this.#handled.delete(item.sampleId);
    this.#ahead = [...items, ...this.#ahead.filter((item) => !items.includes(item))];
  }

  // These may come again, whenever it is their turn.
  release(ids) {
    for (const id of ids) this.#handled.delete(id);
    this.look_again();
  }

  // Show others from now on: what was passed over for one label may well be of another.
  look_for({ show, label_id }) {
    Object.assign(this, { show, label_id });
    this.#ahead = [];
    this.#handled.clear();
    this.look_again();
  }

  look_again() {
    this.#round += 1; // what is on its way was asked for under other circumstances
    this.#is_fetching = false;
    this.#is_exhausted = false;
    this.fill();
  }

  // The model sees things differently now: ask for what is ahead anew.
  refresh() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#refreshed_at + MS_BETWEEN_REFRESHES - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#refreshed_at = performance.now();
      this.#round += 1;
      this.#is_fetching = false;
      this.#fetch({ anew: true });
    }, wait);
  }

  fill() {
    if (!this.#is_exhausted && this.#ahead.length < this.#n) this.#fetch({ anew: false });
  }

  async #fetch({ anew }) {
    if (this.#is_fetching) return;
    this.#is_fetching = true;
    const round = this.#round;
    const n_wanted = anew ? this.#n : this.#n - this.#ahead.length;
    try {
      const answer = await this.#api.get(this.#address(n_wanted, anew));
      if (round !== this.#round) return;
      if (anew) this.#ahead = [];
      this.trouble = null;
      this.#take_in(answer);
    } catch (error) {
      if (round !== this.#round) return;
      this.trouble = error;
      if (error.kind !== "blocked") setTimeout(() => this.fill(), MS_BEFORE_RETRY);
    }
    this.#is_fetching = false;
    this.dispatchEvent(new CustomEvent("change"));
  }

  #take_in(answer) {
    const here = new Set([...this.#held(), ...this.#ahead.map((item) => item.sampleId)]);
    const fresh = answer.items.filter((item) => !this.#handled.has(item.sampleId) && !here.has(item.sampleId));
    this.#ahead.push(...fresh);
    this.#is_exhausted = answer.isLast;
    this.has_samples = answer.hasSamples;
    this.has_model = answer.hasModel;
    this.dispatchEvent(new CustomEvent("labels", { detail: { labels: answer.labels, counts: answer.counts } }));
  }

  #address(n_wanted, anew) {
    const ahead = anew ? [] : this.#ahead.map((item) => item.sampleId);
    const exclude = [...new Set([...this.#held(), ...ahead, ...[...this.#handled].reverse()])].slice(0, MOST_EXCLUDED);
    const query = { show: this.show, label: this.label_id ?? "", n: n_wanted, exclude: exclude.join(",") };
    return `${this.#url}?${new URLSearchParams(query)}`;
  }
}
