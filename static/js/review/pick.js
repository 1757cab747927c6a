// Many samples of a list at once: select them, then a label's key, the bin, or let their answers count as known. Labels
// and the bin are one act each and can be undone.

import { listing } from "./listing.js";

const page = document.getElementById("pick");
const bin_button = page.querySelector("[data-bin]");
const known_button = page.querySelector("[data-known]");
const known_words = page.querySelector("[data-known-words]");
const words_of_none = known_words.textContent;

const desk = listing(document.getElementById("pick-samples"), {
  items_url: `${page.dataset.itemsUrl}&items=`,
  show,
  actions: { bin },
});

function show({ ids }) {
  const most = Number(page.dataset.mostKnown);
  if (bin_button) bin_button.disabled = !ids.length;
  page.querySelector("[data-empty]").hidden = Boolean(page.querySelector("[data-sample]"));
  known_button.disabled = !ids.length || ids.length > most;
  known_words.textContent = words_of_count(ids.length, most);
}

function words_of_count(n, most) {
  if (!n) return words_of_none;
  if (n > most) return `At most ${most} at a time become known answers. Select fewer.`;
  const whose = n === 1 ? "The label of the 1 selected sample counts" : `The labels of the ${n} selected samples count`;
  return `${whose} as the right answer: people are asked now and then to see how often they are right.`;
}

// What is selected, and nothing else: the cursor alone is too easily somewhere.
function bin() {
  send_selected(page.dataset.binUrl);
}

function send_selected(url) {
  const { ids } = desk.selection;
  if (url && ids.length) desk.send_once(url, { samples: ids.join(",") });
}

bin_button?.addEventListener("click", bin);
known_button.addEventListener("click", () => send_selected(page.dataset.knownUrl));
