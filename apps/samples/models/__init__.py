"""Samples, the append-only history of what people said of them, what calls brought, and imports and exports."""

from apps.samples.models.annotation import (
    Annotation,
    Comment,
    Confirmation,
    GoldSample,
    Mark,
    MarkKind,
    Opinion,
    PickedBy,
)
from apps.samples.models.call import (
    Capture,
    CaptureMode,
    CapturePolicy,
    CaptureReason,
    Feedback,
    FeedbackState,
    Missed,
    Verdict,
)
from apps.samples.models.sample import (
    Origin,
    ReviewState,
    Sample,
    SampleTag,
)
from apps.samples.models.transport import (
    Export,
    ExportPart,
    ExportState,
    Import,
    ImportFormat,
    ImportProblem,
    ImportState,
)

__all__ = [
    "Annotation",
    "Capture",
    "CaptureMode",
    "CapturePolicy",
    "CaptureReason",
    "Comment",
    "Confirmation",
    "Export",
    "ExportPart",
    "ExportState",
    "Feedback",
    "FeedbackState",
    "GoldSample",
    "Import",
    "ImportFormat",
    "ImportProblem",
    "ImportState",
    "Mark",
    "MarkKind",
    "Missed",
    "Opinion",
    "Origin",
    "PickedBy",
    "ReviewState",
    "Sample",
    "SampleTag",
    "Verdict",
]
