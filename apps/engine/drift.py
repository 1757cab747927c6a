"""Whether what is sent in, or what is answered, is no longer like what a model learned from: noticed call by call.

Each watched value (how novel a call is, how sure the answer, which label) becomes bets: "this event is more frequent
than among the samples". A bet's capital grows while it is right and begins anew at 1 whenever it falls below; all bets
together at `CAPITAL` raise an alarm. While calls are exchangeable with the samples each bet is fair, so by Ville's
inequality applied from every beginning, `n` calls raise an alarm with a probability of at most `n / CAPITAL`.

Sources: e-detectors (J. Shin, A. Ramdas, A. Rinaldo, A nonparametric framework for sequential change detection, 2022);
conformal test martingales (V. Vovk, I. Nouretdinov, A. Gammerman, 2003; D. Volkhonskiy et al., 2017); e-values from
ranks among all that was seen, so that a small reference is no reason for alarm (V. Vovk, Conformal e-testing, 2024).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]
Json: TypeAlias = "dict[str, object]"

CAPITAL = 1e5
"""Bounds false alarms in 10,000 calls at 0.1 for each value; measured, see EXPERIMENTS.md, there are fewer."""
STAKES = np.array([0.2, 0.5, 0.9])
"""Shares of the capital put on an event. The smallest decides what is too little to mean anything: an event of half
the calls has to come in 0.55 of them before any bet gains, one of 2 % in 8.5 %."""
TAILS = (0.02, 0.05, 0.1, 0.25, 0.5)
MOST_BINS, MOST_LABELS = 200, 40
FULL_POOL = 2_000
"""Calls join what the next are ranked among until so many are known: a small reference alone would look different from
any long stream. From then on a slow change cannot hide by being got used to."""
LATE = 300
"""But so many calls late."""
SPEEDS = np.array([60.0, 200.0])
"""Over how many calls recent shares are taken: many small changes at once are no event of their own."""
BURST, NEAR = 20, 10
"""Calls that came shortly after one another may be one and the same matter: how much more alike they are than those
farther apart says how many calls are worth one."""
AT_FIRST = 2.0
"""So many, as long as that is not known."""
N_CELLS = 10
_MIDDLES = (np.arange(N_CELLS) + 0.5) / N_CELLS
MEMORY = 30
"""A call whose like (same label, novelty and confidence) was among so many distinct ones before says nothing new."""
FEWEST_SAMPLES = 50
VERSION = 2
FEWEST_CALLS = 50
"""However unlikely they are, fewer calls than this are no change: somebody may have sent a few dozen of one kind."""
MOST_PAID = 20.0
PRIOR_CALLS, REMEMBERED_CALLS = 30, 2_000
LEAST_APART = 1e-9
OTHERS = "*"


class Watched(StrEnum):
    NOVELTY = "novelty"
    CONFIDENCE = "confidence"
    LABEL = "label"


FEES = {Watched.NOVELTY: 0.99, Watched.CONFIDENCE: 0.99, Watched.LABEL: 0.995}
"""What each call leaves of a bet's capital, so that all lose on differences of no account: samples are a draw, too, and
what is said of them is not quite as sure as what is said of calls."""


@dataclass(frozen=True)
class Call:
    """What is known of one call: `number` grows with time; a value that there is not is None."""

    number: int
    label: str
    confidence: float | None
    novelty: float | None


@dataclass(frozen=True)
class Alarm:
    """What changed, since about which call, and at which it was noticed.

    `is_more`: there is more of the label than there was, or numbers are higher; else less, or lower.
    """

    watched: Watched
    since: int
    raised: int
    label: str = ""
    is_more: bool = True


@dataclass
class _Bets:
    """The capital of each bet, `(n_events, n_stakes)`, at which call each began anew, and how many came since.

    `near` and `far` are how much calls differ from those shortly before, and from those some time before.
    """

    capital: Numbers
    since: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    near: float
    far: float
    n_calls: int = 0

    @classmethod
    def on(cls, n_events: int, apart: float) -> _Bets:
        """Begin where two calls usually differ by `apart`."""
        shape = (n_events, len(STAKES))
        since, lengths = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        return cls(np.ones(shape), since, lengths, apart * (1 - (AT_FIRST - 1) / (2 * NEAR)), apart)

    def settle(self, gains: Numbers, number: int, fee: float) -> int | None:
        """Take in what each event pays for a stake of 1; return the event that did most, once all reach far enough.

        Where so many calls are worth one, each counts as its part: a fair bet to a power under 1 is still worth no
        more than 1. The last bets, on recent shares, hold half of all capital, however many events there are.
        """
        worth_one = max(1.0, 1 + 2 * NEAR * (1 - self.near / self.far))
        begins = self.capital <= 1.0
        self.capital[begins] = 1.0
        self.since[begins] = number
        self.lengths[begins] = 0
        self.lengths += 1
        self.capital *= np.power(fee * (1 - STAKES + np.outer(np.minimum(gains, MOST_PAID), STAKES)), 1 / worth_one)
        n = len(SPEEDS)
        if float(self.capital[:-n].mean() + self.capital[-n:].mean()) / 2 < CAPITAL:
            return None
        best = int(self.capital.argmax())
        return best // len(STAKES) if self.lengths.flat[best] >= FEWEST_CALLS else None

    def compare(self, near: float, far: float) -> None:
        """Take in how much a call differs from those shortly before it, and from those before them."""
        self.n_calls += 1
        weight = 1 / min(self.n_calls + PRIOR_CALLS, REMEMBERED_CALLS)
        self.near += (near - self.near) * weight
        self.far += (max(far, LEAST_APART) - self.far) * weight

    def begun(self, event: int) -> int:
        """At which call the best bet on an event began."""
        return int(self.since[event, int(self.capital[event].argmax())])


@dataclass
class Stream:
    """One watched value: what it is compared with, and how the bets on it stand.

    `edges` cut numbers into bins, `labels` are the categories where it is none; `pool` counts the samples, and the
    first calls, in each. `waiting` are the bins of calls that join it later. `recent` has for each of `SPEEDS` what
    share of the last calls, but the `newest`, was in each cell: of labels, or of tenths of the rank. Since an alarm,
    `fresh` counts calls alone, for when that is accepted as usual.
    """

    watched: Watched
    pool: Numbers
    edges: Numbers
    labels: tuple[str, ...]
    bets: _Bets
    recent: Numbers
    fresh: Numbers
    waiting: deque[int] = field(default_factory=deque)
    newest: deque[int] = field(default_factory=deque)
    is_raised: bool = False

    @classmethod
    def of_numbers(cls, watched: Watched, values: Numbers) -> Stream:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
        pool = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.float64)
        return cls._beginning(watched, pool, edges, ())

    @classmethod
    def of_labels(cls, counts: Mapping[str, int]) -> Stream:
        ordered = sorted(counts, key=lambda label: (-counts[label], label))
        kept, rest = ordered[:MOST_LABELS], ordered[MOST_LABELS:]
        pool = np.array([*(counts[label] for label in kept), sum(counts[label] for label in rest)], dtype=np.float64)
        return cls._beginning(Watched.LABEL, pool, np.zeros(0), (*kept, OTHERS))

    @classmethod
    def _beginning(cls, watched: Watched, pool: Numbers, edges: Numbers, labels: tuple[str, ...]) -> Stream:
        n_events = 2 * len(labels or TAILS) + len(SPEEDS)
        usual = (pool + 1) / (pool + 1).sum() if labels else np.full(N_CELLS, 1 / N_CELLS)
        recent = np.tile(usual, (len(SPEEDS), 1))
        cells = np.arange(len(usual))
        apart = float(usual @ _differences(cells[:, None], cells, is_label=bool(labels)) @ usual)
        return cls(watched, pool, edges, labels, _Bets.on(n_events, apart), recent, np.zeros_like(pool))

    def follow(self, call: Call, tie: float) -> Alarm | None:
        """Take in one call; `tie` in (0, 1) says where it stands among its equals."""
        place = self._place(call)
        if place is None:
            return None
        if self.is_raised:
            self.fresh[place] += 1
            return None
        cell, gains = self._gains_of_label(place) if self.labels else self._gains_of_number(place, tie)
        event = self.bets.settle(gains, call.number, FEES[self.watched])
        self._remember(cell)
        self._join(place)
        if event is None:
            return None
        self.is_raised = True
        label, is_more = self._named(event)
        return Alarm(self.watched, self.bets.begun(event), call.number, label, is_more=is_more)

    def accept(self) -> None:
        """Take calls as they are since the alarm for what is usual, and begin anew."""
        anew = Stream._beginning(self.watched, self.fresh, self.edges, self.labels)
        self.pool, self.bets, self.recent, self.fresh = anew.pool, anew.bets, anew.recent, anew.fresh
        self.waiting.clear()
        self.newest.clear()
        self.is_raised = False

    def _place(self, call: Call) -> int | None:
        if self.labels:
            return self.labels.index(call.label) if call.label in self.labels else len(self.labels) - 1
        value = call.novelty if self.watched is Watched.NOVELTY else call.confidence
        return None if value is None else int(np.searchsorted(self.edges, value, side="right"))

    def _join(self, place: int) -> None:
        """Calls join late: those of a change must not make it look usual before it is noticed."""
        if self.pool.sum() + len(self.waiting) < FULL_POOL:
            self.waiting.append(place)
        if len(self.waiting) > LATE or (self.waiting and self.pool.sum() + len(self.waiting) >= FULL_POOL):
            self.pool[self.waiting.popleft()] += 1

    def _gains_of_number(self, place: int, tie: float) -> tuple[int, Numbers]:
        """Events by turns, among the highest and among the lowest, each worth what its tail is; then recent ranks."""
        n = self.pool.sum()
        rank = (self.pool[place + 1 :].sum() + tie * (self.pool[place] + 1)) / (n + 1)
        tails = [is_in / tail for tail in TAILS for is_in in (rank < tail, 1 - rank < tail)]
        cell = min(int(rank * N_CELLS), N_CELLS - 1)
        return cell, np.array([*tails, *(N_CELLS * self.recent[:, cell])])

    def _gains_of_label(self, place: int) -> tuple[int, Numbers]:
        """Events by turns, this label and any other, then recent shares. A label never seen counts as seen once."""
        n = self.pool.sum()
        is_it = np.zeros(len(self.pool), dtype=bool)
        is_it[place] = True
        worth = (n + 1) / (self.pool + 1)
        each = np.stack([is_it * worth, ~is_it * (n + 1) / (n - self.pool + 1)], axis=1)
        return place, np.concatenate([each.ravel(), self.recent[:, place] * worth[place]])

    def _remember(self, cell: int) -> None:
        """Of the very last calls nothing is made yet: a burst of one kind must not foretell itself."""
        if len(self.newest) == BURST:
            apart = _differences(np.array(self.newest), cell, is_label=bool(self.labels))
            self.bets.compare(float(apart[-NEAR:].mean()), float(apart[:-NEAR].mean()))
        self.newest.append(cell)
        if len(self.newest) > BURST:
            self.recent *= 1 - 1 / SPEEDS[:, None]
            self.recent[:, self.newest.popleft()] += 1 / SPEEDS

    def _named(self, event: int) -> tuple[str, bool]:
        """What an event is in words: of which label there is more or less, or whether numbers are higher."""
        if event < len(self.bets.capital) - len(SPEEDS):
            return (self.labels[event // 2] if self.labels else ""), event % 2 == 0
        if not self.labels:
            return "", float(self.recent[0] @ _MIDDLES) < 0.5
        moved = self.recent[0] - self.pool / max(self.pool.sum(), 1.0)
        most = int(np.abs(moved).argmax())
        return self.labels[most], bool(moved[most] > 0)

    def to_json(self) -> Json:
        return {
            "watched": self.watched.value,
            "pool": self.pool.tolist(),
            "edges": self.edges.tolist(),
            "labels": list(self.labels),
            "recent": self.recent.tolist(),
            "fresh": self.fresh.tolist(),
            "waiting": list(self.waiting),
            "newest": list(self.newest),
            "is_raised": self.is_raised,
            "capital": self.bets.capital.tolist(),
            "since": self.bets.since.tolist(),
            "lengths": self.bets.lengths.tolist(),
            "near": self.bets.near,
            "far": self.bets.far,
            "n_calls": self.bets.n_calls,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Stream:
        """Read what `to_json` returned."""
        bets = _Bets(
            np.array(state["capital"], dtype=np.float64),
            np.array(state["since"], dtype=np.int64),
            np.array(state["lengths"], dtype=np.int64),
            float(state["near"]),
            float(state["far"]),
            int(state["n_calls"]),
        )
        return cls(
            Watched(state["watched"]),
            np.array(state["pool"], dtype=np.float64),
            np.array(state["edges"], dtype=np.float64),
            tuple(state["labels"]),
            bets,
            np.array(state["recent"], dtype=np.float64),
            np.array(state["fresh"], dtype=np.float64),
            deque(state["waiting"]),
            deque(state["newest"]),
            bool(state["is_raised"]),
        )


@dataclass
class Watch:
    """All that is watched of one function, carried from call to call."""

    streams: tuple[Stream, ...]
    n_calls: int = 0
    memory: deque[str] = field(default_factory=lambda: deque(maxlen=MEMORY))

    @classmethod
    def of(cls, *, novelties: Numbers, confidences: Numbers, labels: Mapping[str, int]) -> Watch:
        """Begin with what is known of the samples; what there are fewer than `FEWEST_SAMPLES` of is not watched.

        Parameters
        ----------
        novelties, confidences
            `(n,)` each, of distinct samples; confidences as a model says them that did not learn from the sample.
        labels
            How many samples each label is said of, by its key.
        """
        streams = []
        if len(novelties) >= FEWEST_SAMPLES:
            streams.append(Stream.of_numbers(Watched.NOVELTY, novelties))
        if len(confidences) >= FEWEST_SAMPLES:
            streams.append(Stream.of_numbers(Watched.CONFIDENCE, confidences))
        if sum(labels.values()) >= FEWEST_SAMPLES:
            streams.append(Stream.of_labels(labels))
        return cls(tuple(streams))

    def follow(self, calls: Sequence[Call]) -> list[Alarm]:
        """Take in calls, in the order of their numbers; return the alarms they raise, each once until accepted."""
        draw = np.random.default_rng(self.n_calls)
        alarms = []
        for call, ties in zip(calls, draw.random((len(calls), len(self.streams))).tolist(), strict=True):
            self.n_calls += 1
            if self._is_known(call):
                continue
            found = [stream.follow(call, tie) for stream, tie in zip(self.streams, ties, strict=True)]
            alarms += [alarm for alarm in found if alarm is not None]
        return alarms

    def accept(self, watched: Collection[Watched]) -> None:
        """Take what alarms of these were about for what is usual now."""
        for stream in self.streams:
            if stream.watched in watched and stream.is_raised:
                stream.accept()

    def _is_known(self, call: Call) -> bool:
        likeness = f"{call.label} {_digits(call.confidence)} {_digits(call.novelty)}"
        if likeness in self.memory:
            return True
        self.memory.append(likeness)
        return False

    def to_json(self) -> Json:
        """Return what fits in a column of JSON; see `from_json`."""
        streams = [stream.to_json() for stream in self.streams]
        return {"version": VERSION, "n_calls": self.n_calls, "memory": list(self.memory), "streams": streams}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Watch | None:
        """Read what `to_json` returned; None of what another version wrote."""
        if state.get("version") != VERSION:
            return None
        streams = tuple(Stream.from_json(stream) for stream in state["streams"])
        return cls(streams, int(state["n_calls"]), deque(state["memory"], maxlen=MEMORY))


def _differences(cells: npt.NDArray[np.int64], other: npt.NDArray[np.int64] | int, *, is_label: bool) -> Numbers:
    """How much they differ: labels wholly or not at all, tenths of the rank by their distance squared."""
    return ((cells != other) if is_label else (cells - other) ** 2).astype(np.float64)


def _digits(value: float | None) -> str:
    """Four digits: the rest differs with what else was in the batch."""
    return "" if value is None else f"{value:.4f}"
