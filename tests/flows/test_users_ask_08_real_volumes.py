"""Users ask (8): pages and saving must not slow down with real volumes.

`bench desk` times them at 100,000 samples; here each may cost only so many questions to the database, however many
samples there are.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Function
from apps.ops import desk_bench
from apps.samples.services.bin import bin_samples

pytestmark = pytest.mark.django_db
FEW, MANY = 60, 400
BY_CHANCE = 6
"""Drawing at random takes a few questions more where its guesses miss."""

PAGES: dict[str, str] = {
    "labeling:label_page": "",
    "labeling:queue": "?n=8",
    "labeling:grid_page": "",
    "labeling:grid_samples": "?n=40",
    "review:function_home": "",
    "review:samples": "?tab=unlabelled",
    "review:review_page": "",
    "samples:history_page": "",
    "samples:bin_page": "",
    "functions:settings_page": "",
}


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR, settings.MEDIA_ROOT = tmp_path / "models", tmp_path / "media"


@pytest.fixture
def desk_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], desk_bench.Desk]:
    """A function with so many samples, as a day of labeling leaves it."""

    def desk_of(n_samples: int) -> desk_bench.Desk:
        for name, value in {"N_ANNOTATED": n_samples // 3, "N_PLANNED": n_samples // 3, "N_FOUND": 20}.items():
            monkeypatch.setattr(desk_bench, name, value)
        User.objects.all().delete()
        return desk_bench.Desk(n_samples)

    return desk_of


def n_queries(client: Client, url: str) -> int:
    client.get(url)  # what a process remembers is remembered
    with CaptureQueriesContext(
        connection,
    ) as asked:
        response = client.get(url)
    assert response.status_code == 200
    return len(asked)


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_asks_as_often_for_many_samples_as_for_few(name: str, desk_of: Callable[[int], desk_bench.Desk]) -> None:
    counts = []
    for n_samples in (FEW, MANY):
        desk = desk_of(n_samples)
        ids = list(desk.function.samples.values_list("public_id", flat=True)[: n_samples // 10])
        bin_samples(function=desk.function, sample_ids=ids, person=desk.user)
        counts.append(n_queries(desk.client, url_of(name, desk.function)))
    few, many = counts
    assert many <= few + BY_CHANCE, f"{name}: {few} queries for {FEW} samples, {many} for {MANY}"
    assert many <= 60


def url_of(name: str, function: Function) -> str:
    return reverse(name, args=[function.public_id]) + PAGES[name]


def test_saving_an_answer_asks_as_often_for_many_samples_as_for_few(
    desk_of: Callable[[int], desk_bench.Desk],
) -> None:
    counts = []
    for n_samples in (FEW, MANY):
        desk = desk_of(n_samples)
        answers = reverse("labeling:answers", args=[desk.function.public_id])
        queue = desk.client.get(url_of("labeling:queue", desk.function)).json()
        label_id = queue["labels"][0]["id"]
        bodies = [
            json.dumps(
                [
                    {
                        "token": str(uuid.uuid4()),
                        "sampleId": item["sampleId"],
                        "proof": item["proof"],
                        "labelId": label_id,
                    }
                ]
            )
            for item in queue["items"][:2]
        ]
        desk.client.post(answers, bodies[0], content_type="application/json")
        with CaptureQueriesContext(connection) as asked:
            response = desk.client.post(answers, bodies[1], content_type="application/json")
        assert response.json()["refused"] == []
        counts.append(len(asked))
    assert counts[1] <= counts[0] + BY_CHANCE
