// Sends many files in chunks, two at a time, and tries a chunk again for as long as the network is away.
// The server counts a chunk once, however often it arrives, so trying again is always safe.

const N_SENDERS = 2;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export class Refusal extends Error {}
export class SignedOut extends Error {}

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { Accept: "application/json", "X-CSRFToken": csrf() },
  });
  if (response.redirected || response.status === 401) throw new SignedOut();
  if (response.status >= 500) throw new Error(`status ${response.status}`);
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Refusal(said.message ?? `The server answered ${response.status}.`);
  }
  return response;
}

export async function post_until_answered(url, body, { on_wait, on_back }) {
  for (let n = 0; ; n += 1) {
    try {
      const response = await post(url, body);
      if (n) on_back();
      return response;
    } catch (error) {
      if (error instanceof Refusal || error instanceof SignedOut) throw error;
      on_wait();
      await pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** n) * (0.75 + Math.random() / 2));
    }
  }
}

// One file in one piece, with what else the form holds. Resolves to the address to go on at. XMLHttpRequest: fetch
// cannot say how much of a body has been sent.
export function upload(form, file, { on_progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData(form);
    body.set("file", file);
    request.open("POST", form.dataset.fileUrl);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => on_progress(loaded, total);
    request.onerror = () => reject(new Error("The connection broke. Try again."));
    request.onload = () => {
      if (request.status < 300 && request.response?.url) resolve(request.response.url);
      else reject(request.response ? new Error(request.response.message ?? "That did not work. Try again.") : new SignedOut());
    };
    request.send(body);
  });
}

export function chunks_of(files, { files_per_chunk, chunk_max_bytes }) {
  const chunks = [];
  let chunk = null;
  for (const [index, item] of files.entries()) {
    const is_full = chunk && (chunk.items.length >= files_per_chunk || chunk.n_bytes + item.file.size > chunk_max_bytes);
    if (!chunk || is_full) {
      chunk = { number: chunks.length, first_row: index + 1, n_bytes: 0, items: [] };
      chunks.push(chunk);
    }
    chunk.items.push(item);
    chunk.n_bytes += item.file.size;
  }
  return chunks;
}

function body_of(chunk) {
  const body = new FormData();
  body.set("chunk", chunk.number);
  body.set("first_row", chunk.first_row);
  for (const { file, path, label } of chunk.items) {
    body.append("files", file, "file"); // names travel beside: a header would lose their folders
    body.append("names", path);
    body.append("labels", label);
  }
  return body;
}

// on_results(items, results) is told of every chunk; a chunk refused as a whole is refused file by file.
export async function send_all(url, chunks, { on_results, on_wait, on_back }) {
  const waiting = [...chunks];
  async function send_next() {
    for (let chunk = waiting.shift(); chunk; chunk = waiting.shift()) {
      let results;
      try {
        results = (await (await post_until_answered(url, body_of(chunk), { on_wait, on_back })).json()).results;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        results = chunk.items.map(({ path }) => ({ name: path, outcome: "refused", reason: error.message }));
      }
      on_results(chunk.items, results);
    }
  }
  await Promise.all(Array.from({ length: N_SENDERS }, send_next));
}
