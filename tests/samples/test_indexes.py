"""Queries that must not walk all samples of a function: SQLite takes the index that was made for each."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.functions.models import Function
from apps.samples.models import Annotation, ReviewState, Sample

PLANS: list[tuple[str, dict[str, Any]]] = [
    ("sample_not_in_bin", {"function": 1}),
    ("sample_to_embed", {"function": 1, "is_embedded": False}),
    ("sample_unlabelled", {"function": 1, "annotation": None}),
    ("sample_wants_opinions", {"function": 1, "annotation": None, "n_wanted__gt": 1, "n_opinions__gte": 1}),
    ("sample_disputed", {"function": 1, "is_disputed": True}),
    ("sample_by_review", {"function": 1, "review": ReviewState.WANTED}),
    ("sample_sent_back", {"sent_back_to": 1}),
    (
        "sample_captured (function_id=? AND created_at<?)",
        {"function": 1, "origin": "capture", "annotation": None, "created_at__lt": timezone.now()},
    ),
]
EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("sample_by_import", {"brought_by": 1}),
    ("sample_by_deletion", {"deleted_by": 1}),
    ("sample_in_bin", {"function": 1, "deleted_at__isnull": False}),
    ("sample_in_bin", {"function": 1, "deleted_at__lt": timezone.now()}),
]


def plan_of(rows: "QuerySet[Any]") -> str:
    sql, parameters = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "; ".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases choose by what is in the tables")
def test_each_is_answered_by_its_index(text_function: Function) -> None:
    for name, condition in PLANS:
        assert name in plan_of(Sample.objects.filter(**condition)), condition
    for name, condition in EVERYWHERE:
        assert name in plan_of(Sample.everywhere.filter(**condition).order_by()), condition
    assert "annotation_by_act" in plan_of(Annotation.objects.filter(act=1))
    to_embed = Sample.objects.filter(is_embedded=False).order_by().values("function").distinct()
    assert "sample_to_embed" in plan_of(to_embed)
