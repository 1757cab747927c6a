// The map page: dots on the left, the list that shows the same samples on the right, labels for what is chosen in either.

import { keys } from "../../keys.js";
import { ask, elements_of } from "../ask.js";
import { Labeller, say } from "../labeller.js";
import { looks } from "./colours.js";
import { Hands } from "./hands.js";
import { Hover } from "./hover.js";
import { Legend, palette_of } from "./legend.js";
import { List } from "./list.js";
import { Ids, fetch_columns } from "./points.js";
import { View } from "./view.js";

const CALM_MS = 250;
const CHANGED_MS = 400;
const ZOOM = 1.5;

const page = document.getElementById("map-page");
const part = (name) => page.querySelector(`[data-${name}]`);
const canvas = document.getElementById("map-canvas");
const probe = document.getElementById("map-probe");
const title = document.getElementById("map-list-title");

let points = null; // {survey, n, ids}
let colours = null;
const chosen = new Set(); // public ids
let lists_chosen = false; // else what is in view
let opened = null;

const view = new View(canvas);
const hands = new Hands(canvas, view, () => page.querySelector("[name=drag]:checked").value === "select");
const hover = new Hover(canvas, view, part("hover"), {
  url: page.dataset.samplesUrl,
  id_at: (place) => points.ids.at(place),
});
const legend = new Legend(part("legend"), part("legend-words"));
const list = new List(document.getElementById("map-samples"), page.dataset.samplesUrl);
const labeller = new Labeller(document.getElementById("label-dock"), {
  chosen: () => [...chosen],
  cursor: () => list.cursor,
  clear: () => choose([]),
  focus: () => list.focus(),
});

// Fetching

async function load() {
  part("waiting").hidden = points !== null;
  try {
    const found = await fetch_columns(page.dataset.pointsUrl);
    show_whether_there_is(found !== null);
    if (!found) return;
    const is_first = points === null;
    const is_new = found.survey !== points?.survey;
    if (is_new) {
      points = { survey: found.survey, n: found.n, ids: new Ids(found.ids) };
      colours = null;
      view.place(found);
    }
    await recolour();
    if (is_first || (is_new && lists_what_is_in_view())) list_in_view();
  } catch (error) {
    say(error.message, "danger");
  } finally {
    part("waiting").hidden = true;
  }
}

function show_whether_there_is(is_there) {
  part("empty").hidden = is_there;
  part("desk").hidden = !is_there;
}

async function recolour() {
  const found = await fetch_columns(page.dataset.coloursUrl);
  if (!found || found.survey !== points?.survey) {
    if (found) await load(); // the map was drawn anew between the two
    return;
  }
  colours = found;
  part("newer").textContent = words_for_newer(found.n_newer);
  hover.forget();
  paint();
}

function words_for_newer(n) {
  if (!n) return "";
  return `${n.toLocaleString("en")} new ${n === 1 ? "sample is" : "samples are"} not on the map yet.`;
}

function paint() {
  if (!colours) return;
  const by = page.querySelector("[name=colour-by]:checked").value;
  const look = looks(by, colours, palette_of(probe), { only: legend.only, gives: page.dataset.gives });
  view.paint(look.kinds, look.styles);
  legend.show(look);
  mark_chosen();
}

// Choosing

function choose(ids, { is_added = false } = {}) {
  if (!is_added) chosen.clear();
  for (const id of ids) chosen.add(id);
  list.sync((id) => chosen.has(id));
  mark_chosen();
}

function mark_chosen() {
  const marks = new Uint8Array(points?.n ?? 0);
  for (const id of chosen) {
    const place = points?.ids.place_of(id);
    if (place !== undefined) marks[place] = 1;
  }
  view.choose(marks);
  labeller.show();
}

function ids_of(places) {
  return places.map((place) => points.ids.at(place));
}

async function list_these(ids, words) {
  title.textContent = words;
  part("list-words").textContent = ids.length ? `${ids.length.toLocaleString("en")} sample${ids.length === 1 ? "" : "s"}` : "None";
  try {
    await list.show(ids, (id) => chosen.has(id));
  } catch (error) {
    say(error.message, "danger");
  }
}

// Never under somebody's hands: who goes through the list keeps it.
function lists_what_is_in_view() {
  return !lists_chosen && !list.has_focus;
}

