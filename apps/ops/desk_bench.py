"""The desk at work on a large function, timed: the real pages and doors, on a database of its own, while rounds run.

`measure_desk` starts a process with an empty data folder; there `run` fills a text function with made-up samples, the
way a day of labeling leaves one, and asks the views through Django's own client. Beside it another process does nothing
but engine rounds, as a worker would.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Unavailable
from apps.engine.backbones import BackboneSpec
from apps.functions.models import Act, Function, Label
from apps.functions.services import create_function
from apps.labeling.models import QueueEntry, Reason
from apps.review.queues import QueueName
from apps.samples.media import content_hash
from apps.samples.models import Mark, MarkKind, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.undoing import go_on_undoing, progress_of
from apps.training.models import (
    Embedding,
    Finding,
    FindingKind,
    FunctionWork,
    Prediction,
    PredictionKind,
    TrainedModel,
    WorkKind,
)
from apps.training.services.inputs import layout_of
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role

Figures: TypeAlias = dict[str, dict[str, float]]

MANAGE = str(Path(settings.ROOT_DIR) / "manage.py")
N_LABELS = 8
N_ANNOTATED = 5_000
N_PLANNED = 300
N_FOUND = 500
ROWS_AT_ONCE = 2_000
REPEATS = 60
MERGES = 3
TALK = (
    "the order never came and nobody answers my mails about the parcel I paid for twice last week refund invoice "
    "broken screen password account cannot log in delivery late missing thanks great service price question"
)
WORDS = TALK.split()
RUN = "from apps.ops.desk_bench import run; run({n_samples})"
ROUNDS = "from apps.engine.bench import measure_round\nwhile True: measure_round(1_000, repeats=1)"


def measure_desk(n_samples: int) -> Figures:
    """Return milliseconds by what was done. Raises `Unavailable` where the measuring process fails."""
    with tempfile.TemporaryDirectory(prefix="hundredfold-desk-") as data_dir:
        environment = {name: value for name, value in os.environ.items() if name != "HUNDREDFOLD_DATABASE_URL"}
        environment |= {"HUNDREDFOLD_DATA_DIR": data_dir, "HUNDREDFOLD_REDIS_URL": "memory://"}
        done = subprocess.run(  # noqa: S603  # this installation's own command
            [sys.executable, MANAGE, "shell", "-v", "0", "-c", RUN.format(n_samples=n_samples)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise Unavailable(f"The desk could not be measured: {done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run(n_samples: int) -> None:
    """Fill the database of this process, measure, and print the figures as the last line."""
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.STORAGES = storages  # nothing has been collected here
    call_command("migrate", verbosity=0)
    desk = Desk(n_samples)
    with _rounds_beside():
        figures = {name: _percentiles(times) for name, times in desk.times()}
    print(json.dumps(figures))  # noqa: T201  # read by `measure_desk`


@contextmanager
def _rounds_beside() -> Iterator[None]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(  # noqa: S603  # this installation's own engine
        [sys.executable, "-c", ROUNDS], env=environment, cwd=settings.ROOT_DIR, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{at}": round(1000 * float(np.percentile(times, at)), 1) for at in (50, 95)}


class Desk:
    """A text function as large as wanted, and somebody at work on it."""

    def __init__(self, n_samples: int) -> None:
        self.random = random.Random(0)  # noqa: S311  # the same desk every time
        self.user = User.objects.create_user(email="bench@example.com", name="Bench", password=None)
        workspace = Workspace.objects.create(name="Bench")
        workspace.memberships.create(user=self.user, role=Role.OWNER)
        names = [f"Label {number}" for number in range(N_LABELS)]
        self.function = create_function(
            workspace=workspace, name="Bench", input_kind="text", label_names=names, actor=self.user
        )
        self.labels = list(self.function.labels.all())
        _fill(self.function, self.labels, n_samples, self.user, self.random)
        self.client = Client(SERVER_NAME="127.0.0.1")
        self.client.force_login(self.user, backend="allauth.account.auth_backends.AuthenticationBackend")

    def times(self) -> Iterator[tuple[str, list[float]]]:
        """Yield the seconds of each sort of request."""
        next_sample, annotate = self._label()
        yield "next_sample", next_sample
        yield "annotate", annotate
        yield "label_page", self._timed("labeling:label_page")
        yield "grid_page", self._timed("labeling:grid_page")
        yield "grid_samples", self._timed("labeling:grid_samples", n=40)
        yield "samples_page", [self._get(reverse_of("review:samples", self.function) + each) for each in self._pages()]
        yield "samples_search", self._searches()
        yield "function_home", self._timed("review:function_home")
        yield "review_page", self._timed("review:review_page")
        queues = [name.value for name in QueueName] * (REPEATS // len(QueueName) + 1)
        yield "review_queue", [self._queue(queue) for queue in queues]
        yield "settings_page", self._timed("functions:settings_page")
        merge, unmerge = self._merge()
        yield "merge", merge
        yield "undo_merge", unmerge

    def _label(self) -> tuple[list[float], list[float]]:
        """Ask for the next sample and answer it, over and over."""
        asked, answered = [], []
        queue, answers = reverse_of("labeling:queue", self.function), reverse_of("labeling:answers", self.function)
        for given in range(REPEATS):
            started = time.perf_counter()
            response = self.client.get(f"{queue}?n=1&given={given}")
            asked.append(time.perf_counter() - started)
            item = response.json()["items"][0]
            said = {"token": str(uuid.uuid4()), "sampleId": item["sampleId"], "proof": item["proof"], "ms": 900}
            body = json.dumps([said | {"labelId": self.random.choice(self.labels).public_id}])
            started = time.perf_counter()
            response = self.client.post(answers, body, content_type="application/json")
            answered.append(time.perf_counter() - started)
            if response.status_code != 200 or response.json()["refused"]:
                raise Unavailable(f"An answer was refused: {response.content.decode()[:500]}")
        return asked, answered

    def _pages(self) -> list[str]:
        """Pages near and far, in every order, of both lists, narrowed by label or not."""
        found = []
        for tab in ("labelled", "unlabelled"):
            n_all = Sample.objects.filter(function=self.function, annotation__isnull=tab == "unlabelled").count()
            for sort in ("", "newest", "oldest", "least-sure", "surest"):
                for page in (1, 2, n_all // 100, n_all // 50, 10**6):
                    found.append(f"?tab={tab}&sort={sort}&page={page}" if sort else f"?tab={tab}&page={page}")
            for label in self.labels[:3]:
                name = "label" if tab == "labelled" else "predicted"
                found.append(f"?tab={tab}&{name}={label.public_id}&page={self.random.randint(1, 20)}")
        return found

    def _searches(self) -> list[float]:
        url = reverse_of("review:samples", self.function)
        return [self._get(f"{url}?tab=unlabelled&q={word}") for word in self.random.sample(WORDS, 10)]

    def _queue(self, name: str) -> float:
        return self._get(reverse("review:queue_page", args=[self.function.public_id, name]))

    def _merge(self) -> tuple[list[float], list[float]]:
        """Merge a label that nearly everything has into another, and take it back."""
        source, target = self.labels[:2]
        rest = Sample.objects.filter(function=self.function, annotation=None).values_list("pk", flat=True)
        pairs = [(pk, source.pk) for pk in rest]
        annotate_many(function=self.function, pairs=pairs, person=self.user, picked_by=PickedBy.IMPORT)
        merges, undone = [], []
        for _ in range(MERGES):
            url, body = reverse("samples:merge_label", args=[source.public_id]), {"into": target.public_id}
            merges.append(self._post(url, body))
            act = self.function.acts.latest("id")
            undone.append(self._post(reverse("samples:undo_act", args=[self.function.public_id, act.public_id]), {}))
            _see_through(act)
        return merges, undone

    def _timed(self, name: str, **parameters: object) -> list[float]:
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        url = reverse_of(name, self.function) + (f"?{query}" if query else "")
        return [self._get(url) for _ in range(REPEATS)]

    def _get(self, url: str) -> float:
        return _seconds(lambda: self.client.get(url).status_code, url)

    def _post(self, url: str, body: dict[str, str]) -> float:
        return _seconds(lambda: self.client.post(url, body, headers={"HX-Request": "true"}).status_code, url)


def _see_through(act: Act) -> None:
    """Take the rest back that the request left to a worker."""
    while (progress := progress_of(Act.objects.get(pk=act.pk))) is not None:
        go_on_undoing(act_id=act.pk, n_steps=progress.n_steps)


def _seconds(ask: Callable[[], int], url: str) -> float:
    started = time.perf_counter()
    status = ask()
    seconds = time.perf_counter() - started
    if status >= 300:
        raise Unavailable(f"{url} answered {status}.")
    return seconds


def reverse_of(name: str, function: Function) -> str:
    return reverse(name, args=[function.public_id])


def _fill(function: Function, labels: list[Label], n_samples: int, user: User, chance: random.Random) -> None:
    """Samples with embeddings; some annotated, and of those predictions that never saw them; live ones of the rest."""
    specs = layout_of(function).specs
    for start in range(0, n_samples, ROWS_AT_ONCE):
        numbers = range(start, min(start + ROWS_AT_ONCE, n_samples))
        samples = Sample.objects.bulk_create([_sample(function, number, chance) for number in numbers])
        _embed(function, specs, samples)
    keys = list(function.samples.order_by("pk").values_list("pk", flat=True))
    annotated = chance.sample(keys, min(N_ANNOTATED, n_samples // 2))
    pairs = [(key, chance.choice(labels).pk) for key in annotated]
    annotate_many(function=function, pairs=pairs, person=user, picked_by=PickedBy.QUEUE)
    model = _model(function, labels, len(annotated))
    _predict(function, model, labels, keys, set(annotated), chance)
    _find(function, labels, keys, annotated, user)
    if connection.vendor == "sqlite":
        connection.cursor().execute("ANALYZE")


def _sample(function: Function, number: int, chance: random.Random) -> Sample:
    text = f"{number} " + " ".join(chance.choices(WORDS, k=chance.randint(6, 40)))
    return Sample(function=function, text=text, content_hash=content_hash(text), origin=Origin.IMPORT, is_embedded=True)


def _embed(function: Function, specs: tuple[BackboneSpec, ...], samples: list[Sample]) -> None:
    numbers = np.random.default_rng(samples[0].pk)
    for spec in specs:
        vectors = numbers.normal(size=(len(samples), 384)).astype("<f2")
        Embedding.objects.bulk_create(
            Embedding(
                workspace_id=function.workspace_id,
                content_hash=sample.content_hash,
                backbone=spec.name,
                version=spec.version,
                vector=vector.tobytes(),
            )
            for sample, vector in zip(samples, vectors, strict=True)
        )


def _model(function: Function, labels: list[Label], n_annotations: int) -> TrainedModel:
    function.refresh_from_db()
    for kind in (WorkKind.TRAIN, WorkKind.PREDICT):
        FunctionWork.objects.create(
            function=function, kind=kind, done_revision=function.data_revision, wanted_revision=function.data_revision
        )
    return TrainedModel.objects.create(
        function=function,
        number=1,
        data_revision=function.data_revision,
        recipe={},
        label_ids=[label.public_id for label in labels],
        label_names=[label.name for label in labels],
        sha256="0" * 64,
        last_annotation_id=n_annotations,
        n_annotations=n_annotations,
        n_right=n_annotations * 4 // 5,
        log_loss=0.5,
        is_live=True,
        published_at=timezone.now(),
    )


def _predict(
    function: Function,
    model: TrainedModel,
    labels: list[Label],
    keys: list[int],
    annotated: set[int],
    chance: random.Random,
) -> None:
    said = dict(function.samples.exclude(label=None).values_list("pk", "label_id"))
    by_key = {label.pk: label for label in labels}
    for start in range(0, len(keys), ROWS_AT_ONCE):
        rows = []
        for key in keys[start : start + ROWS_AT_ONCE]:
            confidence = chance.uniform(0.2, 1)
            label = by_key[said[key]] if key in said and chance.random() < 0.8 else chance.choice(labels)
            kind = PredictionKind.OUT_OF_FOLD if key in annotated else PredictionKind.LIVE
            rows.append(
                Prediction(
                    sample_id=key,
                    function=function,
                    kind=kind,
                    model=model,
                    label=label,
                    runner_up=chance.choice(labels),
                    confidence=confidence,
                    margin=confidence * chance.random(),
                )
            )
        Prediction.objects.bulk_create(rows)


def _find(function: Function, labels: list[Label], keys: list[int], annotated: list[int], user: User) -> None:
    """What the queue has planned and inspections have found, and some flags."""
    in_force = dict(function.samples.filter(pk__in=annotated).values_list("pk", "annotation_id"))
    waiting = [key for key in keys if key not in in_force]
    QueueEntry.objects.bulk_create(
        QueueEntry(function=function, sample_id=key, place=place, reason=Reason.TORN)
        for place, key in enumerate(waiting[:N_PLANNED])
    )
    found = [
        Finding(
            function=function,
            kind=FindingKind.WRONG_LABEL,
            sample_id=key,
            annotation_id=in_force[key],
            label=labels[key % N_LABELS],
            score=1 / (place + 1),
            facts={"neighbours": annotated[:3]},
        )
        for place, key in enumerate(annotated[:N_FOUND])
    ]
    for kind in (FindingKind.NEW_KIND, FindingKind.NEAR_DUPLICATE):
        pairs = zip(waiting[:N_FOUND], waiting[N_FOUND : 2 * N_FOUND], strict=False)
        found += [
            Finding(
                function=function,
                kind=kind,
                sample_id=key,
                other_id=other if kind is FindingKind.NEAR_DUPLICATE else None,
                score=1 / (place + 1),
            )
            for place, (key, other) in enumerate(pairs)
        ]
    Finding.objects.bulk_create(found)
    Mark.objects.bulk_create(Mark(sample_id=key, person=user, kind=MarkKind.FLAG) for key in waiting[-50:])
