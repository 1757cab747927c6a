"""The home of a function that gives tags: figures by hand, and every number a link to exactly its samples."""

from __future__ import annotations

import re
from typing import Protocol

import pytest
from django.http import QueryDict
from django.test import Client

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import add_label, create_function, delete_label
from apps.review.filters import SampleFilter, Tab, Verdict, read_filter
from apps.review.selectors import figures, samples_page
from apps.samples.media import content_hash
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user
from tests.review.conftest import publish

pytestmark = pytest.mark.django_db

NAMES = ("Food", "Travel", "Money")


class AddTagged(Protocol):
    """Adds a sample with these tags, and what was said of it: both as initials, "" for none of them."""

    def __call__(self, tags: str | None, said: str | None = None, *, margin: float = 0.3, text: str = "") -> Sample: ...


@pytest.fixture
def function(workspace: Workspace) -> Function:
    return create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=NAMES,
        actor=None,
    )


@pytest.fixture
def labels(function: Function) -> dict[str, Label]:
    return {label.name: label for label in function.labels.all()}


@pytest.fixture
def model(function: Function, labels: dict[str, Label]) -> TrainedModel:
    model = publish(function)
    model.figures = {"thresholds": {label.public_id: 0.4 for label in labels.values()}}
    model.save()
    return model


@pytest.fixture
def add(function: Function, labels: dict[str, Label], model: TrainedModel) -> AddTagged:
    n_added = 0

    def adder(tags: str | None, said: str | None = None, *, margin: float = 0.3, text: str = "") -> Sample:
        nonlocal n_added
        n_added += 1
        words = text or f"sample {n_added}"
        sample = Sample.objects.create(
            function=function, text=words, content_hash=content_hash(words), origin=Origin.BROWSER
        )
        if tags is not None:
            there = {label: name[0] in tags for name, label in labels.items()}
            tag_sample(sample=sample, tags=there, person=None, picked_by=PickedBy.RANDOM)
        if said is not None:
            Prediction.objects.create(
                sample=sample,
                function=function,
                kind=PredictionKind.LIVE if tags is None else PredictionKind.OUT_OF_FOLD,
                model=model,
                label=None,
                tags={label.public_id: 0.45 if name[0] in said else 0.1 for name, label in labels.items()},
                confidence=0.6,
                margin=margin,
            )
        function.refresh_from_db()
        return sample

    return adder


def listed(function: Function, chosen: SampleFilter) -> list[str]:
    page = samples_page(function, list(function.labels.in_use()), chosen)
    assert page.n_total == len(page.rows)
    return sorted(row.excerpt for row in page.rows)


def test_a_sample_is_right_when_all_its_tags_are(function: Function, add: AddTagged) -> None:
    for tags, said in (("F", "F"), ("FT", "TF"), ("", ""), ("FT", "F"), ("", "M"), ("FTM", "FTM")):
        add(tags, said)
    add("T")
    shown = figures(function)
    assert (shown.n_labelled, shown.n_judged, shown.n_right, shown.n_waiting) == (7, 6, 4, 1)
    assert shown.majority_tags is not None


def test_a_tag_nobody_was_asked_about_makes_nothing_wrong(
    function: Function, add: AddTagged, labels: dict[str, Label], model: TrainedModel
) -> None:
    add("F", "F")
    rome = add_label(function=function, name="Rome")
    Prediction.objects.update(tags={labels["Food"].public_id: 0.9, rome.public_id: 0.9})
    function.refresh_from_db()
    shown = figures(function)
    assert shown.n_right == 1
    line = next(line for line in shown.lines if line.label == rome)
    assert (line.n, line.n_caught, line.n_false_alarms) == (0, 0, 0)


