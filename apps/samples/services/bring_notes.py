"""Flags, doubts and comments that come back with an export: put where they are not yet, under the names they had.

Whose they are is taken from the file only where a reviewer brings it, and only for people of the workspace: else
anybody could put words into another's mouth. Of those not known a flag is the bringer's own, and a comment nobody's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from apps.accounts.models import User
from apps.functions.models import Function
from apps.functions.services.changes import announce_change
from apps.samples.models import Comment, Mark, MarkKind
from apps.samples.reading.notes import RowNotes, WrittenComment, plain_lines
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may


def bring_notes(*, function: Function, notes: Mapping[int, Sequence[RowNotes]], person: User | None) -> int:
    """Add what samples (by key) do not have yet, in the caller's transaction. Returns how many notes that were.

    The same file again adds nothing.
    """
    people = _people(function, person)
    n = _bring_marks(notes, people, person) + _bring_comments(notes, people, person)
    if n:
        announce_change(function)
    return n


def _people(function: Function, person: User | None) -> dict[str, int] | None:
    """Keys of the workspace's people by address; None where the file's word is not taken for who it was."""
    if person is None or person.pk not in people_who_may(function.workspace, Action.REVIEW):
        return None
    rows = function.workspace.memberships.values_list("user__email", "user")
    return {email.casefold(): key for email, key in rows}


def _bring_marks(notes: Mapping[int, Sequence[RowNotes]], people: Mapping[str, int] | None, person: User | None) -> int:
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
    Mark.objects.bulk_create(Mark(sample_id=sample, person_id=who, kind=kind) for sample, who, kind in new)
    return len(new)


def _bring_comments(
    notes: Mapping[int, Sequence[RowNotes]], people: Mapping[str, int] | None, person: User | None
) -> int:
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
    return len(new)


def _once(rows: Sequence[RowNotes]) -> list[WrittenComment]:
    """The comments of rows about one sample: a sample that came twice in a file has each once."""
    most: Counter[WrittenComment] = Counter()
    for row in rows:
        most |= Counter(row.comments)
    return list(most.elements())
