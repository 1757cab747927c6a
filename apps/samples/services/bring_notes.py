"""Flags, doubts and comments that come back with an export: put where they are not yet, under the names they had.

Whose they are is taken from the file only where a reviewer brings it, and only for people of the workspace: else
anybody could put words into another's mouth. Of those not known a flag is the bringer's own, and a comment nobody's.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.functions.models import Act, Function
from apps.functions.services.changes import announce_change
from apps.samples.models import Comment, Mark, MarkKind
from apps.samples.reading.notes import RowNotes, WrittenComment, plain_lines
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may

MARKS, COMMENTS = "marks", "comments"
"""The names in an act's facts of what it brought to samples that were here."""
KEYS_AT_ONCE = 500


def bring_notes(
    *,
    function: Function,
    notes: Mapping[int, Sequence[RowNotes]],
    person: User | None,
    act: Act | None = None,
    brought: Collection[int] = (),
) -> None:
    """Add what samples (by key) do not have yet, in the caller's transaction. The same file again adds nothing.

    With an `act`, what comes to samples that it has not `brought` is taken away when it is undone: of those it has, the
    notes go into the bin with them.
    """
    people = _people(function, person)
    marks, comments = _bring_marks(notes, people, person), _bring_comments(notes, people, person)
    if marks or comments:
        announce_change(function)
    old = {
        MARKS: [mark.pk for mark in marks if mark.sample_id not in brought],
        COMMENTS: [comment.pk for comment in comments if comment.sample_id not in brought],
    }
    if act is not None and any(old.values()):
        facts = Act.objects.values_list("facts", flat=True).get(pk=act.pk)
        act.facts = facts | {name: [*facts.get(name, ()), *keys] for name, keys in old.items()}
        Act.objects.filter(pk=act.pk).update(facts=act.facts)


def samples_noted(act: Act) -> set[int]:
    """The keys of the samples that were here and have notes from this act."""
    return {sample for rows in _brought_with(act) for sample in rows.values_list("sample", flat=True)}


def take_notes_back(act: Act) -> None:
    """Take away what an act brought to samples that were here, but for what somebody took away since."""
    for rows in _brought_with(act):
        rows.delete()


def _brought_with(act: Act) -> Iterator[QuerySet[Mark] | QuerySet[Comment]]:
    for model, name in ((Mark, MARKS), (Comment, COMMENTS)):
        keys: Sequence[int] = act.facts.get(name, ())
        for start in range(0, len(keys), KEYS_AT_ONCE):
            yield model._default_manager.filter(pk__in=keys[start : start + KEYS_AT_ONCE])


def _people(function: Function, person: User | None) -> dict[str, int] | None:
    """Keys of the workspace's people by address; None where the file's word is not taken for who it was."""
    if person is None or person.pk not in people_who_may(function.workspace, Action.REVIEW):
        return None
    rows = function.workspace.memberships.values_list("user__email", "user")
    return {email.casefold(): key for email, key in rows}


def _bring_marks(
    notes: Mapping[int, Sequence[RowNotes]], people: Mapping[str, int] | None, person: User | None
) -> list[Mark]:
    own = person.pk if person else None
    wanted = {
        (sample, (people or {}).get(email.casefold(), own), kind)
        for sample, rows in notes.items()
        for row in rows
        for kind, emails in ((MarkKind.FLAG, row.flagged_by), (MarkKind.UNSURE, row.unsure_by))
        for email in emails
    }
    there = set(Mark.objects.filter(sample__in=list(notes)).values_list("sample", "person", "kind"))
    new = sorted((sample, who, kind) for sample, who, kind in wanted - there if who is not None)
    return Mark.objects.bulk_create(Mark(sample_id=sample, person_id=who, kind=kind) for sample, who, kind in new)


def _bring_comments(
    notes: Mapping[int, Sequence[RowNotes]], people: Mapping[str, int] | None, person: User | None
) -> list[Comment]:
    """Counted, not only looked for: who wrote the same twice did so twice."""
    written_here = Comment.objects.filter(sample__in=list(notes)).values_list("sample", "person", "text")
    there: Counter[tuple[int, int | None, str]] = Counter(
        (key, who, plain_lines(text)) for key, who, text in written_here
    )
    new: list[Comment] = []
    times: dict[str, datetime] = {}
    for sample, rows in notes.items():
        for written in _once(rows):
            who = people.get(written.by.casefold()) if people is not None else person.pk if person else None
            if there[sample, who, written.text] > 0:
                there[sample, who, written.text] -= 1
                continue
            comment = Comment(sample_id=sample, person_id=who, text=written.text)
            new.append(comment)
            if written.at is not None:
                times[comment.public_id] = written.at
    Comment.objects.bulk_create(new)
    dated = [comment for comment in new if comment.public_id in times]
    for comment in dated:
        comment.created_at = times[comment.public_id]
    Comment.objects.bulk_update(dated, ["created_at"])
    return new


def _once(rows: Sequence[RowNotes]) -> list[WrittenComment]:
    """The comments of rows about one sample: a sample that came twice in a file has each once."""
    most: Counter[WrittenComment] = Counter()
    for row in rows:
        most |= Counter(row.comments)
    return list(most.elements())
