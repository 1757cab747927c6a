"""Imports and exports, and how far they are."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.functions.models import Function


class ImportState(models.TextChoices):
    UPLOADING = "uploading", "Uploading"
    PREVIEW = "preview", "Waiting for you to check it"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Bringing samples in"
    DONE = "done", "Done"
    FAILED = "failed", "Could not be read"


class ImportFormat(models.TextChoices):
    LINES = "lines", "Pasted lines"
    CSV = "csv", "CSV"
    XLSX = "xlsx", "Spreadsheet"
    JSONL = "jsonl", "JSON lines"
    ZIP = "zip", "Zip"
    FILES = "files", "Dropped files"


class Import(Leased):
    """Something brought: where it is on its way into samples, and what became of it.

    `cursor` (bytes of a text file, members of a zip) moves in the transaction that stores the rows read up to there, so
    that a run which died is taken up exactly where it stopped. `n_read` counts rows, as a person would; `n_attempts`
    counts runs since the last progress.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "import"

    public_id = PublicIdField("import")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="imports")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    format = models.CharField(max_length=10, choices=ImportFormat)
    state = models.CharField(max_length=10, choices=ImportState)
    file_key = models.CharField(max_length=200, blank=True)
    original_name = models.CharField(max_length=400, blank=True)
    options = models.JSONField(default=dict)
    cursor = models.PositiveBigIntegerField(default=0)
    cursor_end = models.PositiveBigIntegerField(default=0)
    n_read = models.PositiveIntegerField(default=0)
    n_added = models.PositiveIntegerField(default=0)
    n_labelled = models.PositiveIntegerField(default=0)
    n_duplicates = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.original_name or self.format} into {self.function_id}"

    def get_absolute_url(self) -> str:
        return reverse("samples:import_page", args=[self.public_id])

    @property
    def file_keys(self) -> list[str]:
        """Everything stored for it: what is read, the workbook that was made from, the zip its pictures are in."""
        beside = [str(self.options.get(name, "")) for name in ("workbook_key", "pictures_key")]
        return [key for key in (self.file_key, *beside) if key]

    @property
    def n_restored(self) -> int:
        """How many of its samples came back out of the bin."""
        return int(self.options.get("n_restored", 0))

    @property
    def undone_as(self) -> str:
        """The public id of the act by which it is undone; empty where nothing came of it, or it has been."""
        is_over = not self.is_under_way and not self.options.get("is_undone")
        return str(self.options.get("act", "")) if is_over else ""

    @property
    def percent(self) -> int:
        """How far it is; whole only when it is done."""
        if self.state == ImportState.DONE:
            return 100
        return min(99, 100 * self.cursor // self.cursor_end) if self.cursor_end else 0

    @property
    def is_under_way(self) -> bool:
        return self.state in {ImportState.UPLOADING, ImportState.QUEUED, ImportState.RUNNING}


class ImportProblem(models.Model):
    """A row that did not go in, and why; or one that did (`is_refused` False), but for a cell nobody could read."""

    import_job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()
    name = models.CharField(max_length=400, blank=True)
    reason = models.CharField(max_length=400)
    is_refused = models.BooleanField(default=True)

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["import_job", "row"], name="import_problem_once")]

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}"


class ExportState(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Being written"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Export(Leased):
    """A file of all samples of a function that is written in the background, and how far that is.

    It grows by parts; `cursor` is the last sample in them, and moves in the transaction that adds one. `columns` are
    those it is written with: where the function's change meanwhile it begins anew. `n_attempts` counts runs since the
    last progress.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "export"

    public_id = PublicIdField("export")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="exports")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    format = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=ExportState, default=ExportState.QUEUED)
    columns = models.JSONField(default=list)
    cursor = models.PositiveBigIntegerField(default=0)
    n_parts = models.PositiveIntegerField(default=0)
    n_rows = models.PositiveIntegerField(default=0)
    n_rows_expected = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.format} of {self.function_id}"


class ExportPart(models.Model):
    """Some rows of an export one after the other, as they go out, stored under `file_key`."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    file_key = models.CharField(max_length=200)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.export_id}"
