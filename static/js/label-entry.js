// Type a label, Enter, the next one, Enter. Progressive: the page has a <textarea data-label-entry> with one label a
// line; this hides it, keeps it filled for the form, and shows chips and a single field in its place.

const N_COLOURS = 12;
const LONGEST = 200;

for (const textarea of document.querySelectorAll("textarea[data-label-entry]")) enhance(textarea);

function enhance(textarea) {
  const names = [];
  const is_enough = () => names.length >= least_labels(textarea.form);
  const root = document.createElement("div");
  root.className = "label-entry";
  const chips = document.createElement("ul");
  chips.className = "label-entry-chips";
  chips.setAttribute("role", "list");
  chips.setAttribute("aria-label", "Labels so far");
  const row = document.createElement("div");
  row.className = "input-group";
  const input = document.createElement("input");
  input.id = textarea.id;
  input.maxLength = LONGEST;
  input.autocomplete = "off";
  input.enterKeyHint = "done";
  const described = textarea.getAttribute("aria-describedby");
  if (described) input.setAttribute("aria-describedby", described);
  if (textarea.getAttribute("aria-invalid")) input.setAttribute("aria-invalid", "true");
  const add = document.createElement("button");
  add.type = "button";
  add.className = "button";
  add.textContent = "Add";
  const said = document.createElement("p");
  said.className = "hint";
  said.setAttribute("role", "status");
  row.append(input, add);
  root.append(chips, row, said);
  textarea.removeAttribute("id");
  textarea.required = false;
  textarea.hidden = true;
  textarea.after(root);

  function take(text) {
    for (const line of text.split(/\r?\n|\t/)) {
      const name = line.trim().replace(/\s+/g, " ").slice(0, LONGEST);
      if (!name) continue;
      const known = names.find((other) => other.toLowerCase() === name.toLowerCase());
      if (known) {
        said.textContent = `“${known}” is there already.`;
        continue;
      }
      names.push(name);
      const count = names.length === 1 ? "1 label" : `${names.length} labels`;
      said.textContent = is_enough() ? `“${name}” added, ${count}.` : `“${name}” added. One more at least.`;
    }
    draw();
  }

  function remove(name) {
    const at = names.indexOf(name);
    names.splice(at, 1);
    said.textContent = `“${name}” removed.`;
    draw();
    (chips.querySelectorAll("button")[Math.min(at, names.length - 1)] ?? input).focus();
  }

  function draw() {
    textarea.value = names.join("\n");
    textarea.dispatchEvent(new Event("change", { bubbles: true }));
    chips.replaceChildren(...names.map((name, position) => chip(name, position, remove)));
  }

  function take_input() {
    const text = input.value;
    input.value = "";
    take(text);
  }

  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (input.value.trim()) take_input();
    else if (is_enough()) input.form.querySelector('[type="submit"]').focus();
    else said.textContent = least_labels(input.form) === 1 ? "At least one label." : "At least two labels.";
  });
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    if (!/[\n\t]/.test(text.trim())) return;
    event.preventDefault();
    take(text);
  });
  add.addEventListener("click", () => {
    take_input();
    input.focus();
  });
  input.form.addEventListener("submit", take_input);

  take(textarea.value);
  said.textContent = "";
}

// What comes out decides: a choice takes two, a tag is there or not by itself.
function least_labels(form) {
  return Number(form.querySelector("[data-least-labels]:checked")?.dataset.leastLabels ?? 2);
}

function chip(name, position, remove) {
  const item = document.createElement("li");
  item.className = `chip label-${position % N_COLOURS}`;
  const cross = document.createElement("button");
  cross.type = "button";
  cross.textContent = "×";
  cross.setAttribute("aria-label", `Remove ${name}`);
  cross.addEventListener("click", () => remove(name));
  item.append(name, cross);
  return item;
}
