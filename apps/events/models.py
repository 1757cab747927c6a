"""The audit log: append-only, hash-chained per workspace, without sample text."""

from django.db import models


class Event(models.Model):
    """One thing that happened. Workspace, subject and actor are plain public ids, so that the record outlives them."""

    workspace_id = models.CharField(max_length=40, db_index=True)
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "sequence"], name="event_sequence_once"),
        ]
        ordering = ["workspace_id", "sequence"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
