"""Files in the database, for machines that share no disk (`core.database_storage`)."""

from django.db import models

PART_BYTES = 1024 * 1024
"""Of every part but the last, so that any place in a file is found without reading what lies before."""


class StoredFolder(models.Model):
    """A folder of stored files; a row of its own, so that looking into one walks over no files below it."""

    path = models.CharField(max_length=300, unique=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="folders")

    def __str__(self) -> str:
        return self.path


class StoredFile(models.Model):
    """A file, in parts. Nobody reads it before it `is_whole`; one that never gets so is cleared away."""

    name = models.CharField(max_length=300, unique=True)
    folder = models.ForeignKey(StoredFolder, on_delete=models.PROTECT, related_name="files")
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="")
    is_whole = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(is_whole=False), name="stored_file_unfinished")
        ]

    def __str__(self) -> str:
        return self.name


class StoredPart(models.Model):
    """At most `PART_BYTES` of a file."""

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="stored_part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.file_id}"
