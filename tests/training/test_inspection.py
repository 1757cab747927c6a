"""Findings, from the newest round and the survey: what they are, when they are made, and what they leave out."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.core.jobs import JobName
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import create_function
from apps.samples.models import Confirmation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, tag_sample
from apps.samples.services.confirmations import confirm_annotation
from apps.samples.services.intake import NewRow, add_rows
from apps.samples.services.surgery import merge_labels
from apps.training.models import Finding, FindingKind, FunctionWork, Survey, WorkKind
from apps.training.selectors import findings, fix_effect, n_findings
from apps.training.services import finish_work, inspect_function, inspection, survey_function, sweeper, train_function
from apps.training.services.strangers import near_duplicate_findings
from apps.training.services.survey import read_survey
from apps.training.services.work import Progress, want_inspection
from apps.workspaces.models import Workspace
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

OTHER_WORDS = ["apple", "river", "stone", "cloud", "tiger", "piano", "grass", "lemon", "chair", "ocean", "flame"]
WORDS = {"Refund": "please refund my money for order", "Shipping": "where is the parcel with number"}


def look(function: Function) -> None:
    """Do what workers would in a quiet minute: learn, look over all samples, look for what may be wrong."""
    finish_work(function_id=function.pk)
    FunctionWork.objects.filter(function=function).update(retry_at=None)
    survey_function(function_id=function.pk)
    want_inspection(function.pk)
    FunctionWork.objects.filter(function=function).update(retry_at=None)
    function.refresh_from_db()
    assert inspect_function(function_id=function.pk) is Progress.DONE


def wrong(function: Function) -> list[Sample]:
    return [row.sample for row in findings(function, FindingKind.WRONG_LABEL)]


@pytest.fixture
def mislabelled(text_function: Function) -> list[Sample]:
    """Twenty-five samples of each label, and two of each that carry the other one."""
    flipped: list[Sample] = []
    for name, other in (("Refund", "Shipping"), ("Shipping", "Refund")):
        rows = bring(text_function, [f"{WORDS[name]} {n}" for n in range(27)])
        label(text_function, rows[:25], name)
        label(text_function, rows[25:], other)
        flipped += rows[25:]
    embed_all(text_function)
    return flipped


def test_wrong_labels_come_first_with_what_it_would_be_and_why(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    look(text_function)
    found = list(findings(text_function, FindingKind.WRONG_LABEL))
    assert {row.sample for row in found[:4]} == set(mislabelled)
    for row in found[:4]:
        row.sample.refresh_from_db()
        assert row.label is not None
        assert row.annotation_id == row.sample.annotation_id
        assert row.label_id != row.sample.label_id
        near = Sample.objects.filter(pk__in=row.facts["neighbours"])
        assert near.count() == 3
        assert row.sample not in near
        assert all(one.annotation_id for one in near)
    assert [row.score for row in found] == sorted((row.score for row in found), reverse=True)


def test_what_was_kept_is_never_found_again(text_function: Function, mislabelled: list[Sample]) -> None:
    look(text_function)
    kept = wrong(text_function)[0]
    confirm_annotation(sample=kept, person=None)
    assert kept not in wrong(text_function)
    look(text_function)
    assert kept not in wrong(text_function)
    assert not Finding.objects.filter(sample=kept, kind=FindingKind.WRONG_LABEL).exists()


def test_a_label_that_was_put_right_is_found_no_more(text_function: Function, mislabelled: list[Sample]) -> None:
    look(text_function)
    for sample in mislabelled:
        sample.refresh_from_db()
        right = text_function.labels.exclude(pk=sample.label_id).get()
        annotate_sample(sample=sample, label=right, person=None, picked_by=PickedBy.PERSON)
    assert not set(wrong(text_function)) & set(mislabelled)
    look(text_function)
    assert not set(wrong(text_function)) & set(mislabelled)


def test_each_fix_says_what_it_did_to_the_accuracy(text_function: Function, mislabelled: list[Sample]) -> None:
    assert fix_effect(text_function, 0) is None
    look(text_function)
    before = text_function.data_revision
    for sample in mislabelled:
        sample.refresh_from_db()
        right = text_function.labels.exclude(pk=sample.label_id).get()
        annotate_sample(sample=sample, label=right, person=None, picked_by=PickedBy.PERSON)
    waiting = fix_effect(text_function, before)
    assert waiting is not None
    assert waiting.is_waiting
    assert waiting.sentence == "It is learning from your changes now."
    train_function(function_id=text_function.pk)
    effect = fix_effect(text_function, before)
    assert effect is not None
    assert effect.after is not None
    assert (effect.before.n, effect.after.n) == (54, 54)
    assert effect.after.n_right > effect.before.n_right
    assert effect.gain > 0
    assert f"{effect.after.n_right} of 54 right now" in effect.sentence


def test_nothing_is_looked_for_while_there_is_something_to_learn(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    look(text_function)
    n_before = Finding.objects.count()
    label(text_function, mislabelled[:1], "Refund")
    want_inspection(text_function.pk)
    FunctionWork.objects.update(retry_at=None)
    inspect_function(function_id=text_function.pk)
    assert Finding.objects.count() == n_before
    work = FunctionWork.objects.get(kind=WorkKind.INSPECT)
    assert work.wanted_revision > work.done_revision


def test_a_round_asks_for_it_and_the_sweeper_sees_to_it_after_a_rest(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    finish_work(function_id=text_function.pk)
    assert (WorkKind.INSPECT, text_function.pk) in list(sweeper.wanted_work())
    assert sweeper.JOBS[WorkKind.INSPECT] is JobName.INSPECT_FUNCTION
    text_function.refresh_from_db()
    inspect_function(function_id=text_function.pk)
    work = FunctionWork.objects.get(kind=WorkKind.INSPECT)
    assert work.done_revision == work.wanted_revision
    assert work.retry_at is not None
    assert work.retry_at > timezone.now()
    want_inspection(text_function.pk)
    assert (WorkKind.INSPECT, text_function.pk) not in list(sweeper.wanted_work())


def test_running_it_twice_writes_the_same_rows_and_touches_none(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    look(text_function)
    rows = sorted(Finding.objects.values_list("pk", "sample", "score"))
    look(text_function)
    assert sorted(Finding.objects.values_list("pk", "sample", "score")) == rows


def test_without_a_survey_labels_are_doubted_by_the_round_alone(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    finish_work(function_id=text_function.pk)
    Survey.objects.all().delete()
    text_function.refresh_from_db()
    inspect_function(function_id=text_function.pk)
    found = list(findings(text_function, FindingKind.WRONG_LABEL))
    assert {row.sample for row in found} >= set(mislabelled)
    assert found[0].facts["neighbours"] == []


def test_no_more_are_kept_than_a_person_goes_through(
    text_function: Function, mislabelled: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST", 2)
    look(text_function)
    assert n_findings(text_function)[FindingKind.WRONG_LABEL] == 2


def test_pairs_labelled_differently_come_before_others(text_function: Function) -> None:
    twins = [("PLEASE refund the lamp", "please refund the lamp"), ("late parcel again", "late PARCEL again")]
    made = [bring(text_function, list(pair)) for pair in twins]
    rows = [bring(text_function, [f"{WORDS[name]} {word}" for word in OTHER_WORDS]) for name in WORDS]
    for name, samples in zip(WORDS, rows, strict=True):
        label(text_function, samples, name)
    label(text_function, [made[0][0]], "Refund")
    label(text_function, [made[0][1]], "Shipping")
    embed_all(text_function)
    look(text_function)
    found = list(findings(text_function, FindingKind.NEAR_DUPLICATE))
    first = found[0]
    assert {first.sample, first.other} == set(made[0])
    assert first.label_id == Sample.objects.get(pk=first.other_id).label_id
    assert first.score > 1.5
    unlabelled = next(row for row in found if {row.sample, row.other} == set(made[1]))
    assert (unlabelled.sample, unlabelled.other) == (made[1][1], made[1][0])
    assert (unlabelled.annotation, unlabelled.label) == (None, None)
    confirm_annotation(sample=first.sample, person=None)
    look(text_function)
    again = next(row for row in findings(text_function, FindingKind.NEAR_DUPLICATE) if row.label_id)
    assert {again.sample, again.other} == set(made[0])
    assert again.sample == first.other  # the one that was kept is not asked about again
    Confirmation.objects.create(annotation=again.annotation)
    look(text_function)
    assert not any(row.label_id for row in findings(text_function, FindingKind.NEAR_DUPLICATE))


def test_tags_said_wrongly_are_found_one_a_sample(workspace: Workspace) -> None:
    function = create_function(
        workspace=workspace,
        name="About",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Refund", "Late"],
        actor=None,
    )
    refund, late = function.labels.get(name="Refund"), function.labels.get(name="Late")
    samples = bring(function, [f"{'refund' if n % 2 else 'parcel'} number {n}" for n in range(50)])
    embed_all(function)
    for n, sample in enumerate(samples):
        is_wrong = n in {7, 20}
        tags = {refund: bool(n % 2) != is_wrong, late: n % 2 == 0}
        tag_sample(sample=sample, tags=tags, person=None, picked_by=PickedBy.RANDOM)
    look(function)
    found = {row.sample: row for row in findings(function, FindingKind.WRONG_LABEL)}
    assert set(found) >= {samples[7], samples[20]}
    assert found[samples[7]].label == refund
    assert found[samples[7]].facts["is_there"] is False
    assert found[samples[20]].facts["is_there"] is True
    confirm_annotation(sample=samples[7], person=None)
    assert samples[7] not in wrong(function)


def test_pairs_do_not_differ_on_tags_that_are_one_by_now(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund = text_function.labels.get(name="Refund")
    money_back = text_function.labels.create(name="Money back", position=2, colour=2)
    older, newer = bring(text_function, ["PLEASE refund the lamp", "please refund the lamp"])
    for name in WORDS:
        bring(text_function, [f"{WORDS[name]} {word}" for word in OTHER_WORDS])
    tag_sample(sample=older, tags={money_back: True}, person=None, picked_by=PickedBy.RANDOM)
    tag_sample(sample=newer, tags={refund: True}, person=None, picked_by=PickedBy.RANDOM)
    embed_all(text_function)
    survey_function(function_id=text_function.pk)

    def label_they_differ_on() -> Label | None:
        found = near_duplicate_findings(text_function, read_survey(text_function), {}, most=99)
        return next(row.label for row in found if {row.sample, row.other} == {older, newer})

    assert label_they_differ_on() is not None
    merge_labels(source=money_back, target=refund, person=None)
    assert label_they_differ_on() is None


def test_rows_of_a_table_are_doubted_too(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Which plan?", input_kind=InputKind.TABLE)
    for position, name in enumerate(["Basic", "Gold"]):
        function.labels.create(name=name, position=position, colour=position)
    age = function.fields.create(name="Age", type="number", position=0)
    rows = [{age.public_id: (20 if n % 2 else 70) + n % 7 + n / 100} for n in range(40)]
    added = add_rows(function=function, items=[NewRow(row) for row in rows], person=None, origin=Origin.IMPORT)
    samples = added.samples
    embed_all(function)
    label(function, [sample for n, sample in enumerate(samples) if n % 2 and n != 9], "Basic")
    label(function, [sample for n, sample in enumerate(samples) if not n % 2 or n == 9], "Gold")
    look(function)
    (found, *_others) = findings(function, FindingKind.WRONG_LABEL)
    assert found.sample == samples[9]
    assert len(found.facts["neighbours"]) == 3


def test_a_kind_nobody_labelled_is_found_until_it_is_labelled(
    text_function: Function, mislabelled: list[Sample]
) -> None:
    strange = bring(text_function, [f"my bicycle wheel squeaks loudly since {word}" for word in OTHER_WORDS])
    usual = bring(text_function, [f"{WORDS['Refund']} {n}" for n in range(100, 130)])
    embed_all(text_function)
    look(text_function)
    found = [row.sample for row in findings(text_function, FindingKind.NEW_KIND)]
    assert found
    assert set(found) <= set(strange)
    assert not set(found) & set(usual)
    label(text_function, found[:1], "Refund")
    assert found[0] not in [row.sample for row in findings(text_function, FindingKind.NEW_KIND)]
