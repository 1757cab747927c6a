"""Alarms where calls shift, and none where they do not."""

import json

import numpy as np
import numpy.typing as npt
import pytest

from apps.engine.drift import FEWEST_CALLS, FEWEST_SAMPLES, Alarm, Call, Watch, Watched

SHARES = (0.4, 0.3, 0.2, 0.1)


def watch(n: int = 1_000, seed: int = 0) -> Watch:
    draw = np.random.default_rng(seed)
    counts = draw.multinomial(n, SHARES)
    return Watch.of(
        novelties=(np.arange(n) + 0.5) / n,
        confidences=draw.beta(8, 2, size=n),
        labels={str(label): int(count) for label, count in enumerate(counts)},
    )


def calls(
    n: int,
    *,
    seed: int,
    shares: tuple[float, ...] = SHARES,
    novel: float = 0.0,
    sureness: float = 8.0,
    first: int = 1,
) -> list[Call]:
    """Calls of which a share is novel; `sureness` 8 is as usual."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(len(shares), size=n, p=shares)
    confidences = draw.beta(sureness, 2, size=n)
    novelties = np.where(draw.random(n) < novel, 0.97 + 0.03 * draw.random(n), draw.random(n))
    return [Call(first + i, str(labels[i]), float(confidences[i]), float(novelties[i])) for i in range(n)]


def kinds(alarms: list[Alarm]) -> list[Watched]:
    return sorted({alarm.watched for alarm in alarms})


@pytest.mark.parametrize("n_samples", [FEWEST_SAMPLES, 200, 1_000])
def test_ten_thousand_calls_as_usual_raise_no_alarm(n_samples: int) -> None:
    alarms = [alarm for seed in range(3) for alarm in watch(n_samples, seed).follow(calls(10_000, seed=seed))]
    assert len(alarms) <= 1


@pytest.mark.parametrize(
    ("shift", "watched"),
    [
        ({"novel": 0.3}, Watched.NOVELTY),
        ({"novel": 1.0}, Watched.NOVELTY),
        ({"sureness": 3.0}, Watched.CONFIDENCE),
        ({"shares": (0.1, 0.3, 0.2, 0.4)}, Watched.LABEL),
        ({"shares": (0.0, 0.0, 1.0, 0.0)}, Watched.LABEL),
    ],
)
@pytest.mark.parametrize("n_before", [0, 5_000])
def test_a_shift_is_noticed_within_three_hundred_calls(
    shift: dict[str, object], watched: Watched, n_before: int
) -> None:
    here = watch()
    before = calls(n_before, seed=1)
    assert here.follow(before) == []
    alarms = here.follow(calls(300, seed=2, first=n_before + 1, **shift))  # type: ignore[arg-type]  # of several types
    assert kinds(alarms) == [watched]
    assert abs(alarms[0].since - n_before) < 60
    assert n_before < alarms[0].raised <= n_before + 300


def test_an_alarm_says_which_label_there_is_more_of() -> None:
    alarm = watch().follow(calls(300, seed=3, shares=(0.1, 0.1, 0.1, 0.7)))[0]
    assert (alarm.label, alarm.is_more) == ("3", True)
    alarm = watch().follow(calls(300, seed=3, shares=(0.02, 0.48, 0.3, 0.2)))[0]
    assert (alarm.label, alarm.is_more) == ("0", False)


def test_an_alarm_says_whether_answers_are_less_sure() -> None:
    alarm = watch().follow(calls(300, seed=3, sureness=3.0))[0]
    assert (alarm.watched, alarm.is_more) == (Watched.CONFIDENCE, False)


def test_one_content_sent_a_thousand_times_is_no_drift() -> None:
    here = watch()
    same = Call(1, "3", 0.31, 0.998)
    usual = calls(1_000, seed=4)
    mixed = [call for pair in zip([same] * 1_000, usual, strict=True) for call in pair]
    assert here.follow(mixed) == []


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_calls_of_which_ten_in_a_row_are_often_of_one_kind_are_no_drift(seed: int) -> None:
    draw = np.random.default_rng(seed)
    tens = draw.choice(len(SHARES), size=400, p=SHARES).repeat(10)
    labels = np.where(draw.random(4_000) < 0.5, tens, draw.choice(len(SHARES), size=4_000, p=SHARES))
    stream = [Call(i, str(label), i / 4_000, None) for i, label in enumerate(labels.tolist())]
    here = Watch.of(novelties=np.zeros(0), confidences=np.zeros(0), labels={"0": 400, "1": 300, "2": 200, "3": 100})
    assert here.follow(stream) == []


@pytest.mark.parametrize("n_before", [0, 3_000])
def test_that_a_rare_label_no_longer_comes_is_noticed(n_before: int) -> None:
    here = Watch.of(novelties=np.zeros(0), confidences=np.zeros(0), labels={"0": 880, "1": 120})
    assert here.follow(calls(n_before, seed=1, shares=(0.88, 0.12))) == []
    alarms = here.follow(calls(500, seed=2, shares=(1.0, 0.0), first=n_before + 1))
    assert [(alarm.watched, alarm.raised - n_before <= 350) for alarm in alarms] == [(Watched.LABEL, True)]


def test_few_calls_raise_no_alarm_however_strange() -> None:
    assert watch().follow(calls(FEWEST_CALLS - 1, seed=5, novel=1.0, shares=(0.0, 0.0, 0.0, 1.0))) == []


def test_an_alarm_is_raised_once_until_it_is_accepted_and_then_that_is_usual() -> None:
    here = watch()
    assert kinds(here.follow(calls(1_000, seed=6, novel=0.5))) == [Watched.NOVELTY]
    assert here.follow(calls(1_000, seed=7, novel=0.5)) == []
    here.accept([Watched.NOVELTY])
    assert here.follow(calls(3_000, seed=8, novel=0.5)) == []
    assert kinds(here.follow(calls(600, seed=9, novel=0.0))) == [Watched.NOVELTY]


def test_what_is_carried_in_json_goes_on_as_if_nothing_had_been(
    stream: list[Call],
) -> None:
    whole, cut = watch(), watch()
    found = whole.follow(stream)
    again = []
    for start in range(0, len(stream), 97):
        carried = Watch.from_json(json.loads(json.dumps(cut.to_json())))
        assert carried is not None
        cut = carried
        again += cut.follow(stream[start : start + 97])
    assert kinds(again) == kinds(found) == [Watched.NOVELTY]
    assert abs(again[0].raised - found[0].raised) < 30


@pytest.fixture
def stream() -> list[Call]:
    return [*calls(400, seed=10), *calls(400, seed=11, novel=0.4, first=401)]


def test_a_state_of_another_version_is_begun_anew() -> None:
    assert Watch.from_json({"version": 0}) is None
    assert Watch.from_json({}) is None


def test_of_few_samples_nothing_is_watched() -> None:
    few = Watch.of(novelties=np.arange(10) / 10, confidences=np.arange(10) / 10, labels={"a": 5, "b": 5})
    assert few.streams == ()
    assert few.follow(calls(500, seed=12, novel=1.0)) == []


def test_values_that_there_are_not_are_passed_over() -> None:
    here = watch()
    nothing: list[Call] = [Call(i, f"{i % 4}", None, None) for i in range(500)]
    assert here.follow(nothing[:40]) == []


def test_many_equal_confidences_are_no_drift() -> None:
    draw = np.random.default_rng(0)

    def sure(n: int) -> npt.NDArray[np.float64]:
        return np.where(draw.random(n) < 0.7, 1.0, draw.random(n))

    here = Watch.of(novelties=np.zeros(0), confidences=sure(500), labels={})
    stream = [Call(i, str(i), float(value), None) for i, value in enumerate(sure(5_000))]
    assert here.follow(stream) == []
