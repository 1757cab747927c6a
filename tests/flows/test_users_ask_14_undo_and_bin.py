"""Users ask (14): undo anything, bulk acts and imports too, and recover what was deleted."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from apps.functions.models import Function
from apps.samples.models import Sample
from apps.samples.services.sweeper import purge_old

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def state() -> dict[str, str | None]:
    return dict(Sample.objects.order_by("pk").values_list("text", "label__name"))


def test_a_day_of_work_is_taken_back_step_by_step(owner_client: Client, text_function: Function) -> None:
    """Bring, label many at once, merge, delete: then undo each from the history, the last first."""
    here = text_function.public_id
    lines = {"lines": "one\ntwo\nthree\nfour", "label": ""}
    owner_client.post(reverse("samples:paste_lines", args=[here]), lines)
    states = [{}, state()]
    ids = list(text_function.samples.order_by("pk").values_list("public_id", flat=True))
    refund, shipping = text_function.labels.order_by("position")

    body = json.dumps({"samples": ids[:3], "label": refund.public_id, "kind": "selection"})
    door = reverse("labeling:label_selection", args=[here])
    assert owner_client.post(door, body, content_type="application/json", headers=JSON).status_code == 200
    states.append(state())
    merge = reverse("samples:merge_label", args=[refund.public_id])
    owner_client.post(merge, {"into": shipping.public_id}, headers=HTMX)
    states.append(state())
    owner_client.post(reverse("samples:bin_selection", args=[here]), {"samples": ",".join(ids[2:])}, headers=JSON)
    states.append(state())
    assert [len(each) for each in states] == [0, 4, 4, 4, 2]
    assert states[3]["one"] == "Shipping"

    history = reverse("samples:history_page", args=[here])
    for expected in reversed(states[:-1]):
        assert "Undo:" in owner_client.get(history).content.decode()
        act = text_function.acts.filter(undone_at=None).order_by("-pk")[0]
        undo = reverse("samples:undo_act", args=[here, act.public_id])
        assert owner_client.post(undo, headers=JSON).status_code == 200
        assert state() == expected
    assert "Undo:" not in owner_client.get(history).content.decode()


def test_what_was_deleted_by_mistake_is_found_weeks_later(owner_client: Client, text_function: Function) -> None:
    here = text_function.public_id
    owner_client.post(reverse("samples:paste_lines", args=[here]), {"lines": "keep me", "label": "Refund"})
    sample = Sample.objects.get()
    owner_client.post(reverse("samples:delete_sample", args=[sample.public_id]))
    assert state() == {}
    Sample.everywhere.update(deleted_at=timezone.now() - timedelta(days=29))
    assert purge_old() == 0
    page = owner_client.get(reverse("samples:bin_page", args=[here])).content.decode()
    assert "keep me" in page
    owner_client.post(reverse("samples:restore_samples", args=[here]), {"samples": sample.public_id})
    assert state() == {"keep me": "Refund"}
