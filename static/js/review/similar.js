// The samples most like one: chosen and labelled as on the map.

import { keys } from "../keys.js";
import { Selection } from "../selection.js";
import { ask, elements_of } from "./ask.js";
import { Labeller, say } from "./labeller.js";

const page = document.getElementById("similar-page");
const list = document.getElementById("similar-samples");
const dock = document.getElementById("label-dock");

if (list && dock) start();

function start() {
  const selection = new Selection(list, { keys_from: document });
  selection.toggle_key = ""; // the page's own list of keys has it
  const labeller = new Labeller(dock, {
    chosen: () => selection.ids,
    cursor: () => selection.cursor,
    clear: () => selection.clear(),
    focus: () => list.focus(),
  });
  selection.addEventListener("change", () => labeller.show());

  async function refresh() {
    try {
      list.replaceChildren(elements_of(await ask(page.dataset.itemsUrl)));
      selection.refresh();
    } catch (error) {
      say(error.message, "danger");
    }
  }

  labeller.addEventListener("labelled", refresh);
  labeller.addEventListener("undone", refresh);
  for (const kind of ["predictions", "annotations", "reopened"]) {
    document.body.addEventListener(`live:${kind}`, refresh_soon);
  }
  let timer = null;
  function refresh_soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, 400);
  }

  const actions = {
    ...labeller.actions,
    select: () => selection.cursor && selection.toggle(selection.cursor),
    open: () => labeller.similar(),
  };
  keys.listen(actions, { n_labels: () => labeller.n_labels });
}
