// Short messages at the foot of the page: from scripts ("toast:show" on the body), and for requests that failed.
// With an `undoUrl` beside the message it can be undone from there.

import { offer_undo } from "./undo.js";

const SECONDS_SHOWN = 8;
const region = document.getElementById("toasts");

function show(message, kind = "") {
  const toast = document.createElement("div");
  toast.className = kind ? `toast toast-${kind}` : "toast";
  const text = document.createElement("p");
  text.textContent = message;
  const dismiss = document.createElement("button");
  dismiss.type = "button";
  dismiss.textContent = "×";
  dismiss.setAttribute("aria-label", "Dismiss");
  toast.append(text, dismiss);
  region.append(toast);
}

document.body.addEventListener("toast:show", (event) => {
  const { message, kind, undoUrl } = event.detail;
  if (undoUrl) offer_undo({ words: message, undoUrl });
  else show(message, kind);
});

region.addEventListener("click", (event) => {
  if (event.target.closest("button:not(.toast-action)")) event.target.closest(".toast")?.remove();
});

// Every toast, the server's too, goes by itself unless someone is reading it with the pointer or the keyboard.
new MutationObserver((changes) => {
  for (const toast of changes.flatMap((change) => [...change.addedNodes])) {
    if (toast instanceof HTMLElement) leave_later(toast);
  }
}).observe(region, { childList: true });

function leave_later(toast) {
  setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) leave_later(toast);
    else toast.remove();
  }, (toast.dataset.seconds ?? SECONDS_SHOWN) * 1000);
}

// A failure that answers with a whole page (or nothing) must not be put into this one.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status < 400 || xhr.status === 422) return;
  if (xhr.responseText.includes('class="toast')) return;
  event.detail.shouldSwap = false;
  show(
    xhr.status === 403
      ? "This page is too old to act on. Reload it and try again."
      : "That did not work. Reload the page and try again.",
    "danger",
  );
});

document.body.addEventListener("htmx:sendError", (event) => {
  if (event.detail.requestConfig?.verb !== "get") show("The server cannot be reached. Try again in a moment.", "danger");
});
