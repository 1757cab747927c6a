// What a sample looks like among many: a thumbnail, the beginning of a text, the cells of a row. What people brought is
// only ever set as text, never as markup. A card is an option of a list, so nothing in it is a control of its own.

import { list_of_cells } from "../label/cells.js";

export function card_of(item) {
  const card = document.createElement("div");
  card.className = `grid-card is-${kind_of(item)}`;
  card.classList.toggle("is-flagged", item.isFlagged);
  card.dataset.sample = item.sampleId;
  card.setAttribute("role", "option");
  card.setAttribute("aria-selected", "false");
  card.append(content_of(item), corner(), look());
  if (item.word && item.word !== "sure") card.append(part("grid-card-word", item.word));
  return card;
}

// Say on a card which labels it was given here. It cannot be picked any more, unless more can be said of it.
export function settle(card, labels, { is_open }) {
  card.querySelector(".grid-card-said")?.remove();
  const is_settled = labels.length > 0 && !is_open;
  const id = card.dataset.sample ?? card.dataset.settled;
  card.classList.toggle("is-settled", is_settled);
  delete card.dataset[is_settled ? "sample" : "settled"];
  card.dataset[is_settled ? "settled" : "sample"] = id;
  card.setAttribute("aria-disabled", String(is_settled));
  if (is_settled) {
    card.setAttribute("aria-selected", "false");
    card.classList.remove("is-cursor");
  }
  if (!labels.length) return;
  const said = part("grid-card-said", "");
  said.append(...labels.map((label) => part(`chip label-${label.colour}`, label.name)));
  card.append(said);
}

function kind_of(item) {
  if (item.imageUrl) return "picture";
  return item.cells ? "row" : "text";
}

function content_of(item) {
  if (item.imageUrl) return picture_of(item);
  if (item.cells) return list_of_cells(item.cells, { name: "grid-card-row", picture_of: cell_picture });
  return part("grid-card-text", item.text || "(empty text)");
}

function picture_of(item) {
  const image = new Image();
  image.alt = item.name ? `Picture ${item.name}` : "Picture";
  image.loading = "lazy";
  image.decoding = "async";
  if (item.widthPx) image.width = item.widthPx;
  if (item.heightPx) image.height = item.heightPx;
  // Thumbnails are 256 pixels long: enough for a card, and on a dense screen the browser takes the whole for large ones.
  image.srcset = `${item.thumbnailUrl} 256w, ${item.imageUrl} 1024w`;
  image.sizes = "auto, 180px";
  image.src = item.thumbnailUrl;
  return image;
}

function cell_picture(url, name) {
  const image = new Image();
  image.alt = name;
  image.loading = "lazy";
  image.src = `${url}?small=1`;
  return image;
}

// The sign of what Enter would do with it; its look is the style sheet's.
function corner() {
  const sign = part("grid-card-sign", "");
  sign.setAttribute("aria-hidden", "true");
  return sign;
}

// A pointer's way to look closely; keys have theirs.
function look() {
  const sign = part("grid-card-look", "");
  sign.setAttribute("aria-hidden", "true");
  sign.dataset.ownClick = "";
  return sign;
}

function part(name, words) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = words;
  return element;
}
