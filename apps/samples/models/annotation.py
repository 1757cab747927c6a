"""What people said of samples: an append-only history, and what stands beside it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.functions.models import Act, Label
from apps.samples.models.sample import Sample


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
