"""A look over all samples of a function: made when they have changed, whole or not at all, read in milliseconds."""

from __future__ import annotations

from pathlib import Path

import dramatiq
import numpy as np
import pytest
from django.utils import timezone

from apps.core.jobs import JobName, Queue
from apps.engine.types import IntArray
from apps.functions.models import Function, InputKind
from apps.functions.services import delete_function
from apps.samples.models import Origin, Sample
from apps.samples.services.intake import NewRow, add_rows
from apps.training.models import Embedding, FunctionWork, Survey, WorkKind
from apps.training.services import Progress, enqueue_unfinished_work, survey_function, surveying
from apps.training.services.survey import near_duplicates, nearest, nearest_to_label, read_survey
from apps.training.services.survey_file import folder_of
from apps.workspaces.models import Workspace
from tests.conftest import delete_for_good
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold")
TOWNS = ("oslo", "rome", "bern", "wien", "prag", "bonn", "kiel", "graz")
REFUNDS = [f"please refund the money for order {word} {word}" for word in COLOURS]
PARCELS = [f"parcel delivery of {word} things is late" for word in COLOURS]
OTHERS = [f"{word} {word} weather in {word}" for word in TOWNS]


@pytest.fixture
def surveyed(text_function: Function) -> Function:
    """Twenty texts of three sorts, looked over; two of the first sort are *Refund*."""
    bring(text_function, REFUNDS + PARCELS + OTHERS)
    embed_all(text_function)
    label(text_function, list(text_function.samples.filter(text__in=REFUNDS[:2])), "Refund")
    assert survey_function(function_id=text_function.pk) is Progress.DONE
    return text_function


def sample(text: str) -> Sample:
    return Sample.everywhere.get(text=text)


def texts(found: list[tuple[int, float]]) -> list[str]:
    by_key = dict(Sample.objects.values_list("pk", "text"))
    return [by_key[pk] for pk, _likeness in found]


def asked_for() -> int:
    """Sweep, and return how many surveys were asked for by that."""
    broker = dramatiq.get_broker()
    broker.flush_all()
    enqueue_unfinished_work()
    messages = [dramatiq.Message.decode(data) for queue in Queue for data in broker.queues[queue.value].queue]
    return sum(message.actor_name == JobName.SURVEY_FUNCTION for message in messages)


def files(function: Function) -> list[Path]:
    return sorted(folder_of(function).glob("*survey*"))


def rest_is_over() -> None:
    FunctionWork.objects.filter(kind=WorkKind.SURVEY).update(retry_at=None)


