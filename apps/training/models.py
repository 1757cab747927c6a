"""Embeddings, work in flight, trained models and their predictions."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.functions.models import Function, Label
from apps.samples.models import Sample
from apps.workspaces.models import Workspace


class Embedding(models.Model):
    """What a backbone makes of one content, inside one workspace; computed once, float16, little-endian."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    content_hash = models.CharField(max_length=64)
    backbone = models.CharField(max_length=60)
    version = models.CharField(max_length=40)
    vector = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "content_hash", "backbone", "version"], name="embedding_once")
        ]

    def __str__(self) -> str:
        return f"{self.backbone} of {self.content_hash[:8]}"


class ReadKind(models.TextChoices):
    TEXT = "text", "texts"
    IMAGE = "image", "pictures"


class BackboneChoice(models.Model):
    """A pulled backbone that texts or pictures are read with, or once were; its files are on the machines.

    The row is what all machines agree on: a name stands for one version for ever, and what is known of it without its
    files is here. At most one is current for each kind; without one, the built-in backbones read. `source` and
    `revision` say what to pull where it is missing.
    """

    kind = models.CharField(max_length=10, choices=ReadKind)
    name = models.CharField(max_length=40, unique=True)
    version = models.CharField(max_length=40)
    dim = models.PositiveIntegerField()
    is_pair = models.BooleanField(default=False)
    temperature = models.FloatField(null=True, blank=True)
    source = models.CharField(max_length=200)
    revision = models.CharField(max_length=100, blank=True)
    is_current = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["kind"], condition=Q(is_current=True), name="one_current_backbone")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class RereadingState(models.TextChoices):
    READING = "reading", "its samples are being read with another backbone"
    READ = "read", "the next round says whether that one does worse"
    KEPT = "kept", "it does worse: the function goes on as before"
    TAKEN = "taken", "it does not: the function reads with it"


UNSETTLED = (RereadingState.READING, RereadingState.READ)


class Rereading(models.Model):
    """What becomes of another backbone in a function: how far its samples are read, and how the two compare.

    `name` is the backbone of before, empty for the built-in ones. The function reads with that one while its samples
    are being read, and where the other did worse; where it is not asked that it do as well, or nothing can be told, the
    row goes. What was compared: `n_right_before` and `n_right_after` of `n_compared` labelled samples, held out.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="rereadings")
    kind = models.CharField(max_length=10, choices=ReadKind)
    name = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=10, choices=RereadingState, default=RereadingState.READING)
    is_anyway = models.BooleanField(default=False)
    n_compared = models.PositiveIntegerField(default=0)
    n_right_before = models.PositiveIntegerField(default=0)
    n_right_after = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["function", "kind"], name="rereading_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.function_id} by {self.name or 'the built-in ones'}"


class WorkKind(models.TextChoices):
    EMBED = "embed", "embedding samples"
    TRAIN = "train", "training"
    PREDICT = "predict", "predicting unlabelled samples"
    SURVEY = "survey", "looking over all samples"
    INSPECT = "inspect", "looking for what may be wrong"
    PLAN = "plan", "choosing what to ask next"
    ADAPT = "adapt", "adapting a backbone"
    REREAD = "reread", "reading samples with another backbone"
    INDEX = "index", "sorting samples for searching"


class FunctionWork(Leased):
    """One kind of background work of one function: who is at it, up to which revision it is done, and how it went.

    Training is asked for by `Function.data_revision`, predicting by `wanted_revision` here; both only grow, and work
    is finished when `done_revision` has caught up. Embedding is asked for by the samples themselves.
    `cursor` is the last sample predicted: the next chunk goes on behind it, so that no sample waits for ever.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="work")
    kind = models.CharField(max_length=10, choices=WorkKind)
    wanted_revision = models.PositiveBigIntegerField(default=0)
    done_revision = models.PositiveBigIntegerField(default=0)
    cursor = models.PositiveBigIntegerField(default=0)
    message = models.TextField(blank=True)
    n_failures = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["function", "kind"], name="work_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.function_id}"


class RunState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    NOT_TRAINABLE = "not_trainable", "Too few labels"
    FAILED = "failed", "Failed"


