// Which key does what on this page, for this person: templates/labeling/_keys.html carries it, keys-dialog.js changes it.
// Single keys act only outside text fields and dialogs, and can be switched off. Backspace never does anything here, as
// it means three different things in three other tools.
//
//   import { keys } from "../keys.js";
//   keys.listen({ undo, pick: ({ place }) => …, … }, { n_labels: () => labels.n });
//
// <kbd data-key="undo"> anywhere on the page shows the key of that command, and hides where it has none.

const NAMED = { Enter: "enter", " ": "space", ArrowLeft: "left", ArrowRight: "right" };
const WORDS = { enter: "Enter", space: "Space", left: "←", right: "→" };

export class Keys extends EventTarget {
  #given;

  // `given` is {areOn, keys: {command: key}, fixed: {"ctrl+z": command}}. Dispatches "change" when keys have changed.
  constructor(given) {
    super();
    this.#given = given;
  }

  get are_on() {
    return this.#given.areOn;
  }

  // The commands of this page that have changed; others are passed over.
  change({ areOn, keys }) {
    const known = Object.keys(this.#given.keys).map((name) => [name, keys[name] ?? ""]);
    this.#given = { ...this.#given, areOn, keys: Object.fromEntries(known) };
    this.dispatchEvent(new CustomEvent("change"));
  }

  // At once, whatever the server says later: the next key may be a slip already.
  switch_on(are_on) {
    this.#given = { ...this.#given, areOn: are_on };
  }

  // The key of a command as people read it, empty where it has none; labels count from 0.
  words(name) {
    return words_of(this.#given.keys[name] ?? "");
  }

  words_of_label(place) {
    return this.words(`pick-${place + 1}`);
  }

  // Returns {name, place?} or null; `place` counts the labels from 0.
  command_of(event, n_labels = 0) {
    if (event.defaultPrevented || event.isComposing || is_busy_elsewhere(event.target)) return null;
    const pressed = keys_of(event);
    const fixed = this.#given.fixed[pressed[0]];
    if (fixed) return { name: fixed };
    if (!this.are_on) return null;
    // A focused button or link keeps its own Enter and Space; a toggle, as a checkbox would, only Space.
    if (event.key === "Enter" || event.key === " ") {
      const is_toggle = event.key === "Enter" && event.target.matches?.("[aria-pressed]");
      if (event.target.closest?.("a, button, summary") && !is_toggle) return null;
    }
    return this.#found(pressed, n_labels);
  }

  // Do `actions[name](command)` for each key pressed; those a page has no action for are left to the browser.
  listen(actions, { n_labels = () => 0 } = {}) {
    document.addEventListener("keydown", (event) => {
      const command = this.command_of(event, n_labels());
      if (!command || !actions[command.name]) return;
      event.preventDefault();
      // A key held down must not label a hundred samples.
      if (!event.repeat) actions[command.name](command);
    });
  }

  // On some keyboards "/" and "?" are a digit with shift: they lose only to a label that is there.
  #found(pressed, n_labels) {
    for (const key of pressed) {
      const name = Object.keys(this.#given.keys).find((each) => this.#given.keys[each] === key);
      const place = name?.startsWith("pick-") ? Number(name.slice("pick-".length)) - 1 : null;
      if (name && place === null) return { name };
      if (name && place < n_labels) return { name: "pick", place };
    }
    return null;
  }
}

// What this press may be called, the likeliest first. Digits go by their position, so that keyboards whose digits need
// shift work too; letters by what the keyboard prints, or where that is not Latin by position.
export function keys_of(event) {
  const letter = letter_of(event);
  const shift = event.shiftKey ? "shift+" : "";
  if (event.ctrlKey || event.metaKey || event.altKey) return event.altKey ? [] : [`ctrl+${shift}${letter}`];
  if (NAMED[event.key]) return [shift + NAMED[event.key]];
  if (/^[a-z]$/.test(letter)) return [shift + letter];
  const digit = /^(Digit|Numpad)([0-9])$/.exec(event.code);
  const sign = /^[!-/:-@[-`{-~]$/.test(letter) ? [letter] : [];
  if (!digit || (digit[1] === "Numpad" && !/^[0-9]$/.test(event.key))) return sign;
  return [digit[1] === "Digit" ? shift + digit[2] : digit[2], ...sign];
}

export function words_of(key) {
  const bare = key.replace(/^shift\+/, "");
  return (bare === key ? "" : "⇧") + (WORDS[bare] ?? bare.toUpperCase());
}

function letter_of(event) {
  const letter = event.key.toLowerCase();
  if (letter.length === 1 && letter.charCodeAt(0) < 128) return letter;
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : letter;
}

function is_busy_elsewhere(target) {
  if (document.querySelector("dialog:modal")) return true;
  const field = target.closest?.("input, textarea, select, [contenteditable]");
  // The field of a dialog just closed keeps the focus until the next frame; a quick hand is faster.
  return Boolean(field?.getClientRects().length);
}

export const keys = new Keys(JSON.parse(document.getElementById("page-keys").textContent));

keys.addEventListener("change", () => {
  for (const element of document.querySelectorAll("[data-key]")) {
    element.textContent = keys.words(element.dataset.key);
    element.hidden = !element.textContent;
  }
});
