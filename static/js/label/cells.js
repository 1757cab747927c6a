// The cells of a table row as names and values. What people brought is only ever set as text, never as markup.

// `cells` are [name, value, picture url or null]; `picture_of(url, name)` and `class_of(cell)` say how each looks.
export function list_of_cells(cells, { name, picture_of, class_of = () => "" }) {
  const list = document.createElement("dl");
  list.className = name;
  for (const cell of cells) list.append(pair_of(cell, picture_of, class_of(cell)));
  return list;
}

function pair_of([name, value, picture], picture_of, class_name) {
  const pair = document.createElement("div");
  const term = document.createElement("dt");
  const said = document.createElement("dd");
  term.textContent = name;
  if (picture) said.append(picture_of(picture, value));
  else said.textContent = value;
  pair.className = class_name;
  pair.append(term, said);
  return pair;
}
