// What the pages on which samples are labelled do alike, whatever they show.

// Who is signed out learns it beside the labels, with the answers kept; a figure that refreshes itself must not carry
// the page away to the sign-in form.
export function stay_when_signed_out() {
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Redirect")) event.preventDefault();
  });
}

export function tell_saved() {
  document.body.dispatchEvent(new CustomEvent("label:saved"));
}

// Samples came, or came back: whoever has run out may look again.
export function when_there_may_be_more(look) {
  for (const name of ["live:samples", "live:annotations", "live:reopened"]) document.body.addEventListener(name, look);
}

export function ask_before_leaving(outbox) {
  addEventListener("beforeunload", (event) => {
    if (outbox.is_leaving_risky) event.preventDefault();
  });
}
