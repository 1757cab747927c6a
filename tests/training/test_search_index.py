"""The index of a function that finds samples: what is in it, what came since, what becomes of it when it is lost."""

from __future__ import annotations

from pathlib import Path

import dramatiq
import numpy as np
import pytest
from pytest_django import Settings

from apps.core.jobs import JobName, Queue
from apps.engine import retrieval
from apps.engine.retrieval import Rows
from apps.functions.models import FieldType, Function, InputKind, OutputKind
from apps.functions.services import delete_function
from apps.samples.models import Origin, Sample
from apps.samples.services.bin import bin_samples, restore_samples
from apps.samples.services.intake import NewRow, add_rows
from apps.training.models import FunctionWork, SearchArrival, SearchIndex, WorkKind
from apps.training.services import Progress, enqueue_unfinished_work, index_function, search_index
from apps.training.services import search_index_making as making
from apps.training.services.mapped_file import folder_of
from apps.training.services.search_index_file import SEARCH, open_index, write_index
from apps.training.services.work import want_index
from apps.workspaces.models import Workspace
from tests.conftest import delete_for_good
from tests.training.conftest import bring, embed_all

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "grey", "teal")
TOWNS = ("oslo", "rome", "bern", "wien", "prag", "bonn", "kiel", "graz")
TEXTS = [f"please refund the {colour} lamp bought in {town}" for colour in COLOURS for town in TOWNS]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an index from twenty samples on."""
    monkeypatch.setattr(making, "FEWEST", 20)
    monkeypatch.setattr(making, "REST_SECONDS", 0.0)
    monkeypatch.setattr("apps.training.services.work.REST_PER_SECOND", 0.0)


@pytest.fixture
def finder(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Find alike", input_kind=InputKind.TEXT, output_kind=OutputKind.SEARCH)


@pytest.fixture
def indexed(finder: Function) -> Function:
    bring(finder, TEXTS)
    embed_all(finder)
    assert index_function(function_id=finder.pk) is Progress.DONE
    return finder


def sample(text: str) -> Sample:
    return Sample.everywhere.get(text=text)


def vector(text: str) -> Rows:
    one = sample(text)
    found = search_index.view_of(one.function).vector_of(one)
    assert found is not None
    return found


def texts(function: Function, like: str, n: int = 5) -> list[str]:
    rows = Sample.objects.filter(function=function)
    return [found.text for found, _cosine in search_index.view_of(function).nearest(vector(like), n, rows)]


def is_asked_for() -> bool:
    broker = dramatiq.get_broker()
    broker.flush_all()
    FunctionWork.objects.filter(kind=WorkKind.INDEX).update(retry_at=None)
    enqueue_unfinished_work()
    messages = [dramatiq.Message.decode(data) for queue in Queue for data in broker.queues[queue.value].queue]
    return any(message.actor_name == JobName.INDEX_FUNCTION for message in messages)


def file_of(function: Function) -> Path:
    return SEARCH.path(folder_of(function), SearchIndex.objects.get(function=function).sha256)


def n_files(function: Function) -> int:
    return len(list(folder_of(function).glob("search-*")))


def test_what_is_most_alike_comes_first(indexed: Function) -> None:
    found = texts(indexed, TEXTS[0], 4)
    assert found[0] == TEXTS[0]
    by_hand = {text: float(vector(text) @ vector(TEXTS[0])) for text in TEXTS}
    assert {by_hand[text] for text in found} == set(sorted(by_hand.values())[-4:])


def test_an_index_finds_what_comparing_all_finds(indexed: Function) -> None:
    with_index = [texts(indexed, text) for text in TEXTS[:8]]
    SearchIndex.objects.all().delete()
    search_index.forget_views()
    assert [texts(indexed, text) for text in TEXTS[:8]] == with_index


def test_so_does_one_with_short_forms(indexed: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    with_index = [set(texts(indexed, text)) for text in TEXTS[:8]]
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 100)
    SearchIndex.objects.all().delete()
    want_index(indexed.pk)
    index_function(function_id=indexed.pk)
    search_index.forget_views()
    assert [set(texts(indexed, text)) for text in TEXTS[:8]] == with_index


def test_few_samples_have_no_index_and_are_found(finder: Function) -> None:
    bring(finder, TEXTS[:5])
    embed_all(finder)
    index_function(function_id=finder.pk)
    assert not SearchIndex.objects.exists()
    assert texts(finder, TEXTS[3], 1) == [TEXTS[3]]


def test_nothing_is_found_where_there_is_nothing(finder: Function) -> None:
    assert search_index.view_of(finder).nearest(np.ones(64, dtype=np.float32), 5, Sample.objects.all()) == []


def test_a_new_sample_is_found_at_once(indexed: Function) -> None:
    texts(indexed, TEXTS[0])  # by a process that has opened the index
    bring(indexed, ["a violet umbrella from lisbon"])
    embed_all(indexed)
    assert texts(indexed, "a violet umbrella from lisbon", 1) == ["a violet umbrella from lisbon"]


def test_so_it_is_by_a_process_that_opens_the_index_then(indexed: Function) -> None:
    bring(indexed, ["a violet umbrella from lisbon"])
    embed_all(indexed)
    search_index.forget_views()
    assert texts(indexed, "a violet umbrella from lisbon", 1) == ["a violet umbrella from lisbon"]


def test_samples_read_out_of_turn_are_found(indexed: Function) -> None:
    first, second = bring(indexed, ["a violet umbrella from lisbon", "an orange umbrella from porto"])
    Sample.objects.filter(pk=first.pk).update(is_embedded=True)  # its turn comes last
    embed_all(indexed)
    assert texts(indexed, second.text, 1) == [second.text]
    Sample.objects.filter(pk=first.pk).update(is_embedded=False)
    embed_all(indexed)
    assert texts(indexed, first.text, 1) == [first.text]


def test_a_sample_in_the_bin_is_not_found_and_comes_back(indexed: Function) -> None:
    binned = sample(TEXTS[0])
    bin_samples(function=indexed, sample_ids=[binned.public_id], person=None)
    assert TEXTS[0] not in texts(indexed, TEXTS[0], 64)
    restore_samples(function=indexed, sample_ids=[binned.public_id], person=None)
    embed_all(indexed)
    assert texts(indexed, TEXTS[0], 64).count(TEXTS[0]) == 1


def test_as_many_are_found_though_most_are_in_the_bin(indexed: Function) -> None:
    bin_samples(function=indexed, sample_ids=[sample(text).public_id for text in TEXTS[:60]], person=None)
    assert len(texts(indexed, TEXTS[0], 4)) == 4


def test_a_deleted_sample_leaves_the_file(indexed: Function) -> None:
    gone = sample(TEXTS[0])
    delete_for_good(gone)
    making.forget_searched()
    assert is_asked_for()
    index_function(function_id=indexed.pk)
    assert gone.pk not in open_index(folder_of(indexed), SearchIndex.objects.get().sha256).sample_ids
    assert not is_asked_for()


def test_it_is_written_anew_once_enough_came_and_not_before(indexed: Function) -> None:
    before = SearchIndex.objects.get().sha256
    bring(indexed, ["one more text"])
    embed_all(indexed)
    index_function(function_id=indexed.pk)
    assert SearchIndex.objects.get().sha256 == before
    assert SearchArrival.objects.count() == 1
    bring(indexed, [f"text number {n}" for n in range(20)])
    embed_all(indexed)
    index_function(function_id=indexed.pk)
    assert SearchIndex.objects.get().n_samples == len(TEXTS) + 21
    assert not SearchArrival.objects.exists()
    assert n_files(indexed) == 1
    assert texts(indexed, "one more text", 1) == ["one more text"]


def test_what_came_while_it_was_written_is_still_found(indexed: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(indexed, [f"text number {n}" for n in range(20)])
    embed_all(indexed)
    write = write_index

    def write_slowly(*arguments: object) -> str:
        bring(indexed, ["a violet umbrella from lisbon"])
        embed_all(indexed)
        return write(*arguments)  # type: ignore[arg-type]  # passed through as they came

    monkeypatch.setattr(making, "write_index", write_slowly)
    index_function(function_id=indexed.pk)
    assert SearchArrival.objects.count() == 1
    assert texts(indexed, "a violet umbrella from lisbon", 1) == ["a violet umbrella from lisbon"]


@pytest.mark.parametrize("how", ["changed", "gone", "cut"])
def test_a_damaged_index_is_done_without_and_written_anew(indexed: Function, how: str) -> None:
    expected = texts(indexed, TEXTS[0])
    search_index.forget_views()
    path = file_of(indexed)
    content = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if how == "cut":
        path.write_bytes(content[:100])
    assert texts(indexed, TEXTS[0]) == expected
    assert not SearchIndex.objects.exists()
    assert is_asked_for()
    index_function(function_id=indexed.pk)
    assert file_of(indexed).exists()
    assert texts(indexed, TEXTS[0]) == expected


def test_one_of_another_backbone_is_done_without_and_written_anew(indexed: Function) -> None:
    SearchIndex.objects.update(version="of before")
    assert texts(indexed, TEXTS[0], 1) == [TEXTS[0]]
    assert is_asked_for()
    index_function(function_id=indexed.pk)
    assert SearchIndex.objects.get().version != "of before"


def test_nobody_finds_what_is_another_functions(indexed: Function, workspace: Workspace) -> None:
    other = workspace.functions.create(name="Other", input_kind=InputKind.TEXT, output_kind=OutputKind.SEARCH)
    bring(other, TEXTS[:3])
    embed_all(other)
    rows = Sample.objects.filter(function=other)
    asked = search_index.view_of(other).vector_of(other.samples.order_by("pk")[0])
    assert asked is not None
    assert len(search_index.view_of(other).nearest(asked, 10, rows)) == 3


def test_a_function_of_labels_gets_none(text_function: Function) -> None:
    bring(text_function, TEXTS)
    embed_all(text_function)
    assert not SearchArrival.objects.exists()
    assert index_function(function_id=text_function.pk) is Progress.DONE
    assert not SearchIndex.objects.exists()


def test_the_file_goes_with_the_function(indexed: Function, settings: Settings) -> None:
    folder = folder_of(indexed)
    assert n_files(indexed) == 1
    delete_function(function=indexed)
    enqueue_unfinished_work()
    assert not folder.exists()


@pytest.fixture
def customers(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Alike", input_kind=InputKind.TABLE, output_kind=OutputKind.SEARCH)
    age = function.fields.create(name="age", type=FieldType.NUMBER, position=0)
    plan = function.fields.create(name="plan", type=FieldType.CATEGORY, position=1)
    note = function.fields.create(name="note", type=FieldType.TEXT, position=2)
    rows = [
        {age.public_id: 20 + n, plan.public_id: "gold" if n % 2 else "silver", note.public_id: TEXTS[n]}
        for n in range(40)
    ]
    add_rows(function=function, items=[NewRow(cells=row) for row in rows], person=None, origin=Origin.IMPORT)
    embed_all(function)
    return function


def ages(function: Function, n_wanted: int) -> list[float]:
    first = function.samples.order_by("pk")[10]
    asked = search_index.view_of(function).vector_of(first)
    assert asked is not None
    found = search_index.view_of(function).nearest(asked, n_wanted, Sample.objects.filter(function=function))
    key = function.fields.get(name="age").public_id
    return [float(str((each.row or {})[key])) for each, _cosine in found]


def test_rows_are_found_by_their_columns_with_an_index_and_without(customers: Function) -> None:
    without = ages(customers, 5)
    assert without[0] == 30
    index_function(function_id=customers.pk)
    assert SearchIndex.objects.get().backbone == "table"
    assert ages(customers, 5) == without


def test_another_type_of_column_has_rows_compared_anew(customers: Function) -> None:
    index_function(function_id=customers.pk)
    ages(customers, 3)
    customers.fields.filter(name="note").update(is_used=False)
    assert ages(customers, 3)[0] == 30
    assert is_asked_for()


def test_rows_that_come_first_are_found(workspace: Workspace) -> None:
    function = workspace.functions.create(name="New", input_kind=InputKind.TABLE, output_kind=OutputKind.SEARCH)
    age = function.fields.create(name="age", type=FieldType.NUMBER, position=0)
    assert search_index.view_of(function).nearest(np.ones(2, dtype=np.float32), 5, Sample.objects.all()) == []
    for some in ([31, 32, 33], [51, 52]):
        items = [NewRow(cells={age.public_id: value}) for value in some]
        add_rows(function=function, items=items, person=None, origin=Origin.IMPORT)
        embed_all(function)
        asked = search_index.view_of(function).vector_of(function.samples.latest("pk"))
        assert asked is not None
        found = search_index.view_of(function).nearest(asked, 1, Sample.objects.filter(function=function))
        assert found[0][0].row == {age.public_id: some[-1]}
