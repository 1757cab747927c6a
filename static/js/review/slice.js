// "Keep as a slice" asks for a name; what is kept is what the list shows now. Its key is the person's own.

import { keys } from "../keys.js";

const dialog = document.getElementById("slice");

function keep_slice() {
  const button = document.getElementById("keep-slice");
  if (!button) return;
  document.getElementById("slice-query").value = button.dataset.sliceQuery;
  dialog.showModal();
  document.getElementById("slice-name").focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#keep-slice")) keep_slice();
});

keys.listen({
  "save-slice": keep_slice,
  filter: () => document.getElementById("q").focus(),
  help: () => document.getElementById("key-help").showModal(),
});
