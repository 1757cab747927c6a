// The list follows new predictions by itself, but never under somebody's hands: not while the keyboard is in it, a
// dialog is open or text is selected. What is in view stays where it is.

const list = () => document.getElementById("samples");
const filters = () => document.getElementById("filters");
const CALM_MS = 400;
let is_stale = false;
let timer = null;

function is_busy() {
  const section = list();
  const selection = getSelection();
  const has_selection = !selection.isCollapsed && section.contains(selection.anchorNode);
  return section.contains(document.activeElement) || has_selection || document.querySelector("dialog[open]") !== null;
}

function refresh() {
  timer = null;
  if (!is_stale || is_busy()) return;
  // The list swaps itself: what is asked of it, or chosen above it, while it is being fetched would go with it.
  if ([list(), filters()].some((each) => each?.classList.contains("htmx-request"))) {
    refresh_soon();
    return;
  }
  is_stale = false;
  htmx.trigger(list(), "review:refresh");
}

function refresh_soon() {
  timer ??= setTimeout(refresh, CALM_MS);
}

function note_change() {
  is_stale = true;
  refresh_soon();
}

for (const kind of ["predictions", "annotations", "samples", "reopened"]) {
  document.body.addEventListener(`live:${kind}`, note_change);
}
document.addEventListener("focusout", refresh_soon);
document.addEventListener("selectionchange", () => is_stale && refresh_soon());
document.addEventListener("close", refresh_soon, true);

// Rows above the view may grow or go: keep the first row in view at its place.
let anchor = null;

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target !== list() || event.detail.requestConfig.elt !== list()) return;
  const row = [...list().querySelectorAll("li[id]")].find((each) => each.getBoundingClientRect().bottom > 0);
  anchor = row && row.getBoundingClientRect().top < innerHeight ? { id: row.id, top: row.getBoundingClientRect().top } : null;
});

document.body.addEventListener("htmx:afterSwap", () => {
  const row = anchor && document.getElementById(anchor.id);
  if (row && anchor.top < 0) scrollBy(0, row.getBoundingClientRect().top - anchor.top);
  anchor = null;
});

// The list of all labels stays open when its figures are renewed.
let was_open = false;

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "figures") was_open = document.getElementById("more-lines")?.open ?? was_open;
});

document.body.addEventListener("htmx:afterSwap", () => {
  const more = document.getElementById("more-lines");
  if (more && was_open) more.open = true;
});

// How many samples there are on either side is said above the list.
document.body.addEventListener("htmx:afterSwap", () => {
  for (const count of document.querySelectorAll("[data-shows]")) {
    count.textContent = list()?.dataset[count.dataset.shows] ?? count.textContent;
  }
});