class TrainingRun(models.Model):
    """One attempt: what data it saw, what it tried, how long it took."""

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="runs")
    data_revision = models.PositiveBigIntegerField()
    state = models.CharField(max_length=20, choices=RunState)
    message = models.TextField(blank=True)
    trials = models.JSONField(default=list)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.state})"


class PartKind(models.TextChoices):
    LINE = "line", "recipes of one line, tried"
    TOWER = "tower", "top layers for one fold, or for all samples"


class PartState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class RoundPart(Leased):
    """A piece of a round, or of an adaptation, that any worker may do; its result travels through the database.

    `batch` names the pieces that belong together, `task` says what is to be done, `result` is what the worker who did
    it wrote, as safetensors. Rows are dropped when their batch is put together.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="+")
    batch = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=PartKind)
    state = models.CharField(max_length=10, choices=PartState, default=PartState.WAITING)
    task = models.JSONField(default=dict)
    result = models.BinaryField(null=True)
    message = models.TextField(blank=True)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="part_once")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.batch} ({self.state})"


class AdaptationState(models.TextChoices):
    TRYING = "trying", "Not judged yet"
    USED = "used", "Read by the newest model"
    REJECTED = "rejected", "Not better than what was there"
    OVERTAKEN = "overtaken", "A newer one is read"


class AdaptationQuerySet(models.QuerySet["Adaptation"]):
    def in_use(self) -> "AdaptationQuerySet":
        """Those that rounds read: of a function the newest of them."""
        return self.filter(state__in=(AdaptationState.TRYING, AdaptationState.USED))


class Adaptation(models.Model):
    """The top layers of a backbone as they learned from a function's samples: one set per fold, and one of all samples.

    `base` and `base_version` are the backbone's, `version` says how the layers were made and are read. It learned from
    `n_annotations` samples with the labels `label_ids`; `learned_from` are their annotations, as ranges of keys. The
    layers are in a file beside the function's models, of checksum `sha256`. A round judges it, and one that was made
    anew is held against the one before: see `in_use` for which is read.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "adaptation"

    public_id = PublicIdField("adaptation")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="adaptations")
    base = models.CharField(max_length=60)
    base_version = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=AdaptationState, default=AdaptationState.TRYING)
    data_revision = models.PositiveBigIntegerField()
    label_ids = models.JSONField()
    learned_from = models.JSONField(default=list)
    n_annotations = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AdaptationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.base} adapted to {self.function_id}"


class TrainedModel(models.Model):
    """An immutable result. It learned from each sample's newest annotation up to `last_annotation_id`, nothing else.

    `published_at` is empty only while its first predictions are being written; the next round removes such a row.
    `label_names`, in the order of `label_ids`, are what it answers: a label renamed since is called so by the next one.
    `recipe` is a blend (`apps.engine.types.Blend`), `backbone_versions` the version of each backbone it reads; the
    version of an adapted one is the public id of its `adaptation`.
    It was judged, held out, on `n_judged` of them and right on `n_right`.
    `figures` holds what was estimated with it (`training.services.figures`), `changes` what it learned that the model
    before had not. A pinned model stays live until it is unpinned, whatever is learned meanwhile.
    """

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "model"

    public_id = PublicIdField("model")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="trained_models")
    number = models.PositiveIntegerField()
    data_revision = models.PositiveBigIntegerField()
    recipe = models.JSONField()
    backbone_versions = models.JSONField(default=dict)
    adaptation = models.ForeignKey(
        Adaptation, null=True, blank=True, on_delete=models.SET_NULL, related_name="trained_models"
    )
    label_ids = models.JSONField()
    label_names = models.JSONField(default=list)
    sha256 = models.CharField(max_length=64)
    last_annotation_id = models.PositiveBigIntegerField()
    n_annotations = models.PositiveIntegerField()
    n_right = models.PositiveIntegerField()
    log_loss = models.FloatField()
    figures = models.JSONField(default=dict)
    changes = models.JSONField(default=dict)
    is_live = models.BooleanField(default=False)
    is_pinned = models.BooleanField(default=False)
    is_damaged = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["function", "number"], name="model_number_once"),
            models.UniqueConstraint(fields=["function"], condition=Q(is_live=True), name="one_live_model"),
            models.CheckConstraint(condition=Q(is_pinned=False) | Q(is_live=True), name="pinned_is_live"),
        ]

    def __str__(self) -> str:
        return f"model {self.number} of {self.function_id}"

    @property
    def n_judged(self) -> int:
        """What was accepted in the grid it learned from, and is not judged on. Models of before were judged on all."""
        accuracy = self.figures.get("accuracy")
        n = accuracy.get("n") if isinstance(accuracy, dict) else None
        return n if isinstance(n, int) else self.n_annotations


