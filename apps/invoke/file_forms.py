"""What the pages of predicted files send, beside what imports do."""

from django import forms
from django.conf import settings
from django.http import HttpRequest

from apps.core.errors import InvalidInput
from apps.samples.services.dropping import FILES_PER_CHUNK


class DropForm(forms.Form):
    """The beginning of a drop of pictures."""

    n_files = forms.IntegerField(min_value=1)


class ChunkForm(forms.Form):
    """Which chunk of a drop this is."""

    chunk = forms.IntegerField(min_value=0, max_value=1_000_000)


def dropped_files(request: HttpRequest) -> list[tuple[str, int, bytes]]:
    """The files of a chunk: their names, their sizes where they came from, and what was sent of them.

    The page sends no content of a file that is too large, and its size, where imports send its label.
    """
    files, names, sizes = request.FILES.getlist("files"), request.POST.getlist("names"), request.POST.getlist("labels")
    if not 0 < len(files) <= FILES_PER_CHUNK or not len(files) == len(names) == len(sizes):
        raise InvalidInput(f"Send up to {FILES_PER_CHUNK} files at once, each with its name and its size.")
    if not all(size.isascii() and size.isdigit() and len(size) <= 15 for size in sizes):
        raise InvalidInput("Send the size of each file in bytes.")
    return [
        # One byte past the cap is enough to be refused for it.
        (name, max(int(size), file.size or 0), file.read(settings.IMAGE_MAX_BYTES + 1))
        for file, name, size in zip(files, names, sizes, strict=True)
    ]
