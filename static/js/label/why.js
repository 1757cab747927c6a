// Why a sample is asked, in one line. `reason` is {kind, labels: [ids]}; returns strings and elements.

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

export function why(reason, labels) {
  if (!reason) return [];
  const [one, other] = (reason.labels ?? []).map((id) => labels.by_id(id)).filter(Boolean);
  if (reason.kind === "torn" && other) return ["Torn between ", chip_of(one), " and ", chip_of(other)];
  if (reason.kind === "torn" && one) return ["In two minds about ", chip_of(one)];
  if (reason.kind === "rare" && one) return ["May be ", chip_of(one), ", of which there are few"];
  return [PLAIN[reason.kind] ?? ""];
}
