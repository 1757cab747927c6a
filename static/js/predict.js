// Predicting a file: one place to drop a table, a zip or pictures. Pictures go up in chunks; all else in one piece.

import { chosen, dropped, is_table } from "./bring/files.js";
import { SignedOut, chunks_of, post, post_until_answered, send_all, upload } from "./bring/sending.js";

const drop = document.getElementById("drop");
const panel = document.getElementById("drop-progress");
const state = document.getElementById("drop-state");
const bar = document.getElementById("drop-bar");
const takes_pictures = Boolean(drop?.dataset.dropUrl);
let is_busy = false;

const megabytes = (bytes) => `${Math.floor(bytes / 1024 ** 2)} MB`;

function toast(message) {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind: "danger" } }));
}

function begin(words) {
  panel.hidden = false;
  bar.value = 0;
  state.textContent = words;
  panel.scrollIntoView({ block: "nearest" });
}

async function receive(found) {
  if (!found.length) return;
  if (is_busy) return toast("Wait until the file before has been sent.");
  is_busy = true;
  try {
    if (takes_pictures && !found.every(({ file }) => is_table(file))) await send_pictures(found);
    else if (found.length === 1) await send_file(found[0].file);
    else toast("Drop one file at a time.");
  } catch (error) {
    toast(error instanceof SignedOut ? "You have been signed out. Sign in again and drop it once more." : error.message);
    panel.hidden = true;
  } finally {
    is_busy = false;
  }
}

function show_sent(file, loaded, total) {
  bar.value = total ? loaded / total : 0;
  state.textContent = loaded < total ? `Sending ${file.name}` : `Reading ${file.name}`;
}

async function send_file(file) {
  if (file.size > Number(drop.dataset.uploadMaxBytes)) {
    throw new Error(`The file is larger than ${megabytes(drop.dataset.uploadMaxBytes)}. Split it into several.`);
  }
  begin(`Sending ${file.name}`);
  location.assign(await upload(drop, file, { on_progress: (loaded, total) => show_sent(file, loaded, total) }));
}

// A picture too large to be sent goes as its name and size alone: it keeps its row, which says why it has no answer.
function without_too_large({ file, path }) {
  const is_fine = file.size <= Number(drop.dataset.imageMaxBytes);
  return { file: is_fine ? file : new File([" "], file.name), path, label: String(file.size) };
}

async function send_pictures(found) {
  const files = found.map(without_too_large);
  const words = `Sending ${files.length.toLocaleString("en")} picture${files.length === 1 ? "" : "s"}`;
  begin(words);
  addEventListener("beforeunload", hold);
  try {
    const body = new FormData();
    body.set("n_files", files.length);
    const opened = await (await post(drop.dataset.dropUrl, body)).json();
    const url = `${opened.url}files/`;
    const signs = {
      on_wait: () => (state.textContent = "No connection. Trying again; nothing is lost."),
      on_back: () => (state.textContent = words),
    };
    await send_chunks(url, files, signs);
    const ended = await (await post_until_answered(`${url}end/`, new FormData(), signs)).json();
    removeEventListener("beforeunload", hold);
    location.assign(ended.url);
  } finally {
    removeEventListener("beforeunload", hold);
  }
}

async function send_chunks(url, files, signs) {
  const chunks = chunks_of(files, {
    files_per_chunk: Number(drop.dataset.filesPerChunk),
    chunk_max_bytes: Number(drop.dataset.chunkMaxBytes),
  });
  let n_sent = 0;
  let refusal = "";
  await send_all(url, chunks, {
    ...signs,
    on_results: (items, results) => {
      n_sent += items.length;
      bar.value = n_sent / files.length;
      refusal ||= results.find(({ outcome }) => outcome === "refused")?.reason;
    },
  });
  if (refusal) throw new Error(refusal); // pictures left out would shift the rows of all after them
}

function hold(event) {
  event.preventDefault(); // the browser asks before it drops what is under way
}

/* Ways in. Anywhere on the page: a file that just misses the zone would otherwise replace the page. */

if (drop) {
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("is-over");
  });

  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("is-over");
  });

  addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.remove("is-over");
    dropped(event.dataTransfer).then(receive, () => toast("The browser could not read what was dropped."));
  });

  drop.addEventListener("click", (event) => {
    const id = event.target.closest("[data-pick]")?.dataset.pick;
    if (id) document.getElementById(id).click();
  });

  drop.addEventListener("change", (event) => {
    if (event.target.type !== "file") return;
    const found = chosen(event.target.files);
    event.target.value = ""; // choosing the same files again is a change again
    receive(found);
  });
}
