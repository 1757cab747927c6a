// Many samples of a list at once: select them, then a label's key, or the bin. Each press is one act and can be undone.

import { keys } from "../keys.js";
import { Selection } from "../selection.js";
import { offer_undo } from "../undo.js";
import { ask, elements_of, send } from "./ask.js";
import { Labeller, say } from "./labeller.js";

const page = document.getElementById("pick");
const list = document.getElementById("pick-samples");
const bin_button = page.querySelector("[data-bin]");

const selection = new Selection(list, { keys_from: document });
selection.toggle_key = ""; // the page's own list of keys has it
const labeller = new Labeller(document.getElementById("label-dock"), {
  chosen: () => selection.ids,
  cursor: () => selection.cursor,
  clear: () => selection.clear(),
  focus: () => list.focus(),
});
let is_sending = false;

function show() {
  if (bin_button) bin_button.disabled = !selection.ids.length;
  labeller.show();
}

async function refresh() {
  try {
    list.replaceChildren(elements_of(await ask(`${page.dataset.itemsUrl}&items=`)));
    selection.refresh();
    show();
  } catch (error) {
    say(error.message, "danger");
  }
}

// What is selected, and nothing else: the cursor alone is too easily somewhere.
async function bin() {
  const ids = selection.ids;
  if (!page.dataset.binUrl || !ids.length || is_sending) return;
  is_sending = true;
  try {
    const done = await send(page.dataset.binUrl, { samples: ids.join(",") });
    if (done.undoUrl) offer_undo(done);
    else say(done.words);
    selection.clear();
    await refresh();
  } catch (error) {
    say(error.message, "danger");
  } finally {
    is_sending = false;
  }
}

bin_button?.addEventListener("click", bin);
selection.addEventListener("change", show);
labeller.addEventListener("labelled", refresh);
labeller.addEventListener("undone", refresh);
document.body.addEventListener("act:undone", refresh);
keys.listen(
  {
    ...labeller.actions,
    bin,
    select: () => selection.cursor && selection.toggle(selection.cursor),
    open: () => labeller.similar(),
  },
  { n_labels: () => labeller.n_labels },
);
show();
