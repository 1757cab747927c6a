"""Which inputs of calls a function keeps: read by whoever decides, changed by its owners, counted where it missed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import cast

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Least
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.events.services import JsonValue, record
from apps.functions.models import Function
from apps.functions.services.changes import actor_id, announce_change
from apps.samples.models import CaptureMode, CapturePolicy, Missed
from apps.samples.redaction import all_kinds
from apps.samples.services.annotations import lock_function

MOST_PER_HOUR = 20_000
MOST_DAYS = 3_650
MOST_MISSED = 2_000_000_000


@dataclass(frozen=True)
class CaptureRules:
    """The columns of `CapturePolicy` that owners choose. Without a row nothing is kept, and all would be redacted."""

    mode: str = CaptureMode.OFF.value
    random_share: float = 0.02
    per_hour: int = 200
    days_kept: int = 90
    redactions: tuple[str, ...] = field(default_factory=lambda: tuple(all_kinds()))

    @classmethod
    def of(cls, policy: CapturePolicy | None) -> CaptureRules:
        if policy is None:
            return cls()
        names = tuple(str(name) for name in policy.redactions)
        return cls(policy.mode, policy.random_share, policy.per_hour, policy.days_kept, names)

    def check(self) -> None:
        """Raise InvalidInput with a sentence where it cannot be meant."""
        if self.mode not in CaptureMode.values:
            raise InvalidInput("What is kept must be off, informative or all.")
        if not 0 <= self.random_share <= 1:
            raise InvalidInput("The share drawn at random lies between 0 and 1.")
        if not 1 <= self.per_hour <= MOST_PER_HOUR:
            raise InvalidInput(f"Between 1 and {MOST_PER_HOUR:,} calls an hour can be kept.")
        if not 1 <= self.days_kept <= MOST_DAYS:
            raise InvalidInput(f"Captured samples can be kept for between 1 and {MOST_DAYS:,} days.")
        _check_redactions(self.redactions)


def _check_redactions(names: Collection[str]) -> None:
    if unknown := sorted(set(names) - set(all_kinds())):
        raise InvalidInput(f"“{unknown[0]}” cannot be blotted out. What can: {', '.join(all_kinds())}.")


def policy_of(function_id: int) -> CapturePolicy | None:
    """Return the function's policy; None where nobody ever chose one. One small query."""
    return CapturePolicy.objects.filter(function=function_id).first()


@transaction.atomic
def set_capture(*, function: Function, rules: CaptureRules, actor: User | None) -> CapturePolicy:
    """Change what of calls is kept, from now on; what is there stays, for as long as `days_kept` now says."""
    rules.check()
    chosen = cast("dict[str, JsonValue]", asdict(rules) | {"redactions": sorted(set(rules.redactions))})
    lock_function(function.pk)
    policy, is_new = CapturePolicy.objects.select_for_update().get_or_create(function=function, defaults=chosen)
    before = asdict(CaptureRules() if is_new else CaptureRules.of(policy))
    before["redactions"] = sorted(before["redactions"])
    changed = {name: value for name, value in chosen.items() if value != before[name]}
    if not changed:
        return policy
    for name, value in changed.items():
        setattr(policy, name, value)
    policy.save(update_fields=list(changed))
    record(
        workspace=function.workspace.public_id,
        kind=Audit.CAPTURE_CHANGED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=function.name,
        **{"mode": rules.mode, **changed},
    )
    announce_change(function)
    return policy


def note_missed(*, function_id: int, n_calls: int, because: Missed) -> None:
    """Count calls of this hour that were to be kept and were not."""
    hour = hour_of(timezone.now())
    mine = CapturePolicy.objects.filter(function=function_id)
    total = Least(F("n_missed") + n_calls, Value(MOST_MISSED))
    if not mine.filter(missed_hour=hour).update(n_missed=total, missed_because=because):
        mine.update(missed_hour=hour, n_missed=n_calls, missed_because=because)


@dataclass(frozen=True)
class MissedCalls:
    """How many calls were to be kept and were not; `because` is empty where there are none."""

    n_calls: int = 0
    because: str = ""


def missed_this_hour(policy: CapturePolicy | None) -> MissedCalls:
    """Return what this hour missed so far."""
    if policy is None or policy.missed_hour != hour_of(timezone.now()):
        return MissedCalls()
    return MissedCalls(policy.n_missed, policy.missed_because)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
