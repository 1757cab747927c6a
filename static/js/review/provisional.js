// What stands provisionally: Enter accepts what is selected, or all that are shown; a label's key says it is another.

import { keys } from "../keys.js";
import { Selection } from "../selection.js";
import { offer_undo } from "../undo.js";
import { ask, elements_of, send } from "./ask.js";
import { Labeller, say } from "./labeller.js";

const page = document.getElementById("provisional");
const list = document.getElementById("provisional-samples");
const accept_button = page.querySelector("[data-accept]");

const selection = new Selection(list, { keys_from: document });
selection.toggle_key = ""; // the page's own list of keys has it
const labeller = new Labeller(document.getElementById("label-dock"), {
  chosen: () => selection.ids,
  cursor: () => selection.cursor,
  clear: () => selection.clear(),
  focus: () => list.focus(),
});
let is_sending = false;

const shown = () => [...list.querySelectorAll("[data-sample]")].map((each) => each.dataset.sample);
const meant = () => (selection.ids.length ? selection.ids : shown());

function show() {
  const n = selection.ids.length;
  accept_button.querySelector("[data-words]").textContent = n ? `Accept the ${n} selected` : "Accept all that are shown";
  accept_button.hidden = !shown().length;
  page.querySelector("[data-empty]").hidden = shown().length > 0;
  labeller.show();
}

async function refresh() {
  try {
    list.replaceChildren(elements_of(await ask(page.dataset.itemsUrl)));
    selection.refresh();
    show();
  } catch (error) {
    say(error.message, "danger");
  }
}

async function accept() {
  const ids = meant();
  if (!ids.length || is_sending) return;
  is_sending = true;
  try {
    const done = await send(page.dataset.acceptUrl, { sample: ids });
    if (done.undoUrl) offer_undo(done);
    else say(done.words);
    selection.clear();
    await refresh();
    document.body.dispatchEvent(new CustomEvent("review:decided"));
  } catch (error) {
    say(error.message, "danger");
    await refresh();
  } finally {
    is_sending = false;
  }
}

accept_button.addEventListener("click", accept);
selection.addEventListener("change", show);
labeller.addEventListener("labelled", refresh);
labeller.addEventListener("undone", refresh);
document.body.addEventListener("act:undone", refresh);
keys.listen(
  {
    ...labeller.actions,
    change: accept,
    select: () => selection.cursor && selection.toggle(selection.cursor),
    open: () => labeller.similar(),
  },
  { n_labels: () => labeller.n_labels },
);
show();
