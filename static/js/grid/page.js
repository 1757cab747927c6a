// The grid: many samples at a glance. Those that look alike are accepted with one key, the odd ones picked out first;
// whatever is picked out takes the label whose key is pressed. Answers travel as on the label page: kept until the
// server has them, in their order, once.

import { keys } from "../keys.js";
import { ActiveTime } from "../label/active-time.js";
import { Api, Failure } from "../label/api.js";
import {
  ask_before_leaving, show_new_labels, stay_when_signed_out, tell_saved, when_there_may_be_more,
} from "../label/around.js";
import { chip_of } from "../label/chips.js";
import { Holding } from "../label/holding.js";
import { LabelFilter } from "../label/label-filter.js";
import { Labels } from "../label/labels.js";
import { NewLabel } from "../label/new-label.js";
import { Outbox } from "../label/outbox.js";
import { Status } from "../label/status.js";
import { new_token } from "../label/tokens.js";
import { Board } from "./board.js";
import { Sizes } from "./sizes.js";
import { Supply } from "./supply.js";
import { show_words } from "./words.js";
import { Zoom } from "./zoom.js";

const N_ON_GRID = matchMedia("(max-width: 699px)").matches ? 20 : 40;
// Nobody has looked at a grid so soon: a second Enter this early is a slip.
const MS_TO_LOOK = 300;
const MOST_UNDONE = 100;

const page = document.getElementById("grid-page");
const urls = page.dataset;
const part = (name) => document.getElementById(name);
const first = JSON.parse(part("grid-first").textContent);
const gives_tags = urls.gives === "tags";

// What was done, the newest last: {token, ids, label, as, view, state}. `view` is {show, label_id}.
const history = [];
// Where each act that has arrived is undone, and the samples of those that have not, by token.
const undo_urls = new Map();
const on_their_way = new Map();

const api = new Api(urls.person);
const status = new Status({
  line: part("label-status"),
  waiting: part("label-waiting"),
  refusals: part("label-refusals"),
});
const board = new Board(part("grid-list"), { are_open: gives_tags });
const sizes = new Sizes(part("grid-list"), part("grid-sizes"), urls.kind);
const labels = new Labels(part("label-keys"), part("label-key-template"), keys);
const zoom = new Zoom(part("grid-zoom"), board, keys);
const outbox = new Outbox(`${urls.person}:${urls.function}:grid`, deliver);
const supply = new Supply(api, urls.samplesUrl, first, { n: N_ON_GRID, held });
const new_label = new NewLabel(part("new-label"), (name) => api.post(urls.newLabelUrl, { name }));
const chooser = part("grid-label");
const filter = new LabelFilter(part("label-filter"), labels, { above: Number(urls.filterAbove) });
const time = new ActiveTime();
new Holding((body) => api.post(urls.holdUrl, body), () => [...board.items, ...supply.ahead].map((item) => item.sampleId), () => time.is_active);
let counts = first.counts;
let view = { show: supply.show, label_id: supply.label_id };
let shown_at = -Infinity;

// Sending

async function deliver(operations) {
  const refused = [];
  const senders = { select: send, undo: send_undo, mark: send_mark };
  for (const operation of operations) {
    const message = await senders[operation.kind](operation);
    if (message) refused.push({ token: operation.token, message });
  }
  return refused;
}

async function send({ token, sampleIds, labelId, as, ms }) {
  const body = { samples: sampleIds, label: labelId, kind: as, token, ms };
  const { n, words, undoUrl } = await api.post(urls.selectionUrl, body);
  on_their_way.delete(token);
  if (undoUrl) undo_urls.set(token, undoUrl);
  if (n && history.some((step) => step.token === token)) offer_undo(words, undoUrl);
  return n ? "" : "These had been labelled meanwhile, so nothing was changed.";
}

// Asking for the same once more changes nothing, and says where it is undone.
async function send_undo({ of }) {
  if (!undo_urls.has(of.token)) await send(of);
  const url = undo_urls.get(of.token);
  if (!url) return "";
  try {
    await api.post(url, {});
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "blocked") throw error;
    return error.message;
  }
  return "";
}

async function send_mark({ about, mark, isOn }) {
  await api.post(urls.markUrl, { sampleId: about, mark, isOn });
  return "";
}

// One at a time: the newest thing done is the one a person wants back.
function offer_undo(message, undoUrl) {
  withdraw_offer();
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, undoUrl } }));
}

