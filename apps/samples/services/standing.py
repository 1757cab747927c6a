"""What stands of a sample's history, for many samples at once, and putting an earlier state back in force.

What writes here needs the function's lock, held by the caller in a transaction of at most `RESTORED_AT_ONCE` samples.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Subquery

from apps.accounts.models import User
from apps.functions.models import OutputKind
from apps.samples.models import Annotation, Sample
from apps.samples.services.known_answers import let_known_answers_follow
from apps.samples.services.saying import KnownLabels, Said, repeat_tags
from apps.samples.services.settling import UNREVIEWED, settle_many

RESTORED_AT_ONCE = 300
"""Of 500 the write lock was held for 20 to 57 ms (two cores, SQLite)."""


@dataclass(frozen=True)
class Standing:
    """An annotation that no undo took back, as far as it is needed to return to it."""

    pk: int
    label_id: int | None
    tags: Mapping[str, bool] | None
    picked_by: str
    act_id: int | None


def standing_of(sample_ids: Sequence[int]) -> dict[int, list[Standing]]:
    """Return of each sample its annotations that stand, oldest first: the last is the one in force. Opinions aside."""
    rows = Annotation.objects.filter(sample__in=sample_ids, is_opinion=False).order_by("id")
    found: dict[int, list[Standing]] = {pk: [] for pk in sample_ids}
    columns = ("sample_id", "undoes_id", "pk", "label_id", "tags", "picked_by", "act_id")
    for sample_id, undoes_id, *rest in rows.values_list(*columns):
        stack = found[sample_id]
        if undoes_id is None:
            stack.append(Standing(*rest))
        elif stack and stack[-1].pk == undoes_id:
            stack.pop()
    return found


def put_back(
    *, gives: OutputKind, labels: KnownLabels, states: Mapping[int, Standing | None], is_new: bool = True
) -> None:
    """Let each sample (by key) be as this annotation said, in the labels of now; None is as if nobody ever spoke.

    Unless `is_new`, what reviewers said of the sample still holds: the same answer is there again.
    Samples in the bin stay bare: restoring one reads its history.
    """
    there = set(Sample.objects.filter(pk__in=list(states)).values_list("pk", flat=True))
    said = {
        pk: labels.of_history(state.label_id, state.tags) if state else Said()
        for pk, state in states.items()
        if pk in there
    }
    by_label: dict[int | None, list[int]] = defaultdict(list)
    bare = [pk for pk, each in said.items() if each.is_nothing]
    for pk, each in said.items():
        if not each.is_nothing:
            by_label[each.label_id].append(pk)
    unreviewed = UNREVIEWED if is_new else {}
    Sample.objects.filter(pk__in=bare).update(label=None, annotation=None, labelled_at=None, **unreviewed)
    for label_id, pks in by_label.items():
        annotation_of = {pk: state.pk for pk in pks if (state := states[pk])}
        point_at(annotation_of, {"label": label_id, **unreviewed})
    if gives is OutputKind.TAGS:
        repeat_tags({pk: each.tags for pk, each in said.items()})
    settle_many(list(said), labels)  # several people may have been asked about some


def point_at(annotation_of: Mapping[int, int], columns: Mapping[str, Any]) -> None:
    """Let each sample (by key) repeat its annotation (by key), and these columns.

    The first step by hand: as one statement of the ORM it takes the square of the samples' number.
    """
    table, column = (connection.ops.quote_name(name) for name in (Sample._meta.db_table, "annotation_id"))
    with connection.cursor() as cursor:
        sql = f"UPDATE {table} SET {column} = %s WHERE id = %s"  # noqa: S608  # our own names
        cursor.executemany(sql, [(annotation_id, pk) for pk, annotation_id in annotation_of.items()])
    when = Annotation.objects.filter(pk=OuterRef("annotation_id")).order_by().values("created_at")
    Sample.objects.filter(pk__in=list(annotation_of)).update(labelled_at=Subquery(when[:1]), **columns)


def take_back_chunk(
    *, act_id: int, gives: OutputKind, labels: KnownLabels, sample_ids: Sequence[int], person: User | None
) -> tuple[int, int]:
    """Append what restores the state before an act, where nobody said anything since.

    Returns how many samples are as they were, and how many stay as someone left them.
    """
    states: dict[int, Standing | None] = {}
    restoring: list[Annotation] = []
    for pk, stack in standing_of(sample_ids).items():
        taken = []
        while stack and stack[-1].act_id == act_id:
            taken.append(stack.pop())
        if taken:
            states[pk] = stack[-1] if stack else None
            restoring += [_restoring(pk, one, states[pk], labels, person) for one in taken]
    Annotation.objects.bulk_create(restoring)
    put_back(gives=gives, labels=labels, states=states)
    let_known_answers_follow(list(states), person)
    return len(states), len(sample_ids) - len(states)


def _restoring(
    sample_id: int, taken: Standing, before: Standing | None, labels: KnownLabels, person: User | None
) -> Annotation:
    said = labels.of_history(before.label_id, before.tags) if before else Said()
    return Annotation(
        sample_id=sample_id,
        label_id=said.label_id,
        tags=labels.by_public_id(said.tags),
        person=person,
        picked_by=(before or taken).picked_by,
        undoes_id=taken.pk,
    )
