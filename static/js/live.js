// One event stream per visible tab. What arrives becomes "live:<kind>" on document.body (detail {subject, data});
// "live:reopened" says that events may have been missed, "live:tick" comes every five seconds while the tab is seen.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;
const TICK_MS = 5_000;
const KINDS = ["samples", "annotations", "import", "training", "predictions", "worker", "access"];

const url = document.body.dataset.liveUrl;
let source = null;
let retry = null;
let n_failures = 0;
let has_been_open = false;

function dispatch(kind, detail = {}) {
  document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { detail }));
}

function receive(event) {
  let message;
  try {
    message = JSON.parse(event.data);
  } catch {
    return; // a comment or a half-sent line: nothing to act on
  }
  const kind = message.kind ?? event.type;
  if (kind === "access" && message.data?.is_lost) return location.reload(); // what is shown is not theirs to see now
  dispatch(kind, { subject: message.subject ?? "", data: message.data ?? {} });
}

function open() {
  close();
  if (!url || document.hidden) return;
  source = new EventSource(url);
  source.onopen = () => {
    n_failures = 0;
    if (has_been_open) dispatch("reopened");
    has_been_open = true;
  };
  source.onmessage = receive;
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
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(n_failures, 10));
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
