// What pages that take files do alike: where files come in, and the panel that says how far they are on their way.

import { chosen, dropped } from "./files.js";
import { SignedOut, upload } from "./sending.js";

export const megabytes = (bytes) => `${Math.floor(bytes / 1024 ** 2)} MB`;

export function toast(message, kind = "danger") {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind } }));
}

export class DropPanel {
  #panel = document.getElementById("drop-progress");
  #state = document.getElementById("drop-state");
  #bar = document.getElementById("drop-bar");

  begin(words) {
    this.#panel.hidden = false;
    this.fill(0);
    this.say(words);
    this.#panel.scrollIntoView({ block: "nearest" });
  }

  say(words) {
    this.#state.textContent = words;
  }

  fill(share) {
    this.#bar.value = share;
  }

  close() {
    this.#panel.hidden = true;
  }

  // What sending says while the network is away, and once it is back.
  signs(words) {
    return { on_wait: () => this.say("No connection. Trying again; nothing is lost."), on_back: () => this.say(words) };
  }
}

// One file in one piece; the page goes on to what became of it.
export async function send_file(drop, panel, file) {
  if (file.size > Number(drop.dataset.uploadMaxBytes)) {
    throw new Error(`The file is larger than ${megabytes(drop.dataset.uploadMaxBytes)}. Split it into several.`);
  }
  panel.begin(`Sending ${file.name}`);
  const on_progress = (loaded, total) => {
    panel.fill(total ? loaded / total : 0);
    panel.say(loaded < total ? `Sending ${file.name}` : `Reading ${file.name}`);
  };
  location.assign(await upload(drop, file, { on_progress }));
}

// The browser asks before it drops what `send` has under way.
export async function while_held(send) {
  const hold = (event) => event.preventDefault();
  addEventListener("beforeunload", hold);
  try {
    return await send(() => removeEventListener("beforeunload", hold));
  } finally {
    removeEventListener("beforeunload", hold);
  }
}

// `send(found)` is given what came in, one lot at a time.
export function take_files(drop, panel, { send, busy, signed_out }) {
  let is_busy = false;

  async function receive(found) {
    if (!found.length) return;
    if (is_busy) return toast(busy);
    is_busy = true;
    try {
      await send(found);
    } catch (error) {
      toast(error instanceof SignedOut ? signed_out : error.message);
      panel.close();
    } finally {
      is_busy = false;
    }
  }

  take_dropped(drop, receive);
  take_chosen(drop, receive);
}

// Anywhere on the page: a file that just misses the zone would otherwise replace the page.
function take_dropped(drop, receive) {
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
}

function take_chosen(drop, receive) {
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
