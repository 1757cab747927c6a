// The label page: keys, buttons, queue, outbox and stage put together. Where the function gives one label, picking it is
// the answer. Where it gives tags, picking toggles one, and Enter says: these, and no others.

import { keys } from "../keys.js";
import { ActiveTime } from "./active-time.js";
import { Api, Failure } from "./api.js";
import {
  ask_before_leaving, show_new_labels, stay_when_signed_out, tell_saved, when_there_may_be_more,
} from "./around.js";
import { chip_of, words_for } from "./chips.js";
import { keep_up } from "./going.js";
import { History } from "./history.js";
import { Holding } from "./holding.js";
import { Instructions } from "./instructions.js";
import { LabelFilter } from "./label-filter.js";
import { Labels } from "./labels.js";
import { NewLabel } from "./new-label.js";
import { Outbox } from "./outbox.js";
import { Queue } from "./queue.js";
import { Remarks } from "./remarks.js";
import { deliverer } from "./sending.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { new_token } from "./tokens.js";

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
const outbox = new Outbox(`${urls.person}:${urls.function}`, deliverer(api, urls));
const queue = new Queue(api, urls.queueUrl, first, () => outbox.sample_ids());
const remarks = new Remarks(part("label-remarks"), part("label-comment"));
const new_label = new NewLabel(part("new-label"), (name) => api.post(urls.newLabelUrl, { name }));
const instructions = part("label-instructions") && new Instructions(part("label-instructions"), urls.function);
const filter = new LabelFilter(part("label-filter"), labels, { above: Number(urls.filterAbove) });
const history = new History();
const time = new ActiveTime();
const holding = new Holding((body) => api.post(urls.holdUrl, body), () => queue.sample_ids(), () => time.is_active);

// Doing

// What is on the table: the sample looked at again, else the one asked now.
function item_now() {
  return history.looked_at?.item ?? queue.current;
}

function pick(label) {
  const item = item_now();
  if (!item || !label) return;
  if (gives_tags) {
    labels.toggle(label.id);
    return;
  }
  status.say("Labelled ", chip_of(label), item.isUnsure ? ", not sure" : "");
  answer(item, { labels: [label], labelId: label.id });
  labels.flash(label.id);
}

// Exactly what is on, however little: hints count for nothing until somebody takes them over.
function go_on() {
  const item = item_now();
  const on = labels.on;
  if (!item || !labels.n || is_too_early()) return;
  // Every tag there is now is named: one that somebody makes meanwhile is neither there nor not.
  const tags = Object.fromEntries(labels.all.map((label) => [label.id, on.includes(label)]));
  status.say("Saved: ", ...words_for(on), item.isUnsure ? ", not sure" : "");
  answer(item, { labels: on, tags });
}

function take_over() {
  const suggested = suggested_labels();
  if (!gives_tags || !suggested.length) return;
  labels.turn_on([...labels.on, ...suggested].map((label) => label.id));
}

function skip() {
  const item = item_now();
  if (!item) return;
  status.say("Skipped");
  answer(item, null);
}

function accept() {
  if (gives_tags) {
    go_on();
    return;
  }
  const [label] = suggested_labels();
  if (label) pick(label);
  else if (item_now()) status.say("No suggestion here: pick a label with its key");
}

// `said` is {labels, labelId} or {labels, tags}; null passes the sample over.
function answer(item, said) {
  const step = { token: new_token(), item, said, unsure: Boolean(item.isUnsure) };
  const earlier = history.looked_at;
  if (earlier) {
    history.forward();
    if (is_same(earlier, step)) return show();
    take_back(earlier);
    Object.assign(earlier, step);
  } else {
    history.add(step);
    queue.advance();
  }
  send(step);
  show();
}

function send({ token, item, said, unsure }) {
  const { labelId = null, tags = null } = said ?? {};
  const { sampleId, proof } = item;
  // Passed over, there is no answer that could be unsure: the doubt goes by itself.
  if (unsure && !said) send_mark(item, "unsure", true);
  outbox.add({ kind: "answer", token, sampleId, labelId, tags, proof, ms: time.take(), unsure: unsure && said !== null });
}

function is_same(one, other) {
  return one.unsure === other.unsure && JSON.stringify(one.said) === JSON.stringify(other.said);
}

// Steps of this page are undone at once and sent in their turn; earlier ones the server knows.
function undo() {
  const step = history.looked_at ? history.take_looked_at() : history.take_last();
  if (!step) {
    undo_earlier();
    return;
  }
  take_back(step);
  come_back_to({ ...step.item, said: step.said?.labels.map((label) => label.id) ?? [] }, step.said);
}

