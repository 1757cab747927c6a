"""The only way a view gets an object: fetch and permission in one query.

A view declares what it does with one decorator; the URL map is walked by a test that fails on a view without one::

    @require_POST
    @requires(Action.LABEL)
    def annotate(request: AppHttpRequest, sample_id: str) -> HttpResponse:
        sample = request.access.fetch(Sample, sample_id)

Strangers and former members read "not found", exactly as for an object that does not exist; members whose role does
not include the action read "not allowed".
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.db.models import F, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from apps.accounts.models import User
from apps.core.errors import NotAllowed, NotFound, NotSignedIn
from apps.core.ids import with_prefix
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, may
from apps.workspaces.scopes import scopes_of

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
SESSION_KEY = "workspace"
DECLARED = "declared_access"  # read by the test that walks the URL map


@dataclass
class Access:
    """One principal (a person or an API key) about to do one action; a person at a `place`, `app:view`."""

    action: Action
    user: User | None = None
    key: ApiKey | None = None
    place: str = ""
    workspace: Workspace | None = field(default=None, init=False)
    _role: str = field(default="", init=False)

    def fetch(self, model: type[M], public_id: str, *, related: tuple[str, ...] = ()) -> M:
        """Return the row with that public id (its kind in front or not), with its workspace loaded.

        Raises NotFound for anyone outside its workspace, NotAllowed for a role or key without the action, and what
        the row, or what it belongs to, has against being shown in this place (`check_place`).
        """
        path = cast("str", getattr(model, "WORKSPACE_PATH"))  # noqa: B009  # declared by each scoped model
        kind = cast("str", getattr(model, "ID_KIND"))  # noqa: B009
        rows = self._visible(model, path).filter(public_id=with_prefix(kind, public_id))
        if path or related:
            rows = rows.select_related(*([path] if path else []), *related)
        row = rows.first()
        if row is None:
            raise NotFound(f"There is no such {model._meta.verbose_name} here.")
        self._require(getattr(row, "access_role", ""))
        *owners, self.workspace = _owners(row, path)
        for each in (row, *owners):
            if check := getattr(each, "check_place", None):
                check(self.place)
        return row

    def current_workspace(self, request: HttpRequest) -> Workspace:
        """Return the workspace chosen last in this session, or the person's first one."""
        chosen = request.session.get(SESSION_KEY, "")
        rows = self._visible(Workspace, "").order_by("id")
        row = rows.filter(public_id=chosen).first() or rows.first()
        if row is None:
            raise NotFound("You are not in any workspace. Ask an owner or admin of one to invite you.")
        self._require(getattr(row, "access_role", ""))
        self.workspace = row
        return row

    def seen(self, model: type[M]) -> QuerySet[M, M]:
        """Return all rows that the key that calls may see. Raises NotAllowed for a key without the action."""
        if self.key is None:
            raise NotSignedIn("Send your key in the header: Authorization: Bearer hf_…")
        self._require("")
        return self._visible(model, cast("str", getattr(model, "WORKSPACE_PATH")))  # noqa: B009  # declared by each

    def own_workspace(self) -> Workspace:
        """Return the workspace of the key that calls. Raises NotAllowed for a key of less."""
        if self.key is None:
            raise NotSignedIn("Send your key in the header: Authorization: Bearer hf_…")
        self._require("")
        if self.key.only_function:
            raise NotAllowed("This key is of one function. Use a key of the whole workspace for this.")
        self.workspace = self.key.workspace
        return self.workspace

    def also(self, action: Action) -> bool:
        """Whether whoever fetched something here may do this with it as well: a page shows more to some than others."""
        return self.key.allows(action) if self.key is not None else may(self._role, action)

    def _visible(self, model: type[M], path: str) -> QuerySet[M, M]:
        prefix = f"{path}__" if path else ""
        rows = model._default_manager.all()
        if self.key is not None:
            mine = rows.filter(**{path or "pk": self.key.workspace_id})
            return mine.filter(_within(model, path, self.key.only_function)) if self.key.only_function else mine
        # Both conditions in one filter() so that user and role belong to the same membership.
        mine = rows.filter(**{f"{prefix}memberships__user": self.user})
        return cast("QuerySet[M, M]", mine.annotate(access_role=F(f"{prefix}memberships__role")))

    def _require(self, role: str) -> None:
        self._role = role
        if self.key is not None and not self.key.allows(self.action):
            [scope] = scopes_of([self.action])
            raise NotAllowed(
                f"This key may not {self.action.label}. That takes one with the scope {scope} (“{scope.label}”)."
            )
        if self.key is None and not may(role, self.action):
            raise NotAllowed(f"Your role does not include this: {self.action.label}. An admin can change it.")


class AppHttpRequest(HttpRequest):
    """A request of a signed-in person, with what middleware and `requires` add."""

    user: User
    access: Access
    htmx: HtmxDetails
    request_id: str


View = Callable[Concatenate[AppHttpRequest, P], HttpResponseBase]
PlainView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
AsyncView = Callable[Concatenate[AppHttpRequest, P], Coroutine[None, None, HttpResponseBase]]
PlainAsyncView = Callable[Concatenate[HttpRequest, P], Coroutine[None, None, HttpResponseBase]]


def requires(action: Action) -> Callable[[View[P]], PlainView[P]]:
    """Declare what a view does. Anonymous people are sent to the sign-in page."""

    def decorate(view: View[P]) -> PlainView[P]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            app_request = cast("AppHttpRequest", request)
            app_request.access = Access(action, user=app_request.user, place=_place(request))
            return view(app_request, *args, **kwargs)

        return _declare(cast("PlainView[P]", wrapped), action)

    return decorate


def requires_async(action: Action) -> Callable[[AsyncView[P]], PlainAsyncView[P]]:
    """Declare what an async view does. Its body calls `request.access.fetch` through `sync_to_async`."""

    def decorate(view: AsyncView[P]) -> PlainAsyncView[P]:
        @wraps(view)
        async def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = await request.auser()
            if not user.is_authenticated:
                return _to_sign_in(request)
            app_request = cast("AppHttpRequest", request)
            app_request.user = user
            app_request.access = Access(action, user=user, place=_place(request))
            return await view(app_request, *args, **kwargs)

        setattr(wrapped, DECLARED, action)
        return cast("PlainAsyncView[P]", wrapped)

    return decorate


def signed_in(view: View[P]) -> PlainView[P]:
    """Declare a view about the person themself, outside any workspace."""
    return _declare(requires(Action.VIEW)(view), "signed_in")


def public(view: PlainView[P]) -> PlainView[P]:
    """Declare a view that anyone may open: sign-in, links that carry their own secret, health."""
    return _declare(view, "public")


def _declare(view: PlainView[P], access: str) -> PlainView[P]:
    setattr(view, DECLARED, access)
    return view


def _owners(row: Model, path: str) -> list[Any]:
    """Return what the row belongs to, nearest first, its workspace last; all of it is loaded."""
    owners: list[Any] = [] if path else [row]
    for name in filter(None, path.split("__")):
        row = getattr(row, name)
        owners.append(row)
    return owners


def _within(model: type[Model], path: str, function_id: str) -> Q:
    """Filter for one function and what belongs to it, which is what reaches its workspace through it."""
    if getattr(model, "ID_KIND", "") == "function":
        return Q(public_id=function_id)
    way, _last, _workspace = path.rpartition("__workspace")
    return Q(**{f"{way}__public_id": function_id}) if way.endswith("function") else Q(pk__in=())


def _place(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect("/sign-in/")
    return redirect_to_login(request.get_full_path())
