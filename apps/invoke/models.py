"""What was answered: calls, by time, model, label and confidence; and files whose every row is predicted.

The input of a call is kept only where capture is on; that of a file for as long as its result.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.functions.models import Function, Label
from apps.samples.models import ImportFormat
from apps.training.models import TrainedModel
from apps.workspaces.models import ApiKey


class Invocation(models.Model):
    """One answered call. Without a model it was a guess, before there was one."""

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="invocations")
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Label, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="+")
    confidence = models.FloatField()
    milliseconds = models.FloatField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.label_id} ({self.confidence:.2f})"


class FileState(models.TextChoices):
    UPLOADING = "uploading", "Uploading"
    PREVIEW = "preview", "Waiting for you to check it"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Predicting"
    SENDING = "sending", "Sending to the label queue"
    DONE = "done", "Done"
    FAILED = "failed", "Could not be read"


class FilePrediction(Leased):
    """A file whose every row is predicted: where it is on its way, and what was said of its rows.

    Work is done in slices, each of them a `FilePart`; `cursor` (bytes of a table, members of zips) and the part before
    it are stored in one transaction, so that a run which died is taken up exactly where it stopped. `n_slices` counts
    them all: a message that names another number is an old one. `n_attempts` counts runs since the last progress.

    What answers is fixed when it starts: `model`, or guesses where `is_guess`.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "prediction"

    public_id = PublicIdField("prediction")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="file_predictions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.SET_NULL, related_name="+")
    is_guess = models.BooleanField(default=False)
    format = models.CharField(max_length=10, choices=ImportFormat)
    state = models.CharField(max_length=10, choices=FileState)
    original_name = models.CharField(max_length=400, blank=True)
    options = models.JSONField(default=dict)
    cursor = models.PositiveBigIntegerField(default=0)
    cursor_end = models.PositiveBigIntegerField(default=0)
    n_rows = models.PositiveIntegerField(default=0)
    n_auto = models.PositiveIntegerField(default=0)
    n_review = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    label_counts = models.JSONField(default=dict)
    n_slices = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    n_parts_sent = models.PositiveIntegerField(default=0)
    n_sent = models.PositiveIntegerField(default=0)
    n_known = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.original_name or self.format} by {self.function_id}"

    def get_absolute_url(self) -> str:
        return reverse("invoke:prediction_page", args=[self.public_id])

    @property
    def percent(self) -> int:
        """How far it is, or how far its unsure rows are on their way; whole only when that is done."""
        if self.state == FileState.SENDING:
            return min(99, 100 * self.n_parts_sent // max(1, int(self.options.get("n_parts", 1))))
        if self.state == FileState.DONE:
            return 100
        return min(99, 100 * self.cursor // self.cursor_end) if self.cursor_end else 0

    @property
    def is_under_way(self) -> bool:
        return self.state in {FileState.UPLOADING, FileState.QUEUED, FileState.RUNNING, FileState.SENDING}

    @property
    def is_result_whole(self) -> bool:
        """Whether nothing will be added to what can be downloaded."""
        return self.state in {FileState.SENDING, FileState.DONE, FileState.FAILED}


class FilePart(models.Model):
    """What was said of some rows of a file one after the other: lines of CSV, stored under `file_key`.

    `cursor` and `row` say where in the file they begin, `review` which of them (from 0) a person should look at.
    """

    prediction = models.ForeignKey(FilePrediction, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    file_key = models.CharField(max_length=200)
    cursor = models.PositiveBigIntegerField()
    row = models.PositiveIntegerField()
    n_rows = models.PositiveIntegerField()
    review = models.JSONField(default=list)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["prediction", "number"], name="file_part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.prediction_id}"
