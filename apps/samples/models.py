"""Samples, the append-only history of what people said of them, and imports in progress."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.functions.models import Function, Label


class Origin(models.TextChoices):
    BROWSER = "browser", "Browser"
    IMPORT = "import", "Import"
    API = "api", "API"
    CAPTURE = "capture", "Captured call"


class Sample(models.Model):
    """One input of a function. Its primary key is its sequence number: newer samples have larger ones.

    `annotation` is the one in force, empty where there is none; `label` and `labelled_at` repeat it, so that pages
    filter without a join on history, and so do the rows of `SampleTag` where the function gives tags.
    `services.annotations` writes them in the transaction that appends the annotation; deleting a label (one floor
    below) clears them.

    A table row is `row`: values by the public id of their field, as numbers or texts, missing ones left out; and under
    `rows.WRITTEN` cells as they were written, where the value does not say so. Its `text` is the words of the row, to
    search in. A picture in a row is `{"file": key, "width": px, "height": px, "hash": …}`.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "sample"

    public_id = PublicIdField("sample")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="samples")
    text = models.TextField(blank=True)
    row = models.JSONField(null=True, blank=True)
    language = models.CharField(max_length=8, blank=True)
    file_key = models.CharField(max_length=200, blank=True)
    width_px = models.PositiveIntegerField(null=True, blank=True)
    height_px = models.PositiveIntegerField(null=True, blank=True)
    content_hash = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200, blank=True)
    original_name = models.CharField(max_length=400, blank=True)
    origin = models.CharField(max_length=10, choices=Origin)
    is_embedded = models.BooleanField(default=False)
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.SET_NULL, related_name="samples")
    annotation = models.ForeignKey(
        "samples.Annotation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    labelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["function", "content_hash"], name="sample_content_once"),
            models.CheckConstraint(condition=Q(text="") | Q(file_key=""), name="sample_is_text_or_file"),
        ]
        indexes = [
            models.Index(fields=["function", "label"], name="sample_by_label"),
            models.Index(fields=["function", "external_id"], name="sample_by_external_id"),
            models.Index(fields=["function"], condition=Q(is_embedded=False), name="sample_to_embed"),
            models.Index(fields=["function"], condition=Q(annotation=None), name="sample_unlabelled"),
        ]

    def __str__(self) -> str:
        return self.original_name or self.text[:60] or self.public_id


class SampleTag(models.Model):
    """A tag's state in the annotation in force: said to be there, or said not to be. A tag made later has no row."""

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="tags", db_index=False)
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="tagged")
    is_present = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample", "label"], name="sample_tag_once")]

    def __str__(self) -> str:
        return f"{self.label_id} {'on' if self.is_present else 'not on'} {self.sample_id}"


class PickedBy(models.TextChoices):
    """Why this sample, and not another, came to be annotated: honest figures depend on it."""

    RANDOM = "random", "drawn at random"
    QUEUE = "queue", "asked for by the model"
    PERSON = "person", "chosen by a person"
    IMPORT = "import", "brought with its label"


class Annotation(models.Model):
    """A person's label on a sample. Never changed and never erased: undo appends one that restores the last state.

    Where the function gives tags, `tags` says of each by public id whether it is there, and `label` is empty.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="annotations")
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.RESTRICT, related_name="annotations")
    tags = models.JSONField(null=True, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    picked_by = models.CharField(max_length=10, choices=PickedBy)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by")
    client_token = models.UUIDField(null=True, blank=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["sample", "-id"], name="annotation_newest_first")]

    def __str__(self) -> str:
        return f"{self.label} on {self.sample_id}"


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
