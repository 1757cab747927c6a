// Every change of a label renews the whole list. The focus goes on to where the hand was: the same line, or the one
// that took its place when the label went into another or was deleted; after an undo by the toast, the one that is back.

const labels = () => document.getElementById("labels");
const lines = () => [...labels().querySelectorAll(".label-line")];
let last = null;
let is_renewed = false;

function note(element, id = element?.closest(".label-line")?.id) {
  const place = lines().findIndex((line) => line.id === id);
  if (place >= 0) last = { id, place, menu: element.closest(".label-colour") ? ".label-colour" : ".label-more" };
}

document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target !== labels()) return;
  is_renewed = true;
  const elt = detail.requestConfig?.elt;
  if (elt === labels()) note(document.activeElement);
  else if (elt?.dataset.label) note(elt, `line-of-${elt.dataset.label}`);
  else note(elt);
});

document.body.addEventListener("htmx:afterSettle", () => {
  if (!is_renewed) return;
  is_renewed = false;
  if (!last || document.activeElement !== document.body) return;
  const now = lines();
  const line = now.find((each) => each.id === last.id) ?? now[last.place] ?? now.at(-1);
  (line?.querySelector(`${last.menu} > summary`) ?? document.getElementById("new-label-name"))?.focus();
});
