// <button data-copy="id">Copy</button> puts the text of that element on the clipboard and says so.

const SAID_MS = 1600;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const said = (await copied(source)) ? "Copied" : "Press Ctrl+C";
  const words = (button.dataset.words ??= button.textContent);
  button.textContent = said;
  setTimeout(() => (button.textContent = words), SAID_MS);
});

async function copied(source) {
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard on plain http from another machine: select the text, so that one key copies it.
    getSelection().selectAllChildren(source);
    return false;
  }
}
