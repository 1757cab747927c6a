// A queue of review: one sample at a time, decided by one key, and the next one is there at once. Decisions are sent in
// the order they were made; one that is refused brings its sample back.

import { keys } from "../keys.js";
import { offer_undo } from "../undo.js";
import { ask, elements_of, send } from "./ask.js";
import { Decided } from "./decided.js";
import { Then } from "./then.js";

const MORE_WHEN_LEFT = 5;
const CALM_MS = 500;

const desk = document.getElementById("desk");
const part = (name) => desk.querySelector(`[data-${name}]`);
const button = (name) => desk.querySelector(`[data-do="${name}"]`);
const gives_tags = desk.dataset.gives === "tags";
const list = document.getElementById("desk-items");
const labels = [...desk.querySelectorAll("[data-label]")];
const comment = part("comment");
const filter = document.getElementById("desk-filter");
const decided = new Decided(part("decided"), desk.dataset.effectUrl);
const then = new Then(part("then"), (item) => show(items.indexOf(item)));

let items = [...list.children];
let at = 0;
let is_all = false;
let fetching = null;
let looking = null;
let sending = Promise.resolve();
let touched_tags = false;
const done = []; // what can be taken back: {item, note}

const item_now = () => items[at] ?? null;
const ids = (text) => (text ?? "").split(" ").filter(Boolean);
const name_of = (id) => labels.find((each) => each.dataset.label === id)?.querySelector(".label-key-name").textContent ?? "";

// Showing

function show(place, { is_first = false } = {}) {
  const before = item_now();
  if (before) before.hidden = true;
  at = Math.max(0, Math.min(place, items.length));
  const item = item_now();
  touched_tags = false;
  if (item) {
    item.hidden = false;
    if (!is_first) item.focus({ preventScroll: true });
    if (!is_first) keep_in_sight(item);
  }
  then.show(items.slice(at + 1, at + 1 + MORE_WHEN_LEFT));
  show_choices(item);
  show_end(item);
  if (items.length - at <= MORE_WHEN_LEFT) fetch_more();
}

function keep_in_sight(item) {
  const { top } = item.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) item.scrollIntoView({ block: "start" });
}

function show_choices(item) {
  const current = ids(item?.dataset.current);
  const proposed = ids(item?.dataset.proposed);
  const answered = ids(item?.dataset.answered); // what a caller was answered, of samples nobody has labelled
  const is_answered = item ? "isAnswered" in item.dataset : false;
  const may_keep = is_answered || item?.dataset.other || (answered.length && String(answered) !== String(proposed));
  for (const each of labels) {
    const is_on = current.includes(each.dataset.label);
    if (gives_tags) each.setAttribute("aria-pressed", String(is_on));
    else each.classList.toggle("is-picked", is_on);
    each.disabled = !item;
  }
  button("keep").hidden = !may_keep;
  write(button("keep"), words_to_keep(item, current, answered));
  button("settle").hidden = !item || is_answered || !["flagged", "reported"].includes(desk.dataset.queue);
  button("send-back").hidden = !is_answered || desk.dataset.queue !== "to-check";
  button("bin").hidden = !bin_of(item) || !desk.dataset.binUrl;
  button("bin").querySelector("[data-words]").textContent = item?.dataset.other ? "Put the second in the bin" : "Put it in the bin";
  for (const name of ["unsure", "skip"]) button(name).hidden = !item;
  show_change(proposed, answered);
  filter.value = "";
  narrow();
}

// What the bin is offered for: the second of a pair, or a call that nobody chose to bring.
function bin_of(item) {
  return item?.dataset.other ?? (desk.dataset.queue === "captured" ? item?.dataset.sample : undefined);
}

function words_to_keep(item, current, answered) {
  if (item?.dataset.other) return "Keep both";
  if (answered.length) return `It was right: ${answered.map(name_of).join(", ")}`;
  if (desk.dataset.queue === "to-check") return "Accept";
  return !gives_tags && current.length ? `Keep ${name_of(current[0])}` : "Keep";
}

function show_change(proposed, answered = []) {
  const change = button("change");
  const names = proposed.map(name_of).filter(Boolean);
  change.hidden = !item_now() || !(gives_tags ? true : names.length);
  const is_as_answered = answered.length && String(answered) === String(proposed);
  const make_it = `${is_as_answered ? "It was right:" : "Make it"} ${names.join(", ")}`;
  const is_made_by_hand = gives_tags && (touched_tags || !proposed.length);
  write(change, is_made_by_hand ? "Save these tags" : make_it);
}

