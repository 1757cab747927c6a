"""One's own name and password, and nobody else's."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import services as accounts
from apps.workspaces import services
from apps.workspaces.access import AppHttpRequest, signed_in
from apps.workspaces.forms import ChangePasswordForm, ProfileForm
from apps.workspaces.sign_in import CAME_BY_LINK

LINK_STANDS_FOR_PASSWORD = timedelta(minutes=15)


@require_http_methods(["GET", "POST"])
@signed_in
def profile_page(request: AppHttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, initial={"name": request.user.name})
    if form.is_valid():
        accounts.rename_person(person=request.user, name=form.cleaned_data["name"])
        messages.success(request, "Saved.")
        return redirect("workspaces:profile_page")
    return _render(request, form, ChangePasswordForm(person=request.user, asks_for_old=_asks_for_old(request)))


@require_POST
@sensitive_post_parameters("old_password", "new_password")
@signed_in
def change_password(request: AppHttpRequest) -> HttpResponse:
    form = ChangePasswordForm(request.POST, person=request.user, asks_for_old=_asks_for_old(request))
    if not form.is_valid():
        return _render(request, ProfileForm(initial={"name": request.user.name}), form)
    accounts.change_password(person=request.user, password=form.cleaned_data["new_password"])
    update_session_auth_hash(request, request.user)
    request.session.pop(CAME_BY_LINK, None)
    services.announce_access_change(person=request.user)
    messages.success(request, "Your password is changed. Your other devices are signed out.")
    return redirect("workspaces:profile_page")


def _asks_for_old(request: AppHttpRequest) -> bool:
    came_at: float = request.session.get(CAME_BY_LINK, 0)
    return timezone.now().timestamp() - came_at > LINK_STANDS_FOR_PASSWORD.total_seconds()


def _render(request: AppHttpRequest, profile: ProfileForm, password: ChangePasswordForm) -> HttpResponse:
    context = {"profile_form": profile, "password_form": password}
    status = 422 if profile.errors or password.errors else 200
    return render(request, "workspaces/profile_page.html", context, status=status)
