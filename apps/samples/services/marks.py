"""What travels with a sample beside its label: flags, *not sure*, and what people wrote about it."""

from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Notify
from apps.events.services import notify
from apps.functions.services.changes import announce_change
from apps.samples.models import Comment, Mark, MarkKind, Sample
from apps.samples.reading.notes import COMMENT_CHARACTERS

MAX_CHARACTERS = COMMENT_CHARACTERS


@transaction.atomic
def set_mark(*, sample: Sample, person: User, kind: MarkKind, is_on: bool) -> None:
    """Put a person's mark on a sample or take it off; saying the same twice says it once."""
    if is_on:
        _mark, is_changed = Mark.objects.get_or_create(sample=sample, person=person, kind=kind)
    else:
        is_changed = bool(Mark.objects.filter(sample=sample, person=person, kind=kind).delete()[0])
    if is_changed:
        announce_change(sample.function)
    if is_changed and is_on and kind == MarkKind.FLAG:
        function = sample.function
        notify(
            workspace=function.workspace.public_id,
            kind=Notify.SAMPLE_FLAGGED,
            function=function.public_id,
            sample_id=sample.public_id,
            flagged_by=person.public_id,
        )


@transaction.atomic
def clear_marks(*, sample: Sample, kind: MarkKind | None = None) -> int:
    """Take everybody's marks off a sample, of one kind or of all: somebody has seen to it. Returns how many."""
    marks = Mark.objects.filter(sample=sample)
    n_cleared, _per_model = (marks if kind is None else marks.filter(kind=kind)).delete()
    if n_cleared:
        announce_change(sample.function)
    return n_cleared


def add_comment(*, sample: Sample, person: User, text: str, client_token: UUID | None = None) -> Comment:
    """Keep what a person wrote beside a sample. The same `client_token` again returns the first comment."""
    words = _checked(text)
    try:
        with transaction.atomic():
            earlier = _sent_before(sample, person, client_token)
            if earlier is None:
                earlier = Comment.objects.create(sample=sample, person=person, text=words, client_token=client_token)
                announce_change(sample.function)
            return earlier
    except IntegrityError:
        # The same comment was sent twice at once; the other request was faster.
        repeated = _sent_before(sample, person, client_token)
        if repeated is None:
            raise
        return repeated


def _checked(text: str) -> str:
    words = text.replace("\x00", "").strip()
    if not words:
        raise InvalidInput("Write something first.")
    if len(words) > MAX_CHARACTERS:
        raise InvalidInput(
            f"A comment has at most {MAX_CHARACTERS:,} characters; this one has {len(words):,}. Shorten it."
        )
    return words


def _sent_before(sample: Sample, person: User, client_token: UUID | None) -> Comment | None:
    if client_token is None:
        return None
    earlier = Comment.objects.filter(client_token=client_token).first()
    if earlier is not None and (earlier.sample_id, earlier.person_id) != (sample.pk, person.pk):
        raise Conflict("This comment was already sent for another sample.")
    return earlier
