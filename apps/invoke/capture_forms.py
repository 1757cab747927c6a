"""What people choose of captured calls."""

from __future__ import annotations

from django import forms

from apps.samples.models import CaptureMode
from apps.samples.redaction import WORDS
from apps.samples.services.capture_policies import MOST_DAYS, MOST_PER_HOUR, CaptureRules


class CaptureForm(forms.Form):
    """The share is typed in percent."""

    mode = forms.ChoiceField(choices=CaptureMode.choices)
    random_percent = forms.FloatField(min_value=0, max_value=100)
    per_hour = forms.IntegerField(min_value=1, max_value=MOST_PER_HOUR)
    days_kept = forms.IntegerField(min_value=1, max_value=MOST_DAYS)
    redactions = forms.MultipleChoiceField(
        choices=[(kind.value, words) for kind, words in WORDS.items()], required=False
    )

    @classmethod
    def of(cls, rules: CaptureRules) -> CaptureForm:
        percent = f"{100 * rules.random_share:g}"
        beside = {"per_hour": rules.per_hour, "days_kept": rules.days_kept, "redactions": list(rules.redactions)}
        return cls(initial={"mode": rules.mode, "random_percent": percent, **beside})

    def rules(self) -> CaptureRules:
        chosen = self.cleaned_data
        return CaptureRules(
            mode=chosen["mode"],
            random_share=chosen["random_percent"] / 100,
            per_hour=chosen["per_hour"],
            days_kept=chosen["days_kept"],
            redactions=tuple(chosen["redactions"]),
        )
