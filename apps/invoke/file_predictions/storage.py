"""Where the files of one prediction lie, and telling open pages how far it is."""

import uuid
from typing import IO

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction

from apps.events.kinds import Live
from apps.events.services import announce
from apps.invoke.models import FilePrediction
from apps.samples.media import folder_of, forget_folder


class Lost(Exception):
    """Somebody else is at work on a file, or it was stopped or deleted meanwhile."""


def folder_of_prediction(prediction: FilePrediction) -> str:
    """Everything stored for it is in here: under the function's own folder, which goes with the function."""
    return f"{folder_of(prediction.function)}/predictions/{prediction.public_id}"


def store(prediction: FilePrediction, file: IO[bytes] | bytes) -> str:
    """Keep a file for a prediction; return its key."""
    if isinstance(file, bytes):
        content: File[bytes] = ContentFile(file)
    else:
        file.seek(0)
        content = File(file)
    return default_storage.save(f"{folder_of_prediction(prediction)}/{uuid.uuid4().hex}", content)


def forget_on_commit(prediction: FilePrediction) -> None:
    """Remove all its files once the surrounding transaction has committed."""
    folder = folder_of_prediction(prediction)
    transaction.on_commit(lambda: forget_folder(folder), robust=True)


def tell_progress(prediction: FilePrediction) -> None:
    """Have open pages ask again."""
    function = prediction.function
    announce(
        workspace=function.workspace.public_id,
        kind=Live.FILE_PROGRESS,
        subject=function.public_id,
        prediction=prediction.public_id,
        state=prediction.state,
        percent=prediction.percent,
    )
