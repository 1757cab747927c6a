// "SearchScreeningEvent" and "card_payment_fee" may break between their words, rather than within one; as the
// template filter `breakable` has it.

const SEAM = /(?<=[a-z0-9])(?=[A-Z])|(?<=[_/.:])(?=[\p{L}\p{N}_])/u;

export function breakable(name) {
  return name.split(SEAM).flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part]));
}
