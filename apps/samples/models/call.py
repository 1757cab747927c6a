"""Samples that came in as calls: what is kept, what was answered, and what callers say of it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.functions.models import Function, Label
from apps.samples.models.sample import Sample
from apps.workspaces.models import ApiKey


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
