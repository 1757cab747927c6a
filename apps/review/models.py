"""Slices: filters that people keep by name."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from apps.core.ids import PublicIdField
from apps.functions.models import Function


class Slice(models.Model):
    """A filter over samples under a name; `query` is what `filters.read_filter` reads."""

    WORKSPACE_PATH: ClassVar[str] = "function__workspace"
    ID_KIND: ClassVar[str] = "slice"

    public_id = PublicIdField("slice")
    function = models.ForeignKey(Function, on_delete=models.CASCADE, related_name="slices")
    name = models.CharField(max_length=120)
    query = models.CharField(max_length=2000, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["function", "name"], name="slice_name_once")]

    def __str__(self) -> str:
        return self.name
