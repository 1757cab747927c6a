"""One key for many samples: what the grid, the map and lists of samples do, undone as one."""

from collections.abc import Mapping, Sequence

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.functions.services import begin_act, count_act
from apps.samples.models import PickedBy, Sample, SampleTag
from apps.samples.services.annotations import annotate_many, tag_many

MOST_AT_ONCE = 2_000
"""More than anybody has looked at; beyond it a request would take longer than a person waits."""
REPEATED_WITHIN = 200
"""Acts looked through for a token: what a page kept through a cut comes in the order in which it was done."""


def label_selection(
    *,
    function: Function,
    sample_ids: Sequence[str],
    label: Label | None,
    person: User,
    kind: ActKind = ActKind.SELECTION,
    picked_by: PickedBy = PickedBy.PERSON,
    token: str = "",
    active_ms: int | None = None,
) -> Act:
    """Give each of these samples (by public id) the label, or take away what was said of it (None), as one act.

    Where the function gives tags the label is put on, beside those a sample has. Samples deleted meanwhile are passed
    over. The same `token` again returns the first act, so that a request whose answer was lost can be sent once more.
    `active_ms` is how long the person was at all of them. Returns the act, with how many samples it changed. Raises
    InvalidInput for none, or too many.
    """
    _check_selection(sample_ids)
    earlier = repeated_act(function, person, token)
    if earlier is not None:
        return earlier
    keys = keys_of(function, sample_ids)
    facts = {"label": label.name if label else "", "token": token}
    act = begin_act(function=function, kind=kind, person=person, facts=facts)
    ms = None if active_ms is None else active_ms // max(1, len(keys))
    if label is not None and function.output_kind == OutputKind.TAGS:
        tags = _with_tag(keys, label)
        n = tag_many(function=function, tags_of=tags, person=person, picked_by=picked_by, act=act, active_ms=ms)
    else:
        pairs = [(key, label.pk if label else None) for key in keys]
        n = annotate_many(function=function, pairs=pairs, person=person, picked_by=picked_by, act=act, active_ms=ms)
    return count_act(act=act, n_samples=n)


def keys_of(function: Function, sample_ids: Sequence[str]) -> list[int]:
    """Return the keys of the function's samples with these public ids, in the order given."""
    # By public id alone: with the function beside it SQLite walks all of the function's samples.
    rows = Sample.objects.filter(public_id__in=sample_ids).values_list("public_id", "pk", "function_id")
    keys = {public_id: pk for public_id, pk, function_id in rows if function_id == function.pk}
    return [keys[public_id] for public_id in dict.fromkeys(sample_ids) if public_id in keys]


def repeated_act(function: Function, person: User, token: str) -> Act | None:
    """Return the act with this token among the person's last ones here: what is sent again is sent again soon."""
    if not token:
        return None
    last = Act.objects.filter(function=function, person=person).order_by("-id")[:REPEATED_WITHIN]
    return next((act for act in last if act.facts.get("token") == token), None)


def _check_selection(sample_ids: Sequence[str]) -> None:
    if not sample_ids:
        raise InvalidInput("No sample is selected. Select some first.")
    if len(sample_ids) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE:,} samples are labelled at once. Select fewer.")


def _with_tag(keys: Sequence[int], label: Label) -> Mapping[int, Mapping[int, bool]]:
    """What is said of each sample already, and that it has this tag."""
    tags: dict[int, dict[int, bool]] = {key: {} for key in keys}
    said = SampleTag.objects.filter(sample__in=keys)
    for sample_id, label_id, is_present in said.values_list("sample_id", "label_id", "is_present"):
        tags[sample_id][label_id] = is_present
    return {key: {**said_of, label.pk: True} for key, said_of in tags.items()}
