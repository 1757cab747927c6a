// Splitting a label: samples are selected in the list, and go to a label of their own. What is chosen stays chosen
// through a search and older pages; those that went are taken out of the list, and come back with Undo. Where the
// samples fall into two kinds the smaller one is selected beforehand.

import { Selection } from "./selection.js";
import { offer_undo } from "./undo.js";

const form = document.getElementById("split");
const name = document.getElementById("split-name");
const button = form.querySelector("button");
const count = document.getElementById("split-count");
const said = document.getElementById("split-said");
const suggestion = document.getElementById("split-suggestion");
const chosen = new Set();
let selection = null;

function watch() {
  const list = document.getElementById("split-list");
  selection = list && new Selection(list);
  if (!selection) return;
  selection.select([...chosen]);
  selection.addEventListener("change", (event) => {
    for (const item of list.querySelectorAll("[data-sample]")) chosen.delete(item.dataset.sample);
    for (const id of event.detail.ids) chosen.add(id);
    show();
  });
}

function show() {
  count.textContent = chosen.size;
  button.disabled = !chosen.size;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!chosen.size) return;
  button.disabled = true;
  const body = new FormData();
  body.set("name", name.value);
  body.set("samples", [...chosen].join(","));
  const answer = await post(form.dataset.url, body);
  said.textContent = answer.message ?? answer.words;
  said.classList.toggle("error", Boolean(answer.message));
  if (answer.words) {
    offer_undo(answer);
    chosen.clear();
    suggestion.hidden = true;
    name.value = "";
    reload();
  }
  show();
});

async function post(url, body) {
  const csrf = JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
  try {
    const headers = { Accept: "application/json", "X-CSRFToken": csrf };
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual" });
    return await response.json();
  } catch {
    return { message: "The server cannot be reached. Nothing was changed; try again in a moment." };
  }
}

// Whoever has begun to select knows better.
async function suggest() {
  const { samples, words } = await (await fetch(form.dataset.suggestionUrl, { redirect: "manual" })).json();
  if (!samples.length || chosen.size || !selection) return;
  for (const id of samples) chosen.add(id);
  selection.select(samples);
  const n_below = samples.length - selection.ids.length;
  const below = n_below ? ` ${n_below.toLocaleString("en")} of them come further down, under “Older ones”.` : "";
  suggestion.querySelector("[data-words]").textContent = words + below;
  suggestion.hidden = false;
  show();
}

function select_none() {
  chosen.clear();
  selection?.select([]);
  suggestion.hidden = true;
  show();
}

const reload = () => window.htmx.trigger("form[role=search]", "submit");

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-select-all]")) selection?.all();
  if (event.target.closest("[data-select-none]")) select_none();
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "split-samples" || event.detail.elt?.id === "split-samples") watch();
});
document.body.addEventListener("act:undone", reload);
watch();
show();
if (form.dataset.suggestionUrl) suggest().catch(() => {}); // without one the page works as well
