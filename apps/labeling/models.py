"""What the queue remembers: samples passed over, samples in somebody's hands, and what is to be asked next."""

from django.conf import settings
from django.db import models

from apps.functions.models import Function
from apps.samples.models import Sample


class Skip(models.Model):
    """A person passed over a sample; the queue leaves it out for them for a while, and for nobody else."""

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="skips")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    skipped_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "sample"], name="skip_once")]

    def __str__(self) -> str:
        return f"{self.sample_id} passed over by {self.person_id}"


class Handout(models.Model):
    """A sample in a person's hands: nobody else is asked about it until it is answered or `expires_at`.

    A sample that several people are asked about may be in several hands, but never in more than are wanted.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="handouts", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample", "person"], name="handout_once")]

    def __str__(self) -> str:
        return f"{self.sample_id} with {self.person_id}"


class Reason(models.TextChoices):
    """Why the queue asks about a sample; the page says it."""

    TYPICAL = "typical", "typical of many"
    TORN = "torn", "torn between two labels"
    RARE = "rare", "may be of a rare label"
    NEW = "new", "not looked at yet"


class QueueEntry(models.Model):
    """One of the samples to ask about next, in order; a few hundred a function, planned anew after each round."""

    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="+", db_index=False)
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="+")
    place = models.PositiveIntegerField()
    reason = models.CharField(max_length=10, choices=Reason)

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["function", "place"], name="queue_place_once")]

    def __str__(self) -> str:
        return f"{self.place}: {self.sample_id}"


class KeyBindings(models.Model):
    """The keys a person has chosen: by command, where they differ from the usual ones; empty switches a key off."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="key_bindings")
    keys = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"keys of {self.person_id}"
