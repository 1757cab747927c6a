// What the page says about the grid on show, and what its button would do.

import { chip_of } from "../label/chips.js";

export function show_words(page, { board, view, label, gives_tags }) {
  const say = { alike, hunt, any }[view.show];
  const chip = label ? chip_of(label) : "";
  const { title, hint, button } = say({ n: board.items.length, board, chip, name: label?.name ?? "", gives_tags });
  page.querySelector("#grid-title").replaceChildren(...title);
  page.querySelector("#grid-hint").textContent = hint;
  page.querySelector("#grid-go-on [data-words]").textContent = button;
  page.querySelector("#grid-list").setAttribute("aria-label", list_words(view, label));
  page.querySelector("#grid-picked").textContent = picked_words(board);
  page.querySelector("#grid-none-words").textContent = label && view.show !== "any" ? NOTHING[view.show](label.name) : "Nothing is left to label here.";
  page.classList.toggle("has-picked", board.picked.length > 0);
}

const NOTHING = {
  alike: (name) => `Nothing is left that looks like ${name}.`,
  hunt: (name) => `Nothing is left that could be ${name}.`,
};

function alike({ n, board, chip, name, gives_tags }) {
  const n_sure = board.items.filter((item) => item.word === "sure").length;
  const n_yes = board.others.length;
  const what = gives_tags ? `have ${name}` : `${n_yes === 1 ? "is" : "are"} ${name}`;
  return {
    title: [n === 0 ? "What looks like " : n === 1 ? "This one looks like " : `These ${n} look like `, chip],
    hint: n ? `Select the ones that are not. ${sureness(n, n_sure)}` : "",
    button: n_yes ? `Yes, ${board.picked.length ? `the other ${n_yes}` : n_yes === 1 ? "it" : `all ${n_yes}`} ${n_yes === 1 && !board.picked.length && !gives_tags ? `is ${name}` : what}` : "Go on",
  };
}

function sureness(n, n_sure) {
  if (n_sure === n) return n === 1 ? "The model is sure of it." : "The model is sure of all of them.";
  return n_sure ? `The model is sure of the first ${n_sure}.` : "The model is not sure of any.";
}

function hunt({ board, chip, name }) {
  const n = board.picked.length;
  return {
    title: board.items.length ? ["Which of these are ", chip, "?"] : ["What could be ", chip],
    hint: board.items.length ? "Select those that are. The others stay as they are." : "",
    button: n ? `${n === 1 ? "This one is" : `These ${n} are`} ${name}` : "None of these: show others",
  };
}

function any({ n, board }) {
  return {
    title: [n ? `${n} of your samples` : "Any of your samples"],
    hint: n ? "Select some that are alike, then give them their label." : "",
    button: board.picked.length ? "Now choose their label" : "Show others",
  };
}

function list_words(view, label) {
  if (!label || view.show === "any") return "Samples to label";
  return view.show === "alike" ? `These look like ${label.name}. Select the ones that are not.` : `Which of these are ${label.name}?`;
}

function picked_words(board) {
  const n = board.picked.length;
  if (n) return `Label the ${n === 1 ? "one" : n} selected as`;
  return board.pointed ? "Label the one you point at as" : "Select some, then label them as";
}
