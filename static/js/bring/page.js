// The bring page: one place to drop anything. Tables and zips become an import to be checked; pictures go in at once.

import { DropPanel, megabytes, send_file, take_files, toast, while_held } from "./drop.js";
import { is_table, with_labels } from "./files.js";
import { chunks_of, post, post_until_answered, send_all } from "./sending.js";

const drop = document.getElementById("drop");
const counts = document.getElementById("drop-counts");
const refused_list = document.getElementById("drop-refused");
const all_list = document.getElementById("drop-files");
const takes_pictures = Boolean(drop.dataset.dropUrl);
const OUTCOMES = { added: "added", restored: "back from the bin", duplicate: "already here", refused: "did not go in" };
const panel = new DropPanel();

const number = (n) => n.toLocaleString("en");

async function send(found) {
  const tables = found.filter(({ file }) => is_table(file));
  if (takes_pictures && tables.length !== found.length) {
    clear();
    await bring_pictures(found);
  } else if (found.length === 1) {
    clear();
    await send_file(drop, panel, found[0].file);
  } else toast("Bring one file at a time, or put them into one zip.");
}

function clear() {
  refused_list.hidden = true;
  document.getElementById("drop-all").hidden = true;
  document.getElementById("drop-next")?.setAttribute("hidden", "");
  refused_list.replaceChildren();
  all_list.replaceChildren();
  counts.textContent = "";
}

/* Many pictures */

async function bring_pictures(found) {
  const use_folders = document.getElementById("drop-folders").checked;
  const label = document.getElementById("drop-label").value;
  const all = with_labels(found, { use_folders, label });
  const tally = { n: 0, n_all: all.length, added: 0, restored: 0, duplicate: 0, refused: 0 };
  const words = `Sending ${number(all.length)} file${all.length === 1 ? "" : "s"}`;
  panel.begin(words);
  document.getElementById("drop-all").hidden = false;
  await while_held(async () => {
    const files = all.filter((item) => refuse_too_large(item, tally));
    if (!files.length) return finish(tally);
    const labels = JSON.stringify([...new Set(files.map((item) => item.label).filter(Boolean))]);
    const opened = await (await post(drop.dataset.dropUrl, body_with({ n_files: files.length, labels }))).json();
    await send_chunks(opened, files, tally, panel.signs(words));
  });
}

async function send_chunks(opened, files, tally, signs) {
  const url = `/imports/${opened.import}/files/`;
  // Who leaves with files on their way closes the drop with those that are in.
  const leave = () => navigator.sendBeacon(`${url}end/`, new FormData(drop));
  addEventListener("pagehide", leave);
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
  panel.fill(tally.n / tally.n_all);
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
  panel.fill(1);
  panel.say(tally.refused ? "Done, except for these" : "Done");
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

take_files(drop, panel, {
  send,
  busy: "Wait until the files before are in.",
  signed_out: "You have been signed out. Sign in again and drop the files once more.",
});

document.getElementById("lines")?.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.id === "lines" && event.detail.successful) event.target.querySelector("textarea").value = "";
});
