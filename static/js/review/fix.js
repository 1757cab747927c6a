// "Change label" opens one dialog for every row: a label by click, by its key, or by the first letters of its name;
// or the sample goes. Tags are toggled the same ways, and saved with a button or Enter.

const dialog = document.getElementById("fix");
const specimen = dialog.querySelector("[data-fix-sample]");
const filter = document.getElementById("fix-filter");
const buttons = [...dialog.querySelectorAll("[data-label]")];
const remove = dialog.querySelector("[data-fix-delete]");
const remove_words = remove?.textContent;
const save = dialog.querySelector("[data-fix-save]");
const gives_tags = dialog.dataset.gives === "tags";
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
  const current = button.dataset.current.trim().split(/\s+/);
  for (const each of buttons) mark(each, current.includes(each.dataset.label));
  filter.value = "";
  narrow();
  dialog.showModal();
  const first = buttons.find((each) => each.classList.contains("is-picked")) ?? buttons[0];
  (filter.closest("[hidden]") ? first : filter)?.focus();
}

function mark(button, is_on) {
  if (gives_tags) button.setAttribute("aria-pressed", String(is_on));
  else button.classList.toggle("is-picked", is_on);
}

function copy_of(shown) {
  if (shown.tagName === "DL") return shown.cloneNode(true);
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
  if (event.target === filter && !(gives_tags && event.key === "Enter" && !filter.value)) {
    if (event.key === "Enter") choose(buttons.find((each) => !each.hidden));
    return;
  }
  const is_on_a_tag = event.target === filter || event.target.matches("[data-label]");
  if (gives_tags && event.key === "Enter" && is_on_a_tag) {
    event.preventDefault(); // as with a checkbox: Space toggles, Enter sends
    save_tags();
    return;
  }
  const place = KEYS.indexOf(event.key);
  if (event.key.length === 1 && place >= 0 && buttons[place]) {
    event.preventDefault();
    choose(buttons[place]);
  }
});

function choose(button) {
  if (!button || !opener) return;
  if (!gives_tags) {
    send({ label: button.dataset.label });
    return;
  }
  mark(button, button.getAttribute("aria-pressed") !== "true");
  filter.value = "";
  narrow();
}

save?.addEventListener("click", save_tags);

// Which were to choose from goes along: a tag made since this page was opened is neither there nor not.
function save_tags() {
  if (!opener) return;
  const on = buttons.filter((each) => each.getAttribute("aria-pressed") === "true");
  send({ asked: buttons.map((each) => each.dataset.label), tag: on.map((each) => each.dataset.label) });
}

async function send(values) {
  const { id, url, row } = opener;
  opener = null;
  dialog.close();
  await htmx.ajax("POST", url, { target: `#${row}`, swap: "outerHTML", values });
  document.getElementById(id)?.focus({ preventScroll: true });
}
