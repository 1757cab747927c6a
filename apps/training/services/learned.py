"""What a model learned from, annotation by annotation, and what of that the model before it had not.

Only keys of annotations are kept, in the model's own manifest: deleting a sample leaves no trace of what it said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from apps.engine.artifacts import MANIFEST, sha256_of
from apps.functions.models import Label
from apps.samples.models import Annotation
from apps.samples.services.saying import KnownLabels, Said
from apps.training.models import TrainedModel
from apps.training.services import files
from apps.training.services.serving import artifact_folder

ROWS_AT_ONCE = 500
LEARNED_FROM = "annotations"
"""The name in the manifest's `trained_with`."""


def changes_since(
    before: TrainedModel | None, model: TrainedModel, annotation_of: Mapping[int, int]
) -> dict[str, object]:
    """Return what `model` learned that the one before had not, for `TrainedModel.changes`.

    `annotation_of` is what it learned from: the key of each sample's annotation. Empty where there was none before, or
    where what that one learned from is no longer known.
    """
    learned_before = annotations_of(before) if before else None
    if before is None or learned_before is None:
        return {}
    now = set(annotation_of.values())
    gone = learned_before - now
    labels = KnownLabels(model.function_id)
    sample_of_gone = _by_key(gone, labels)
    replaced = {pk: sample_id for pk, (sample_id, _said) in sample_of_gone.items() if sample_id in annotation_of}
    newer = _by_key((annotation_of[sample_id] for sample_id in replaced.values()), labels)
    corrected = [
        pk for pk, sample_id in replaced.items() if newer[annotation_of[sample_id]][1] != sample_of_gone[pk][1]
    ]
    return {
        "added": len(now - learned_before) - len(replaced),
        "corrected": len(corrected),
        "removed": len(gone) - len(replaced),
        "labels_added": _label_names(set(model.label_ids) - set(before.label_ids)),
        "labels_removed": _label_names(set(before.label_ids) - set(model.label_ids)),
        "recipe": recipe_keys(model) != recipe_keys(before),
    }


def annotations_of(model: TrainedModel) -> set[int] | None:
    """Return the keys of the annotations a model learned from; None where its file is gone or not what was saved."""
    manifest_file = artifact_folder(model.function, model.public_id) / MANIFEST
    written = _trained_with(manifest_file, sha256=model.sha256).get(LEARNED_FROM)
    return from_ranges(written) if isinstance(written, str) else None


def as_ranges(keys: Iterable[int]) -> str:
    """Write keys as `1-40,42`: what was brought together has keys in a row, so that 100,000 fit a line."""
    ordered = sorted(set(keys))
    if not ordered:
        return ""
    starts = [ordered[0], *(after for before, after in pairwise(ordered) if after != before + 1)]
    ends = [*(before for before, after in pairwise(ordered) if after != before + 1), ordered[-1]]
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def from_ranges(text: str) -> set[int]:
    """Read what `as_ranges` wrote."""
    keys: set[int] = set()
    for part in filter(None, text.split(",")):
        start, _dash, end = part.partition("-")
        keys.update(range(int(start), int(end or start) + 1))
    return keys


def recipe_keys(model: TrainedModel) -> tuple[str, ...]:
    """Return what tells the recipes of a model from others; how much each of them weighs is left aside."""
    members = model.recipe.get("members", [{"recipe": model.recipe}])
    return tuple(sorted(json.dumps(member.get("recipe"), sort_keys=True) for member in members))


def _trained_with(manifest_file: Path, *, sha256: str) -> Mapping[str, object]:
    try:
        content = files.fetch(manifest_file).read_bytes()
    except OSError:
        return {}
    if sha256_of(content) != sha256:
        return {}
    trained_with = json.loads(content).get("trained_with")
    return trained_with if isinstance(trained_with, dict) else {}


def _by_key(keys: Iterable[int], labels: KnownLabels) -> dict[int, tuple[int, Said]]:
    """Return of each annotation its sample and what it says by now; those of deleted samples are left out."""
    wanted: Sequence[int] = sorted(keys)
    found: dict[int, tuple[int, Said]] = {}
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        rows = Annotation.objects.filter(pk__in=wanted[start : start + ROWS_AT_ONCE])
        found |= {
            pk: (sample_id, labels.of_history(label_id, tags))
            for pk, sample_id, label_id, tags in rows.values_list("pk", "sample_id", "label_id", "tags")
        }
    return found


def _label_names(public_ids: set[str]) -> list[str]:
    return list(Label.objects.filter(public_id__in=public_ids).values_list("name", flat=True))
