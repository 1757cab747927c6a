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
from apps.invoke.failures import why_not_answered
from apps.samples.models import ImportFormat, Sample
from apps.training.models import TrainedModel
from apps.workspaces.models import ApiKey


class Invocation(models.Model):
    """One call. Without a model it was a guess, before there was one.

    `error` is the code of why it was not answered; such a call has no label, and no confidence either. `novelty` says
    how unlike the samples it was, as the share of those that are less so: uniform between 0 and 1 while calls are like
    the samples. `sample` is what was kept of its input.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="invocations")
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Label, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="+")
    sample = models.ForeignKey(Sample, null=True, on_delete=models.SET_NULL, related_name="+")
    confidence = models.FloatField(null=True)
    novelty = models.FloatField(null=True)
    is_for_review = models.BooleanField(default=False)
    error = models.CharField(max_length=40, blank=True)
    milliseconds = models.FloatField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["function", "created_at"], name="invocation_by_time")]

    def __str__(self) -> str:
        return self.error or f"{self.label_id} ({self.confidence})"

    @property
    def why_not_answered(self) -> str:
        return why_not_answered(self.error)


class UsageHour(models.Model):
    """The calls of one function in one whole hour, counted once it is over; newer ones are counted from their rows.

    `milliseconds` and `confidence` are histograms over the bounds of `invoke.usage`, `labels` counts by public id.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="usage_hours", db_index=False)
    hour = models.DateTimeField()
    n_calls = models.PositiveIntegerField()
    n_errors = models.PositiveIntegerField()
    n_for_review = models.PositiveIntegerField()
    milliseconds = models.JSONField(default=list)
    confidence = models.JSONField(default=list)
    labels = models.JSONField(default=dict)

    class Meta:
        ordering = ["hour"]
        constraints = [models.UniqueConstraint(fields=["function", "hour"], name="usage_hour_once")]
        indexes = [models.Index(fields=["hour"], name="usage_by_hour")]

    def __str__(self) -> str:
        return f"{self.n_calls} calls of {self.function_id}"


class DriftWatch(models.Model):
    """How far the calls of a function have been compared with what its model learned from.

    `state` is what the comparison carries from call to call (`engine.drift`); it begins anew with every model.
    """

    function = models.OneToOneField(Function, on_delete=models.CASCADE, related_name="drift_watch")
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.CASCADE, related_name="+")
    last_invocation_id = models.PositiveBigIntegerField(default=0)
    n_calls = models.PositiveIntegerField(default=0)
    state = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.n_calls} calls of {self.function_id}"


class DriftKind(models.TextChoices):
    INPUT = "input", "What is sent in has changed"
    PREDICTION = "prediction", "What is answered has changed"


class DriftAlarm(models.Model):
    """That calls are no longer like what the model learned from, since about when, and who has seen it."""

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "alarm"

    public_id = PublicIdField("alarm")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="drift_alarms")
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=12, choices=DriftKind)
    facts = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    raised_at = models.DateTimeField(auto_now_add=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.function_id}"


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
