"""Samples, the append-only history of what people said of them, and imports in progress."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.functions.models import Act, Function, Label
from apps.workspaces.models import ApiKey


class Origin(models.TextChoices):
    BROWSER = "browser", "Browser"
    IMPORT = "import", "Import"
    API = "api", "API"
    CAPTURE = "capture", "Captured call"


class ReviewState(models.TextChoices):
    """Where a sample's answer is with the reviewers; most are of no concern to them."""

    NONE = "", "not asked for"
    WANTED = "wanted", "to be checked"
    ACCEPTED = "accepted", "checked"
    SENT_BACK = "sent_back", "sent back"


class SampleManager(models.Manager["Sample"]):
    """Leaves out what is in the bin. What belongs to a function is read through this; the bin through `everywhere`."""

    def get_queryset(self) -> "models.QuerySet[Sample]":
        return super().get_queryset().filter(deleted_at=None)


class Sample(models.Model):
    """One input of a function. Its primary key is its sequence number: newer samples have larger ones.

    `annotation` is the one in force, empty where there is none; `label` and `labelled_at` repeat it, so that pages
    filter without a join on history, and so do the rows of `SampleTag` where the function gives tags.
    `services.annotations` writes them in the transaction that appends the annotation; deleting a label (one floor
    below) clears them.

    A table row is `row`: values by the public id of their field, as numbers or texts, missing ones left out; and under
    `rows.WRITTEN` cells as they were written, where the value does not say so. Its `text` is the words of the row, to
    search in. A picture in a row is `{"file": key, "width": px, "height": px, "hash": …}`.

    `n_wanted` people are asked; with more than one, what each said is an `Opinion`, and the annotation in force is what
    was decided: none until `n_opinions` are in. A deleted sample rests in the bin (`deleted_at`) without label,
    annotation, tags or predictions, so that nothing finds it by way of those; restoring it reads its history.
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
    n_wanted = models.PositiveSmallIntegerField(default=1)
    n_opinions = models.PositiveSmallIntegerField(default=0)
    is_disputed = models.BooleanField(default=False)
    review = models.CharField(max_length=10, choices=ReviewState, blank=True, default=ReviewState.NONE)
    sent_back_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    brought_by = models.ForeignKey(
        Act, null=True, blank=True, on_delete=models.SET_NULL, related_name="samples", db_index=False
    )
    deleted_by = models.ForeignKey(
        Act, null=True, blank=True, on_delete=models.SET_NULL, related_name="deleted_samples", db_index=False
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SampleManager()
    everywhere = models.Manager["Sample"]()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["function", "content_hash"], name="sample_content_once"),
            models.CheckConstraint(condition=Q(text="") | Q(file_key=""), name="sample_is_text_or_file"),
        ]
        # SQLite takes a partial index only where a query says its condition in these words, or something it knows to
        # imply them: that a column equals something implies that it is not null, but not that it is "not (null)".
        indexes = [
            models.Index(fields=["function", "label"], name="sample_by_label"),
            models.Index(fields=["function", "external_id"], name="sample_by_external_id"),
            # The widest first: of several that would do SQLite takes the one made last.
            models.Index(fields=["function"], condition=Q(deleted_at=None), name="sample_not_in_bin"),
            models.Index(fields=["function"], condition=Q(is_embedded=False, deleted_at=None), name="sample_to_embed"),
            models.Index(fields=["function"], condition=Q(annotation=None, deleted_at=None), name="sample_unlabelled"),
            models.Index(
                fields=["function", "deleted_at"], condition=Q(deleted_at__isnull=False), name="sample_in_bin"
            ),
            models.Index(
                fields=["function", "n_opinions"],
                condition=Q(n_wanted__gt=1, annotation=None, deleted_at=None),
                name="sample_wants_opinions",
            ),
            models.Index(fields=["function"], condition=Q(is_disputed=True, deleted_at=None), name="sample_disputed"),
            models.Index(
                fields=["function", "review"],
                condition=Q(review="wanted") | Q(review="accepted") | Q(review="sent_back"),
                name="sample_by_review",
            ),
            models.Index(fields=["brought_by"], condition=Q(brought_by__isnull=False), name="sample_by_import"),
            models.Index(fields=["deleted_by"], condition=Q(deleted_by__isnull=False), name="sample_by_deletion"),
            models.Index(fields=["sent_back_to"], condition=Q(sent_back_to__isnull=False), name="sample_sent_back"),
            models.Index(
                fields=["function", "created_at"],
                condition=Q(origin="capture", annotation=None, deleted_at=None),
                name="sample_captured",
            ),
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
    GRID = "grid", "accepted among many that looked alike"
    PERSON = "person", "chosen by a person"
    IMPORT = "import", "brought with its label"


class Annotation(models.Model):
    """A person's label on a sample. Never changed and never erased: undo appends one that restores the last state.

    Where the function gives tags, `tags` says of each by public id whether it is there, and `label` is empty.
    `is_opinion`: the person was one of several, or the answer was known beforehand; by itself it is not in force.
    `active_ms` is how long the person was at it, pauses of over a minute left out.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="annotations")
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.RESTRICT, related_name="annotations")
    tags = models.JSONField(null=True, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    picked_by = models.CharField(max_length=10, choices=PickedBy)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by")
    client_token = models.UUIDField(null=True, blank=True, unique=True)
    act = models.ForeignKey(
        Act, null=True, blank=True, on_delete=models.SET_NULL, related_name="annotations", db_index=False
    )
    is_opinion = models.BooleanField(default=False)
    active_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["sample", "-id"], name="annotation_newest_first"),
            models.Index(fields=["act"], condition=Q(act__isnull=False), name="annotation_by_act"),
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.sample_id}"


