"""Taking an act back while what it does to samples still goes on in another process, or after more was done to it."""

from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from apps.accounts.models import User
from apps.functions import services
from apps.functions.models import Act, Function, Label, OutputKind
from apps.functions.services import surgery as of_labels
from apps.samples.models import Origin, PickedBy, Sample, SampleTag
from apps.samples.services import acts, annotations, surgery, undoing
from apps.samples.services import bin as recycling
from apps.samples.services.annotations import annotate_many, annotate_sample, tag_many
from apps.samples.services.bulk import label_selection
from apps.samples.services.intake import NewText, add_texts

N_SAMPLES = 6
Between = Callable[[ModuleType, str, int], None]


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(N_SAMPLES)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


@pytest.fixture
def labelled(samples: list[Sample], refund: Label, member: User) -> list[Sample]:
    pairs = [(sample.pk, refund.pk) for sample in samples]
    annotate_many(function=refund.function, pairs=pairs, person=member, picked_by=PickedBy.QUEUE)
    return samples


@pytest.fixture
def tagged(text_function: Function, samples: list[Sample], refund: Label, member: User) -> list[Sample]:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    said = {sample.pk: {refund.pk: True} for sample in samples}
    tag_many(function=text_function, tags_of=said, person=member, picked_by=PickedBy.QUEUE)
    return samples


@pytest.fixture
def in_between(monkeypatch: pytest.MonkeyPatch, member: User) -> Between:
    """Have the newest act taken back before a module locks the function for that time; chunks are of two samples."""

    def arrange(module: ModuleType, name: str, time: int) -> None:
        lock, n_locked = getattr(module, name), 0

        def locked(function_id: int) -> object:
            nonlocal n_locked
            n_locked += 1
            if n_locked == time:
                acts.undo_act(act=Act.objects.latest("pk"), person=member)
            return lock(function_id)

        monkeypatch.setattr(module, name, locked)

    for module, constant in (
        (surgery, "MOVED_AT_ONCE"),
        (of_labels, "ROWS_PER_TRANSACTION"),
        (recycling, "BINNED_AT_ONCE"),
    ):
        monkeypatch.setattr(module, constant, 2)
    return arrange


def labels_of(samples: Sequence[Sample]) -> list[str | None]:
    rows = Sample.everywhere.filter(pk__in=[sample.pk for sample in samples])
    return list(rows.order_by("pk").values_list("label__name", flat=True))


def tags_on(label: Label) -> int:
    return SampleTag.objects.filter(label=label, is_present=True).count()


def test_a_merge_taken_back_while_samples_follow_it_is_taken_back_whole(
    labelled: list[Sample], refund: Label, shipping: Label, member: User, in_between: Between
) -> None:
    in_between(surgery, "lock_function", 2)
    surgery.merge_labels(source=refund, target=shipping, person=member)
    assert labels_of(labelled) == ["Refund"] * N_SAMPLES


def test_a_merge_of_tags_taken_back_while_samples_follow_it_is_taken_back_whole(
    tagged: list[Sample], refund: Label, shipping: Label, member: User, in_between: Between
) -> None:
    in_between(surgery, "lock_function", 2)
    surgery.merge_labels(source=refund, target=shipping, person=member)
    assert (tags_on(refund), tags_on(shipping)) == (N_SAMPLES, 0)


def test_a_label_brought_back_while_samples_lose_it_is_lost_by_none(
    labelled: list[Sample], refund: Label, member: User, in_between: Between
) -> None:
    in_between(of_labels, "lock", 3)
    services.delete_label(label=refund, actor=member)
    assert labels_of(labelled) == ["Refund"] * N_SAMPLES


def test_a_tag_brought_back_while_samples_lose_it_is_lost_by_none(
    tagged: list[Sample], refund: Label, member: User, in_between: Between
) -> None:
    in_between(of_labels, "lock", 3)
    services.delete_label(label=refund, actor=member)
    assert tags_on(refund) == N_SAMPLES


def test_a_merge_taken_back_just_before_the_sweeper_sees_to_its_samples_stays_so(
    labelled: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    """The sweeper has read which labels are gone, and comes to their samples a moment later."""
    act = of_labels.make_alias(source=refund, target=shipping, n_samples=N_SAMPLES, actor=member)
    (gone,) = of_labels.gone_labels()
    acts.undo_act(act=act, person=member)
    surgery.move_samples(gone)
    assert labels_of(labelled) == ["Refund"] * N_SAMPLES


def test_nothing_more_is_labelled_by_a_selection_taken_back_meanwhile(
    samples: list[Sample], refund: Label, member: User, in_between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations._say_of_many, "__kwdefaults__", {"n_at_once": 2})
    in_between(annotations, "lock_function", 2)
    ids = [sample.public_id for sample in samples]
    label_selection(function=refund.function, sample_ids=ids, label=refund, person=member)
    assert labels_of(samples) == [None] * N_SAMPLES


def test_nothing_more_is_put_into_the_bin_by_an_act_taken_back_meanwhile(
    labelled: list[Sample], refund: Label, member: User, in_between: Between
) -> None:
    in_between(recycling, "lock_function", 2)
    recycling.bin_samples(function=refund.function, sample_ids=[sample.public_id for sample in labelled], person=member)
    assert refund.function.samples.count() == N_SAMPLES
    assert labels_of(labelled) == ["Refund"] * N_SAMPLES


def test_a_merge_is_taken_back_though_the_other_label_was_deleted_since(
    labelled: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    by_hand = annotate_sample(sample=labelled[0], label=shipping, person=member, picked_by=PickedBy.PERSON)
    merge = surgery.merge_labels(source=refund, target=shipping, person=member)
    services.delete_label(label=shipping, actor=member)
    assert labels_of(labelled) == [None] * N_SAMPLES
    outcome = acts.undo_act(act=merge, person=member)
    assert labels_of(labelled) == [None, *["Refund"] * (N_SAMPLES - 1)]
    assert (outcome.n_restored, outcome.n_left) == (N_SAMPLES - 1, 0)
    assert not Sample.objects.filter(annotation=by_hand).exists()


def test_a_merge_of_tags_is_taken_back_though_the_other_was_deleted_since(
    tagged: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    merge = surgery.merge_labels(source=refund, target=shipping, person=member)
    services.delete_label(label=shipping, actor=member)
    assert tags_on(refund) == 0
    acts.undo_act(act=merge, person=member)
    assert tags_on(refund) == N_SAMPLES


@pytest.mark.parametrize("n_in_a_request", [N_SAMPLES - 1, N_SAMPLES])
def test_a_split_of_as_many_samples_as_a_request_takes_is_undone_before_the_answer(
    labelled: list[Sample], refund: Label, member: User, monkeypatch: pytest.MonkeyPatch, n_in_a_request: int
) -> None:
    """The label that it made goes in a step of its own, after the last sample."""
    go_on = undoing.go_on_undoing
    monkeypatch.setattr(acts, "go_on_undoing", lambda **given: go_on(**given, budget_seconds=0.0))
    monkeypatch.setattr(acts, "IN_A_REQUEST", n_in_a_request)
    ids = [sample.public_id for sample in labelled]
    act = surgery.split_label(label=refund, name="Partial refund", sample_ids=ids, person=member)
    assert acts.undo_act(act=act, person=member).is_under_way == (n_in_a_request < N_SAMPLES)
    assert labels_of(labelled) == ["Refund"] * N_SAMPLES
