// From what was dropped or chosen to a plain list of {file, path, label}, whatever the browser calls it.

const JUNK = new Set(["thumbs.db", "desktop.ini"]);
const UNLABELLED = new Set(["unlabeled", "unlabelled"]);
const TABLE = /\.(csv|tsv|tab|txt|xlsx|xlsm|json|jsonl|ndjson|zip)$/i;

export const is_table = (file) => TABLE.test(file.name);

function is_junk(path) {
  const name = path.split("/").pop();
  return path.split("/").includes("__MACOSX") || name.startsWith(".") || JUNK.has(name.toLowerCase());
}

// A browser lists a folder about a hundred entries at a time, until it answers with none.
async function entries_of(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

async function walk(entry, path, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: path + entry.name });
    return;
  }
  for (const inner of await entries_of(entry.createReader())) await walk(inner, `${path}${entry.name}/`, found);
}

// Entries must be taken from the event before the first await: afterwards the browser has emptied it.
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found.filter(({ path }) => !is_junk(path));
}

export function chosen(files) {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(({ path }) => !is_junk(path));
}

// The folder a file lies in is its label, unless it holds further folders or is named "unlabeled". Names leave out a
// folder that everything lies in: a list of names made beside the files does not have it either.
export function with_labels(found, { use_folders, label }) {
  const folder_of = (path) => path.split("/").slice(0, -1);
  const holders = new Set();
  for (const { path } of found) {
    const folders = folder_of(path);
    for (let n = 0; n < folders.length; n += 1) holders.add(folders.slice(0, n).join("/"));
  }
  const roots = new Set(found.map(({ path }) => path.split("/")[0]));
  const n_shared = roots.size === 1 && found.every(({ path }) => path.includes("/")) ? [...roots][0].length + 1 : 0;
  return found.map(({ file, path }) => {
    const folders = folder_of(path);
    const name = folders.at(-1) ?? "";
    const is_label = use_folders && name && !holders.has(folders.join("/")) && !UNLABELLED.has(name.toLowerCase());
    return { file, path: path.slice(n_shared), label: is_label ? name : label };
  });
}
