"""The audit log, append-only and hash-chained per workspace, without sample text; and notices for other programs."""

from __future__ import annotations

from typing import Never

from django.db import models


class EventQuerySet(models.QuerySet["Event"]):
    """Refuses what would rewrite history by accident; what is done on purpose, the hash chain shows."""

    def update(self, **_fields: object) -> Never:
        raise TypeError("Events are append-only.")

    def delete(self) -> Never:
        raise TypeError("Events are append-only.")


class Event(models.Model):
    """One thing that happened. Workspace, subject and actor are plain public ids, so that the record outlives them.

    `about` is the function it happened in, else the subject: a copy out of what is hashed, so that it can be looked up.
    """

    workspace_id = models.CharField(max_length=40)
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=40, blank=True)
    about = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "sequence"], name="event_sequence_once"),
        ]
        indexes = [  # each with its kind: whatever is asked for is read newest first, kind by kind (`selectors`)
            models.Index(fields=["workspace_id", "kind", "sequence"], name="event_by_kind"),
            models.Index(fields=["workspace_id", "actor", "kind", "sequence"], name="event_by_actor"),
            models.Index(fields=["workspace_id", "subject", "kind", "sequence"], name="event_by_subject"),
            models.Index(fields=["workspace_id", "about", "kind", "sequence"], name="event_by_about"),
            models.Index(fields=["workspace_id", "created_at", "sequence"], name="event_by_time"),
        ]
        ordering = ["workspace_id", "sequence"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class ChainHead(models.Model):
    """The end of a workspace's chain: locked while an event is appended, and proof that the newest were not cut off."""

    workspace_id = models.CharField(max_length=40, primary_key=True)
    sequence = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.workspace_id} at {self.sequence}"


class Audience(models.Model):
    """A workspace in which some webhook is on: nothing is written down for those where nobody would hear of it."""

    workspace_id = models.CharField(max_length=40, primary_key=True)

    def __str__(self) -> str:
        return self.workspace_id


class Notice(models.Model):
    """Something that other programs may want to hear of, until the worker has given it to each webhook that does."""

    workspace_id = models.CharField(max_length=40)
    function_id = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.function_id or self.workspace_id}"
