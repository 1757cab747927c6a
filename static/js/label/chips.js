// Labels as they stand in a sentence.

const MOST_CHIPS = 6;

export function chip_of(label) {
  const chip = document.createElement("span");
  chip.className = `chip label-${label.colour}`;
  chip.textContent = label.name;
  return chip;
}

// Returns strings and elements: the labels, or what stands for none of them.
export function words_for(labels, most = MOST_CHIPS) {
  if (!labels.length) return ["none of these"];
  const chips = labels.slice(0, most).flatMap((label) => [chip_of(label), " "]);
  return labels.length > most ? [...chips, `and ${labels.length - most} more `] : chips;
}
