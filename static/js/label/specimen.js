// What a sample looks like, built before it is shown so that showing it is one swap. What people brought is only ever
// set as text, never as markup.

import { list_of_cells } from "./cells.js";

export function element_of(item) {
  if (item.cells) return row_of(item);
  return item.imageUrl ? picture_of(item) : text_of(item);
}

// A table row: names and values side by side, short ones next to each other.
function row_of(item) {
  const class_of = ([, value, picture]) => (picture || value.length > 36 ? "is-long" : "");
  return list_of_cells(item.cells, { name: "row-card row-card-l", picture_of: cell_picture, class_of });
}

function cell_picture(url, name) {
  const image = new Image();
  image.alt = name;
  image.src = url;
  return image;
}

function picture_of(item) {
  const figure = document.createElement("figure");
  figure.className = "label-picture";
  const image = new Image();
  image.className = "specimen-image";
  image.alt = item.name ? `Picture ${item.name}` : "The picture to label";
  if (item.widthPx) image.width = item.widthPx;
  if (item.heightPx) image.height = item.heightPx;
  image.src = item.imageUrl;
  // Decode now, not when it is shown. A picture that cannot be loaded shows its alt text; skipping still works.
  image.decode().catch(() => figure.classList.add("is-broken"));
  figure.append(image);
  return figure;
}

function text_of(item) {
  const block = document.createElement("div");
  block.className = item.text.length > 280 ? "specimen" : "specimen specimen-l";
  block.textContent = item.text || "(empty text)";
  if (!item.isCut) return block;
  const whole = document.createElement("div");
  const note = document.createElement("p");
  note.className = "hint";
  note.textContent = "This text is longer; its beginning is shown.";
  whole.append(block, note);
  return whole;
}
