"""The three links people come in by. Opening one changes nothing, since mail and chat programs open links as well."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.models import LinkPurpose, User
from apps.accounts.services import find_link, use_link
from apps.core.errors import NotFound
from apps.workspaces import services
from apps.workspaces.access import SESSION_KEY, public
from apps.workspaces.forms import AcceptInvitationForm, SetUpForm, submit
from apps.workspaces.models import Invitation, Membership
from apps.workspaces.selectors import name_for_first_workspace
from apps.workspaces.sign_in import CAME_BY_LINK, sign_in_by_link


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters("password")
@public
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    find_link(token=token, purpose=LinkPurpose.SET_UP)
    form = SetUpForm(request.POST or None, initial={"workspace_name": name_for_first_workspace()})
    membership = submit(form, lambda: services.set_up_owner(token=token, **form.cleaned_data))
    if membership is not None:
        return _enter(request, membership)
    return render(request, "workspaces/set_up.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters("password")
@public
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    invitation = services.find_invitation(token=token)
    if isinstance(request.user, User):
        return _join(request, token, invitation, request.user)
    if User.objects.filter(email__iexact=invitation.email).exists():
        return render(request, "workspaces/accept_invitation.html", {"invitation": invitation, "step": "sign_in"})
    form = AcceptInvitationForm(request.POST or None, email=invitation.email)
    membership = submit(form, lambda: services.accept_invitation(token=token, **form.cleaned_data))
    if membership is not None:
        return _enter(request, membership)
    context = {"invitation": invitation, "step": "register", "form": form}
    return render(request, "workspaces/accept_invitation.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@never_cache
@public
def one_time_sign_in(request: HttpRequest, token: str) -> HttpResponse:
    link = find_link(token=token, purpose=LinkPurpose.SIGN_IN)
    if link.user is None or not link.user.is_active:
        raise NotFound("This link belongs to nobody who can sign in.")
    if request.method == "GET":
        return render(request, "workspaces/one_time_sign_in.html", {"person": link.user})
    use_link(token=token, purpose=LinkPurpose.SIGN_IN)
    sign_in_by_link(request, link.user)
    request.session[CAME_BY_LINK] = timezone.now().timestamp()
    messages.success(request, "You are signed in. If you lost your password, set a new one now.")
    return redirect("workspaces:profile_page")


def _join(request: HttpRequest, token: str, invitation: Invitation, person: User) -> HttpResponse:
    is_theirs = person.email.lower() == invitation.email
    if request.method == "GET" or not is_theirs:
        context = {"invitation": invitation, "step": "join" if is_theirs else "other_person"}
        return render(request, "workspaces/accept_invitation.html", context, status=200 if is_theirs else 409)
    membership = services.accept_invitation(token=token, person=person)
    request.session[SESSION_KEY] = membership.workspace.public_id
    return redirect("/")


def _enter(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Sign a person in who has just been made, and show the workspace they were made for."""
    sign_in_by_link(request, membership.user)
    request.session[SESSION_KEY] = membership.workspace.public_id
    return redirect("/")
