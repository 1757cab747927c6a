// A list to select from with labels beside it: what the pages that select samples, or accept them, have in common.
//
//   const { selection, labeller, refresh, send_once } = listing(list, { items_url, show: () => …, actions: {…} })
//   show()                    whenever something else is selected, or there
//   send_once(url, fields)    says what came of it and reads the list anew; false where it failed, one at a time

import { keys } from "../keys.js";
import { Selection } from "../selection.js";
import { offer_undo } from "../undo.js";
import { ask, elements_of, send } from "./ask.js";
import { Labeller, say } from "./labeller.js";

export function listing(list, { items_url, show, actions }) {
  const selection = new Selection(list, { keys_from: document });
  selection.toggle_key = ""; // the page's own list of keys has it
  const labeller = new Labeller(document.getElementById("label-dock"), {
    chosen: () => selection.ids,
    cursor: () => selection.cursor,
    clear: () => selection.clear(),
    focus: () => list.focus(),
  });
  let is_sending = false;

  function show_all() {
    show(selection);
    labeller.show();
  }

  async function refresh() {
    try {
      list.replaceChildren(elements_of(await ask(items_url)));
      selection.refresh();
      show_all();
    } catch (error) {
      say(error.message, "danger");
    }
  }

  async function send_once(url, fields) {
    if (is_sending) return true;
    is_sending = true;
    try {
      const done = await send(url, fields);
      if (done.undoUrl) offer_undo(done);
      else say(done.words);
      selection.clear();
      await refresh();
      return true;
    } catch (error) {
      say(error.message, "danger");
      return false;
    } finally {
      is_sending = false;
    }
  }

  selection.addEventListener("change", show_all);
  labeller.addEventListener("labelled", refresh);
  labeller.addEventListener("undone", refresh);
  document.body.addEventListener("act:undone", refresh);
  keys.listen(
    {
      ...labeller.actions,
      select: () => selection.cursor && selection.toggle(selection.cursor),
      open: () => labeller.similar(),
      ...actions,
    },
    { n_labels: () => labeller.n_labels },
  );
  show_all();
  return { selection, labeller, refresh, send_once };
}
