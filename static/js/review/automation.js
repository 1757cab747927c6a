// The slider says what it would mean while it moves, without asking; what it was left at is saved by its form. New
// figures never come under somebody's hand.

const section = () => document.getElementById("automation");
const slider = () => document.getElementById("automation-range");
// Longer than the form waits before it saves.
const SAVED_MS = 600;
let is_stale = false;
let is_held = false;
let moved_at = -SAVED_MS;

function show(range) {
  const stop = JSON.parse(range.form.dataset.stops)[Number(range.value)];
  document.getElementById("automation-sentence").textContent = stop.sentence;
  range.setAttribute("aria-valuetext", stop.sentence);
  range.form.querySelector("[data-automated]").setAttribute("width", stop.percent);
}

// Not every browser focuses a slider that is dragged.
const is_in_hand = () =>
  slider() !== null && (is_held || document.activeElement === slider() || performance.now() - moved_at < SAVED_MS);

function refresh() {
  if (!is_stale || is_in_hand()) return;
  is_stale = false;
  htmx.trigger(section(), "automation:refresh");
}

document.addEventListener("input", (event) => {
  if (event.target !== slider()) return;
  moved_at = performance.now();
  show(event.target);
});
document.addEventListener("pointerdown", (event) => {
  is_held = event.target === slider();
});
for (const kind of ["pointerup", "pointercancel", "focusout"]) {
  document.addEventListener(kind, () => {
    is_held = false;
    setTimeout(refresh, SAVED_MS);
  });
}
// Asked for before the hand came: what it sets would be lost with the slider it was set on.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target !== section() || !is_in_hand()) return;
  event.detail.shouldSwap = false;
  is_stale = true;
});
for (const kind of ["predictions", "reopened"]) {
  document.body.addEventListener(`live:${kind}`, () => {
    is_stale = true;
    refresh();
  });
}
