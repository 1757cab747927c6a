"""What was answered: time, model, label, confidence. The input itself is kept only where capture is on."""

from django.db import models

from apps.functions.models import Function, Label
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
