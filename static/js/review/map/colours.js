// What the dots look like: by label, by what a model says, by right or wrong. Colour is never alone where there are few
// enough sorts for shapes of their own.

import { GONE, LABELLED, NOTHING, RIGHT, SEVERAL, WRONG } from "./points.js";
import { OF_LABELS } from "./shapes.js";

const HIDDEN = 65_535;
const FAINT = 0.1;

// Returns {kinds, styles, entries, words}: how each point looks, and the lines of the legend, each for some styles.
export function looks(by, columns, palette, { only, gives }) {
  const { kinds, styles, entries, words } = WAYS[by](columns, palette, gives === "tags" ? "no tags" : "no label");
  const counts = new Uint32Array(styles.length);
  for (let i = 0; i < columns.n; i += 1) {
    if (columns.state[i] & GONE) kinds[i] = HIDDEN;
    else counts[kinds[i]] += 1;
  }
  const shown = entries.filter((entry) => entry.of.some((kind) => counts[kind]));
  const wanted = only && shown.some((entry) => entry.name === only) ? only : null;
  if (wanted) {
    const kept = new Set(shown.find((entry) => entry.name === wanted).of);
    styles.forEach((style, kind) => kept.has(kind) || Object.assign(style, { strength: FAINT, is_faint: true }));
  }
  const lines = shown.map((entry) => ({ ...entry, n: entry.of.reduce((sum, kind) => sum + counts[kind], 0) }));
  return { kinds, styles, lines, words, only: wanted };
}

const WAYS = { label: by_label, said: by_said, verdict: by_verdict };

function shape_of(place, n_labels) {
  return n_labels <= OF_LABELS.length ? OF_LABELS[place] : "dot";
}

function by_label(columns, palette, none) {
  const n = columns.labels.length;
  const styles = [quiet(palette), ...of_labels(columns, palette), { shape: "ring", colour: palette.ink, size: 1.1, strength: 0.9 }];
  const kinds = Uint16Array.from(columns.label, (label) => (label === SEVERAL ? n + 1 : label === NOTHING ? 0 : label + 1));
  return {
    kinds,
    styles,
    entries: [...entries_of(columns, 1), { name: "several tags", of: [n + 1] }, { name: none, of: [0] }],
    words: "",
  };
}

function by_said(columns, palette) {
  const n = columns.labels.length;
  const solid = of_labels(columns, palette);
  const rings = solid.map((style) => ({ ...style, shape: "ring", size: 1.1 }));
  const styles = [quiet(palette), ...solid, ...rings];
  const kinds = Uint16Array.from(columns.said, (said, i) => {
    if (said === NOTHING) return 0;
    return 1 + said + (columns.state[i] & LABELLED ? n : 0);
  });
  const entries = entries_of(columns, 1).map((entry) => ({ ...entry, of: [entry.of[0], entry.of[0] + n] }));
  return {
    kinds,
    styles,
    entries: [...entries, { name: "nothing said", of: [0] }],
    words: "Rings have a label already: of those a model speaks that never saw them.",
  };
}

function by_verdict(columns, palette, none) {
  const styles = [
    quiet(palette),
    { shape: "dot", colour: palette.muted, size: 1, strength: 0.8 },
    { shape: "dot", colour: palette.right, size: 1, strength: 0.9 },
    { shape: "cross", colour: palette.wrong, size: 1.45, strength: 1 },
  ];
  const kinds = Uint16Array.from(columns.state, (state) => {
    if (state & WRONG) return 3;
    if (state & RIGHT) return 2;
    return state & LABELLED ? 1 : 0;
  });
  return {
    kinds,
    styles,
    entries: [
      { name: "right", of: [2] },
      { name: "wrong", of: [3] },
      { name: "not judged yet", of: [1] },
      { name: none, of: [0] },
    ],
    words: "Each labelled sample was judged by a model that never saw it.",
  };
}

function of_labels({ labels }, palette) {
  return labels.map((label, place) => ({
    shape: shape_of(place, labels.length),
    colour: palette.labels[label.colour],
    size: shape_of(place, labels.length) === "dot" ? 1 : 1.15,
    strength: 0.92,
  }));
}

function entries_of({ labels }, first) {
  return labels.map((label, place) => ({ name: label.name, of: [first + place] }));
}

function quiet(palette) {
  return { shape: "dot", colour: palette.muted, size: 0.72, strength: 0.42 };
}
