// The map's numbers as they come from the server: a length, JSON that names the columns, the columns.

const ID_LENGTH = 16;
const TYPES = { u1: Uint8Array, u2: Uint16Array };

export const NOTHING = 65_535;
export const SEVERAL = 65_534;
export const GONE = 1;
export const LABELLED = 2;
export const RIGHT = 4;
export const WRONG = 8;

// Returns {survey, n, …, columns…}, or null where there is no map yet. The browser keeps the last answer: asked again,
// it costs a few bytes until something has changed.
export async function fetch_columns(url) {
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/octet-stream" }, redirect: "manual" });
  } catch {
    throw new Error("The server cannot be reached. Try again in a moment.");
  }
  if (response.type === "opaqueredirect") throw new Error("You are signed out. Reload the page and sign in.");
  if (response.status === 204) return null;
  if (!response.ok) throw new Error("The map could not be fetched. Reload the page.");
  return unpack(await response.arrayBuffer());
}

function unpack(buffer) {
  const n_header = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, n_header)));
  const found = { ...facts };
  let start = 4 + n_header;
  for (const [name, size, kind] of facts.columns) {
    const type = TYPES[kind + size];
    found[name] = type ? new type(buffer, start, facts.n) : new Uint8Array(buffer, start, facts.n * size);
    start += facts.n * size;
  }
  return found;
}

// The public ids of the points, made when they are asked for.
export class Ids {
  #bytes;
  #places = null;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  at(place) {
    const start = place * ID_LENGTH;
    return `sample_${String.fromCharCode(...this.#bytes.subarray(start, start + ID_LENGTH))}`;
  }

  // The place of a sample, or undefined.
  place_of(id) {
    if (!this.#places) {
      const n = this.#bytes.length / ID_LENGTH;
      this.#places = new Map(Array.from({ length: n }, (_, place) => [this.at(place), place]));
    }
    return this.#places.get(id);
  }
}
