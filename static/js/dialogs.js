// <button data-dialog-open="id"> opens a <dialog>, <button data-dialog-close> closes the one it is in, and so does a
// click on the backdrop. <dialog data-open> opens as soon as it is in the page.

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog-open]");
  if (opener) document.getElementById(opener.dataset.dialogOpen)?.showModal();
  const closer = event.target.closest("[data-dialog-close]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

function open_marked(root) {
  for (const dialog of root.querySelectorAll("dialog[data-open]:not([open])")) dialog.showModal();
}

document.body.addEventListener("htmx:afterSettle", () => open_marked(document));
open_marked(document);
