"""The map: all samples as numbers a page can draw, chosen ones labelled as one act."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Act, ActKind, Function
from apps.functions.services import begin_act
from apps.review.selectors import map as selectors
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Prediction
from apps.training.services import finish_work
from apps.workspaces.roles import Role
from tests.conftest import client_of, delete_for_good, make_user
from tests.training.conftest import bring

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "teal", "grey")
REFUNDS = [f"please refund the money for order {word}" for word in COLOURS]
PARCELS = [f"parcel delivery of {word} things is late" for word in COLOURS]
OTHERS = [f"{word} weather in {word} town" for word in COLOURS]
Columns = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"


@pytest.fixture
def function(text_function: Function, owner: User) -> Function:
    """Twenty-four texts, twelve of them labelled, trained, predicted and looked over."""
    texts = [NewText(text) for text in REFUNDS + PARCELS + OTHERS]
    add_texts(function=text_function, items=texts, person=owner, origin=Origin.BROWSER)
    give(text_function, REFUNDS[:6], "Refund")
    give(text_function, PARCELS[:6], "Shipping")
    finish_work(function_id=text_function.pk)
    text_function.refresh_from_db()
    return text_function


def give(function: Function, texts: list[str], name: str, picked_by: PickedBy = PickedBy.PERSON) -> None:
    label = function.labels.get(name=name)
    keys = function.samples.filter(text__in=texts).values_list("pk", flat=True)
    annotate_many(function=function, pairs=[(pk, label.pk) for pk in keys], person=None, picked_by=picked_by)


def unpack(content: bytes) -> tuple[dict[str, object], Columns]:
    """Read what the page reads, as it does."""
    [length] = struct.unpack("<I", content[:4])
    facts = json.loads(content[4 : 4 + length])
    columns: Columns = {}
    start = 4 + length
    for name, size, kind in facts["columns"]:
        end = start + facts["n"] * size
        columns[name] = np.frombuffer(content[start:end], dtype=f"{kind}{size}" if kind != "S" else f"S{size}")
        start = end
    assert start == len(content)
    return facts, columns


def path(function: Function, name: str = "") -> str:
    return f"/functions/{function.public_id}/map/{name}"


def colours(client: Client, function: Function) -> tuple[dict[str, object], Columns]:
    return unpack(client.get(path(function, "colours/")).content)


def row_of(client: Client, function: Function, text: str) -> int:
    _facts, points = unpack(client.get(path(function, "points/")).content)
    ids = [f"sample_{each.decode()}" for each in points["ids"]]
    return ids.index(Sample.everywhere.get(text=text).public_id)


class TestPage:
    def test_a_reviewer_sees_the_map_and_a_labeler_does_not(
        self, function: Function, owner_client: Client, member_client: Client
    ) -> None:
        page = owner_client.get(path(function)).content.decode()
        assert 'id="map-canvas"' in page
        assert '<div class="empty map-empty" data-empty hidden>' in page
        assert member_client.get(path(function)).status_code == 403

    def test_before_there_is_one_it_says_so(self, text_function: Function, owner: User, owner_client: Client) -> None:
        assert "Too few samples for a map" in owner_client.get(path(text_function)).content.decode()
        add_texts(
            function=text_function, items=[NewText(text) for text in REFUNDS + PARCELS + OTHERS], person=owner,
            origin=Origin.BROWSER,
        )  # fmt: skip
        assert "The map is being drawn" in owner_client.get(path(text_function)).content.decode()
        assert owner_client.get(path(text_function, "points/")).status_code == 204
        assert owner_client.get(path(text_function, "colours/")).status_code == 204


class TestPoints:
    def test_every_sample_has_a_place_and_its_public_id(self, function: Function, owner_client: Client) -> None:
        facts, columns = unpack(owner_client.get(path(function, "points/")).content)
        assert facts["n"] == 24
        assert {f"sample_{each.decode()}" for each in columns["ids"]} == set(
            function.samples.values_list("public_id", flat=True)
        )
        assert columns["x"].dtype == np.uint16
        assert len(np.unique(columns["x"])) >= 3

    def test_what_the_browser_has_already_is_not_sent_again(self, function: Function, owner_client: Client) -> None:
        for name in ("points/", "colours/"):
            first = owner_client.get(path(function, name))
            again = owner_client.get(path(function, name), headers={"If-None-Match": first["ETag"]})
            assert again.status_code == 304
            assert again.content == b""
            assert first["Cache-Control"] == "private, no-cache"

    def test_after_a_label_the_colours_are_sent_anew(self, function: Function, owner_client: Client) -> None:
        first = owner_client.get(path(function, "colours/"))
        give(function, REFUNDS[6:7], "Refund")
        again = owner_client.get(path(function, "colours/"), headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 200


class TestColours:
    def test_labels_and_what_is_said_are_places_among_the_labels(
        self, function: Function, owner_client: Client
    ) -> None:
        facts, columns = colours(owner_client, function)
        assert [label["name"] for label in facts["labels"]] == ["Refund", "Shipping"]  # type: ignore[index,union-attr]  # JSON
        labelled = columns["state"] & selectors.LABELLED > 0
        assert labelled.sum() == 12
        assert sorted(columns["label"][labelled]) == [0] * 6 + [1] * 6
        assert (columns["label"][~labelled] == selectors.NOTHING).all()
        assert (columns["said"] != selectors.NOTHING).all()

    def test_labelled_samples_show_what_a_model_said_that_never_saw_them(
        self, function: Function, owner_client: Client
    ) -> None:
        sample = function.samples.get(text=REFUNDS[0])
        Prediction.objects.filter(sample=sample).update(label=function.labels.get(name="Shipping"))
        _facts, columns = colours(owner_client, function)
        row = row_of(owner_client, function, REFUNDS[0])
        assert columns["said"][row] == 1
        assert columns["state"][row] == selectors.LABELLED | selectors.WRONG

    def test_what_was_accepted_in_the_grid_is_neither_right_nor_wrong(
        self, function: Function, owner: User, owner_client: Client
    ) -> None:
        row = row_of(owner_client, function, REFUNDS[0])
        assert colours(owner_client, function)[1]["state"][row] & (selectors.RIGHT | selectors.WRONG)
        begin_act(function=function, kind=ActKind.GRID, person=owner)
        Annotation.objects.filter(sample__text=REFUNDS[0]).update(picked_by=PickedBy.GRID)
        Function.objects.update(data_revision=99)
        assert colours(owner_client, function)[1]["state"][row] == selectors.LABELLED

    def test_a_merged_label_counts_as_the_one_it_went_into(self, function: Function, owner_client: Client) -> None:
        refund, shipping = function.labels.order_by("position")
        refund.merged_into = shipping
        refund.save(update_fields=["merged_into"])
        facts, columns = colours(owner_client, function)
        assert len(facts["labels"]) == 1  # type: ignore[arg-type]  # JSON
        assert set(columns["said"]) == {0}

    def test_deleted_samples_are_gone_at_once_in_the_bin_or_for_good(
        self, function: Function, owner_client: Client
    ) -> None:
        rows = [row_of(owner_client, function, text) for text in (OTHERS[0], OTHERS[1])]
        Sample.objects.filter(text=OTHERS[0]).update(deleted_at=timezone.now())
        delete_for_good(Sample.objects.get(text=OTHERS[1]))
        _facts, columns = colours(owner_client, function)
        assert np.flatnonzero(columns["state"] & selectors.GONE).tolist() == sorted(rows)

    def test_it_says_how_many_samples_came_since_it_was_drawn(self, function: Function, owner_client: Client) -> None:
        assert colours(owner_client, function)[0]["n_newer"] == 0
        etag = owner_client.get(path(function, "colours/"))["ETag"]
        newer = bring(function, ["a late parcel", "one more refund", "for the bin"])
        Sample.objects.filter(pk=newer[2].pk).update(deleted_at=timezone.now())
        answer = owner_client.get(path(function, "colours/"), headers={"If-None-Match": etag})
        assert answer.status_code == 200
        assert unpack(answer.content)[0]["n_newer"] == 2

    def test_it_takes_few_queries_however_many_samples(
        self, function: Function, owner_client: Client, django_assert_max_num_queries: object
    ) -> None:
        owner_client.get(path(function, "points/"))
        with django_assert_max_num_queries(22):  # type: ignore[operator]  # a context manager
            owner_client.get(path(function, "colours/"))


class TestTags:
    @pytest.fixture
    def tagged(self, text_function: Function, owner: User) -> Function:
        from apps.samples.services.annotations import tag_many

        Function.objects.filter(pk=text_function.pk).update(output_kind="tags")
        text_function.refresh_from_db()
        texts = [NewText(text) for text in REFUNDS + PARCELS + OTHERS]
        add_texts(function=text_function, items=texts, person=owner, origin=Origin.BROWSER)
        refund, shipping = text_function.labels.order_by("position")
        tags = {
            **{text: {refund.pk: True, shipping.pk: False} for text in REFUNDS[:5]},
            **{text: {refund.pk: False, shipping.pk: True} for text in PARCELS[:5]},
            OTHERS[0]: {refund.pk: True, shipping.pk: True},
            OTHERS[1]: {refund.pk: False, shipping.pk: False},
        }
        keys = dict(text_function.samples.values_list("text", "pk"))
        tags_of = {keys[text]: said for text, said in tags.items()}
        tag_many(function=text_function, tags_of=tags_of, person=owner, picked_by=PickedBy.PERSON)
        finish_work(function_id=text_function.pk)
        text_function.refresh_from_db()
        return text_function

    def test_one_tag_has_its_colour_several_another_and_none_too(self, tagged: Function, owner_client: Client) -> None:
        _facts, columns = colours(owner_client, tagged)
        said = {text: columns["label"][row_of(owner_client, tagged, text)] for text in (REFUNDS[0], *OTHERS[:3])}
        assert list(said.values()) == [0, selectors.SEVERAL, selectors.NOTHING, selectors.NOTHING]
        state = columns["state"][row_of(owner_client, tagged, OTHERS[1])]
        assert state & selectors.LABELLED
        judged = columns["state"] & (selectors.RIGHT | selectors.WRONG) > 0
        assert judged.sum() == 12

    def test_a_key_puts_a_tag_beside_those_that_are_there(self, tagged: Function, owner_client: Client) -> None:
        shipping = tagged.labels.get(name="Shipping")
        sample = tagged.samples.get(text=REFUNDS[0])
        response = send(owner_client, tagged, [sample], shipping.public_id)
        assert response["words"] == "1 sample tagged Shipping"
        assert sample.tags.filter(is_present=True).count() == 2


def send(
    client: Client, function: Function, samples: list[Sample], label: str | None, **more: object
) -> dict[str, object]:
    body = {"samples": [sample.public_id for sample in samples], "label": label, **more}
    response = client.post(path(function, "label/"), json.dumps(body), "application/json")
    result: dict[str, object] = response.json()
    return result


class TestList:
    def test_the_samples_named_are_options_in_that_order(self, function: Function, owner_client: Client) -> None:
        wanted = [function.samples.get(text=text) for text in (OTHERS[3], REFUNDS[0])]
        ids = ",".join(sample.public_id.removeprefix("sample_") for sample in wanted)
        page = owner_client.get(path(function, "samples/"), {"ids": ids}).content.decode()
        assert page.index(OTHERS[3]) < page.index(REFUNDS[0])
        assert page.count("data-sample=") == 2

    def test_other_functions_samples_and_too_many_are_not_shown(
        self, function: Function, owner_client: Client, outsider: User
    ) -> None:
        elsewhere = outsider.memberships.get().workspace.functions.create(name="Other", input_kind="text")
        [foreign] = add_texts(
            function=elsewhere, items=[NewText("secret")], person=outsider, origin=Origin.BROWSER
        ).samples
        ids = foreign.public_id.removeprefix("sample_")
        assert owner_client.get(path(function, "samples/"), {"ids": ids}).content.strip() == b""
        assert owner_client.get(path(function, "samples/"), {"ids": ",".join(["x"] * 61)}).status_code == 400
        assert owner_client.get(path(function, "samples/"), {"ids": ""}).content.strip() == b""


class TestLabelling:
    def test_what_is_chosen_is_labelled_as_one_act_and_undone_as_one(
        self, function: Function, owner_client: Client
    ) -> None:
        samples = list(function.samples.filter(text__in=OTHERS))
        refund = function.labels.get(name="Refund")
        done = send(owner_client, function, samples, refund.public_id, token="once")
        assert done["words"] == "8 samples labelled Refund"
        again = send(owner_client, function, samples, refund.public_id, token="once")
        assert again["undoUrl"] == done["undoUrl"]
        act = Act.objects.get()
        assert (act.kind, act.n_samples) == (ActKind.SELECTION, 8)
        assert function.samples.filter(label=refund).count() == 14
        assert owner_client.post(str(done["undoUrl"]), headers={"Accept": "application/json"}).status_code == 200
        assert function.samples.filter(label=refund).count() == 6

    def test_no_label_takes_away_what_was_said(self, function: Function, owner_client: Client) -> None:
        samples = list(function.samples.filter(text__in=REFUNDS[:2]))
        assert send(owner_client, function, samples, None)["words"] == "2 samples without a label again"
        assert function.samples.filter(annotation=None).count() == 14

    def test_the_same_label_again_is_nothing_to_undo(self, function: Function, owner_client: Client) -> None:
        refund = function.labels.get(name="Refund")
        done = send(owner_client, function, [function.samples.get(text=REFUNDS[0])], refund.public_id)
        assert done == {"n": 0, "words": "Nothing changed: that is what they have already.", "undoUrl": None}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ("{", 400),
            ("[]", 400),
            ('{"samples": []}', 400),
            ('{"samples": [3], "label": null}', 400),
            ('{"samples": ["sample_x"], "label": "label_nowhere"}', 409),
            ('{"samples": ["sample_x"], "label": 3}', 409),
            ('{"samples": ["sample_x"], "label": null, "token": 3}', 400),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, function: Function, owner_client: Client, body: str, status: int
    ) -> None:
        before = Annotation.objects.count()
        response = owner_client.post(path(function, "label/"), body, "application/json")
        assert response.status_code == status
        assert Annotation.objects.count() == before

    def test_a_labeler_may_not_label_past_others(self, function: Function, member_client: Client) -> None:
        body = json.dumps({"samples": [function.samples.first().public_id], "label": None})  # type: ignore[union-attr]  # there are some
        assert member_client.post(path(function, "label/"), body, "application/json").status_code == 403


class TestSimilar:
    def test_the_most_alike_are_shown_with_what_is_said_of_them(self, function: Function, owner_client: Client) -> None:
        sample = function.samples.get(text=REFUNDS[0])
        page = owner_client.get(f"/samples/{sample.public_id}/similar/").content.decode()
        others = page[page.index("similar-samples") :]
        first = min(others.index(text) for text in REFUNDS[1:])
        assert all(others.index(text) > first for text in PARCELS + OTHERS)
        assert "nearly the same" in others or "very alike" in others
        items = owner_client.get(f"/samples/{sample.public_id}/similar/items/").content.decode()
        assert items.count("data-sample=") == 23
        assert "<html" not in items

    def test_a_viewer_may_look_and_gets_no_keys(self, function: Function) -> None:
        viewer = make_user("vera@example.com", "Vera Viewer")
        function.workspace.memberships.create(user=viewer, role=Role.VIEWER)
        client = client_of(viewer)
        sample = function.samples.get(text=REFUNDS[0])
        page = client.get(f"/samples/{sample.public_id}/similar/").content.decode()
        assert REFUNDS[1] in page
        assert "label-dock" not in page
        assert "page-keys" not in page

    def test_before_it_was_looked_over_that_is_said(
        self, function: Function, owner: User, owner_client: Client
    ) -> None:
        [new] = add_texts(function=function, items=[NewText("quite new")], person=owner, origin=Origin.BROWSER).samples
        assert "Not looked over yet" in owner_client.get(f"/samples/{new.public_id}/similar/").content.decode()

    def test_the_panel_shows_the_sample_and_the_few_most_like_it(
        self, function: Function, owner_client: Client
    ) -> None:
        sample = function.samples.get(text=PARCELS[0])
        panel = owner_client.get(f"/samples/{sample.public_id}/panel/").content.decode()
        assert PARCELS[0] in panel
        assert panel.count("<li>") == 6
