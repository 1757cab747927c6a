"""Rows in bulk, past the services that would embed and train."""

from apps.functions.models import Function
from apps.samples.models import Origin, Sample


def make_samples(function: Function, n: int, prefix: str = "message") -> list[Sample]:
    return Sample.objects.bulk_create(
        [
            Sample(function=function, text=f"{prefix} {i}", content_hash=f"{prefix}-{i}", origin=Origin.IMPORT)
            for i in range(n)
        ]
    )