class TestReading:
    def test_the_nearest_are_of_the_same_sort(self, surveyed: Function) -> None:
        found = nearest(surveyed, sample(REFUNDS[0]).pk, 5)
        assert sorted(texts(found)) == sorted(REFUNDS[1:])
        assert [likeness for _pk, likeness in found] == sorted((one for _pk, one in found), reverse=True)

    def test_only_some_samples_can_be_asked_for(self, surveyed: Function) -> None:
        only = [sample(text).pk for text in (PARCELS[0], OTHERS[0])]
        assert texts(nearest(surveyed, sample(PARCELS[1]).pk, 5, only=only)) == [PARCELS[0], OTHERS[0]]
        assert nearest(surveyed, sample(PARCELS[1]).pk, 5, only=[]) == []

    def test_those_like_a_label_are_unlabelled(self, surveyed: Function) -> None:
        refund = surveyed.labels.get(name="Refund")
        assert sorted(texts(nearest_to_label(surveyed, refund.pk, 4))) == sorted(REFUNDS[2:])

    def test_where_nearly_all_are_labelled_the_rest_is_found_all_the_same(
        self, surveyed: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.training.services import survey

        label(surveyed, list(surveyed.samples.exclude(text__in=OTHERS[:2])), "Refund")
        monkeypatch.setattr(survey, "MOST_ASKED", 3)
        monkeypatch.setattr(survey, "LOOKED_AT_ONCE", 3)
        refund = surveyed.labels.get(name="Refund")
        assert sorted(texts(nearest_to_label(surveyed, refund.pk, 5))) == sorted(OTHERS[:2])

    def test_samples_of_other_labels_push_away_what_is_like_them(self, surveyed: Function) -> None:
        label(surveyed, list(surveyed.samples.filter(text__in=PARCELS[:2])), "Shipping")
        found = texts(nearest_to_label(surveyed, surveyed.labels.get(name="Refund").pk, 18))
        assert sorted(found[:4]) == sorted(REFUNDS[2:])
        assert sorted(found[-4:]) == sorted(PARCELS[2:])

    def test_a_label_without_samples_has_none_like_it(self, surveyed: Function) -> None:
        assert nearest_to_label(surveyed, surveyed.labels.get(name="Shipping").pk, 5) == []

    def test_deleted_samples_are_left_out_at_once_in_the_bin_or_gone(self, surveyed: Function) -> None:
        delete_for_good(sample(REFUNDS[1]))
        Sample.objects.filter(text=REFUNDS[2]).update(deleted_at=timezone.now())
        found = texts(nearest(surveyed, sample(REFUNDS[0]).pk, 4))
        assert found[:3]
        assert sorted(found[:3]) == sorted(REFUNDS[3:])

    def test_near_duplicates_are_pairs_of_what_is_there(self, surveyed: Function) -> None:
        bring(surveyed, [REFUNDS[0].upper() + "!", REFUNDS[1] + " !"])
        embed_all(surveyed)
        survey_function(function_id=surveyed.pk)
        keys = {frozenset((a, b)) for a, b, _likeness in near_duplicates(surveyed)}
        pair = frozenset((sample(REFUNDS[0]).pk, sample(REFUNDS[0].upper() + "!").pk))
        assert pair in keys
        Sample.objects.filter(pk=max(pair)).update(deleted_at=timezone.now())
        assert pair not in {frozenset((a, b)) for a, b, _likeness in near_duplicates(surveyed)}

    def test_without_a_survey_nothing_is_like_anything(self, text_function: Function) -> None:
        bring(text_function, REFUNDS)
        assert read_survey(text_function) is None
        assert nearest(text_function, sample(REFUNDS[0]).pk, 5) == []
        assert nearest_to_label(text_function, text_function.labels.get(name="Refund").pk, 5) == []
        assert near_duplicates(text_function) == []

    def test_nothing_of_another_function_is_ever_found(self, surveyed: Function, outsider: object) -> None:
        elsewhere = Workspace.objects.get(name="Elsewhere").functions.create(name="Same?", input_kind=InputKind.TEXT)
        assert nearest(elsewhere, sample(REFUNDS[0]).pk, 5) == []
        other = bring(elsewhere, REFUNDS[:1])[0]
        assert nearest(surveyed, other.pk, 5) == []

    def test_a_damaged_file_is_not_read_and_made_anew(self, surveyed: Function, start_fresh: object) -> None:
        [path] = files(surveyed)
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
        from apps.training.services import survey

        survey._views = type(survey._views)(max_entries=2)
        assert read_survey(surveyed) is None
        rest_is_over()
        assert asked_for() == 1
        survey_function(function_id=surveyed.pk)
        view = read_survey(surveyed)
        assert view is not None
        assert len(view.keys) == 20

    def test_one_that_was_replaced_while_it_was_opened_gives_way_to_the_newer(
        self, surveyed: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.engine.errors import ArtifactCorrupt
        from apps.training.services import survey

        right = Survey.objects.get().sha256
        Survey.objects.update(sha256="0" * 64)
        really = survey.open_survey

        def replaced(folder: Path, sha256: str) -> object:
            if sha256 != right:
                Survey.objects.update(sha256=right)
                raise ArtifactCorrupt("it is gone")
            return really(folder, sha256)

        monkeypatch.setattr(survey, "open_survey", replaced)
        monkeypatch.setattr(survey, "_views", survey._Views(max_entries=2))
        view = read_survey(surveyed)
        assert view is not None
        assert view.sha256 == right

    def test_of_each_function_only_the_newest_is_kept_open(self, surveyed: Function) -> None:
        from apps.training.services import survey

        before = read_survey(surveyed)
        assert before is read_survey(surveyed)
        bring(surveyed, ["one more"])
        embed_all(surveyed)
        survey_function(function_id=surveyed.pk)
        assert read_survey(surveyed) is not before
        assert sum(view is before for view in survey._views._views.values()) == 0


class TestMaking:
    def test_it_is_asked_for_when_samples_came_and_then_no_more(self, text_function: Function) -> None:
        bring(text_function, REFUNDS + PARCELS + OTHERS)
        embed_all(text_function)
        assert asked_for() == 1
        survey_function(function_id=text_function.pk)
        assert asked_for() == 0
        rest_is_over()
        assert asked_for() == 0

    def test_after_one_it_rests_however_much_comes(self, surveyed: Function) -> None:
        bring(surveyed, ["one more"])
        embed_all(surveyed)
        assert asked_for() == 0
        rest_is_over()
        assert asked_for() == 1

    def test_too_few_samples_get_none(self, text_function: Function) -> None:
        bring(text_function, REFUNDS)
        embed_all(text_function)
        survey_function(function_id=text_function.pk)
        assert read_survey(text_function) is None
        assert asked_for() == 0

    def test_new_samples_are_added_and_nothing_else_moves(
        self, surveyed: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = read_survey(surveyed)
        assert before is not None
        bring(surveyed, ["please refund the money for order teal teal"])
        embed_all(surveyed)
        read: list[int] = []
        really = surveying.read_vectors

        def counted(**given: object) -> dict[str, object]:
            read.append(len(given["hashes"]))  # type: ignore[arg-type]  # a list of hashes
            return really(**given)  # type: ignore[arg-type,return-value]  # as it was called

        monkeypatch.setattr(surveying, "read_vectors", counted)
        survey_function(function_id=surveyed.pk)
        after = read_survey(surveyed)
        assert after is not None
        assert read == [1]
        assert after.keys.tolist() == [*before.keys.tolist(), Sample.objects.latest("pk").pk]
        assert np.abs(after.xy[:20].astype(int) - before.xy).max() <= 1
        assert np.array_equal(after.vectors[:20], before.vectors)
        assert set(texts(nearest(surveyed, Sample.objects.latest("pk").pk, 3))) <= set(REFUNDS)

    def test_a_third_more_samples_and_it_is_drawn_anew(self, surveyed: Function) -> None:
        bring(
            surveyed,
            [f"a question about {word} invoices" for word in TOWNS[:7]],
        )
        embed_all(surveyed)
        survey_function(function_id=surveyed.pk)
        view = read_survey(surveyed)
        assert view is not None
        assert view.n_fitted == 27

    def test_another_version_of_the_backbone_starts_over(self, surveyed: Function) -> None:
        FunctionWork.objects.filter(kind=WorkKind.SURVEY).update(wanted_revision=99)
        view = read_survey(surveyed)
        assert view is not None
        assert view.source.startswith("tiny-text ")
        source = surveying._Source.of(surveyed)
        assert source.can_grow(view)
        assert not source.can_grow(type(view)(**{**view.__dict__, "source": "tiny-text of yesterday"}))

    def test_what_was_deleted_for_good_leaves_the_file(self, surveyed: Function) -> None:
        bring(surveyed, ["one more to stay above twenty"])
        embed_all(surveyed)
        rest_is_over()
        survey_function(function_id=surveyed.pk)
        gone = sample(REFUNDS[0])
        delete_for_good(gone)
        rest_is_over()
        assert asked_for() == 1
        survey_function(function_id=surveyed.pk)
        view = read_survey(surveyed)
        assert view is not None
        assert gone.pk not in view.keys
        assert gone.public_id.removeprefix("sample_").encode() not in files(surveyed)[0].read_bytes()
        assert len(files(surveyed)) == 1

    def test_with_too_few_left_nothing_of_them_stays(self, surveyed: Function) -> None:
        surveyed.samples.filter(text__in=OTHERS).delete()
        enqueue_unfinished_work()
        survey_function(function_id=surveyed.pk)
        assert files(surveyed) == []
        assert not Survey.objects.exists()

    def test_samples_whose_vectors_are_gone_are_left_out(self, surveyed: Function) -> None:
        gone = sample(REFUNDS[0])
        Embedding.objects.filter(content_hash=gone.content_hash).delete()
        bring(surveyed, [f"more {word}" for word in ["one", "two", "three", "four", "five", "six", "seven", "eight"]])
        embed_all(surveyed)
        survey_function(function_id=surveyed.pk)
        view = read_survey(surveyed)
        assert view is not None
        assert len(view.keys) == 27
        assert gone.pk not in view.keys

    def test_the_file_goes_with_the_function(self, surveyed: Function) -> None:
        [path] = files(surveyed)
        delete_function(function=surveyed)
        enqueue_unfinished_work()
        assert not path.exists()

    def test_what_a_dead_process_left_behind_goes_with_the_next(self, surveyed: Function) -> None:
        (folder_of(surveyed) / ".survey-half").write_bytes(b"half")
        bring(surveyed, ["one more"])
        embed_all(surveyed)
        survey_function(function_id=surveyed.pk)
        assert len(files(surveyed)) == 1

    def test_a_process_that_dies_is_tried_again_and_harms_nothing(
        self, text_function: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import subprocess

        def dies(*_given: object, **_named: object) -> None:
            raise subprocess.CalledProcessError(1, ["survey"])

        bring(text_function, REFUNDS + PARCELS + OTHERS)
        embed_all(text_function)
        monkeypatch.setattr(surveying.engine, "look_over", dies)
        with pytest.raises(subprocess.CalledProcessError):
            survey_function(function_id=text_function.pk)
        assert read_survey(text_function) is None
        assert files(text_function) == []
        assert asked_for() == 0
        rest_is_over()
        assert asked_for() == 1

    def test_rows_are_looked_over_by_their_columns(self, workspace: Workspace) -> None:
        function = workspace.functions.create(name="Which?", input_kind=InputKind.TABLE)
        age = function.fields.create(name="Age", type="number", position=0)
        plan = function.fields.create(name="Plan", type="category", position=1)
        rows = [{age.public_id: 20 + i, plan.public_id: "basic"} for i in range(12)]
        rows += [{age.public_id: 60 + i, plan.public_id: "gold"} for i in range(12)]
        add_rows(function=function, items=[NewRow(row) for row in rows], person=None, origin=Origin.IMPORT)
        embed_all(function)
        survey_function(function_id=function.pk)
        keys = list(function.samples.order_by("pk").values_list("pk", flat=True))
        found = [pk for pk, _likeness in nearest(function, keys[2], 8)]
        assert set(found) <= set(keys[:12])

    def test_two_slow_looks_never_take_both_threads_of_a_worker(self, surveyed: Function) -> None:
        from apps.training.services.work import claim_work

        FunctionWork.objects.filter(kind=WorkKind.SURVEY).update(wanted_revision=99)
        with claim_work(function_id=surveyed.pk, kind=WorkKind.INSPECT):
            assert survey_function(function_id=surveyed.pk) is Progress.BUSY
        assert survey_function(function_id=surveyed.pk) is Progress.DONE


def test_rows_of_a_survey_are_found_by_key(surveyed: Function) -> None:
    view = read_survey(surveyed)
    assert view is not None
    wanted: IntArray = np.array([view.keys[3], 10**9, view.keys[1]])
    assert view.rows_of(wanted).tolist() == [3, 1]