function withdraw_offer() {
  for (const old of document.querySelectorAll("#toasts [data-undo-url]")) old.closest(".toast").remove();
}

// On show, or on their way.
function held() {
  return [...board.items.map((item) => item.sampleId), ...[...on_their_way.values()].flat()];
}

// Doing

function accept() {
  if (!board.items.length || performance.now() - shown_at < MS_TO_LOOK) return;
  const label = labels.by_id(view.label_id);
  const ids = { alike: board.others, hunt: board.picked, any: [] }[view.show];
  if (view.show === "alike" && board.n_unseen) {
    status.say(`${board.n_unseen} more to look at. Press the key again when you have seen them.`);
    board.show_unseen();
    return;
  }
  if (view.show === "any" && board.picked.length) {
    status.say("Choose their label, or press Esc to let them go");
    return;
  }
  if (ids.length && label) say_of(ids, label, view.show === "alike" ? "grid" : "selection");
  go_on();
}

function pick(label) {
  if (!label) return;
  const ids = board.picked.length ? board.picked : [board.pointed].filter(Boolean);
  if (!ids.length) {
    status.say("Select some first: click them, or use the arrows");
    return;
  }
  say_of(ids, label, "selection");
  board.settle(ids, label);
  labels.flash(label.id);
  if (!board.left.length) go_on();
}

function say_of(ids, label, as) {
  const step = { token: new_token(), ids, label, as, view, state: board.state };
  history.push(step);
  if (history.length > MOST_UNDONE) history.shift();
  counts = { ...counts, [view.label_id]: Math.max(0, (counts[view.label_id] ?? 0) - ids.length) };
  status.say(`${ids.length} × `, chip_of(label));
  on_their_way.set(step.token, ids);
  outbox.add({ kind: "select", token: step.token, sampleIds: ids, labelId: label.id, as, ms: time.take() });
}

function go_on() {
  board.show({ items: [] });
  next();
}

function next() {
  if (supply.is_ready) {
    view = { show: supply.show, label_id: supply.label_id };
    board.show({ items: supply.take() });
    shown_at = performance.now();
    if (part("grid-head").getBoundingClientRect().top < 0) part("grid-head").scrollIntoView({ block: "start" });
  }
  show();
}

function undo() {
  const step = history.pop();
  if (!step) {
    status.say("Nothing to take back on this page");
    return;
  }
  const of = { token: step.token, sampleIds: step.ids, labelId: step.label.id, as: step.as };
  on_their_way.delete(step.token);
  withdraw_offer();
  if (!outbox.withdraw(step.token)) outbox.add({ kind: "undo", token: new_token(), of });
  come_back_to(step);
}

function come_back_to(step) {
  const is_other_grid = step.state.items !== board.items;
  if (is_other_grid && is_same_view(step.view)) supply.put_back(board.left);
  view = step.view;
  board.show(step.state);
  if (!is_same_view(step.view)) supply.look_for(step.view);
  status.say("Taken back: ", chip_of(step.label));
  show();
}

// Undone from its toast: the newest comes back as it was, earlier ones are just open again.
document.body.addEventListener("act:undone", ({ detail }) => {
  const place = history.findIndex((step) => undo_urls.get(step.token) === detail.undoUrl);
  if (place < 0) return;
  const is_newest = place === history.length - 1;
  const [step] = history.splice(place, 1);
  if (is_newest) come_back_to(step);
  else if (step.state.items === board.items) board.open(step.ids);
  else supply.release(step.ids);
  tell_saved();
});

function flag() {
  const item = board.item(board.cursor);
  if (!item) {
    status.say("Point at a sample first: click it, or use the arrows");
    return;
  }
  board.flag(item.sampleId, !item.isFlagged);
  status.say(item.isFlagged ? "Flagged for a reviewer" : "No longer flagged");
  outbox.add({ kind: "mark", token: new_token(), about: item.sampleId, mark: "flag", isOn: item.isFlagged });
}

function show_similar() {
  if (board.cursor) location.assign(urls.similarUrl.replace("/0/", `/${board.cursor}/`));
}

// Choosing what to look at

function is_same_view(other) {
  return other.show === supply.show && other.label_id === supply.label_id;
}

function turn_to({ show: kind = supply.show, label_id = supply.label_id }) {
  const label = label_id ?? labels.all[0]?.id ?? null;
  if (kind !== "any" && !label) return;
  view = { show: kind, label_id: label };
  board.show({ items: [] }); // what is on show is not held any more
  supply.look_for(view);
  next();
  board.focus();
}

