// Keeps operations through a reload: each under a key of its own, so that two tabs never overwrite each other's.
// Keys sort in the order of keeping.

export class Shelf {
  #prefix;
  #tab = Math.random().toString(36).slice(2, 8);
  #n_kept = 0;

  constructor(prefix) {
    this.#prefix = prefix;
  }

  // Everything left behind by a page that is gone, oldest first.
  all() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix));
      return keys.sort().flatMap((key) => operation_under(key));
    } catch {
      return []; // the browser keeps nothing for us
    }
  }

  // Returns the key, or null where the browser keeps nothing (private windows, full disk).
  keep(operation) {
    this.#n_kept += 1;
    const place = `${Date.now().toString().padStart(14, "0")}-${String(this.#n_kept).padStart(8, "0")}-${this.#tab}`;
    try {
      localStorage.setItem(this.#prefix + place, JSON.stringify(operation));
    } catch {
      return null;
    }
    return this.#prefix + place;
  }

  drop(key) {
    if (key) localStorage.removeItem(key);
  }

  // False once another tab has delivered it or taken it back.
  has(key) {
    return key === null || localStorage.getItem(key) !== null;
  }
}

function operation_under(key) {
  try {
    return [{ ...JSON.parse(localStorage.getItem(key)), key }];
  } catch {
    return []; // half-written when the browser died
  }
}
