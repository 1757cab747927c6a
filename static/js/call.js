// The call page: tabs of snippets, the new key in them, Ctrl+Enter, and a look at the picture before it is sent.

const tablist = document.querySelector("[data-tabs] [role=tablist]");
const tabs = [...tablist.querySelectorAll("[role=tab]")];

function choose(tab) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", String(each === tab));
    each.tabIndex = each === tab ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = each !== tab;
  }
}

tablist.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) choose(tab);
});

tablist.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const at = tabs.indexOf(document.activeElement);
  if (!step || at < 0) return;
  const next = tabs[(at + step + tabs.length) % tabs.length];
  choose(next);
  next.focus();
  event.preventDefault();
});

// The key is shown once; until the page is left the programs hold it, ready to copy.
document.body.addEventListener("htmx:afterSettle", () => {
  const key = document.getElementById("new-key")?.textContent;
  if (!key) return;
  for (const panel of document.querySelectorAll("[data-key-placeholder]")) {
    const program = panel.querySelector("pre");
    program.textContent = program.textContent.replaceAll(panel.dataset.keyPlaceholder, key);
    panel.dataset.keyPlaceholder = key;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.closest("[data-try]")?.requestSubmit();
});

let shown = "";

document.addEventListener("change", (event) => {
  if (event.target.id !== "try-picture") return;
  const preview = event.target.parentElement.querySelector(".call-preview");
  URL.revokeObjectURL(shown);
  const [file] = event.target.files;
  preview.hidden = !file;
  if (file) preview.src = shown = URL.createObjectURL(file);
});

// Some formats (HEIC) cannot be shown everywhere, though they can be sent.
document.addEventListener("error", (event) => event.target.matches?.(".call-preview") && (event.target.hidden = true), true);