function step_label(by) {
  const all = labels.all;
  const place = all.findIndex((label) => label.id === supply.label_id);
  const label = all[(place + by + all.length) % all.length];
  if (label) turn_to({ show: supply.show === "any" ? "alike" : supply.show, label_id: label.id });
}

function hunt() {
  turn_to({ show: supply.show === "hunt" ? "alike" : "hunt" });
}

// Showing

function show() {
  const state = supply.is_waiting && !supply.trouble ? "waiting" : supply.has_samples ? "none" : "empty";
  for (const name of ["waiting", "none", "empty"]) part(`grid-${name}`).hidden = board.items.length > 0 || name !== state;
  page.classList.toggle("is-idle", board.items.length === 0);
  part("grid-list").dataset.show = view.show;
  show_options();
  for (const button of part("grid-shows").querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view.show));
  }
  show_words(page, { board, view, label: labels.by_id(view.label_id), gives_tags });
}

function show_options() {
  const options = labels.all.map((label) => new Option(`${label.name} (${counts[label.id] ?? 0})`, label.id));
  const is_other = (option, place) => option.label !== chooser.options[place]?.label || option.value !== chooser.options[place].value;
  if (options.length !== chooser.options.length || options.some(is_other)) chooser.replaceChildren(...options);
  chooser.value = view.label_id ?? "";
  chooser.closest("[data-chooser]").hidden = view.show === "any" || !labels.n;
}

function show_waiting() {
  const trouble = outbox.trouble ?? (supply.trouble?.kind === "retry" ? null : supply.trouble);
  status.waiting(outbox.n_waiting, trouble, { has_notes: outbox.has_notes });
}

// Keys and buttons

const actions = {
  pick: ({ place }) => pick(labels.at(place)),
  "accept-all": accept,
  undo,
  select: () => board.cursor && board.toggle(board.cursor),
  open: () => zoom.open(board.cursor ?? board.items[0]?.sampleId),
  flag,
  similar: show_similar,
  "new-label": () => new_label.open(),
  instructions: () => part("grid-instructions")?.showModal(),
  larger: () => sizes.step(1),
  smaller: () => sizes.step(-1),
  hunt,
  "label-before": () => step_label(-1),
  "label-after": () => step_label(1),
  clear: () => board.clear(),
  filter: () => filter.focus(),
  help: () => part("key-help").showModal(),
};

keys.listen(actions, { n_labels: () => labels.n });

page.addEventListener("click", (event) => {
  const card = event.target.closest("[data-own-click]")?.closest(".grid-card");
  if (card) zoom.open(card.dataset.sample ?? card.dataset.settled);
  const button = event.target.closest("[data-action]");
  if (!button) return;
  actions[button.dataset.action]?.({});
  // After a tap the keys go on working: Enter must not press this button again.
  if (event.detail > 0) board.focus();
});

part("grid-shows").addEventListener("click", (event) => {
  const kind = event.target.closest("[data-show]")?.dataset.show;
  if (kind && kind !== view.show) turn_to({ show: kind });
});

chooser.addEventListener("change", () => turn_to({ label_id: chooser.value }));

labels.addEventListener("pick", ({ detail }) => {
  pick(detail.label);
  if (detail.by_pointer) board.focus();
});

filter.addEventListener("done", ({ detail }) => {
  board.focus();
  pick(detail.label);
});

// What changes by itself

supply.addEventListener("labels", ({ detail }) => {
  counts = detail.counts;
  labels.show(detail.labels);
});
supply.addEventListener("change", () => {
  if (board.items.length) show();
  else next();
  show_waiting();
});
board.addEventListener("change", show);
labels.addEventListener("change", () => {
  part("no-labels").hidden = labels.n > 0;
  show();
});
show_new_labels(new_label, { labels, status });
outbox.addEventListener("change", show_waiting);
outbox.addEventListener("arrived", tell_saved);
outbox.addEventListener("refused", ({ detail }) => {
  status.refuse(detail.message);
  on_their_way.delete(detail.operation.token);
  supply.release(detail.operation.sampleIds ?? []);
});

document.body.addEventListener("live:predictions", () => supply.refresh());
when_there_may_be_more(() => {
  if (!board.items.length) supply.look_again();
});
stay_when_signed_out();
ask_before_leaving(outbox);

labels.show(first.labels);
next();
outbox.start();
