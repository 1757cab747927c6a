"""Prepared items made samples: what is new is stored, what is known completed, what rests in the bin brought back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from apps.accounts.models import User
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Act, Function, Label
from apps.functions.services import get_or_create_labels
from apps.samples.models import PickedBy, Sample
from apps.samples.reading.notes import RowNotes
from apps.samples.reading.tag_cells import RowTags
from apps.samples.services.annotations import annotate_many, lock_function
from apps.samples.services.bin import purge_now, take_out_now
from apps.samples.services.bring_notes import bring_notes
from apps.samples.services.intake.preparing import Batch, Candidate
from apps.samples.services.intake.results import IntakeResult, ItemResult, Outcome
from apps.samples.services.tag_intake import LABELS_MAX, tag_new_samples
from apps.workspaces.services.quotas import require_room


@transaction.atomic
def take_in(
    *, batch: Batch, person: User | None, began_at: datetime | None = None, act: Act | None = None
) -> IntakeResult:
    """Store what is new and complete what is known. One transaction, or the caller's, under the function's lock.

    What rests in the bin comes out of it, with what it had. With an `act`, all of it is undone as one. Tags of a sample
    that came more than once add up, also with those that came since `began_at`.
    """
    function, refused = batch.function, dict(batch.refused)
    lock_function(function.pk)
    labels = _labels_of(function, batch.candidates, refused, person)
    restored = _restored(function, batch.candidates, refused, act)
    stored = _stored_samples(function, batch.candidates, refused, act)
    items = {index: ItemResult(Outcome.REFUSED, reason=why) for index, why in refused.items()}
    pairs: dict[int, int] = {}
    tagged: dict[int, RowTags] = {}
    noted: dict[int, list[RowNotes]] = {}
    for candidate in batch.candidates:
        if candidate.index in refused:
            continue
        sample = stored[candidate.row.content_hash]
        is_new = sample.public_id == candidate.row.public_id
        outcome = Outcome.ADDED if is_new else Outcome.RESTORED if sample.pk in restored else Outcome.DUPLICATE
        restored.discard(sample.pk)
        items[candidate.index] = ItemResult(outcome, sample, note=batch.notes.get(candidate.index, ""))
        if candidate.label_name and sample.label_id is None:
            pairs.setdefault(sample.pk, labels[candidate.label_name].pk)
        if candidate.tags:
            tagged[sample.pk] = tagged[sample.pk] | candidate.tags if sample.pk in tagged else candidate.tags
        if candidate.notes:
            noted.setdefault(sample.pk, []).append(candidate.notes)
    n_labelled = annotate_many(
        function=function, pairs=list(pairs.items()), person=person, picked_by=PickedBy.IMPORT, act=act
    )
    if tagged:
        n_labelled = tag_new_samples(
            function=function, tags_of=tagged, labels=labels, person=person, began_at=began_at, act=act
        )
    if noted:
        brought = {sample.pk for sample in stored.values() if act and sample.brought_by_id == act.pk}
        bring_notes(function=function, notes=noted, person=person, act=act, brought=brought)
    _tell(function, items.values())
    return IntakeResult(tuple(items[index] for index in sorted(items)), n_labelled)


def _labels_of(
    function: Function, candidates: Sequence[Candidate], refused: dict[int, str], person: User | None
) -> Mapping[str, Label]:
    """The labels the candidates name, made where missing; those past the cap are refused with their rows."""
    names = dict.fromkeys(name for candidate in candidates for name in candidate.label_names)
    if not names:
        return {}
    known = set(function.labels.in_use().values_list("name", flat=True))
    new = [name for name in names if name not in known]
    too_many = set(new[max(0, LABELS_MAX - len(known)) :])
    for candidate in candidates:
        if too_many.intersection(candidate.label_names):
            refused[candidate.index] = (
                f"A function has at most {LABELS_MAX:,} labels. Is the right column chosen as the label?"
            )
    wanted = [name for name in names if name not in too_many]
    return get_or_create_labels(function=function, names=wanted, actor=person) if wanted else {}


def _restored(
    function: Function, candidates: Sequence[Candidate], refused: Mapping[int, str], act: Act | None
) -> set[int]:
    """Take out of the bin what comes again, and clear away what was to be purged. Returns the keys of those taken out.

    Not those whose row is refused.
    """
    hashes = {each.row.content_hash for each in candidates if each.index not in refused}
    gone = Sample.everywhere.filter(function=function, content_hash__in=hashes).exclude(deleted_at=None)
    keys = set(gone.values_list("pk", flat=True))
    if not keys:
        return set()
    back = set(take_out_now(function=function, sample_keys=list(keys), brought_by=act))
    if keys - back:
        purge_now(function_id=function.pk, sample_keys=keys - back)
    return back


def _stored_samples(
    function: Function, candidates: Sequence[Candidate], refused: dict[int, str], act: Act | None
) -> dict[str, Sample]:
    """Insert the contents that are not there yet, in the order given; return every content's sample by hash."""
    stored = _by_hash(function, [candidate.row.content_hash for candidate in candidates])
    taken = _external_ids(function, candidates)
    new: dict[str, Sample] = {}
    for candidate in candidates:
        row = candidate.row
        if candidate.index in refused:
            continue
        if row.external_id and taken.setdefault(row.external_id, row.content_hash) != row.content_hash:
            refused[candidate.index] = "Its id already belongs to another sample with different content."
        elif row.content_hash not in stored and not (row.text or row.file_key):
            refused[candidate.index] = "This picture was deleted while it came in. Send it again."
        elif row.content_hash not in stored:
            row.brought_by = act
            new.setdefault(row.content_hash, row)
    if new:
        require_room(function.workspace, samples=len(new))
    Sample.objects.bulk_create(new.values())
    _complete(stored, candidates, refused)
    return stored | new


def _by_hash(function: Function, hashes: Sequence[str]) -> dict[str, Sample]:
    return {sample.content_hash: sample for sample in function.samples.filter(content_hash__in=hashes)}


def _external_ids(function: Function, candidates: Sequence[Candidate]) -> dict[str, str]:
    """Which content each of the candidates' ids belongs to so far."""
    ids = [candidate.row.external_id for candidate in candidates if candidate.row.external_id]
    rows = function.samples.filter(external_id__in=ids).order_by("-id")
    return dict(rows.values_list("external_id", "content_hash"))


def _complete(stored: dict[str, Sample], candidates: Sequence[Candidate], refused: dict[int, str]) -> None:
    """Give known samples the id or file name they lack."""
    changed: dict[int, Sample] = {}
    for candidate in candidates:
        sample = stored.get(candidate.row.content_hash)
        if sample is None or candidate.index in refused:
            continue
        for name in ("external_id", "original_name"):
            if getattr(candidate.row, name) and not getattr(sample, name):
                setattr(sample, name, getattr(candidate.row, name))
                changed[sample.pk] = sample
    if changed:
        Sample.objects.bulk_update(changed.values(), ["external_id", "original_name"])


def _tell(function: Function, items: Iterable[ItemResult]) -> None:
    n_added = sum(item.outcome in {Outcome.ADDED, Outcome.RESTORED} for item in items)
    if n_added:
        enqueue_on_commit(JobName.EMBED_FUNCTION, function.pk)
        announce(
            workspace=function.workspace.public_id,
            kind=Live.SAMPLES_CHANGED,
            subject=function.public_id,
            n_added=n_added,
        )
