// What stands provisionally: Enter accepts what is selected, or all that are shown; a label's key says it is another.

import { listing } from "./listing.js";

const page = document.getElementById("provisional");
const list = document.getElementById("provisional-samples");
const accept_button = page.querySelector("[data-accept]");

const desk = listing(list, { items_url: page.dataset.itemsUrl, show, actions: { change: accept } });

function shown() {
  return [...list.querySelectorAll("[data-sample]")].map((each) => each.dataset.sample);
}

function show({ ids }) {
  accept_button.querySelector("[data-words]").textContent = ids.length
    ? `Accept the ${ids.length} selected`
    : `Accept ${shown().length === 1 ? "it" : `all ${shown().length}`}`;
  accept_button.hidden = !shown().length;
  page.querySelector("[data-empty]").hidden = shown().length > 0;
}

async function accept() {
  const { ids } = desk.selection;
  const meant = ids.length ? ids : shown();
  if (!meant.length) return;
  const is_done = await desk.send_once(page.dataset.acceptUrl, { sample: meant });
  if (is_done) document.body.dispatchEvent(new CustomEvent("review:decided"));
  else await desk.refresh();
}

accept_button.addEventListener("click", accept);
