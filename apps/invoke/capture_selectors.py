"""What the panel about captured calls shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from apps.functions.models import Function, InputKind
from apps.invoke.capture_forms import CaptureForm
from apps.samples.models import Capture, CaptureMode, CaptureReason, Missed
from apps.samples.redaction import is_operators_function_set
from apps.samples.services.capture_policies import CaptureRules, missed_this_hour, policy_of

DAYS_SHOWN = 7
MOST_COUNTED = 10_000
"""Calls counted by their reasons: an overview needs no more, and a busy function keeps many."""


@dataclass(frozen=True)
class CapturePanel:
    """The rules in force with the form to change them, what was kept lately and why, and what was missed."""

    rules: CaptureRules
    form: CaptureForm
    has_texts: bool
    has_own_redaction: bool
    kept: list[tuple[str, int]]
    is_cut: bool
    n_missed: int
    missed_because: str

    @property
    def is_on(self) -> bool:
        return self.rules.mode != CaptureMode.OFF

    @property
    def mode_words(self) -> str:
        return CaptureMode(self.rules.mode).label

    @property
    def n_kept(self) -> int:
        return sum(n for _reason, n in self.kept)


def capture_panel(function: Function, form: CaptureForm | None = None) -> CapturePanel:
    """Return what there is to show. Two queries. `form` is one that was filled in and cannot be meant."""
    policy = policy_of(function.pk)
    rules = CaptureRules.of(policy)
    since = timezone.now() - timedelta(days=DAYS_SHOWN)
    rows = Capture.objects.filter(function=function, created_at__gt=since).order_by("-created_at")
    reasons = list(rows.values_list("reason", flat=True)[: MOST_COUNTED + 1])
    missed = missed_this_hour(policy)
    return CapturePanel(
        rules=rules,
        form=form or CaptureForm.of(rules),
        has_texts=function.input_kind != InputKind.IMAGE,
        has_own_redaction=is_operators_function_set(),
        kept=[(CaptureReason(reason).label, n) for reason, n in Counter(reasons[:MOST_COUNTED]).most_common()],
        is_cut=len(reasons) > MOST_COUNTED,
        n_missed=missed.n_calls,
        missed_because=Missed(missed.because).label if missed.because else "",
    )
