// What people wrote beside the sample, and the box to write more. Only ever set as text, never as markup.

export class Remarks extends EventTarget {
  #list;
  #form;
  #field;
  #item = null;

  // Dispatches "written" {item, text} and "closed".
  constructor(list, form) {
    super();
    this.#list = list;
    this.#form = form;
    this.#field = form.elements.text;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener("input", () => {
      if (this.#item) this.#item.draft = this.#field.value;
    });
    this.#field.addEventListener("keydown", (event) => this.#on_key(event));
    form.querySelector("[data-close]").addEventListener("click", () => this.close());
  }

  // Shows the remarks on another sample; a draft stays with the one it was begun on.
  show(item) {
    if (item === this.#item) return;
    this.#form.hidden = true;
    this.#item = item;
    this.#field.value = item?.draft ?? "";
    this.#show_list();
  }

  open() {
    if (!this.#item) return;
    this.#form.hidden = false;
    this.#field.focus();
    this.#form.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.#form.hidden = true;
    this.dispatchEvent(new CustomEvent("closed"));
  }

  #on_key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && !event.shiftKey) this.#send();
    else return;
    event.preventDefault();
  }

  #send() {
    const text = this.#field.value.trim();
    const item = this.#item;
    if (!text || !item) return;
    item.comments = [...(item.comments ?? []), { who: "You", text, at: "" }];
    item.draft = this.#field.value = "";
    this.#show_list();
    this.close();
    this.dispatchEvent(new CustomEvent("written", { detail: { item, text } }));
  }

  #show_list() {
    const comments = this.#item?.comments ?? [];
    this.#list.hidden = comments.length === 0;
    this.#list.replaceChildren(...comments.map(remark_of));
  }
}

function remark_of({ who, text, at }) {
  const line = document.createElement("li");
  const name = document.createElement("strong");
  name.textContent = who;
  const words = document.createElement("span");
  words.textContent = text;
  line.append(name, " ", words);
  if (at) {
    const when = document.createElement("time");
    when.dateTime = at;
    when.textContent = new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
    line.append(" ", when);
  }
  return line;
}
