// Which key does what. Single keys act only outside text fields and dialogs, and can be switched off; Backspace never
// does anything here, as it means three different things in three other tools.

const SWITCH = "hundredfold:single-keys";
const LETTERS = { u: "undo", n: "new-label", t: "take-over", "?": "help", "/": "filter" };

export function single_keys_are_on() {
  try {
    return localStorage.getItem(SWITCH) !== "off";
  } catch {
    return true;
  }
}

export function switch_single_keys(is_on) {
  try {
    localStorage.setItem(SWITCH, is_on ? "on" : "off");
  } catch {
    // A browser that keeps nothing forgets this with the page.
  }
}

// Returns {name, place?} or null; `place` counts the labels from 0.
export function action_of(event, n_labels) {
  if (event.defaultPrevented || event.isComposing) return null;
  if (is_busy_elsewhere(event.target)) return null;
  const letter = letter_of(event);
  if (event.ctrlKey || event.metaKey || event.altKey) {
    const is_undo = letter === "z" && !event.altKey && !event.shiftKey;
    return is_undo ? { name: "undo" } : null;
  }
  if (!single_keys_are_on()) return null;
  const place = place_of(event);
  // On some keyboards "/" and "?" are a digit with shift: they lose only to a label that is there.
  if (place !== null && (place < n_labels || !LETTERS[letter])) return { name: "pick", place };
  // A focused button or link keeps its own Enter and Space; a toggle, as a checkbox would, only Space.
  if (event.key === "Enter" || event.key === " ") {
    const is_toggle = event.key === "Enter" && event.target.matches?.("[aria-pressed]");
    if (event.target.closest?.("a, button, summary") && !is_toggle) return null;
    return { name: event.key === "Enter" ? "accept" : "skip" };
  }
  return LETTERS[letter] ? { name: LETTERS[letter] } : null;
}

function is_busy_elsewhere(target) {
  if (document.querySelector("dialog[open]")) return true;
  const field = target.closest?.("input, textarea, select, [contenteditable]");
  // The field of a dialog just closed keeps the focus until the next frame; a quick hand is faster.
  return Boolean(field?.getClientRects().length);
}

// By position, so that keyboards whose digits need shift work too: the digit row, then the digit row with shift.
function place_of(event) {
  const found = /^(Digit|Numpad)([0-9])$/.exec(event.code);
  if (!found || (found[1] === "Numpad" && !/^[0-9]$/.test(event.key))) return null;
  const place = (Number(found[2]) + 9) % 10;
  return found[1] === "Digit" && event.shiftKey ? place + 10 : place;
}

// The letter as labelled on the keyboard; where that is not Latin, the one in its place.
function letter_of(event) {
  const letter = event.key.toLowerCase();
  if (letter.length === 1 && letter.charCodeAt(0) < 128) return letter;
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : letter;
}
