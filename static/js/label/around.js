// What the pages on which samples are labelled do alike, whatever they show.

import { keys } from "../keys.js";
import { chip_of } from "./chips.js";

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

// A label just made is there at once and its key is said, `and(label)` is done with it; a suggestion is only said.
export function show_new_labels(new_label, { labels, status, and = () => {} }) {
  new_label.addEventListener("made", ({ detail }) => {
    if (!detail.labelId) {
      status.say(detail.words);
      return;
    }
    labels.show(detail.labels);
    const label = labels.by_id(detail.labelId);
    and(label);
    const key = keys.words_of_label(labels.all.indexOf(label));
    status.say("New label ", chip_of(label), key ? ` on key ${key}` : "");
  });
}

export function ask_before_leaving(outbox) {
  addEventListener("beforeunload", (event) => {
    if (outbox.is_leaving_risky) event.preventDefault();
  });
}
