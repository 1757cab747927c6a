// Asks before what cannot be taken back: hx-confirm="…" on anything htmx sends, <form data-confirm="…"> on plain forms.
// data-confirm-verb on the same element says what the button of the question does ("Delete" if nothing is said).

const dialog = document.getElementById("confirm");
const question = document.getElementById("confirm-question");
const yes = dialog.querySelector('[value="yes"]');
const confirmed = new WeakSet();

function ask(element, words, go_on) {
  question.textContent = words;
  yes.textContent = element.closest("[data-confirm-verb]")?.dataset.confirmVerb ?? "Delete";
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && go_on(), { once: true });
  dialog.showModal();
}

document.body.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.elt, event.detail.question, () => event.detail.issueRequest(true));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const words = form.dataset.confirm;
  if (!words || confirmed.delete(form)) return;
  event.preventDefault();
  const { submitter } = event;
  ask(form, words, () => {
    confirmed.add(form);
    form.requestSubmit(submitter);
  });
});
