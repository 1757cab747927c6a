// The toast after something was done to many samples, or to a label: what it was, and Undo. It stays long enough to be
// read, and for as long as the pointer or the focus rests on it; Ctrl/Cmd+Z undoes the newest one from anywhere.
// Pages hear "act:undone" on the body, with {undoUrl}.

const SECONDS_SHOWN = 10;
const region = document.getElementById("toasts");

export function offer_undo({ words, undoUrl }) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.dataset.seconds = SECONDS_SHOWN;
  const text = document.createElement("p");
  text.textContent = words;
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "toast-action";
  undo.textContent = "Undo";
  undo.dataset.undoUrl = undoUrl;
  undo.setAttribute("aria-keyshortcuts", "Control+Z Meta+Z");
  undo.addEventListener("click", () => take_back(toast, undoUrl));
  const dismiss = document.createElement("button");
  dismiss.type = "button";
  dismiss.textContent = "×";
  dismiss.setAttribute("aria-label", "Dismiss");
  toast.append(text, undo, dismiss);
  region.append(toast);
  return toast;
}

async function take_back(toast, undoUrl) {
  toast.remove(); // a second press must not ask twice
  const { message, is_done } = await ask(undoUrl);
  show(message, is_done ? "" : "danger");
  if (is_done) document.body.dispatchEvent(new CustomEvent("act:undone", { detail: { undoUrl } }));
}

async function ask(undoUrl) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrf_token() };
  try {
    const response = await fetch(undoUrl, { method: "POST", headers, redirect: "manual" });
    const body = await response.json();
    return { message: response.ok ? body.words : body.message, is_done: response.ok };
  } catch {
    return { message: "That could not be undone now. The History page has it, too.", is_done: false };
  }
}

function show(message, kind) {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind } }));
}

function csrf_token() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

// On the window: a page with an undo of its own (the label page) hears the key first and keeps it.
window.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  if (event.defaultPrevented || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const newest = [...region.querySelectorAll("[data-undo-url]")].at(-1);
  if (!newest) return;
  event.preventDefault();
  newest.click();
});
