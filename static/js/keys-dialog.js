// The dialog of keys (templates/labeling/_keys.html): press the key of a command, then the one it shall have.

import { keys, keys_of } from "./keys.js";
import { Api } from "./label/api.js";

const PRESS = "Press a key";
const MODIFIERS = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Tab"]);

const dialog = document.getElementById("key-help");
const urls = dialog.dataset;
const api = new Api(urls.person);
const error = dialog.querySelector("[data-error]");
const single_keys = document.getElementById("single-keys");
let asking = null;

async function send(url, body) {
  try {
    keys.change(await api.post(url, body));
    say("");
  } catch (failure) {
    say(failure.message);
  }
  single_keys.checked = keys.are_on;
  show();
}

function say(message) {
  error.textContent = message;
  error.hidden = !message;
}

function show() {
  for (const cell of dialog.querySelectorAll("[data-key-of]")) {
    const name = cell.dataset.keyOf;
    const words = keys.words(name);
    const is_asked = asking === name;
    cell.classList.toggle("is-asking", is_asked);
    cell.firstElementChild.textContent = is_asked ? PRESS : words || "none";
    cell.setAttribute("aria-label", `${cell.dataset.words}: ${is_asked ? PRESS : `${words || "no key"}. Change`}`);
    dialog.querySelector(`[data-key-off="${name}"]`).disabled = !words;
  }
}

function ask(name) {
  asking = name;
  show();
}

dialog.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-key-of]");
  const off = event.target.closest("[data-key-off]");
  if (cell) say("");
  ask(cell && asking !== cell.dataset.keyOf ? cell.dataset.keyOf : null);
  if (off) send(urls.chooseUrl, { command: off.dataset.keyOff, key: "" });
  if (event.target.closest("[data-keys-reset]")) send(urls.resetUrl, {});
});

// Before anything else sees the press: Escape must leave the question and not the dialog, Enter not press the button.
dialog.addEventListener(
  "keydown",
  (event) => {
    if (asking === null || MODIFIERS.has(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const command = asking;
    ask(null);
    if (event.key !== "Escape") send(urls.chooseUrl, { command, key: keys_of(event)[0] ?? event.key.toLowerCase() });
  },
  { capture: true },
);

dialog.addEventListener("close", () => {
  ask(null);
  say("");
});

single_keys.addEventListener("change", () => {
  keys.switch_on(single_keys.checked);
  send(urls.switchUrl, { areOn: single_keys.checked });
});
