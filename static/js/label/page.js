// The label page: keys, buttons, queue, outbox and stage put together. Where the function gives one label, picking it is
// the answer. Where it gives tags, picking toggles one, and Enter says: these, and no others.

import { keys } from "../keys.js";
import { Api, Failure } from "./api.js";
import { Labels } from "./labels.js";
import { NewLabel } from "./new-label.js";
import { Outbox } from "./outbox.js";
import { Queue } from "./queue.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { new_token } from "./tokens.js";

const MOST_UNDONE = 200;
const MOST_CHIPS = 6;
// Nobody has looked at a sample so soon: a second Enter this early is a slip, and would say "none of these".
const MS_TO_LOOK = 250;

const page = document.getElementById("label-page");
const urls = page.dataset;
const gives_tags = page.dataset.gives === "tags";
const part = (name) => document.getElementById(name);
const first = JSON.parse(part("label-queue").textContent);

const api = new Api(urls.person);
const stage = new Stage(page);
const status = new Status({
  line: part("label-status"),
  waiting: part("label-waiting"),
  refusals: part("label-refusals"),
});
const labels = new Labels(part("label-keys"), part("label-key-template"), keys, { are_toggles: gives_tags });
const outbox = new Outbox(`${urls.person}:${urls.function}`, deliver);
const queue = new Queue(api, urls.queueUrl, first, () => outbox.sample_ids());
const new_label = part("new-label") && new NewLabel(part("new-label"), (name) => api.post(urls.newLabelUrl, { name }));
const filter = part("label-filter");
const history = [];

// Who is signed out learns it beside the labels, with the answers kept; a figure that refreshes itself must not carry
// the page away to the sign-in form.
document.body.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Redirect")) event.preventDefault();
});

// Sending

async function deliver(operations) {
  if (operations[0].kind === "undo") {
    await api.post(urls.undoUrl, { token: operations[0].answer });
    return [];
  }
  const rows = operations.map(({ token, sampleId, labelId, tags, proof }) => ({ token, sampleId, labelId, tags, proof }));
  return (await api.post(urls.answersUrl, rows)).refused;
}

// Doing

function pick(label) {
  const item = queue.current;
  if (!item || !label) return;
  if (gives_tags) {
    labels.toggle(label.id);
    return;
  }
  answer(item, { labels: [label], labelId: label.id });
  labels.flash(label.id);
  status.say("Labelled ", chip_of(label));
}

// Exactly what is on, however little: hints count for nothing until somebody takes them over.
function go_on() {
  const item = queue.current;
  const on = labels.on;
  if (!item || !labels.n || is_too_early()) return;
  // Every tag there is now is named: one that somebody makes meanwhile is neither there nor not.
  const tags = Object.fromEntries(labels.all.map((label) => [label.id, on.includes(label)]));
  answer(item, { labels: on, tags });
  status.say("Saved: ", ...words_for(on));
}

function take_over() {
  const suggested = suggested_labels();
  if (!gives_tags || !suggested.length) return;
  labels.turn_on([...labels.on, ...suggested].map((label) => label.id));
}

function skip() {
  if (!queue.current) return;
  answer(queue.current, null);
  status.say("Skipped");
}

function accept() {
  if (gives_tags) {
    go_on();
    return;
  }
  const [label] = suggested_labels();
  if (label) pick(label);
  else if (queue.current) status.say("No suggestion here: pick a label with its key");
}

// `said` is {labels, labelId} or {labels, tags}; null passes the sample over.
function answer(item, said) {
  const token = new_token();
  history.push({ token, item, said });
  if (history.length > MOST_UNDONE) history.shift();
  queue.advance();
  show();
  const { labelId = null, tags = null } = said ?? {};
  outbox.add({ kind: "answer", token, sampleId: item.sampleId, labelId, tags, proof: item.proof });
}

// Steps of this page are undone at once and sent in their turn; earlier ones the server knows.
function undo() {
  const step = history.pop();
  if (!step) {
    undo_earlier();
    return;
  }
  if (!outbox.withdraw(step.token) && step.said) {
    outbox.add({ kind: "undo", token: new_token(), answer: step.token });
  }
  come_back_to({ ...step.item, said: step.said?.labels.map((label) => label.id) ?? [] }, step.said);
}

async function undo_earlier() {
  try {
    if (outbox.n_waiting) throw new Failure("retry", "Your last answers are still on their way. Try again in a moment.");
    const { item } = await api.post(urls.undoUrl, {});
    come_back_to(item, null);
    tell_saved();
  } catch (error) {
    status.say(error.message);
  }
}

function come_back_to(item, said) {
  queue.put_first(item);
  show();
  if (said) status.say("Taken back: ", ...words_for(said.labels));
  else status.say("Back to this one");
}

async function bring_skipped_back() {
  try {
    await api.post(urls.skippedAgainUrl, {});
    queue.release_skipped();
  } catch (error) {
    status.say(error.message);
  }
}

