"""Functions (*given this input I want this output*), their labels, fields and keyword rules."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.core.ids import PublicIdField
from apps.functions.places import OnlySearches, is_of_labels
from apps.workspaces.models import Workspace


class InputKind(models.TextChoices):
    TEXT = "text", "Text"
    IMAGE = "image", "Pictures"
    TABLE = "table", "Table rows"


class OutputKind(models.TextChoices):
    LABEL = "label", "One label"
    TAGS = "tags", "Any number of tags"
    SEARCH = "search", "The samples most like it"


class DecidedBy(models.TextChoices):
    """Who has the last word where several people were asked the same."""

    MAJORITY = "majority", "What most of them say"
    ADJUDICATOR = "adjudicator", "A reviewer, whatever they say"


class ReviewLevel(models.TextChoices):
    """How many answers a reviewer looks at again."""

    OFF = "off", "None"
    SPOT = "spot", "A share of them"
    ALL = "all", "All of them"


class Function(models.Model):
    """One question a workspace wants answered.

    `data_revision` grows with every change that a model should learn from; it is compared with the revision a
    round was made from, so that no change is ever forgotten. `automation_target` is the share of answers that must be
    right where no person looks: each model finds its own threshold for it.

    Teamwork: `overlap_share` of the samples go to `overlap_people` people each, `gold_share` of what a labeler is asked
    has a known answer, and a labeler who gets less than `gold_bar` of those right is told. Where the machine goes
    first, its confident predictions stand provisionally until a person accepts them.
    """

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "function"

    public_id = PublicIdField("function")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="functions")
    name = models.CharField(max_length=120)
    input_kind = models.CharField(max_length=10, choices=InputKind)
    output_kind = models.CharField(max_length=10, choices=OutputKind, default=OutputKind.LABEL)
    automation_target = models.FloatField(default=0.95)
    instructions = models.TextField(blank=True)
    overlap_share = models.FloatField(default=0.0)
    overlap_people = models.PositiveSmallIntegerField(default=2)
    decided_by = models.CharField(max_length=12, choices=DecidedBy, default=DecidedBy.MAJORITY)
    review_level = models.CharField(max_length=10, choices=ReviewLevel, default=ReviewLevel.OFF)
    review_share = models.FloatField(default=0.1)
    gold_share = models.FloatField(default=0.05)
    gold_bar = models.FloatField(default=0.8)
    is_machine_first = models.BooleanField(default=False)
    data_revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def searches(self) -> bool:
        """Whether it finds samples, and so has neither labels nor models."""
        return self.output_kind == OutputKind.SEARCH

    def check_place(self, place: str) -> None:
        """Raises `OnlySearches` for a page that has nothing to show of a function like this."""
        if self.searches and is_of_labels(place):
            raise OnlySearches(self.public_id, place=place)


class LabelQuerySet(models.QuerySet["Label"]):
    def in_use(self) -> "LabelQuerySet":
        """Leave deleted and merged labels out; they stay as rows so that the history keeps its meaning."""
        return self.filter(deleted_at=None, merged_into=None)


class Weight(models.IntegerChoices):
    """How much worse it is to miss this label than another."""

    USUAL = 1, "as bad as any other"
    WORSE = 3, "worse"
    MUCH_WORSE = 10, "much worse"


class Label(models.Model):
    """A class of a function, or one of its tags. Its identity is the row; its name is display.

    One that was merged is another name for `merged_into`: annotations keep saying it, samples count as the other.
    """

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
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.RESTRICT, related_name="aliases")

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["function", "name"], condition=Q(deleted_at=None, merged_into=None), name="label_name_once"
            ),
            models.CheckConstraint(condition=~Q(merged_into=F("pk")), name="label_not_merged_into_itself"),
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


class ProposalState(models.TextChoices):
    OPEN = "open", "Waiting"
    ACCEPTED = "accepted", "Accepted"
    DECLINED = "declined", "Declined"


class LabelProposal(models.Model):
    """A label that somebody who may not make labels asks for; `label` is what came of it."""

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "proposal"

    public_id = PublicIdField("proposal")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="proposals")
    name = models.CharField(max_length=200)
    note = models.CharField(max_length=400, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.OPEN)
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"


class ActKind(models.TextChoices):
    """What can be taken back as one."""

    GRID = "grid", "labelled in the grid"
    SELECTION = "selection", "labelled a selection"
    IMPORT = "import", "brought samples"
    DELETE_SAMPLES = "delete_samples", "deleted samples"
    SET_ASIDE = "set_aside", "set a person's answers aside"
    RENAME_LABEL = "rename_label", "renamed a label"
    RECOLOUR_LABEL = "recolour_label", "changed a label's colour"
    DESCRIBE_LABEL = "describe_label", "described a label"
    MERGE_LABELS = "merge_labels", "merged two labels"
    SPLIT_LABEL = "split_label", "split a label"
    DELETE_LABEL = "delete_label", "deleted a label"


class Act(models.Model):
    """Something a person did to many samples, or to a label, that is undone as one.

    Annotations and samples that came of it point at it; `facts` holds the rest of what undoing needs.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "act"

    public_id = PublicIdField("act")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="acts")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=20, choices=ActKind)
    n_samples = models.PositiveIntegerField(default=0)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undoing = models.JSONField(null=True, blank=True)
    """How far taking it back is, while that is under way (`samples.services.undoing`)."""

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["function", "-id"], name="act_newest_first"),
            models.Index(fields=["id"], name="act_being_undone", condition=models.Q(undoing__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.n_samples})"
