"""Many pictures dropped on the page: they come in chunks, each kept as one zip, and may be sent again after a cut."""

import zipfile
from collections.abc import Sequence
from io import BytesIO

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, TooLarge
from apps.functions.models import Function, InputKind
from apps.invoke.file_predictions.storage import store
from apps.invoke.models import FilePrediction, FileState
from apps.samples.checks import clean_name
from apps.samples.models import ImportFormat
from apps.samples.reading.archives import UNPACKED_MAX_BYTES
from apps.samples.services.dropping import FILES_MAX, FILES_PER_CHUNK

LARGE = "large"
"""What members are called whose content was too large to be sent."""


def begin_drop(*, function: Function, person: User | None, n_files: int) -> FilePrediction:
    """Open what the chunks of one drop belong to."""
    if function.input_kind != InputKind.IMAGE:
        raise InvalidInput("This function does not take pictures. Drop a CSV, an Excel sheet or JSON lines.")
    if not 0 < n_files <= FILES_MAX:
        raise InvalidInput(f"Drop between 1 and {FILES_MAX:,} files at a time.")
    return FilePrediction.objects.create(
        function=function,
        person=person,
        format=ImportFormat.FILES,
        state=FileState.UPLOADING,
        original_name=f"{n_files:,} dropped pictures" if n_files > 1 else "1 dropped picture",
        options={"chunks": {}, "n_bytes": 0},
        cursor_end=n_files,
    )


def take_chunk(
    *, prediction: FilePrediction, chunk_number: int, files: Sequence[tuple[str, int, bytes]]
) -> FilePrediction:
    """Keep one chunk of files: the name of each, its size, and its content. The same chunk again changes nothing.

    A file too large to be sent comes without its content, and is refused when it is its turn.
    """
    if not 0 < len(files) <= FILES_PER_CHUNK:
        raise InvalidInput(f"Send at most {FILES_PER_CHUNK} files in one request.")
    _require_open(prediction)
    if str(chunk_number) in prediction.options["chunks"]:
        return prediction
    key = store(prediction, _zipped(files))
    with transaction.atomic():
        current = FilePrediction.objects.select_for_update().get(pk=prediction.pk)
        _require_open(current)
        chunks = current.options["chunks"]
        if str(chunk_number) not in chunks:
            n_bytes = current.options["n_bytes"] + sum(len(content) for _name, _size, content in files)
            if n_bytes > UNPACKED_MAX_BYTES:
                raise TooLarge(f"Drop at most {UNPACKED_MAX_BYTES // 1024**3} GB of pictures at a time.")
            options = current.options | {"chunks": {**chunks, str(chunk_number): [key, len(files)]}, "n_bytes": n_bytes}
            FilePrediction.objects.filter(pk=current.pk).update(options=options, n_rows=current.n_rows + len(files))
    prediction.refresh_from_db()
    return prediction


def _zipped(files: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Pack files without squeezing them. Their own names stand beside: whatever they are, each is a member."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, size_bytes, content) in enumerate(files):
            is_large = size_bytes > settings.IMAGE_MAX_BYTES
            info = zipfile.ZipInfo(f"{LARGE if is_large else 'file'}-{number}")
            info.comment = clean_name(name).encode("utf-8", "replace")
            archive.writestr(info, content)
    return out.getvalue()


def end_drop(*, prediction: FilePrediction) -> FilePrediction:
    """Close a drop: what came is what is there, in the order of the chunks. Raises InvalidInput where nothing came."""
    _require_open(prediction)
    chunks = prediction.options["chunks"]
    if not chunks:
        raise InvalidInput("None of the pictures arrived. Drop them again.")
    archives = [chunks[number] for number in sorted(chunks, key=int)]
    prediction.options = {"archives": archives, "is_drop": True}
    prediction.cursor_end, prediction.n_rows = prediction.n_rows, 0
    FilePrediction.objects.filter(pk=prediction.pk, state=FileState.UPLOADING).update(
        options=prediction.options, cursor_end=prediction.cursor_end, n_rows=0
    )
    return prediction


def _require_open(prediction: FilePrediction) -> None:
    if prediction.state != FileState.UPLOADING or "chunks" not in prediction.options:
        raise Conflict("This drop has been closed. Drop the files again.")
