"""Which calls are kept: decided in memory, by chance first; what is kept waits for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.events.kinds import Live
from apps.events.live import LiveEvent
from apps.functions.models import Function, Label
from apps.invoke.answers import Answer, Guess
from apps.invoke.capture import Call, Capturing, Policy, _Entry, rare_labels, reason_for
from apps.samples.models import Capture, CaptureMode, CapturePolicy, CaptureReason, Missed, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.bin import bin_samples
from apps.samples.services.capture_policies import CaptureRules, hour_of, set_capture
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import TrainedModel
from tests.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)

SURE, UNSURE = 0.95, 0.55
ANYBODY = Call()


class Draw:
    """Chance, told what to say."""

    value = 1.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def draw() -> Draw:
    return Draw()


@pytest.fixture
def capturing(clock: Clock, draw: Draw) -> Capturing:
    return Capturing(clock=clock, draw=draw)


@pytest.fixture
def function(text_function: Function) -> Function:
    set_rules(text_function, mode=CaptureMode.INFORMATIVE.value)
    return text_function


def set_rules(function: Function, **chosen: object) -> CapturePolicy:
    return set_capture(function=function, rules=CaptureRules(**chosen), actor=None)  # type: ignore[arg-type]  # as named


@pytest.fixture
def model(text_function: Function) -> TrainedModel:
    labels = list(text_function.labels.in_use())
    return TrainedModel.objects.create(
        function=text_function,
        number=1,
        data_revision=1,
        recipe={},
        label_ids=[label.public_id for label in labels],
        last_annotation_id=0,
        n_annotations=8,
        n_right=8,
        log_loss=0.1,
        figures={"automation": [{"target": 0.95, "threshold": 0.8, "share": 0.5, "right": 0.97}]},
    )


Answering = Callable[..., Answer]


@pytest.fixture
def answer(model: TrainedModel, refund: Label, shipping: Label) -> Answering:
    def of(confidence: float = SURE, *, label: Label = refund, novelty: float | None = None) -> Answer:
        other = shipping if label == refund else refund
        guesses = (Guess(label, confidence, label.name), Guess(other, 1 - confidence, other.name))
        return Answer(model.function, model, guesses, novelty=novelty)

    return of


def consider(
    capturing: Capturing, *answers: Answer, text: str = "where is my money", call: Call = ANYBODY
) -> list[str]:
    texts = [text if len(answers) == 1 else f"{text} {number}" for number in range(len(answers))]
    return asyncio.run(capturing.consider(answers, texts, [call] * len(answers)))


def test_without_a_policy_nothing_is_kept(capturing: Capturing, answer: Answering) -> None:
    assert consider(capturing, answer(UNSURE)) == [""]
    assert not Sample.objects.exists()


def test_an_unsure_answer_keeps_its_input_with_what_was_said(
    capturing: Capturing, function: Function, answer: Answering, model: TrainedModel, refund: Label
) -> None:
    [sample_id] = consider(capturing, answer(UNSURE), call=Call(external_id="ticket-7"))
    sample = Sample.objects.get(public_id=sample_id)
    assert (sample.origin, sample.text, sample.external_id) == (Origin.CAPTURE, "where is my money", "ticket-7")
    assert sample.annotation is None
    assert sample.label is None
    kept = Capture.objects.get(sample=sample)
    assert (kept.reason, kept.model, kept.label, kept.confidence, kept.is_random) == (
        CaptureReason.LOW_CONFIDENCE,
        model.public_id,
        refund,
        UNSURE,
        False,
    )


def test_a_sure_answer_of_the_usual_kind_is_not_kept(
    capturing: Capturing, function: Function, answer: Answering
) -> None:
    assert consider(capturing, answer(SURE, novelty=0.5)) == [""]
    assert not Sample.objects.exists()


def test_the_most_telling_reason_is_said(answer: Answering, function: Function, refund: Label) -> None:
    policy = Policy(CaptureRules(mode="informative"), frozenset({refund.pk}))
    usual = Policy(CaptureRules(mode="informative"))
    everything = Policy(CaptureRules(mode="all"))
    assert reason_for(policy, answer(UNSURE), is_drawn=True) is CaptureReason.LOW_CONFIDENCE
    assert reason_for(policy, answer(), is_drawn=True) is CaptureReason.RARE_CLASS
    assert reason_for(usual, answer(novelty=0.995), is_drawn=True) is CaptureReason.NEW_KIND
    assert reason_for(usual, answer(novelty=0.98), is_drawn=False) is None
    assert reason_for(usual, answer(), is_drawn=True) is CaptureReason.RANDOM
    assert reason_for(everything, answer(), is_drawn=False) is CaptureReason.ALL
    assert reason_for(Policy(CaptureRules()), answer(UNSURE), is_drawn=True) is None


def test_a_guess_is_never_sure(capturing: Capturing, function: Function, answer: Answering) -> None:
    sure = answer(SURE)
    guess = Answer(sure.function, None, sure.guesses)
    [sample_id] = consider(capturing, guess)
    assert Capture.objects.get(sample__public_id=sample_id).model == ""


def test_chance_is_asked_whatever_else_there_is_to_say(
    capturing: Capturing, function: Function, answer: Answering, draw: Draw
) -> None:
    draw.value = 0.019
    consider(capturing, answer(UNSURE), text="drawn and unsure")
    draw.value = 0.02
    consider(capturing, answer(UNSURE), text="unsure only")
    kept = dict(Capture.objects.values_list("sample__text", "is_random"))
    assert kept == {"drawn and unsure": True, "unsure only": False}
    assert set(Capture.objects.values_list("reason", flat=True)) == {CaptureReason.LOW_CONFIDENCE}


def test_a_caller_who_does_not_want_it_is_not_kept_whatever_the_policy(
    capturing: Capturing, function: Function, answer: Answering, draw: Draw
) -> None:
    set_rules(function, mode="all", random_share=1.0)
    draw.value = 0.0
    assert consider(capturing, answer(UNSURE), call=Call(wants_capture=False)) == [""]
    assert not Sample.objects.exists()


def test_a_label_with_few_samples_is_rare_until_it_has_enough(
    text_function: Function, refund: Label, shipping: Label
) -> None:
    items = [NewText(f"refund {n}", "Refund") for n in range(8)] + [NewText("parcel", "Shipping")]
    add_texts(function=text_function, items=items, person=None, origin=Origin.IMPORT)
    assert rare_labels(text_function) == {shipping.pk}
    more = [NewText(f"parcel {n}", "Shipping") for n in range(5)]
    add_texts(function=text_function, items=more, person=None, origin=Origin.IMPORT)
    assert rare_labels(text_function) == frozenset()


def test_the_policy_is_read_once_a_second(
    capturing: Capturing, function: Function, answer: Answering, clock: Clock
) -> None:
    assert consider(capturing, answer(UNSURE), text="one") != [""]
    set_rules(function, mode="off")
    clock.now += 0.99
    assert consider(capturing, answer(UNSURE), text="two") != [""]
    clock.now += 0.01
    assert consider(capturing, answer(UNSURE), text="three") == [""]


def test_a_change_made_in_this_process_holds_at_once(
    capturing: Capturing, function: Function, answer: Answering
) -> None:
    consider(capturing, answer(UNSURE), text="one")
    set_rules(function, mode="off")
    capturing.forget(function)
    assert consider(capturing, answer(UNSURE), text="two") == [""]


def test_beyond_the_limit_nothing_is_kept_and_that_is_counted(
    capturing: Capturing, function: Function, answer: Answering, clock: Clock
) -> None:
    set_rules(function, mode="informative", per_hour=5, random_share=0.0)
    ids = consider(capturing, *[answer(UNSURE)] * 7)
    assert [bool(each) for each in ids] == [True] * 4 + [False] * 3
    assert consider(capturing, answer(UNSURE), text="while it is full") == [""]
    clock.now += 1
    consider(capturing, answer(SURE), text="not to be kept")
    policy = CapturePolicy.objects.get(function=function)
    assert (policy.n_missed, policy.missed_because) == (4, Missed.LIMIT)
    assert policy.missed_hour == hour_of(policy.missed_hour or timezone.now() - timedelta(days=1))


def test_a_part_of_the_limit_is_left_to_chance(
    capturing: Capturing, function: Function, answer: Answering, draw: Draw
) -> None:
    set_rules(function, mode="informative", per_hour=5, random_share=0.02)
    consider(capturing, *[answer(UNSURE)] * 6)
    draw.value = 0.0
    assert consider(capturing, answer(SURE), text="drawn") != [""]
    assert consider(capturing, answer(SURE), text="drawn too") == [""]


def test_an_hour_later_there_is_room_again(
    capturing: Capturing, function: Function, answer: Answering, clock: Clock
) -> None:
    set_rules(function, mode="informative", per_hour=5)
    consider(capturing, *[answer(UNSURE)] * 6)
    for kept in Capture.objects.all():
        Capture.objects.filter(pk=kept.pk).update(created_at=kept.created_at - timedelta(hours=1, seconds=1))
    clock.now += 10
    assert consider(capturing, answer(UNSURE), text="later") != [""]


def test_the_same_input_again_is_the_same_sample(capturing: Capturing, function: Function, answer: Answering) -> None:
    first = consider(capturing, answer(UNSURE))
    assert consider(capturing, answer(UNSURE)) == first
    assert Capture.objects.count() == 1


def test_what_somebody_brought_before_stays_theirs(capturing: Capturing, function: Function, answer: Answering) -> None:
    add_texts(function=function, items=[NewText("where is my money", "Refund")], person=None, origin=Origin.IMPORT)
    [sample_id] = consider(capturing, answer(UNSURE))
    assert Sample.objects.get().public_id == sample_id
    assert not Capture.objects.exists()


def test_what_was_thrown_away_stays_in_the_bin(capturing: Capturing, function: Function, answer: Answering) -> None:
    ids = consider(capturing, answer(UNSURE))
    bin_samples(function=function, sample_ids=ids, person=None)
    assert consider(capturing, answer(UNSURE)) == [""]
    assert not Sample.objects.exists()


def test_a_call_drawn_later_counts_as_drawn_unless_its_answer_is_known(
    capturing: Capturing, function: Function, answer: Answering, draw: Draw, refund: Label
) -> None:
    [first] = consider(capturing, answer(UNSURE), text="one")
    [second] = consider(capturing, answer(UNSURE), text="two")
    sample = Sample.objects.get(public_id=second)
    annotate_sample(sample=sample, label=refund, person=None, picked_by=PickedBy.PERSON)
    draw.value = 0.0
    consider(capturing, answer(SURE), text="one")
    consider(capturing, answer(SURE), text="two")
    rows = Capture.objects.values_list("sample__public_id", "is_random", "confidence")
    assert sorted(rows) == sorted([(first, True, SURE), (second, False, UNSURE)])


def test_an_id_used_for_another_input_stays_with_the_first(
    capturing: Capturing, function: Function, answer: Answering
) -> None:
    call = Call(external_id="ticket-7")
    [first] = consider(capturing, answer(UNSURE), text="one", call=call)
    [second] = consider(capturing, answer(UNSURE), text="two", call=call)
    ids = dict(Sample.objects.values_list("public_id", "external_id"))
    assert ids == {first: "ticket-7", second: ""}


def test_texts_are_blotted_before_they_are_kept(capturing: Capturing, function: Function, answer: Answering) -> None:
    consider(capturing, answer(UNSURE), text="write to olga@example.org")
    assert Sample.objects.get().text == "write to [email]"


def refuse(text: str) -> str:
    raise LookupError(text)


def test_where_blotting_fails_nothing_is_kept_nothing_is_said_of_the_text_and_the_call_is_answered(
    capturing: Capturing,
    function: Function,
    answer: Answering,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.REDACT = f"{__name__}.refuse"
    assert consider(capturing, answer(UNSURE), text="hunter2") == [""]
    assert caplog.records
    assert "hunter2" not in caplog.text
    assert not Sample.everywhere.exists()
    assert CapturePolicy.objects.get().missed_because == Missed.REDACTION


def test_a_function_deleted_meanwhile_costs_nobody_the_answer(
    capturing: Capturing, function: Function, answer: Answering
) -> None:
    unsure = answer(UNSURE)
    consider(capturing, unsure, text="before")
    Function.objects.filter(pk=function.pk).delete()
    assert consider(capturing, unsure, text="after") == [""]


@pytest.mark.parametrize(
    ("is_told", "then", "now", "seconds"),
    [(False, 7, 7, 1), (True, None, None, 5), (True, 7, 8, 5), (True, 7, 7, 60)],
    ids=["nobody tells", "told", "something happened", "nothing happened"],
)
def test_what_is_kept_is_remembered_longer_the_more_is_known(
    capturing: Capturing,
    function: Function,
    clock: Clock,
    is_told: bool,
    then: int | None,
    now: int | None,
    seconds: int,
) -> None:
    capturing.is_told = lambda: is_told
    first = capturing.prepare(function, then)
    assert first.result().rules.mode == CaptureMode.INFORMATIVE
    clock.now += seconds - 0.1
    assert capturing.prepare(function, now) is first
    clock.now += 0.2
    assert capturing.prepare(function, now) is not first


def test_calls_that_were_not_kept_are_counted_within_seconds_though_nothing_happened(
    capturing: Capturing, function: Function, answer: Answering, clock: Clock
) -> None:
    capturing.is_told = lambda: True
    set_rules(function, mode="informative", per_hour=1, random_share=0.0)
    call = Call(n_events=7)
    for number in range(4):
        consider(capturing, answer(UNSURE), text=f"odd {number}", call=call)
    clock.now += 5.1
    consider(capturing, answer(SURE), call=call)
    assert CapturePolicy.objects.get().n_missed == 3


@pytest.mark.parametrize(("kind", "n_left"), [(Live.RECORDED, 0), (Live.PREDICTIONS_CHANGED, 1)])
def test_what_is_kept_is_read_anew_after_whatever_may_have_changed_it(
    capturing: Capturing, kind: Live, n_left: int
) -> None:
    capturing._policies[1] = _Entry(0.0, None, Future())
    capturing.heard("workspace_x", LiveEvent(kind=kind.value, subject="function_x", data={}))
    assert len(capturing._policies) == n_left
