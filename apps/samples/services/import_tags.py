"""The tags of a file, made before its first sample comes in.

A row says of every tag that it has it or not, also of those that only a later row names. So all names are read first,
slice by slice like the rest of an import, with a cursor of their own in its options.
"""

from time import monotonic
from typing import IO

from apps.core.leases import holder_id
from apps.functions.models import OutputKind
from apps.samples.layout import beginning, records
from apps.samples.models import Import, ImportState
from apps.samples.reading.archives import members, open_zip
from apps.samples.reading.tag_cells import RowTags, read_tags
from apps.samples.services.imports import layout_of
from apps.samples.services.tag_intake import make_tags

_DONE = "done"
_ROWS_BETWEEN_LOOKS = 500


class Lost(Exception):
    """The import was stopped, deleted or taken over while this process was at it."""


def collect_tags(job: Import, file: IO[bytes], ends_at: float) -> bool:
    """Go on reading names until `ends_at` (monotonic seconds). Returns whether all are known and have their labels."""
    if job.function.output_kind != OutputKind.TAGS or job.options.get("tags_cursor") == _DONE:
        return True
    names, cursor = _names_in_folders(job, file) if "use_folders" in job.options else _names_in_rows(job, file, ends_at)
    make_tags(function=job.function, names=names, person=job.person)
    job.options["tags_cursor"] = cursor
    mine = Import.objects.filter(pk=job.pk, cursor=job.cursor, state=ImportState.RUNNING, lease_holder=holder_id())
    if not mine.update(options=job.options, n_attempts=0):
        raise Lost
    return cursor == _DONE


def _names_in_folders(job: Import, file: IO[bytes]) -> tuple[list[str], str]:
    with open_zip(file) as archive:
        found = members(archive, use_folders=bool(job.options["use_folders"]))
    return [*(member.label for member in found), str(job.options["label"])], _DONE


def _names_in_rows(job: Import, file: IO[bytes], ends_at: float) -> tuple[list[str], int | str]:
    layout = layout_of(job)
    offset = job.options.get("tags_cursor", beginning(file, layout)[0])
    names = dict.fromkeys(layout.flags) | {str(job.options["label"]): None}
    for n_read, found in enumerate(records(file, layout, offset=offset, row=1), start=1):
        names |= dict.fromkeys((read_tags(found.cells, layout.tag_columns) or RowTags()).names)
        if n_read % _ROWS_BETWEEN_LOOKS == 0 and monotonic() > ends_at:
            return list(names), found.end
    return list(names), _DONE
