"""What is said of a sample, in the labels there are now: every write and every return to the past goes through here.

History names labels as they were. One merged since is read as the label it was merged into; one deleted since says
nothing any more. Samples and their tags' rows repeat what is in force in these terms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.core.errors import InvalidInput
from apps.functions.models import Label, OutputKind
from apps.samples.models import SampleTag

ROWS_PER_TRANSACTION = 500


@dataclass(frozen=True)
class Said:
    """What a person says of a sample: its label, or its tags by label key. Neither takes away what was said before.

    With `is_whole`, tags that are not mentioned are not on the sample.
    """

    label_id: int | None = None
    tags: Mapping[int, bool] | None = None
    is_whole: bool = field(default=False, compare=False)

    @property
    def is_nothing(self) -> bool:
        return self.label_id is None and self.tags is None


class KnownLabels:
    """The labels of a function as they are now, merged and deleted ones too: history and open pages still name those.

    Asked anew under the function's lock, since the labels in hand may have changed since they were read.
    """

    def __init__(self, function_id: int) -> None:
        rows = Label.objects.filter(function=function_id).values_list("pk", "public_id", "deleted_at", "merged_into")
        self._public_ids: dict[int, str] = {}
        self._keys: dict[str, int] = {}
        self._roots: dict[int, int] = {}
        self.in_use: list[int] = []
        for pk, public_id, deleted_at, merged_into in rows:
            self._public_ids[pk], self._keys[public_id] = public_id, pk
            self._roots[pk] = merged_into or pk
            if deleted_at is None and merged_into is None:
                self.in_use.append(pk)
        self._in_use = set(self.in_use)

    def standing_for(self, label_id: int | None) -> int | None:
        """Return the label in use that this one is, or was merged into; None for one deleted or of another function."""
        root = self._roots.get(label_id) if label_id is not None else None
        return root if root in self._in_use else None

    def checked(self, said: Said, gives: OutputKind) -> Said:
        """Return what is to be stored, without tags that are deleted. Raises InvalidInput where it does not fit."""
        if gives is OutputKind.SEARCH and not said.is_nothing:
            raise InvalidInput("This function finds samples: it has no labels.")
        if said.label_id is not None and gives is OutputKind.TAGS:
            raise InvalidInput("This function gives tags: say of each whether it is there.")
        if said.tags is not None and gives is OutputKind.LABEL:
            raise InvalidInput("This function gives one label, no tags.")
        if said.label_id is not None:
            label_id = self.standing_for(said.label_id)
            if label_id is None:
                raise InvalidInput("This label does not belong to the function. Reload the page and choose again.")
            return Said(label_id=label_id)
        if said.tags is None:
            return said
        if not self._public_ids.keys() >= said.tags.keys():
            raise InvalidInput("One of the tags does not belong to the function. Reload the page and choose again.")
        tags = self._standing_tags(said.tags)
        others = {pk: False for pk in self.in_use if pk not in tags} if said.is_whole else {}
        return Said(tags=tags | others)

    def of_history(self, label_id: int | None, tags: Mapping[str, bool] | None) -> Said:
        """Read what an annotation said, by the labels that are in use now."""
        return Said(self.standing_for(label_id), self.by_key(tags))

    def by_public_id(self, tags: Mapping[int, bool] | None) -> dict[str, bool] | None:
        return None if tags is None else {self._public_ids[pk]: is_present for pk, is_present in tags.items()}

    def by_key(self, tags: Mapping[str, bool] | None) -> dict[int, bool] | None:
        """Read tags out of the history: those that are still in use. Where two are one now, being on wins."""
        if tags is None:
            return None
        return self._standing_tags({self._keys[key]: is_on for key, is_on in tags.items() if key in self._keys})

    def _standing_tags(self, tags: Mapping[int, bool]) -> dict[int, bool]:
        found: dict[int, bool] = {}
        for pk, is_present in tags.items():
            root = self.standing_for(pk)
            if root is not None:
                found[root] = is_present or found.get(root, False)
        return found


def repeat_tags(tags_of: Mapping[int, Mapping[int, bool] | None]) -> None:
    """Let the rows of these samples' tags be those in force, in the order in which they were said."""
    SampleTag.objects.filter(sample__in=list(tags_of)).delete()
    SampleTag.objects.bulk_create(
        (
            SampleTag(sample_id=sample_id, label_id=label_id, is_present=is_present)
            for sample_id, tags in tags_of.items()
            for label_id, is_present in (tags or {}).items()
        ),
        batch_size=ROWS_PER_TRANSACTION,
    )