def test_each_tag_counts_what_it_caught_and_its_false_alarms(function: Function, add: AddTagged) -> None:
    for tags, said in (("F", "F"), ("FT", "T"), ("T", "FT"), ("", "F"), ("FM", "FM"), ("FM", "M")):
        add(tags, said)
    lines = {line.label.name: (line.n, line.n_caught, line.n_false_alarms) for line in figures(function).lines}
    assert lines == {"Food": (4, 2, 2), "Travel": (2, 2, 0), "Money": (2, 2, 0)}


def test_a_moved_threshold_counts_at_once(
    function: Function, add: AddTagged, labels: dict[str, Label], model: TrainedModel
) -> None:
    add("F", "F")
    assert figures(function).n_right == 1
    model.figures = {"thresholds": {label.public_id: 0.5 for label in labels.values()}}
    model.save()
    assert figures(function).n_right == 0


def test_the_commonest_answer_may_be_none_of_them(function: Function, add: AddTagged) -> None:
    for tags in ("", "", "", "F", "FT"):
        add(tags, tags)
    shown = figures(function)
    assert (shown.majority_tags, shown.majority_share) == ((), 0.6)


def test_every_number_leads_to_exactly_its_samples(function: Function, add: AddTagged) -> None:
    for number in range(64):
        tags, said = number % 8, number // 8
        add(initials(tags), initials(said), margin=0.05 if number % 5 == 0 else 0.4)
    add("F")
    shown = figures(function)
    counts = {
        Verdict.JUDGED: shown.n_judged,
        Verdict.RIGHT: shown.n_right,
        Verdict.WRONG: shown.n_wrong,
        Verdict.UNSURE: shown.n_unsure,
        Verdict.WAITING: shown.n_waiting,
    }
    assert shown.n_right == 8
    for verdict, n in counts.items():
        assert n_listed(function, SampleFilter(verdict=verdict)) == n, verdict
    for line in shown.lines:
        assert n_listed(function, line.all_filter) == line.n
        assert n_listed(function, line.caught_filter) == line.n_caught == 16
        assert n_listed(function, line.false_alarms_filter) == line.n_false_alarms == 16


def n_listed(function: Function, chosen: SampleFilter) -> int:
    labels = list(function.labels.in_use())
    query = QueryDict(chosen.query)
    assert read_filter(query, {label.public_id: label for label in labels}) == chosen
    return samples_page(function, labels, chosen).n_total


def initials(bits: int) -> str:
    return "".join(name[0] for place, name in enumerate(NAMES) if bits >> place & 1)


def test_filters_and_search_narrow_the_list(function: Function, add: AddTagged, labels: dict[str, Label]) -> None:
    add("FT", "F", text="soup in Rome")
    add("F", "F", text="soup at home")
    add("T", "T", text="a train")
    assert listed(function, SampleFilter(label=labels["Food"])) == ["soup at home", "soup in Rome"]
    assert listed(function, SampleFilter(label=labels["Food"], without=labels["Travel"])) == ["soup at home"]
    assert listed(function, SampleFilter(predicted=labels["Travel"])) == ["a train"]
    assert listed(function, SampleFilter(verdict=Verdict.WRONG, search="ROME")) == ["soup in Rome"]


def test_samples_without_an_answer_are_filtered_by_what_is_said_of_them(
    function: Function, add: AddTagged, labels: dict[str, Label]
) -> None:
    add(None, "FT", text="both")
    add(None, "T", text="travel only")
    add(None, text="not read yet")
    add("F", "F", text="answered")
    assert listed(function, SampleFilter(tab=Tab.UNLABELLED)) == ["both", "not read yet", "travel only"]
    assert listed(function, SampleFilter(tab=Tab.UNLABELLED, predicted=labels["Food"])) == ["both"]
    assert listed(function, SampleFilter(tab=Tab.UNLABELLED, predicted=labels["Travel"])) == ["both", "travel only"]


