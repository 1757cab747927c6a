// Labels for samples that are chosen in a list or on the map, by key or by a press (templates/review/_label_dock.html).
// Each press is one act and can be undone. Where nothing is chosen the sample under the cursor is meant.
//
//   new Labeller(dock, { chosen: () => ids, cursor: () => id, clear: () => … })
//   "labelled" {ids}   they have a label now        "undone"   something was taken back

import { keys } from "../keys.js";
import { offer_undo } from "../undo.js";
import { send, send_json } from "./ask.js";

export class Labeller extends EventTarget {
  #dock;
  #given;
  #labels;
  #filter;
  #undo_urls = [];
  #is_sending = false;

  constructor(dock, given) {
    super();
    this.#dock = dock;
    this.#given = given;
    this.#labels = [...dock.querySelectorAll("[data-place]")];
    this.#filter = dock.querySelector("input[type=search]");
    dock.addEventListener("click", (event) => this.#on_click(event));
    this.#filter.addEventListener("input", () => this.#narrow());
    this.#filter.addEventListener("keydown", (event) => this.#on_filter_key(event));
    document.body.addEventListener("act:undone", (event) => this.#forget(event.detail.undoUrl));
    keys.addEventListener("change", () => this.#show_keys());
    this.#show_keys();
    this.show();
  }

  get n_labels() {
    return this.#labels.length;
  }

  // What a page's list of keys does with labels; other commands are the page's own.
  get actions() {
    return {
      pick: ({ place }) => this.label(this.#labels[place]?.dataset.label),
      undo: () => this.undo(),
      flag: () => this.flag(),
      similar: () => this.similar(),
      filter: () => this.#filter.closest("[hidden]") || this.#filter.focus(),
      help: () => document.getElementById("key-help").showModal(),
    };
  }

  // Say how many are chosen now.
  show() {
    const n = this.#given.chosen().length;
    const said = this.#dock.querySelector("[data-chosen]");
    const words = n ? `${n.toLocaleString("en")} selected` : "Nothing selected";
    if (said.textContent !== words) said.textContent = words;
    this.#dock.querySelector("[data-do=clear]").hidden = !n;
    this.#dock.classList.toggle("has-chosen", n > 0);
    this.#dock.querySelector("[data-too-many]").hidden = n <= Number(this.#dock.dataset.most);
  }

  async label(label) {
    const ids = this.#meant();
    if (!ids.length) {
      say("Select a sample first.");
      return;
    }
    if (this.#is_sending || ids.length > Number(this.#dock.dataset.most)) return;
    this.#is_sending = true;
    try {
      const token = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
      const done = await send_json(this.#dock.dataset.labelUrl, { samples: ids, label: label || null, token });
      if (done.undoUrl) this.#offer(done);
      else say(done.words);
      this.#given.clear();
      this.dispatchEvent(new CustomEvent("labelled", { detail: { ids } }));
    } catch (error) {
      say(error.message, "danger");
    } finally {
      this.#is_sending = false;
    }
  }

  // The newest act that this page did and that still stands.
  async undo() {
    const shown = [...document.querySelectorAll("#toasts [data-undo-url]")].at(-1);
    if (shown) {
      shown.click();
      return;
    }
    const url = this.#undo_urls.at(-1);
    if (!url) {
      say("There is nothing to take back here.");
      return;
    }
    try {
      say((await send_json(url, {})).words);
      document.body.dispatchEvent(new CustomEvent("act:undone", { detail: { undoUrl: url } }));
    } catch (error) {
      say(error.message, "danger");
    }
  }

  async flag() {
    const id = this.#given.cursor();
    if (!id) return;
    try {
      const notes = await send(this.#dock.dataset.flagUrl.replace("/0/", `/${id}/`));
      say(notes.includes(">flagged<") ? "Flagged" : "No longer flagged");
      this.dispatchEvent(new CustomEvent("labelled", { detail: { ids: [id] } }));
    } catch (error) {
      say(error.message, "danger");
    }
  }

  similar() {
    const id = this.#given.cursor();
    if (id) location.assign(this.#dock.dataset.similarUrl.replace("/0/", `/${id}/`));
  }

  #meant() {
    const chosen = this.#given.chosen();
    const cursor = this.#given.cursor();
    return chosen.length || !cursor ? chosen : [cursor];
  }

  #offer(done) {
    this.#undo_urls.push(done.undoUrl);
    offer_undo(done);
  }

  #forget(url) {
    this.#undo_urls = this.#undo_urls.filter((each) => each !== url);
    this.dispatchEvent(new CustomEvent("undone"));
  }

  #on_click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if ("label" in button.dataset) this.label(button.dataset.label);
    if (button.dataset.do === "undo") this.undo();
    if (button.dataset.do === "clear") this.#given.clear();
    if (button.dataset.do === "help") this.actions.help();
  }

  #narrow() {
    const wanted = this.#filter.value.trim().toLocaleLowerCase();
    for (const each of this.#labels) each.hidden = !each.textContent.toLocaleLowerCase().includes(wanted);
  }

  #on_filter_key(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    const first = this.#labels.find((each) => !each.hidden);
    if (event.key === "Enter" && this.#filter.value.trim() && first) this.label(first.dataset.label);
    this.#filter.value = "";
    this.#narrow();
    this.#given.focus?.();
  }

  #show_keys() {
    for (const each of this.#labels) {
      const kbd = each.querySelector("kbd");
      kbd.textContent = keys.words_of_label(Number(each.dataset.place));
      kbd.hidden = !kbd.textContent;
    }
  }
}

export function say(message, kind = "") {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind } }));
}