// Showing

function suggestions() {
  const item = queue.current;
  return (gives_tags ? item?.suggestions : item?.suggestion && [item.suggestion]) ?? null;
}

function suggested_labels() {
  return (suggestions() ?? []).map(({ labelId }) => labels.by_id(labelId)).filter(Boolean);
}

let shown = null;
let look_timer = null;
let shown_at = -Infinity;

function show() {
  const state = queue.is_waiting ? "waiting" : queue.has_samples ? "done" : "empty";
  const { has_model, n_skipped } = queue;
  stage.show(queue.current, state, { suggested: suggested_labels(), suggestions: suggestions(), has_model, n_skipped });
  labels.suggest(suggested_labels().map((label) => label.id));
  // Each sample begins with nothing on, but one that is mended with what was said of it.
  if (shown === queue.current) return;
  shown = queue.current;
  clearTimeout(look_timer);
  look_timer = gives_tags ? setTimeout(show_choice, MS_TO_LOOK) : null;
  shown_at = performance.now();
  labels.turn_on(queue.current?.said ?? []);
}

function is_too_early() {
  return labels.on.length === 0 && performance.now() - shown_at < MS_TO_LOOK;
}

function show_choice() {
  const n = labels.on.length;
  const button = part("label-go-on");
  button.setAttribute("aria-disabled", String(is_too_early()));
  button.querySelector("[data-words]").textContent = n ? `Save ${n === 1 ? "1 tag" : `${n} tags`}` : "None of these";
}

function show_labels() {
  filter.closest("[data-filter]").hidden = labels.n <= Number(urls.filterAbove);
  part("no-labels").hidden = labels.n > 0;
}

function show_waiting() {
  const trouble = outbox.trouble ?? (queue.trouble?.kind === "retry" ? null : queue.trouble);
  status.waiting(outbox.n_waiting, trouble);
}

function words_for(chosen) {
  if (!chosen.length) return ["none of these"];
  const chips = chosen.slice(0, MOST_CHIPS).flatMap((label) => [chip_of(label), " "]);
  return chosen.length > MOST_CHIPS ? [...chips, `and ${chosen.length - MOST_CHIPS} more`] : chips;
}

function chip_of(label) {
  const chip = document.createElement("span");
  chip.className = `chip label-${label.colour}`;
  chip.textContent = label.name;
  return chip;
}

function tell_saved() {
  document.body.dispatchEvent(new CustomEvent("label:saved"));
}

// Keys and buttons

const actions = {
  pick: ({ place }) => pick(labels.at(place)),
  accept,
  "take-over": take_over,
  skip,
  undo,
  "new-label": () => new_label?.open(),
  help: () => part("key-help").showModal(),
  filter: () => filter.focus(),
};

keys.listen(actions, { n_labels: () => labels.n });

page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button) return;
  actions[button.dataset.action]?.({});
  // After a tap the keys go on working: Enter must not press this button again.
  if (event.detail > 0) stage.focus();
});

labels.addEventListener("pick", ({ detail }) => {
  pick(detail.label);
  if (detail.by_pointer) stage.focus();
});

filter.addEventListener("input", () => labels.filter(filter.value));
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  const found = event.key === "Enter" && filter.value ? labels.filter(filter.value) : null;
  filter.value = "";
  labels.filter("");
  stage.focus();
  if (found) pick(found);
});

part("skipped-again").addEventListener("click", bring_skipped_back);

// What changes by itself

queue.addEventListener("labels", ({ detail }) => labels.show(detail.labels));
queue.addEventListener("change", () => {
  show();
  show_waiting();
});
if (gives_tags) labels.addEventListener("toggle", show_choice);
labels.addEventListener("change", () => {
  show_labels();
  show();
});
new_label?.addEventListener("made", ({ detail }) => {
  labels.show(detail.labels);
  const label = labels.by_id(detail.labelId);
  if (gives_tags && queue.current) labels.toggle(label.id); // made because this sample has it
  const key = keys.words_of_label(labels.all.indexOf(label));
  status.say("New label ", chip_of(label), key ? ` on key ${key}` : "");
});
outbox.addEventListener("change", show_waiting);
outbox.addEventListener("arrived", () => {
  tell_saved();
  if (!queue.current) queue.look_again();
});
outbox.addEventListener("refused", ({ detail }) => {
  status.refuse(detail.message);
  if (detail.operation.sampleId) queue.release(detail.operation.sampleId);
});

document.body.addEventListener("live:predictions", () => queue.refresh());
for (const name of ["live:samples", "live:annotations", "live:reopened"]) {
  document.body.addEventListener(name, () => {
    if (!queue.current) queue.look_again();
  });
}

addEventListener("beforeunload", (event) => {
  if (outbox.is_leaving_risky) event.preventDefault();
});

labels.show(first.labels);
show_labels();
show();
outbox.start();
