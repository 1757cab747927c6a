// A small dialog to make a label, or to suggest one; the sample stays where it is, and a label made is there with its key.

export class NewLabel extends EventTarget {
  #dialog;
  #form;
  #error;

  // `create(name)` resolves to the server's answer or throws Failure. Dispatches "made" with that answer.
  constructor(dialog, create) {
    super();
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#error = dialog.querySelector("[data-error]");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(create);
    });
  }

  open() {
    this.#form.reset();
    this.#say("");
    this.#dialog.showModal();
  }

  async #submit(create) {
    const button = this.#form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const answer = await create(this.#form.elements.name.value.trim());
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent("made", { detail: answer }));
    } catch (error) {
      this.#say(error.message);
      this.#form.elements.name.select();
    }
    button.disabled = false;
  }

  #say(message) {
    this.#error.textContent = message;
    this.#error.hidden = !message;
    this.#form.elements.name.setAttribute("aria-invalid", String(Boolean(message)));
  }
}
