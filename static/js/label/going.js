// The part that unfolds: label by label, and the curve. Fetched when it is opened, and again on changes while it is open.

const CHANGES = ["label:saved", "live:annotations", "live:predictions", "live:reopened"];

export function keep_up(details) {
  const body = details.querySelector("[hx-get]");
  const ask = () => details.open && body.dispatchEvent(new CustomEvent("going:asked"));
  details.addEventListener("toggle", ask);
  for (const name of CHANGES) document.body.addEventListener(name, ask);
}