function write(of_button, words) {
  const parts = words.split(/(?<=[_/.:])(?=\w)/); // “card_payment_fee” breaks between its words rather than within one
  const pieces = parts.flatMap((each, i) => (i ? [document.createElement("wbr"), each] : [each]));
  of_button.querySelector("[data-words]").replaceChildren(...pieces);
}

function show_end(item) {
  part("waiting").hidden = Boolean(item) || is_all;
  part("done").hidden = Boolean(item) || !is_all;
  const n_passed = items.filter((each) => !each.dataset.did).length;
  part("skipped").hidden = !n_passed;
  part("skipped").querySelector("[data-n]").textContent = String(n_passed);
  desk.classList.toggle("is-idle", !item);
}

function narrow() {
  const wanted = filter.value.trim().toLocaleLowerCase();
  for (const each of labels) {
    each.hidden = !each.querySelector(".label-key-name").textContent.toLocaleLowerCase().includes(wanted);
  }
}

function show_keys() {
  for (const each of labels) {
    const kbd = each.querySelector("kbd");
    kbd.textContent = keys.words_of_label(Number(each.dataset.place));
    kbd.hidden = !kbd.textContent;
  }
}

// Fetching

async function fetch_more() {
  if (is_all || fetching) return;
  const last = items.at(-1);
  if (!last) {
    is_all = true;
    show_end(null);
    return;
  }
  fetching = ask(`${desk.dataset.moreUrl}?after=${encodeURIComponent(last.dataset.place)}`);
  try {
    take_in([...elements_of(await fetching).children]);
  } catch (failure) {
    toast(failure.message);
    is_all = true; // going on by itself would ask without end
  }
  fetching = null;
  show_end(item_now());
  if (item_now()?.hidden) show(at);
  else then.show(items.slice(at + 1, at + 1 + MORE_WHEN_LEFT));
}

// Where everything was decided, whatever has come to be asked since is shown by itself.
async function look_again() {
  looking = null;
  if (item_now() || fetching) return;
  try {
    take_in([...elements_of(await ask(desk.dataset.moreUrl)).children]);
  } catch {
    return; // the next event asks again
  }
  show(at, { is_first: true });
}

function look_again_soon() {
  if (!item_now()) looking ??= setTimeout(look_again, CALM_MS);
}

function take_in(fresh) {
  const known = new Set(items.map((each) => each.id));
  const added = fresh.filter((each) => !known.has(each.id));
  is_all = added.length === 0;
  list.append(...added);
  items.push(...added);
}

// Deciding

function decide(decision, fields = {}) {
  const item = item_now();
  if (!item) return;
  item.dataset.did = decision;
  if (item.dataset.other) fields.other = item.dataset.other;
  sending = sending.then(() => deliver(item, { decision, queue: desk.dataset.queue, ...fields }));
  show(next_open());
}

async function deliver(item, fields) {
  try {
    const { words, note, did } = await send(item.dataset.decideUrl, fields);
    done.push({ item, note });
    say_of(item, words);
    decided.add(item, words, did);
    document.body.dispatchEvent(new CustomEvent("review:decided"));
  } catch (failure) {
    delete item.dataset.did;
    toast(failure.message);
    show(items.indexOf(item));
  }
}

// The next one that nothing has been decided of, behind this one.
function next_open() {
  const place = items.findIndex((each, index) => index > at && !each.dataset.did);
  return place < 0 ? items.length : place;
}

function say_of(item, words) {
  const verdict = item.querySelector("[data-verdict]");
  verdict.textContent = words;
  verdict.hidden = !words;
  part("status").textContent = words;
}

function undo() {
  sending = sending.then(async () => {
    const last = done.pop();
    if (!last) {
      part("status").textContent = "There is nothing to undo here.";
      return;
    }
    try {
      await send(last.item.dataset.undoUrl, { note: last.note, is_pair: last.item.dataset.other ? "yes" : "" });
      delete last.item.dataset.did;
      say_of(last.item, "");
      part("status").textContent = "Undone.";
      decided.remove(last.item);
      show(items.indexOf(last.item));
      document.body.dispatchEvent(new CustomEvent("review:decided"));
    } catch (failure) {
      toast(failure.message);
    }
  });
}

