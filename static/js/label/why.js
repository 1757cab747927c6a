// Why a sample is asked, in one line. `reason` is {kind, labels: [ids], call: {at, because}}, `call` where it came in as
// one; returns strings and elements.

import { chip_of } from "./chips.js";

const PLAIN = {
  typical: "Typical of many of your samples",
  torn: "The model is in two minds here",
  rare: "May be of a label there are few of",
  new: "The model has not looked at it yet",
  random: "Drawn at random, so that the score stays honest",
  opinion: "Asked of several people: you see no suggestion",
  sent_back: "Sent back to you",
};

const DAY = new Intl.DateTimeFormat(document.documentElement.lang || "en", { day: "numeric", month: "short" });

export function why(reason, labels) {
  if (!reason) return [];
  if (!reason.call) return plainly(reason, labels);
  const { at, because } = reason.call;
  const came = `Came in as a call on ${DAY.format(new Date(at))}${because ? `, ${because}` : ""}`;
  return reason.kind === "new" ? [came] : [`${came}. `, ...plainly(reason, labels)];
}

function plainly(reason, labels) {
  const [one, other] = (reason.labels ?? []).map((id) => labels.by_id(id)).filter(Boolean);
  if (reason.kind === "torn" && other) return ["Torn between ", chip_of(one), " and ", chip_of(other)];
  if (reason.kind === "torn" && one) return ["In two minds about ", chip_of(one)];
  if (reason.kind === "rare" && one) return ["May be ", chip_of(one), ", of which there are few"];
  return [PLAIN[reason.kind] ?? ""];
}
