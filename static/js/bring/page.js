// The bring page: one place to drop anything. Tables and zips become an import to be checked; pictures go in at once.

import { chosen, dropped, is_table, with_labels } from "./files.js";
import { SignedOut, chunks_of, post, post_until_answered, send_all, upload } from "./sending.js";

const drop = document.getElementById("drop");
const panel = document.getElementById("drop-progress");
const state = document.getElementById("drop-state");
const bar = document.getElementById("drop-bar");
const counts = document.getElementById("drop-counts");
const refused_list = document.getElementById("drop-refused");
const all_list = document.getElementById("drop-files");
const takes_pictures = Boolean(drop.dataset.dropUrl);
const OUTCOMES = { added: "added", restored: "back from the bin", duplicate: "already here", refused: "did not go in" };
let is_busy = false;

const number = (n) => n.toLocaleString("en");
const megabytes = (bytes) => `${Math.floor(bytes / 1024 ** 2)} MB`;

function toast(message, kind = "danger") {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind } }));
}

function begin(words) {
  is_busy = true;
  panel.hidden = false;
  refused_list.hidden = true;
  document.getElementById("drop-all").hidden = true;
  document.getElementById("drop-next")?.setAttribute("hidden", "");
  refused_list.replaceChildren();
  all_list.replaceChildren();
  counts.textContent = "";
  bar.value = 0;
  state.textContent = words;
  panel.scrollIntoView({ block: "nearest" });
}

async function receive(found) {
  if (!found.length) return;
  if (is_busy) return toast("Wait until the files before are in.");
  const tables = found.filter(({ file }) => is_table(file));
  try {
    if (takes_pictures && tables.length !== found.length) await bring_pictures(found);
    else if (found.length === 1) await bring_file(found[0].file);
    else toast("Bring one file at a time, or put them into one zip.");
  } catch (error) {
    toast(error instanceof SignedOut ? "You have been signed out. Sign in again and drop the files once more." : error.message);
    panel.hidden = true;
  } finally {
    is_busy = false;
  }
}

/* One file that becomes an import */

function show_sent(file, loaded, total) {
  bar.value = total ? loaded / total : 0;
  state.textContent = loaded < total ? `Sending ${file.name}` : `Reading ${file.name}`;
}

async function bring_file(file) {
  if (file.size > Number(drop.dataset.uploadMaxBytes)) {
    throw new Error(`The file is larger than ${megabytes(drop.dataset.uploadMaxBytes)}. Split it into several.`);
  }
  begin(`Sending ${file.name}`);
  location.assign(await upload(drop, file, { on_progress: (loaded, total) => show_sent(file, loaded, total) }));
}

/* Many pictures */

async function bring_pictures(found) {
  const use_folders = document.getElementById("drop-folders").checked;
  const label = document.getElementById("drop-label").value;
  const all = with_labels(found, { use_folders, label });
  const tally = { n: 0, n_all: all.length, added: 0, restored: 0, duplicate: 0, refused: 0 };
  begin(`Sending ${number(all.length)} file${all.length === 1 ? "" : "s"}`);
  document.getElementById("drop-all").hidden = false;
  addEventListener("beforeunload", hold);
  try {
    const files = all.filter((item) => refuse_too_large(item, tally));
    if (!files.length) return finish(tally);
    const labels = JSON.stringify([...new Set(files.map((item) => item.label).filter(Boolean))]);
    const opened = await (await post(drop.dataset.dropUrl, body_with({ n_files: files.length, labels }))).json();
    await send_chunks(opened, files, tally);
  } finally {
    removeEventListener("beforeunload", hold);
  }
}

async function send_chunks(opened, files, tally) {
  const url = `/imports/${opened.import}/files/`;
  const words = state.textContent;
  // Who leaves with files on their way closes the drop with those that are in.
  const leave = () => navigator.sendBeacon(`${url}end/`, new FormData(drop));
  addEventListener("pagehide", leave);
  const signs = {
    on_wait: () => (state.textContent = "No connection. Trying again; nothing is lost."),
    on_back: () => (state.textContent = words),
  };
  const chunks = chunks_of(files, {
    files_per_chunk: Number(drop.dataset.filesPerChunk),
    chunk_max_bytes: Number(drop.dataset.chunkMaxBytes),
  });
  try {
    await send_all(url, chunks, { ...signs, on_results: (_items, results) => show(results, tally) });
  } finally {
    removeEventListener("pagehide", leave);
  }
  const card = await (await post_until_answered(`${url}end/`, new FormData(), signs)).text();
  put_card(card);
  finish(tally);
}

function refuse_too_large({ file, path }, tally) {
  const is_fine = file.size <= Number(drop.dataset.imageMaxBytes);
  const reason = `The picture is larger than ${megabytes(drop.dataset.imageMaxBytes)}. Make it smaller first.`;
  if (!is_fine) show([{ name: path, outcome: "refused", reason }], tally);
  return is_fine;
}

function show(results, tally) {
  const lines = document.createDocumentFragment();
  const refused = document.createDocumentFragment();
  for (const result of results) {
    tally.n += 1;
    tally[result.outcome] += 1;
    lines.append(line_of(result));
    if (result.outcome === "refused") refused.append(line_of(result));
  }
  all_list.append(lines);
  refused_list.append(refused);
  refused_list.hidden = !tally.refused;
  bar.value = tally.n / tally.n_all;
  counts.textContent = [
    `${number(tally.n)} of ${number(tally.n_all)}`,
    `${number(tally.added)} added`,
    tally.restored && `${number(tally.restored)} back from the bin`,
    tally.duplicate && `${number(tally.duplicate)} already here`,
    tally.refused && `${number(tally.refused)} did not go in`,
  ].filter(Boolean).join(" · ");
}

function line_of({ name, outcome, reason }) {
  const line = document.createElement("li");
  const said = document.createElement("span");
  said.className = `bring-outcome bring-outcome-${outcome}`;
  said.textContent = reason || OUTCOMES[outcome];
  line.append(name, " – ", said);
  return line;
}

function finish(tally) {
  bar.value = 1;
  state.textContent = tally.refused ? "Done, except for these" : "Done";
  if (tally.added || tally.restored) document.getElementById("drop-next")?.removeAttribute("hidden");
}

function put_card(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const card = template.content.firstElementChild;
  document.getElementById(card.id)?.remove();
  document.getElementById("imports").prepend(card);
  window.htmx.process(card);
}

function body_with(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  return body;
}

function hold(event) {
  event.preventDefault(); // the browser asks before it drops what is under way
}

/* Ways in */

// Anywhere on the page: a file that just misses the zone would otherwise replace the page.
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

document.getElementById("lines")?.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.id === "lines" && event.detail.successful) event.target.querySelector("textarea").value = "";
});
