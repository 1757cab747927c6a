"""Functions (*given this input I want this output*) and their labels."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.workspaces.models import Workspace


class InputKind(models.TextChoices):
    TEXT = "text", "Text"
    IMAGE = "image", "Pictures"


class Function(models.Model):
    """One question a workspace wants answered.

    `data_revision` grows with every change that a model should learn from; it is compared with the revision a
    round was made from, so that no change is ever forgotten.
    """

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "function"

    public_id = PublicIdField("function")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="functions")
    name = models.CharField(max_length=120)
    input_kind = models.CharField(max_length=10, choices=InputKind)
    data_revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class LabelQuerySet(models.QuerySet["Label"]):
    def in_use(self) -> "LabelQuerySet":
        """Leave deleted labels out; they stay as rows so that the history keeps its meaning."""
        return self.filter(deleted_at=None)


class Label(models.Model):
    """A class of a function. Its identity is the row; its name is display."""

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "label"
    N_COLOURS: ClassVar[int] = 12

    public_id = PublicIdField("label")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    position = models.PositiveIntegerField()
    colour = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["function", "name"], condition=Q(deleted_at=None), name="label_name_once")
        ]

    def __str__(self) -> str:
        return self.name