class Opinion(models.Model):
    """What one person says of a sample that several are asked about, or whose answer is known: their newest annotation.

    Written by `services.opinions` beside the annotation; taken back, it is gone.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="opinions", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="opinion")
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample", "person"], name="opinion_once")]

    def __str__(self) -> str:
        return f"{self.label_id} on {self.sample_id}, says {self.person_id}"


class GoldSample(models.Model):
    """A sample whose answer is known: hidden among what labelers are asked, to see how often they are right."""

    sample = models.OneToOneField(Sample, on_delete=models.CASCADE, related_name="gold")
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    tags = models.JSONField(null=True, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.sample_id} is known to be {self.label_id}"


class MarkKind(models.TextChoices):
    FLAG = "flag", "Flagged"
    UNSURE = "unsure", "Not sure"


class Mark(models.Model):
    """A person's flag on a sample, or that they were not sure of their answer. Gone once a reviewer has seen to it."""

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="marks", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=MarkKind)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample", "person", "kind"], name="mark_once")]

    def __str__(self) -> str:
        return f"{self.kind} on {self.sample_id}"


class Comment(models.Model):
    """What a person wrote beside a sample."""

    WORKSPACE_PATH: ClassVar[str] = "sample__function__workspace"
    ID_KIND: ClassVar[str] = "comment"

    public_id = PublicIdField("comment")
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="comments")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.CharField(max_length=2000)
    client_token = models.UUIDField(null=True, blank=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:60]


class Confirmation(models.Model):
    """A reviewer looked at this annotation again and kept it: nobody is asked about it again."""

    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="confirmation")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.annotation_id} kept"


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


class CaptureMode(models.TextChoices):
    OFF = "off", "Nothing"
    INFORMATIVE = "informative", "What there is something to learn from"
    ALL = "all", "Every call"


class Missed(models.TextChoices):
    """Why calls that were to be kept were not; the values travel in the API."""

    LIMIT = "Limit", "as many as may be kept in an hour were"
    QUOTA = "Quota", "the workspace has as many samples as it may have"
    REDACTION = "Redaction", "the operator's redaction failed"
    FAULT = "Fault", "they could not be stored"


class CapturePolicy(models.Model):
    """Which inputs of calls a function keeps, so that people look at them; without a row it keeps none.

    Of informative ones a share is drawn at random (`random_share`): only by those is known how right it is in
    production. At most `per_hour` are kept; those nobody has labelled go after `days_kept` days. `redactions` names the
    patterns whose matches are blotted out of texts before anything is kept. `n_missed` calls of the hour `missed_hour`
    were to be kept and were not, the last of them because of `missed_because`.
    """

    function = models.OneToOneField(Function, on_delete=models.CASCADE, related_name="capture_policy")
    mode = models.CharField(max_length=12, choices=CaptureMode, default=CaptureMode.OFF)
    random_share = models.FloatField(default=0.02)
    per_hour = models.PositiveIntegerField(default=200)
    days_kept = models.PositiveIntegerField(default=90)
    redactions = models.JSONField(default=list, blank=True)
    missed_hour = models.DateTimeField(null=True, blank=True)
    n_missed = models.PositiveIntegerField(default=0)
    missed_because = models.CharField(max_length=20, choices=Missed, blank=True)

    def __str__(self) -> str:
        return f"{self.function_id} keeps {self.mode}"


class CaptureReason(models.TextChoices):
    """Why an input was kept; the values travel in the API."""

    LOW_CONFIDENCE = "LowConfidence", "the model was not sure"
    RARE_CLASS = "RareClass", "a label that few samples have"
    NEW_KIND = "NewKind", "unlike what it learned from"
    RANDOM = "Random", "drawn at random"
    ALL = "All", "every call is kept"


class Capture(models.Model):
    """That a sample came in as a call, and what was answered then.

    `model` is the public id of what answered, empty for a guess; `is_random` says that chance alone chose it.
    """

    sample = models.OneToOneField(Sample, on_delete=models.CASCADE, related_name="capture")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="captures", db_index=False)
    reason = models.CharField(max_length=20, choices=CaptureReason)
    is_random = models.BooleanField(default=False)
    model = models.CharField(max_length=40, blank=True)
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    tags = models.JSONField(null=True, blank=True)
    confidence = models.FloatField()
    key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["function", "created_at"], name="capture_by_time")]

    def __str__(self) -> str:
        return f"{self.sample_id}: {self.reason}"


class Verdict(models.TextChoices):
    """What somebody says of an answer they were given; the values travel in the API."""

    RIGHT = "Right", "right"
    WRONG = "Wrong", "wrong"


class FeedbackState(models.TextChoices):
    WAITING = "waiting", "Waiting for a reviewer"
    ACCEPTED = "accepted", "Accepted, not learned yet"
    DECLINED = "declined", "Declined"
    LEARNED = "learned", "Learned"


class Feedback(models.Model):
    """What a caller says of an answer: that it was right or wrong, and perhaps what would have been right.

    It changes nothing before a person has looked. `learned_in` is the public id of the model that learned it.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "feedback"

    public_id = PublicIdField("feedback")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="feedback", db_index=False)
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="feedback")
    verdict = models.CharField(max_length=8, choices=Verdict)
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    tags = models.JSONField(null=True, blank=True)
    note = models.CharField(max_length=400, blank=True)
    reporter = models.CharField(max_length=200, blank=True)
    key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=FeedbackState, default=FeedbackState.WAITING)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    handled_at = models.DateTimeField(null=True, blank=True)
    learned_in = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["function", "-id"], name="feedback_newest_first"),
            models.Index(fields=["function", "verdict"], condition=Q(state="waiting"), name="feedback_waiting"),
            models.Index(fields=["function"], condition=Q(state="accepted"), name="feedback_to_learn"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} of {self.sample_id}"


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
