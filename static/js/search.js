// The search page: Enter searches; a picture is dropped, pasted or chosen, shown, and searched for at once.

const text = document.getElementById("q");
const form = document.querySelector("[data-takes-pictures]");
const input = document.getElementById("asked-picture");
let shown = "";

text?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  text.form.requestSubmit();
});

function picture_in(transfer) {
  return [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name));
}

function ask_for(file) {
  const files = new DataTransfer();
  files.items.add(file);
  input.files = files.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

if (form) {
  const preview = form.querySelector(".search-preview");

  input.addEventListener("change", () => {
    URL.revokeObjectURL(shown);
    const [file] = input.files;
    preview.hidden = !file;
    if (file) preview.src = shown = URL.createObjectURL(file);
  });
  // Some formats (HEIC) cannot be shown everywhere, though they can be sent.
  preview.addEventListener("error", () => (preview.hidden = true));

  document.addEventListener("paste", (event) => {
    const file = picture_in(event.clipboardData);
    if (file) ask_for(file);
  });
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add("is-over");
    });
  }
  form.addEventListener("dragleave", () => form.classList.remove("is-over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("is-over");
    const file = picture_in(event.dataTransfer);
    if (file) ask_for(file);
  });
}

// After "More like this" and after going back, the box says what the address asks for.
document.body.addEventListener("htmx:pushedIntoHistory", () => {
  if (text && !new URLSearchParams(location.search).has("q")) text.value = "";
});
