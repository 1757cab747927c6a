// A short list of what follows; a click goes there.

const GLIMPSE_CHARS = 90;

export class Then {
  #section;
  #list;

  constructor(section, open) {
    this.#section = section;
    this.#list = section.querySelector("ol");
    this.#list.addEventListener("click", (event) => {
      const line = event.target.closest("button");
      if (line) open(line.item);
    });
  }

  show(items) {
    this.#list.replaceChildren(...items.map(line_of));
    this.#section.hidden = items.length === 0;
  }
}

function line_of(item) {
  const line = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.item = item;
  button.append(glimpse_of(item));
  line.append(button);
  return line;
}

// What a sample is, in a line: its beginning, or the picture small.
export function glimpse_of(item) {
  const specimen = item.querySelector("[data-specimen]");
  if (specimen instanceof HTMLImageElement) {
    const image = new Image();
    image.src = specimen.dataset.small;
    image.alt = specimen.alt;
    // It is shown next: have it at hand by then.
    specimen.loading = "eager";
    return image;
  }
  const text = document.createElement("span");
  text.className = "specimen";
  const cells = [...specimen.querySelectorAll("dd")].map((cell) => cell.textContent);
  text.textContent = (cells.length ? cells.join(" · ") : specimen.textContent).trim().slice(0, GLIMPSE_CHARS);
  return text;
}
