// What was folded open on the preview stays open when a choice draws it anew.

const open_ids = new Set();

document.body.addEventListener("htmx:beforeSwap", ({ target }) => {
  open_ids.clear();
  for (const { id } of target.querySelectorAll("details[open][id]")) open_ids.add(id);
});

document.body.addEventListener("htmx:afterSwap", () => {
  for (const id of open_ids) document.getElementById(id)?.setAttribute("open", "");
});
