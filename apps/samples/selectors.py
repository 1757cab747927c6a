"""Reads that feed the pages of this app."""

from django.db.models import QuerySet

from apps.functions.models import Function
from apps.samples.models import Import

RECENT_IMPORTS = 10


def recent_imports(function: Function) -> QuerySet[Import]:
    """What was brought last, newest first."""
    return function.imports.order_by("-id")[:RECENT_IMPORTS]
