// Predicting a file: one place to drop a table, a zip or pictures. Pictures go up in chunks; all else in one piece.

import { DropPanel, send_file, take_files, toast, while_held } from "./bring/drop.js";
import { is_table } from "./bring/files.js";
import { chunks_of, post, post_until_answered, send_all } from "./bring/sending.js";

const drop = document.getElementById("drop");
const takes_pictures = Boolean(drop?.dataset.dropUrl);
const panel = new DropPanel();

async function send(found) {
  if (takes_pictures && !found.every(({ file }) => is_table(file))) await send_pictures(found);
  else if (found.length === 1) await send_file(drop, panel, found[0].file);
  else toast("Drop one file at a time.");
}

// A picture too large to be sent goes as its name and size alone: it keeps its row, which says why it has no answer.
function without_too_large({ file, path }) {
  const is_fine = file.size <= Number(drop.dataset.imageMaxBytes);
  return { file: is_fine ? file : new File([" "], file.name), path, label: String(file.size) };
}

async function send_pictures(found) {
  const files = found.map(without_too_large);
  const words = `Sending ${files.length.toLocaleString("en")} picture${files.length === 1 ? "" : "s"}`;
  panel.begin(words);
  await while_held(async (release) => {
    const body = new FormData();
    body.set("n_files", files.length);
    const opened = await (await post(drop.dataset.dropUrl, body)).json();
    const url = `${opened.url}files/`;
    const signs = panel.signs(words);
    await send_chunks(url, files, signs);
    const ended = await (await post_until_answered(`${url}end/`, new FormData(), signs)).json();
    release();
    location.assign(ended.url);
  });
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
      panel.fill(n_sent / files.length);
      refusal ||= results.find(({ outcome }) => outcome === "refused")?.reason;
    },
  });
  if (refusal) throw new Error(refusal); // pictures left out would shift the rows of all after them
}

if (drop) {
  take_files(drop, panel, {
    send,
    busy: "Wait until the file before has been sent.",
    signed_out: "You have been signed out. Sign in again and drop it once more.",
  });
}
