// "Change label" opens one dialog for every row: a label by click, by its key, or by the first letters of its name;
// or the sample goes.

const dialog = document.getElementById("fix");
const specimen = dialog.querySelector("[data-fix-sample]");
const filter = document.getElementById("fix-filter");
const buttons = [...dialog.querySelectorAll("[data-label]")];
const remove = dialog.querySelector("[data-fix-delete]");
const remove_words = remove?.textContent;
const KEYS = "1234567890";
let opener = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fix]");
  if (button) open(button);
});

function open(button) {
  opener = { id: button.id, url: button.dataset.fix, delete_url: button.dataset.delete, row: button.closest("li").id };
  reset_removal();
  specimen.replaceChildren(copy_of(button.closest("li").querySelector("[data-specimen]")));
  for (const each of buttons) each.classList.toggle("is-picked", each.dataset.label === button.dataset.current);
  filter.value = "";
  narrow();
  dialog.showModal();
  (filter.closest("[hidden]") ? buttons.find((each) => each.classList.contains("is-picked")) ?? buttons[0] : filter)?.focus();
}

function copy_of(shown) {
  if (shown.tagName !== "IMG") return document.createTextNode(shown.textContent);
  const image = new Image();
  image.src = shown.src;
  image.alt = shown.alt;
  return image;
}

function narrow() {
  const wanted = filter.value.trim().toLocaleLowerCase();
  for (const each of buttons) each.hidden = !each.textContent.toLocaleLowerCase().includes(wanted);
}

filter.addEventListener("input", narrow);

function reset_removal() {
  if (!remove) return;
  remove.textContent = remove_words;
  remove.classList.remove("is-asking");
}

// The first press asks, the second deletes; leaving the button is a no.
remove?.addEventListener("click", async () => {
  if (!remove.classList.contains("is-asking")) {
    remove.classList.add("is-asking");
    remove.textContent = remove.dataset.asks;
    return;
  }
  const { delete_url, row } = opener;
  opener = null;
  dialog.close();
  await htmx.ajax("POST", delete_url, { target: `#${row}`, swap: "delete" });
});
remove?.addEventListener("blur", reset_removal);

dialog.addEventListener("click", (event) => {
  const button = event.target.closest("[data-label]");
  if (button) choose(button);
});

dialog.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === filter) {
    if (event.key === "Enter") choose(buttons.find((each) => !each.hidden));
    return;
  }
  const place = KEYS.indexOf(event.key);
  if (event.key.length === 1 && place >= 0 && buttons[place]) {
    event.preventDefault();
    choose(buttons[place]);
  }
});

async function choose(button) {
  if (!button || !opener) return;
  const { id, url, row } = opener;
  opener = null;
  dialog.close();
  await htmx.ajax("POST", url, { target: `#${row}`, swap: "outerHTML", values: { label: button.dataset.label } });
  document.getElementById(id)?.focus({ preventScroll: true });
}
