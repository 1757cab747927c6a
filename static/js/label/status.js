// The line that says what just happened, and the notice about answers that wait.

const MS_SHOWN = 6_000;

export class Status {
  #line;
  #waiting;
  #refusals;
  #timer = null;

  constructor({ line, waiting, refusals }) {
    this.#line = line;
    this.#waiting = waiting;
    this.#refusals = refusals;
    refusals.addEventListener("click", (event) => {
      if (event.target.closest("button")) event.target.closest(".notice").remove();
    });
  }

  // `parts` are strings and elements.
  say(...parts) {
    clearTimeout(this.#timer);
    this.#line.replaceChildren(...parts);
    this.#timer = setTimeout(() => this.#line.replaceChildren(), MS_SHOWN);
  }

  // Something a person must not miss: it stays until dismissed.
  refuse(message) {
    const notice = document.createElement("div");
    notice.className = "notice notice-warning label-refusal";
    const text = document.createElement("p");
    text.textContent = message;
    const dismiss = document.createElement("button");
    dismiss.type = "button";
    dismiss.className = "button button-small";
    dismiss.textContent = "OK";
    notice.append(text, dismiss);
    if (this.#refusals.lastElementChild?.firstElementChild.textContent === message) return;
    this.#refusals.append(notice);
  }

  waiting(n, trouble, { has_notes }) {
    this.#waiting.hidden = !trouble || (n === 0 && trouble.kind === "retry");
    if (!this.#waiting.hidden) this.#waiting.querySelector("[data-words]").textContent = words_for(n, trouble, has_notes);
    this.#waiting.querySelector("a").hidden = trouble?.kind !== "signed-out";
  }
}

function words_for(n, trouble, has_notes) {
  const answers = has_notes ? `${n} answers and notes` : n === 1 ? "1 answer" : `${n} answers`;
  if (trouble.kind === "retry") return `${answers} waiting for the network. They are kept here; go on labelling.`;
  if (trouble.kind === "signed-out") return `${trouble.message} ${n ? `${answers} kept until you are back.` : ""}`;
  return `${trouble.message} ${n ? `${answers} could not be saved; they are kept in this browser.` : ""}`;
}
