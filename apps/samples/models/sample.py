"""Samples, and the tags that are in force on them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.functions.models import Act, Function, Label


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
