"""What a sample's content is: its hash, and where its picture and thumbnail lie.

Stored names are chosen here (`<workspace>/<function>/<uuid>.jpg`); nothing a user sends ever reaches a path. The folder
per function lets a deleted function's files be found without asking for each one.
"""

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from apps.core.errors import NotFound
from apps.functions.models import Function
from apps.samples.models import Sample


def content_hash(content: str | bytes) -> str:
    """Return the hash that tells duplicates within a function.

    Texts that differ only in line ends, surrounding blanks or Unicode composition are the same; pictures are the same
    when the bytes that were sent are.
    """
    if isinstance(content, str):
        content = unicodedata.normalize("NFC", content.replace("\r\n", "\n").replace("\r", "\n")).strip().encode()
    return hashlib.sha256(content).hexdigest()


def folder_of(function: Function) -> str:
    """The folder of a function's files, under its workspace's. One query where the workspace is not loaded."""
    return f"{function.workspace.public_id}/{function.public_id}"


def thumbnail_key(file_key: str) -> str:
    return file_key.removesuffix(".jpg") + ".small.jpg"


def store_picture(*, function: Function, jpeg: bytes, thumbnail: bytes) -> str:
    """Write a picture and its thumbnail; return the key the sample keeps."""
    key = f"{folder_of(function)}/{uuid.uuid4().hex}.jpg"
    default_storage.save(key, ContentFile(jpeg))
    default_storage.save(thumbnail_key(key), ContentFile(thumbnail))
    return key


def forget_picture(file_key: str) -> None:
    """Remove a picture and its thumbnail; a file already gone is no error."""
    if file_key:
        default_storage.delete(file_key)
        default_storage.delete(thumbnail_key(file_key))


def forget_pictures(file_keys: Iterable[str]) -> None:
    """Remove pictures with their thumbnails."""
    for file_key in file_keys:
        forget_picture(file_key)


def forget_files(keys: Iterable[str]) -> None:
    """Remove stored files; one already gone is no error."""
    for key in keys:
        default_storage.delete(key)


def forget_folder(path: str) -> None:
    """Remove a folder of stored files with all that is in it; one already gone is no error."""
    if not default_storage.exists(path):
        return
    folders, files = default_storage.listdir(path)
    for name in files:
        default_storage.delete(f"{path}/{name}")
    for name in folders:
        forget_folder(f"{path}/{name}")
    default_storage.delete(path)


def open_image(sample: Sample) -> "File[bytes]":
    """Open the stored JPEG (upright, sRGB bytes, long side at most 1024 pixels). Raises NotFound for a text."""
    return open_picture(sample.file_key)


def open_thumbnail(sample: Sample) -> "File[bytes]":
    """Open the stored thumbnail (long side at most 256 pixels). Raises NotFound for a text."""
    return open_picture(thumbnail_key(sample.file_key) if sample.file_key else "")


def open_picture(key: str) -> "File[bytes]":
    """Open a stored picture by its key. Raises NotFound where there is none."""
    if not key:
        raise NotFound("This sample has no picture.")
    try:
        return default_storage.open(key)
    except FileNotFoundError as error:
        raise NotFound("The picture of this sample is no longer there.") from error
