"""The page that says how people work together on a function."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.functions.models import DecidedBy, Function, ReviewLevel
from apps.functions.services.teamwork import MOST_GOLD, MOST_PEOPLE, Teamwork, set_teamwork
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

_PERCENTS = ("overlap_share", "review_share", "gold_share", "gold_bar")


def _percent(most: float = 1.0) -> forms.IntegerField:
    return forms.IntegerField(min_value=0, max_value=round(100 * most))


class TeamworkForm(forms.Form):
    """Shares are typed in whole percent."""

    overlap_share = _percent()
    overlap_people = forms.IntegerField(min_value=2, max_value=MOST_PEOPLE)
    decided_by = forms.ChoiceField(choices=DecidedBy.choices)
    review_level = forms.ChoiceField(choices=ReviewLevel.choices)
    review_share = _percent()
    gold_share = _percent(MOST_GOLD)
    gold_bar = _percent()
    is_machine_first = forms.BooleanField(required=False)

    @classmethod
    def of(cls, function: Function) -> "TeamworkForm":
        shares = {name: round(100 * getattr(function, name)) for name in _PERCENTS}
        return cls(initial={**vars(Teamwork.of(function)), **shares})

    def teamwork(self) -> Teamwork:
        shares = {name: self.cleaned_data[name] / 100 for name in _PERCENTS}
        return Teamwork(**{**self.cleaned_data, **shares})


@require_http_methods(["GET", "POST"])
@requires(Action.EDIT_FUNCTIONS)
def teamwork_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    form = TeamworkForm(request.POST) if request.method == "POST" else TeamworkForm.of(function)
    if request.method == "POST" and form.is_valid():
        set_teamwork(function=function, teamwork=form.teamwork(), actor=request.user)
        messages.success(request, "Saved. It holds for what people are asked from now on.")
        return redirect("functions:teamwork_page", function.public_id)
    context = {"function": function, "tab": "people", "form": form}
    return render(request, "functions/teamwork_page.html", context, status=422 if form.errors else 200)
