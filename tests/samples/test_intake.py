"""Samples on their way in: once each, completed but never overwritten, even with two callers at the same time."""

import threading
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Function
from apps.samples.checks import TEXT_MAX_CHARACTERS
from apps.samples.media import content_hash, open_image, open_thumbnail
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services import intake
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.intake import (
    KnownPicture,
    NewImage,
    NewText,
    Outcome,
    add_images,
    add_texts,
    adding,
    prepare_known_pictures,
    prepared_images,
    storing,
    take_in,
)
from tests.samples.conftest import picture


def bring(function: Function, *items: NewText, person: User | None = None) -> intake.IntakeResult:
    return add_texts(function=function, items=items, person=person, origin=Origin.IMPORT)


def bring_pictures(function: Function, *items: NewImage) -> intake.IntakeResult:
    return add_images(function=function, items=items, person=None, origin=Origin.IMPORT)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_texts_come_in_in_order_with_their_labels_ids_and_names(text_function: Function, owner: User) -> None:
    result = bring(
        text_function,
        NewText("money back", "Refund", "t-1", "mail.txt"),
        NewText("where is it", "Lost"),
        NewText("hello"),
        person=owner,
    )
    assert (result.n_added, result.n_duplicates, result.n_labelled, result.problems) == (3, 0, 2, [])
    assert [sample.text for sample in result.samples] == ["money back", "where is it", "hello"]
    first = text_function.samples.get(external_id="t-1")
    assert (first.label.name, first.original_name, first.origin) == ("Refund", "mail.txt", Origin.IMPORT)
    assert (first.annotation.person, first.annotation.picked_by) == (owner, PickedBy.IMPORT)
    assert list(text_function.labels.values_list("name", flat=True)) == ["Refund", "Shipping", "Lost"]


def test_the_same_again_adds_and_changes_nothing(text_function: Function) -> None:
    items = [NewText(f"text {n}", "Refund" if n % 2 else "", f"id-{n}") for n in range(20)]
    bring(text_function, *items)
    text_function.refresh_from_db()
    before = list(Sample.objects.order_by("id").values()), Annotation.objects.count(), text_function.data_revision
    result = bring(text_function, *items)
    text_function.refresh_from_db()
    assert (result.n_added, result.n_duplicates, result.n_labelled) == (0, 20, 0)
    after = list(Sample.objects.order_by("id").values()), Annotation.objects.count(), text_function.data_revision
    assert after == before


@pytest.mark.parametrize("other", ["money back\r\n", "  money back", "mone\u0301y back".replace("e\u0301", "e\u0301")])
def test_texts_that_look_the_same_are_the_same(text_function: Function, other: str) -> None:
    original = "mon\u00e9y back" if "\u0301" in other else "money back"
    result = bring(text_function, NewText(original), NewText(other))
    assert (result.n_added, result.n_duplicates) == (1, 1)
    assert result.samples[0].pk == result.samples[1].pk
    assert text_function.samples.get().text == original


def test_a_duplicate_gives_the_label_id_and_name_that_are_missing(text_function: Function) -> None:
    bring(text_function, NewText("money back"))
    result = bring(text_function, NewText("money back", "Refund", "t-1", "mail.txt"))
    assert (result.n_duplicates, result.n_labelled) == (1, 1)
    sample = text_function.samples.get()
    assert (sample.label.name, sample.external_id, sample.original_name) == ("Refund", "t-1", "mail.txt")


def test_a_person_s_label_is_not_overwritten_by_an_import(text_function: Function, member: User) -> None:
    sample = bring(text_function, NewText("money back")).samples[0]
    refund = text_function.labels.get(name="Refund")
    annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE)
    result = bring(text_function, NewText("money back", "Shipping"))
    assert (result.n_duplicates, result.n_labelled) == (1, 0)
    assert text_function.samples.get().label == refund


