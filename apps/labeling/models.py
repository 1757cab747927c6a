"""What the queue remembers of a person: the samples passed over. Everything else it reads from lower floors."""

from django.conf import settings
from django.db import models

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
