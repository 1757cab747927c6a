// The slider says what it would mean while it moves, without asking; what it was left at is saved by its form. New
// figures never come under somebody's hand.

const section = () => document.getElementById("automation");
const slider = () => document.getElementById("automation-range");
let is_stale = false;

function show(range) {
  const stop = JSON.parse(range.form.dataset.stops)[Number(range.value)];
  document.getElementById("automation-sentence").textContent = stop.sentence;
  range.setAttribute("aria-valuetext", stop.sentence);
  range.form.querySelector("[data-automated]").setAttribute("width", stop.percent);
}

function refresh() {
  if (!is_stale || (slider() && document.activeElement === slider())) return;
  is_stale = false;
  htmx.trigger(section(), "automation:refresh");
}

document.addEventListener("input", (event) => {
  if (event.target === slider()) show(event.target);
});
document.addEventListener("focusout", () => setTimeout(refresh));
for (const kind of ["predictions", "reopened"]) {
  document.body.addEventListener(`live:${kind}`, () => {
    is_stale = true;
    refresh();
  });
}