function list_in_view() {
  lists_chosen = false;
  return list_these(ids_of(view.in_view()), "In view");
}

// Looking closely

async function open(id, { moves_focus = false } = {}) {
  if (!id) return;
  opened = id;
  try {
    const content = await ask(page.dataset.panelUrl.replace("/0/", `/${id}/`));
    if (opened !== id) return;
    part("panel-content").replaceChildren(elements_of(content));
    part("panel").hidden = false;
    if (moves_focus) document.getElementById("map-panel-title").focus({ preventScroll: true });
    part("panel").scrollIntoView({ block: "nearest" });
  } catch (error) {
    say(error.message, "danger");
  }
}

function close() {
  opened = null;
  const had_focus = part("panel").contains(document.activeElement);
  part("panel").hidden = true;
  part("panel-content").replaceChildren();
  if (had_focus) list.focus();
}

// What happens

hands.addEventListener("press", ({ detail: { place, is_added } }) => {
  if (place < 0) {
    if (!is_added && lists_chosen) let_go();
    return;
  }
  const id = points.ids.at(place);
  if (is_added) {
    if (!chosen.delete(id)) chosen.add(id);
    choose([...chosen]);
    lists_chosen = true;
    list_these([...chosen], "Selected");
    return;
  }
  view.point_at_cursor(place);
  open(id);
});

hands.addEventListener("box", ({ detail: { box, is_added } }) => {
  choose(ids_of(view.within(box)), { is_added });
  if (!chosen.size) {
    list_in_view();
    return;
  }
  lists_chosen = true;
  list_these([...chosen], "Selected");
});

function let_go() {
  choose([]);
  list_in_view();
}

list.addEventListener("change", ({ detail: { added, removed } }) => {
  for (const id of added) chosen.add(id);
  for (const id of removed) chosen.delete(id);
  mark_chosen();
});

list.addEventListener("move", () => {
  const place = list.cursor ? points.ids.place_of(list.cursor) : undefined;
  view.point_at_cursor(place ?? -1);
  if (opened && list.cursor) open(list.cursor);
});

list.addEventListener("shown", () => {
  page.querySelector("[data-do=more]").hidden = !list.has_more;
});

legend.addEventListener("only", () => {
  paint();
  if (!lists_chosen) list_in_view();
});

let moving = null;
view.addEventListener("move", () => {
  clearTimeout(moving);
  moving = setTimeout(() => points && lists_what_is_in_view() && list_in_view(), CALM_MS);
});
view.addEventListener("theme", paint);

labeller.addEventListener("labelled", () => changed());
labeller.addEventListener("undone", () => changed());

async function changed() {
  try {
    await recolour();
    await list.refresh((id) => chosen.has(id));
    if (opened) await open(opened);
  } catch (error) {
    say(error.message, "danger");
  }
}

let change = null;
for (const kind of ["predictions", "annotations"]) {
  document.body.addEventListener(`live:${kind}`, () => {
    clearTimeout(change);
    change = setTimeout(() => points && changed(), CHANGED_MS);
  });
}
let reload = null;
for (const kind of ["samples", "reopened"]) {
  document.body.addEventListener(`live:${kind}`, () => {
    clearTimeout(reload);
    reload = setTimeout(load, CHANGED_MS);
  });
}

page.addEventListener("change", (event) => {
  if (event.target.name === "colour-by") paint();
});

page.addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (name === "larger") view.zoom(ZOOM);
  if (name === "smaller") view.zoom(1 / ZOOM);
  if (name === "whole") view.whole();
  if (name === "close") close();
  if (name === "more") list.more((id) => chosen.has(id)).catch((error) => say(error.message, "danger"));
  if (name === "clear") list.focus();
});

// Before the list hears it, which only knows of the samples it shows.
window.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input[type=search]")) return;
    if (chosen.size && lists_chosen) let_go();
    else if (chosen.size) choose([]);
    else if (opened) close();
    else return;
    event.preventDefault();
  },
  { capture: true },
);

keys.listen(
  {
    ...labeller.actions,
    select: () => list.toggle(),
    open: () => open(list.cursor, { moves_focus: false }),
    larger: () => view.zoom(ZOOM),
    smaller: () => view.zoom(1 / ZOOM),
  },
  { n_labels: () => labeller.n_labels },
);

if (!part("desk").hidden) load();