function take_back({ token, item, said, unsure }) {
  const has_left = !outbox.withdraw(token);
  if (said && has_left) outbox.add({ kind: "undo", token: new_token(), answer: token });
  if (unsure && (has_left || !said)) send_mark(item, "unsure", false);
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

function look_back() {
  if (!history.back()) status.say("There is nothing further back on this page");
  show();
}

function look_ahead() {
  if (!history.forward()) status.say(`This is the newest: ${keys.words("skip") || "Skip"} passes it over`);
  show();
}

function flag() {
  const item = item_now();
  if (!item) return;
  item.isFlagged = !item.isFlagged;
  send_mark(item, "flag", item.isFlagged);
  stage.show_marks(item);
  status.say(item.isFlagged ? "Flagged for a reviewer" : "No longer flagged");
}

// It travels with the answer that is given next.
function doubt() {
  const item = item_now();
  if (!item) return;
  item.isUnsure = !item.isUnsure;
  stage.show_marks(item);
  status.say(item.isUnsure ? "Not sure: your answer will say so" : "Sure again");
}

// `about` and not `sampleId`: while only a mark is under way, the sample may be asked again.
function send_mark(item, mark, isOn) {
  outbox.add({ kind: "mark", token: new_token(), about: item.sampleId, mark, isOn });
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
  if (history.looked_at) return null;
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
  const item = item_now();
  const step = history.looked_at;
  const state = queue.is_waiting ? "waiting" : queue.has_samples ? "done" : "empty";
  const { has_model, n_skipped } = queue;
  const suggested = suggested_labels();
  stage.show(item, state, { labels, suggested, suggestions: suggestions(), has_model, n_skipped, step });
  remarks.show(item);
  labels.suggest(suggested.map((label) => label.id));
  // Each sample begins with nothing on, but one that is mended with what was said of it.
  if (shown === item) return;
  shown = item;
  clearTimeout(look_timer);
  look_timer = gives_tags ? setTimeout(show_choice, MS_TO_LOOK) : null;
  shown_at = performance.now();
  labels.turn_on(step ? (step.said?.labels ?? []).map((label) => label.id) : (item?.said ?? []));
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

function show_waiting() {
  const trouble = outbox.trouble ?? (queue.trouble?.kind === "retry" ? null : queue.trouble);
  status.waiting(outbox.n_waiting, trouble, { has_notes: outbox.has_notes });
}

// Keys and buttons

const actions = {
  pick: ({ place }) => pick(labels.at(place)),
  accept,
  "take-over": take_over,
  skip,
  undo,
  flag,
  unsure: doubt,
  comment: () => remarks.open(),
  previous: look_back,
  next: look_ahead,
  "new-label": () => new_label.open(),
  instructions: () => instructions?.toggle(),
  help: () => part("key-help").showModal(),
  filter: () => filter.focus(),
};

keys.listen(actions, { n_labels: () => labels.n });

page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button) return;
  actions[button.dataset.action]?.({});
  // After a tap the keys go on working: Enter must not press this button again.
  if (event.detail > 0 && [button, document.body].includes(document.activeElement)) stage.focus();
});

labels.addEventListener("pick", ({ detail }) => {
  pick(detail.label);
  if (detail.by_pointer) stage.focus();
});

filter.addEventListener("done", ({ detail }) => {
  stage.focus();
  pick(detail.label);
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
  part("no-labels").hidden = labels.n > 0;
  show();
});
show_new_labels(new_label, {
  labels,
  status,
  and(label) {
    if (gives_tags && item_now()) labels.toggle(label.id); // made because this sample has it
  },
});
remarks.addEventListener("written", ({ detail: { item, text } }) => {
  outbox.add({ kind: "comment", token: new_token(), about: item.sampleId, text });
  status.say("Comment written");
});
remarks.addEventListener("closed", () => stage.focus());
outbox.addEventListener("change", show_waiting);
outbox.addEventListener("arrived", () => {
  tell_saved();
  if (!queue.current) queue.look_again();
});
outbox.addEventListener("refused", ({ detail }) => {
  status.refuse(detail.message);
  if (detail.operation.sampleId) queue.release(detail.operation.sampleId);
});

holding.addEventListener("lost", ({ detail }) => queue.drop(detail.ids));
document.body.addEventListener("live:predictions", () => queue.refresh());
when_there_may_be_more(() => {
  if (!queue.current) queue.look_again();
});
stay_when_signed_out();
ask_before_leaving(outbox);

keep_up(part("label-going"));
part("no-labels").hidden = first.labels.length > 0;
labels.show(first.labels);
show();
outbox.start();
