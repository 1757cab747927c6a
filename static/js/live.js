// One event stream per visible tab. What arrives becomes "live:<kind>" on document.body (detail {subject, data});
// "live:reopened" comes with each opening, the first too, since events may have been missed before it; "live:tick"
// comes every five seconds while the tab is seen.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;
const TICK_MS = 5_000;
const KINDS = ["samples", "annotations", "import", "file", "training", "predictions", "worker", "access"];

const url = document.body.dataset.liveUrl;
let source = null;
let retry = null;
let n_failures = 0;

function dispatch(kind, detail = {}) {
  document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { detail }));
}

function receive(event) {
  const { subject, data } = JSON.parse(event.data);
  if (event.type === "access" && data.is_lost) leave();
  else dispatch(event.type, { subject, data });
}

// The server says that this person may no longer see this: asking for the page again shows what is left to see.
function leave() {
  close();
  location.replace(location.pathname + location.search);
}

function open() {
  close();
  if (!url || document.hidden) return;
  source = new EventSource(url);
  source.onopen = () => {
    n_failures = 0;
    dispatch("reopened");
  };
  for (const kind of KINDS) source.addEventListener(kind, receive);
  source.onerror = wait_and_reopen;
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

// The browser's own reconnecting gives up for good on some answers (a proxy's 502, say), so it is ours.
function wait_and_reopen() {
  close();
  n_failures += 1;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (n_failures - 1));
  retry = setTimeout(open, wait * (0.75 + Math.random() / 2));
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else open();
});
addEventListener("pagehide", close);
addEventListener("pageshow", (event) => {
  if (event.persisted) open();
});
addEventListener("online", open);

setInterval(() => {
  if (!document.hidden) dispatch("tick");
}, TICK_MS);

open();