def test_an_id_that_belongs_to_other_content_is_refused_by_row(text_function: Function) -> None:
    bring(text_function, NewText("first", external_id="t-1"))
    result = bring(
        text_function,
        NewText("edited", external_id="t-1"),
        NewText("second", external_id="t-2"),
        NewText("third", external_id="t-2"),
    )
    assert [index for index, _reason in result.problems] == [0, 2]
    assert set(text_function.samples.values_list("text", flat=True)) == {"first", "second"}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (NewText(" \n\t "), "empty"),
        (NewText("a" * (TEXT_MAX_CHARACTERS + 1)), "longer than"),
        (NewText("a\x00b"), "NUL"),
        (NewText("a\ud83d"), "half a character"),
        (NewText("fine", label_name="L" * 201), "too long"),
        (NewText("fine", label_name="a\ud83d"), "half a character"),
        (NewText("fine", external_id="i" * 201), "id is longer"),
        (NewText("fine", external_id="a\x00"), "NUL"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_rest_goes_in(
    text_function: Function, item: NewText, said: str
) -> None:
    result = bring(text_function, NewText("before"), item, NewText("after"))
    assert [index for index, _reason in result.problems] == [1]
    assert said in result.problems[0][1]
    assert result.n_added == 2


def test_names_of_files_are_kept_but_cannot_mislead(text_function: Function) -> None:
    name = "Bild\u202egpj.exe\x1b[2J – 3.05\u202fPM 👩‍🚀.png"
    sample = bring(text_function, NewText("a", original_name=name)).samples[0]
    assert sample.original_name == "Bild\ufffdgpj.exe\ufffd[2J – 3.05\u202fPM 👩‍🚀.png"


def test_a_wrong_label_column_stops_at_a_thousand_labels(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "LABELS_MAX", 5)
    result = bring(text_function, *(NewText(f"text {n}", f"label {n}") for n in range(10)))
    assert (result.n_added, len(result.problems)) == (3, 7)
    assert text_function.labels.count() == 5


def test_more_than_a_transaction_holds_comes_in_whole(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "TEXTS_PER_TRANSACTION", 7)
    result = bring(text_function, *(NewText(f"text {n % 20}") for n in range(25)))
    assert (result.n_added, result.n_duplicates, len(result.items)) == (20, 5, 25)


def test_texts_do_not_go_into_a_picture_function_nor_pictures_into_a_text_function(
    text_function: Function, image_function: Function
) -> None:
    with pytest.raises(InvalidInput):
        bring(image_function, NewText("a"))
    with pytest.raises(InvalidInput):
        bring_pictures(text_function, NewImage(picture()))


def test_a_picture_is_stored_anew_under_a_name_of_ours(image_function: Function, media: Path) -> None:
    content = picture(7)
    result = bring_pictures(image_function, NewImage(content, "Cat", original_name="../../etc/passwd"))
    sample = result.samples[0]
    sample.refresh_from_db()
    assert (sample.width_px, sample.height_px, sample.label.name) == (40, 30, "Cat")
    assert sample.original_name == "../../etc/passwd"
    assert sample.content_hash == content_hash(content)
    with open_image(sample) as stored, open_thumbnail(sample) as small:
        assert stored.read().startswith(b"\xff\xd8")
        assert small.read().startswith(b"\xff\xd8")
    folder = media / image_function.workspace.public_id / image_function.public_id
    assert sorted(path.parent for path in files_in(media)) == [folder, folder]


def test_pictures_known_or_refused_leave_no_files_behind(image_function: Function, media: Path) -> None:
    bring_pictures(image_function, NewImage(picture(1), external_id="p-1"))
    before = files_in(media)
    result = bring_pictures(
        image_function,
        NewImage(picture(1)),
        NewImage(b"not a picture"),
        NewImage(picture(2), external_id="p-1"),
        NewImage(picture(2), external_id="p-1"),
    )
    outcomes = [item.outcome for item in result.items]
    assert outcomes == [Outcome.DUPLICATE, Outcome.REFUSED, Outcome.REFUSED, Outcome.REFUSED]
    assert files_in(media) == before


def test_the_same_picture_twice_in_one_batch_shares_its_files(image_function: Function, media: Path) -> None:
    result = bring_pictures(image_function, NewImage(picture(1), "x" * 300), NewImage(picture(1)), NewImage(picture(1)))
    outcomes = [item.outcome for item in result.items]
    assert outcomes == [Outcome.REFUSED, Outcome.ADDED, Outcome.DUPLICATE]
    assert len(files_in(media)) == 2


def test_files_are_removed_when_the_rows_do_not_come_to_be(image_function: Function, media: Path) -> None:
    def fail(seen: list[int]) -> None:
        with prepared_images(function=image_function, items=[NewImage(picture(1))], origin=Origin.API):
            seen.append(len(files_in(media)))
            raise RuntimeError("the database went away")

    seen: list[int] = []
    with pytest.raises(RuntimeError):
        fail(seen)
    assert seen == [2]
    assert files_in(media) == []


def test_a_function_deleted_meanwhile_takes_nothing_in(image_function: Function, media: Path) -> None:
    def bring_into_what_is_gone() -> None:
        with prepared_images(function=image_function, items=[NewImage(picture(1))], origin=Origin.API) as batch:
            Function.objects.filter(pk=image_function.pk).delete()
            take_in(batch=batch, person=None)

    with pytest.raises(NotFound):
        bring_into_what_is_gone()
    assert files_in(media) == []


def test_a_list_of_names_labels_pictures_already_here(image_function: Function) -> None:
    bring_pictures(
        image_function,
        NewImage(picture(1), original_name="a.jpg"),
        NewImage(picture(2), original_name="twice.jpg"),
        NewImage(picture(3), original_name="twice.jpg"),
    )
    second = image_function.samples.order_by("id")[1]
    items = [
        KnownPicture("a.jpg", "Cat"),
        KnownPicture(second.public_id, "Dog", external_id="p-2"),
        KnownPicture("twice.jpg", "Dog"),
        KnownPicture("missing.jpg", "Dog"),
        KnownPicture("nul\x00.jpg", "Dog"),
    ]
    batch = prepare_known_pictures(function=image_function, items=items, origin=Origin.IMPORT)
    result = take_in(batch=batch, person=None)
    assert (result.n_added, result.n_duplicates, result.n_labelled) == (0, 2, 2)
    assert [index for index, _reason in result.problems] == [2, 3, 4]
    second.refresh_from_db()
    assert (second.label.name, second.external_id) == ("Dog", "p-2")


def test_a_known_picture_costs_a_fixed_number_of_queries(
    image_function: Function, django_assert_max_num_queries: object
) -> None:
    items = [NewImage(picture(n)) for n in range(30)]
    bring_pictures(image_function, *items)
    with django_assert_max_num_queries(12):  # type: ignore[operator]  # a fixture without types
        bring_pictures(image_function, *items)


@pytest.mark.django_db(transaction=True)
def test_two_callers_with_the_same_texts_get_the_one_sample(text_function: Function) -> None:
    texts = [NewText(f"text {n}", "Refund" if n % 3 else "") for n in range(60)]
    orders = [texts, texts[::-1], texts[30:] + texts[:30], texts]
    barrier = threading.Barrier(len(orders))
    found: list[dict[str, str]] = []

    def call(items: list[NewText]) -> None:
        try:
            barrier.wait()
            samples = bring(text_function, *items).samples
            found.append({sample.text: sample.public_id for sample in samples})
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(items,)) for items in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored: QuerySet[Sample, Sample] = text_function.samples.all()
    assert stored.count() == 60
    assert found == [{sample.text: sample.public_id for sample in stored}] * len(orders)
    assert Annotation.objects.count() == 40
