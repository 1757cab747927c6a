"""Functions (*given this input I want this output*), their labels, fields and keyword rules."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.workspaces.models import Workspace


class InputKind(models.TextChoices):
    TEXT = "text", "Text"
    IMAGE = "image", "Pictures"
    TABLE = "table", "Table rows"


class OutputKind(models.TextChoices):
    LABEL = "label", "One label"
    TAGS = "tags", "Any number of tags"


class Function(models.Model):
    """One question a workspace wants answered.

    `data_revision` grows with every change that a model should learn from; it is compared with the revision a
    round was made from, so that no change is ever forgotten. `automation_target` is the share of answers that must be
    right where no person looks: each model finds its own threshold for it.
    """

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "function"

    public_id = PublicIdField("function")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="functions")
    name = models.CharField(max_length=120)
    input_kind = models.CharField(max_length=10, choices=InputKind)
    output_kind = models.CharField(max_length=10, choices=OutputKind, default=OutputKind.LABEL)
    automation_target = models.FloatField(default=0.95)
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


class Weight(models.IntegerChoices):
    """How much worse it is to miss this label than another."""

    USUAL = 1, "as bad as any other"
    WORSE = 3, "worse"
    MUCH_WORSE = 10, "much worse"


class Label(models.Model):
    """A class of a function, or one of its tags. Its identity is the row; its name is display."""

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
    weight = models.PositiveSmallIntegerField(choices=Weight, default=Weight.USUAL)
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


class FieldType(models.TextChoices):
    NUMBER = "number", "Number"
    CATEGORY = "category", "Category"
    DATE = "date", "Date"
    TEXT = "text", "Free text"
    IMAGE = "image", "Picture"


class Field(models.Model):
    """A column of a table function. Its identity is the row; its name is display and what callers may say instead.

    `type` is guessed from the data until a person has confirmed it. One that is not used stays with the samples and is
    not learned from. `advice` says what looks wrong with it: always the same, an id, one that gives the label away.
    `facts` are what its first cells told of all others: the decimal mark, whether the day comes before the month.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "field"

    public_id = PublicIdField("field")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="fields")
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=10, choices=FieldType)
    is_used = models.BooleanField(default=True)
    is_confirmed = models.BooleanField(default=False)
    advice = models.CharField(max_length=400, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    position = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["function", "name"], name="field_name_once")]

    def __str__(self) -> str:
        return self.name


class KeywordRule(models.Model):
    """*Contains "refund"* means this label: what the owner knows before there is a model, and a hint to it later."""

    WORKSPACE_PATH: ClassVar[str] = "label__function__workspace"
    ID_KIND: ClassVar[str] = "rule"

    public_id = PublicIdField("rule")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="rules")
    words = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["label", "words"], name="rule_once")]

    def __str__(self) -> str:
        return self.words