def test_a_deleted_tag_is_gone_from_figures_and_rows(
    function: Function, add: AddTagged, labels: dict[str, Label]
) -> None:
    add("FT", "F", text="was wrong for Travel")
    delete_label(label=labels["Travel"])
    function.refresh_from_db()
    assert figures(function).n_right == 1
    page = samples_page(function, list(function.labels.in_use()), SampleFilter(verdict=Verdict.RIGHT))
    assert [label.name for label in page.rows[0].tags or ()] == ["Food"]  # type: ignore[union-attr]  # a TagRow here


def test_the_page_shows_tags_and_what_was_missed(function: Function, add: AddTagged, owner_client: Client) -> None:
    add("FT", "FM", text="soup in Rome")
    page = owner_client.get(f"/functions/{function.public_id}/").content.decode()
    assert names_in(page, "data-tags") == ["Food", "Travel"]
    assert names_in(page, "data-missed") == ["Travel"]
    assert names_in(page, "data-false-alarms") == ["Money"]
    assert "All tags as you said" in page


def names_in(page: str, mark: str) -> list[str]:
    part = page.split(mark, 1)[1].split("</p>", 1)[0]
    if mark == "data-tags":
        part = part.split('<span class="verdict', 1)[0]
    elif mark == "data-missed":
        part = part.split("data-false-alarms", 1)[0]
    return re.findall(r'class="chip label-\d+">(.*?)</span>', part)


class TestFixing:
    @pytest.fixture
    def reviewer(self, workspace: Workspace) -> User:
        user = make_user("rita@example.com", "Rita Reviewer")
        workspace.memberships.create(user=user, role=Role.REVIEWER)
        return user

    def fix(self, person: User, sample: Sample, asked: list[Label], there: list[Label]) -> tuple[int, str]:
        body = {"asked": [label.public_id for label in asked], "tag": [label.public_id for label in there]}
        response = client_of(person).post(f"/samples/{sample.public_id}/fix/", body)
        return response.status_code, response.content.decode()

    def in_force(self, sample: Sample) -> dict[str, bool]:
        return {row.label.name: row.is_present for row in sample.tags.select_related("label")}

    def test_tags_are_corrected_and_history_grows(
        self, add: AddTagged, labels: dict[str, Label], reviewer: User
    ) -> None:
        sample = add("F", "FT")
        status, page = self.fix(reviewer, sample, list(labels.values()), [labels["Food"], labels["Travel"]])
        assert (status, "Saved." in page) == (200, True)
        assert self.in_force(sample) == {"Food": True, "Travel": True, "Money": False}
        newest = Annotation.objects.latest("pk")
        assert (newest.person, newest.picked_by, Annotation.objects.count()) == (reviewer, PickedBy.RANDOM, 2)

    def test_a_choice_that_changes_nothing_adds_nothing(
        self, add: AddTagged, labels: dict[str, Label], reviewer: User
    ) -> None:
        sample = add("F", "FT")
        assert self.fix(reviewer, sample, list(labels.values()), [labels["Food"]])[0] == 200
        assert Annotation.objects.count() == 1

    def test_none_of_them_is_a_choice_on_a_sample_nobody_tagged(
        self, add: AddTagged, labels: dict[str, Label], reviewer: User
    ) -> None:
        sample = add(None, "F")
        self.fix(reviewer, sample, list(labels.values()), [])
        assert self.in_force(sample) == dict.fromkeys(NAMES, False)

    def test_what_was_not_asked_about_stays_as_it_was(
        self, function: Function, add: AddTagged, labels: dict[str, Label], reviewer: User
    ) -> None:
        sample = add("FM", "F")
        self.fix(reviewer, sample, [labels["Food"], labels["Travel"]], [labels["Travel"]])
        assert self.in_force(sample) == {"Food": False, "Travel": True, "Money": True}

    def test_nothing_asked_is_refused(self, add: AddTagged, reviewer: User, labels: dict[str, Label]) -> None:
        sample = add("F", "F")
        assert self.fix(reviewer, sample, [], [labels["Food"]])[0] == 400
        assert Annotation.objects.count() == 1