function pick(label) {
  if (!label || !item_now()) return;
  if (!gives_tags) {
    decide("change", { label: label.dataset.label });
    return;
  }
  label.setAttribute("aria-pressed", String(label.getAttribute("aria-pressed") !== "true"));
  touched_tags = true;
  show_change(ids(item_now().dataset.proposed));
}

// What is proposed; where tags were toggled, those that are on now.
function change() {
  const item = item_now();
  if (!item || button("change").hidden) return;
  const proposed = ids(item.dataset.proposed);
  if (!gives_tags) {
    decide("change", { label: proposed[0] });
    return;
  }
  const on = labels.filter((each) => each.getAttribute("aria-pressed") === "true").map((each) => each.dataset.label);
  const tag = touched_tags || !proposed.length ? on : proposed;
  decide("change", { asked: labels.map((each) => each.dataset.label), tag });
}

function keep() {
  const answered = ids(item_now()?.dataset.answered);
  if (button("keep").hidden) settle();
  else if (!answered.length) decide("keep");
  else if (gives_tags) decide("change", { asked: labels.map((each) => each.dataset.label), tag: answered });
  else decide("change", { label: answered[0] });
}

function settle() {
  if (!button("settle").hidden) decide("settle");
}

// With what is written in the field, or was just sent from it; without, the field asks for it.
function send_back() {
  const field = comment.elements.text;
  const text = field.value.trim();
  if (button("send-back").hidden) return;
  if (!text && !("isCommented" in item_now().dataset)) {
    part("status").textContent = "Write why first, then send it back.";
    field.focus();
    return;
  }
  field.value = "";
  decide("send_back", { comment: text });
}

// The second of a pair goes, or the sample itself; what is undone beside it is offered by the toast.
async function bin() {
  const item = item_now();
  if (!item || button("bin").hidden) return;
  try {
    const done = await send(desk.dataset.binUrl, { samples: bin_of(item) });
    item.dataset.did = "bin";
    say_of(item, item.dataset.other ? "One of the two is in the bin." : "It is in the bin.");
    if (done.undoUrl) offer_undo(done);
    show(next_open());
    document.body.dispatchEvent(new CustomEvent("review:decided"));
  } catch (failure) {
    toast(failure.message);
  }
}

// Notes beside the sample

async function renew_notes(url, fields) {
  const item = item_now();
  if (!item) return;
  try {
    item.querySelector("[data-notes]").replaceChildren(elements_of(await send(item.dataset[url], fields)));
    if ("text" in fields) item.dataset.isCommented = "";
  } catch (failure) {
    toast(failure.message);
  }
}

comment.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = comment.elements.text;
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  await renew_notes("commentUrl", { text });
  item_now()?.focus({ preventScroll: true });
});

function toast(message) {
  document.body.dispatchEvent(new CustomEvent("toast:show", { detail: { message, kind: "danger" } }));
}

// Hands

const actions = {
  change,
  keep,
  settle,
  unsure: () => item_now() && decide("unsure"),
  skip: () => item_now() && show(at + 1),
  next: () => item_now() && show(at + 1),
  previous: () => show(at - 1),
  undo,
  "send-back": send_back,
  bin,
  flag: () => renew_notes("flagUrl", {}),
  comment: () => document.getElementById("desk-comment").focus(),
  similar: () => item_now()?.querySelector("[data-similar]")?.click(),
  open: () => item_now()?.querySelector(".desk-picture")?.click(),
  filter: () => !filter.closest("[hidden]") && filter.focus(),
  help: () => document.getElementById("key-help").showModal(),
  pick: ({ place }) => pick(labels[place]),
};

keys.listen(actions, { n_labels: () => labels.length });
keys.addEventListener("change", show_keys);

desk.addEventListener("click", (event) => {
  const label = event.target.closest("[data-label]");
  const doing = event.target.closest("[data-do]");
  if (label) pick(label);
  else if (doing) actions[doing.dataset.do]?.({});
});

filter.addEventListener("input", narrow);
filter.addEventListener("keydown", (event) => {
  if (event.key === "Enter") pick(labels.find((each) => !each.hidden));
  if (event.key === "Escape") item_now()?.focus();
});
comment.elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") item_now()?.focus({ preventScroll: true });
});

for (const kind of ["annotations", "predictions", "samples", "reopened"]) {
  document.body.addEventListener(`live:${kind}`, look_again_soon);
}

show_keys();
show(0, { is_first: true });