class PredictionKind(models.TextChoices):
    OUT_OF_FOLD = "out_of_fold", "by a model that never saw it"
    LIVE = "live", "by the published model"


class Prediction(models.Model):
    """What a model says of a sample. Annotated samples have an out-of-fold one, the others a live one; never mixed.

    Where the function gives tags, `tags` has the probability of each by public id; `label` is the likeliest of those
    judged present, empty where none is, `confidence` the probability that all of them are as said, and `margin` how
    far the tag nearest to its threshold is from it.
    """

    # Foreign keys without an index of their own lead one of the indexes below: every round rewrites these rows.
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="predictions", db_index=False)
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=PredictionKind)
    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Label, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    runner_up = models.ForeignKey(
        Label, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    tags = models.JSONField(null=True, blank=True)
    confidence = models.FloatField()
    margin = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sample", "kind"], name="prediction_once"),
        ]
        indexes = [
            models.Index(fields=["function", "kind", "margin"], name="prediction_by_margin"),
            models.Index(fields=["label", "kind", "-confidence"], name="prediction_surest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.label_id} for {self.sample_id} ({self.confidence:.2f})"


class Survey(models.Model):
    """A look over all samples of a function at once: what lies near what. The arrays are in a file beside its models.

    Made anew when the samples have changed, by `training.services.survey`; never needed for an answer to be right.
    """

    function = models.OneToOneField(Function, on_delete=models.CASCADE, related_name="survey")
    n_samples = models.PositiveIntegerField(default=0)
    last_sample_id = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.n_samples} samples of {self.function_id}"


class FindingKind(models.TextChoices):
    WRONG_LABEL = "wrong_label", "Likely wrong label"
    NEW_KIND = "new_kind", "Unlike everything labelled"
    NEAR_DUPLICATE = "near_duplicate", "Nearly the same as another"


class Finding(models.Model):
    """Something a person should look at, found by the machine; written anew by each inspection, the worst first.

    `label` is what it would be instead, `other` the sample it nearly repeats, `facts` the reason: the nearest labelled
    samples by key. `annotation` is the one doubted: once another is in force the finding is out of date. Of two alike
    that were labelled differently `label` is that of the other; others have neither annotation nor label. Where tags
    are given `label` is the tag doubted.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=FindingKind)
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="findings")
    other = models.ForeignKey(Sample, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    annotation = models.ForeignKey(
        "samples.Annotation", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    label = models.ForeignKey(Label, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    score = models.FloatField()
    facts = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["function", "kind", "-score"], name="finding_worst_first")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.sample_id}"


class SearchIndex(models.Model):
    """Where the vectors of a search function lie, sorted so that the nearest are found at once.

    A file is never changed: each writing makes a new one, and `sample_ids` in it tells whose vectors they are. Samples
    that came after it was written are compared one by one (`SearchArrival`).
    """

    function = models.OneToOneField(Function, on_delete=models.CASCADE, related_name="search_index")
    backbone = models.CharField(max_length=100)
    version = models.CharField(max_length=200)
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    n_samples = models.PositiveIntegerField()
    last_sample_id = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.n_samples} of {self.function_id}"


class SearchArrival(models.Model):
    """A sample of a search function that was read, and that the index may not hold yet; newer ones have larger keys.

    Samples are read in no order of their own, so it takes rows to know which are new. No foreign key to the sample: it
    would cost every deletion of samples a query, and one that is gone is left out of what is found all the same.
    """

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="+", db_index=False)
    sample_id = models.PositiveBigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["function", "id"], name="search_arrival_in_order")]

    def __str__(self) -> str:
        return f"{self.sample_id} in {self.function_id}"
