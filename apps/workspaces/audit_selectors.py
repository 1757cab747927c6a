"""What the audit page and the API show of the log: who did what, from where, with which key, to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.db.models import Model
from django.urls import reverse

from apps.accounts.models import User
from apps.events.models import Event
from apps.events.selectors import Asked, newest_events
from apps.workspaces.audit_sentences import sentence
from apps.workspaces.functions_by_name import gone_of, last_names
from apps.workspaces.models import ApiKey, Membership, Webhook, Workspace

EVENTS_PER_PAGE = 50
SERVER = "Hundredfold"


@dataclass(frozen=True)
class AuditRow:
    """An event in words; addresses of what is gone are empty."""

    event: Event
    who: str
    what: str
    function: str
    function_url: str
    thing_url: str
    key: str

    @property
    def address(self) -> str:
        return str(self.event.data.get("address", ""))

    @property
    def key_id(self) -> str:
        return str(self.event.data.get("key", ""))

    @property
    def function_id(self) -> str:
        return self.event.about if self.event.about.startswith("function_") else ""


@dataclass(frozen=True)
class AuditPage:
    """Events, newest first; `before` leads to older ones, None where there are none."""

    rows: list[AuditRow]
    before: int | None


@dataclass(frozen=True)
class Actor:
    """Somebody whose doings can be asked for."""

    public_id: str
    name: str


def audit_page_of(*, workspace: Workspace, asked: Asked, n: int = EVENTS_PER_PAGE) -> AuditPage:
    """Return a page of what happened, in words; a few queries however long the log is."""
    found = newest_events(asked, n=n + 1)
    shown = found[:n]
    before = shown[-1].sequence if len(found) > n else None
    return AuditPage(_in_words(workspace, shown), before)


def actors_of(workspace: Workspace, *, chosen: str | None) -> list[Actor]:
    """Return the members, and whoever is asked for although they left."""
    members = Membership.objects.filter(workspace=workspace).select_related("user").order_by("user__email")
    actors = [Actor(member.user.public_id, member.user.email) for member in members]
    if chosen and chosen not in {actor.public_id for actor in actors}:
        email = User.objects.filter(public_id=chosen).values_list("email", flat=True).first()
        actors.append(Actor(chosen, email or chosen))
    return actors


def _in_words(workspace: Workspace, events: list[Event]) -> list[AuditRow]:
    emails = dict(User.objects.filter(public_id__in={e.actor for e in events}).values_list("public_id", "email"))
    functions = {event.about for event in events if event.about.startswith("function_")}
    names, gone = last_names(workspace, functions), gone_of(workspace, functions)
    urls = {function: reverse("review:function_home", args=[function]) for function in names if function not in gone}
    places = _Places.of(workspace, events)
    return [
        AuditRow(
            event,
            who=emails.get(event.actor, event.actor) or SERVER,
            what=sentence(event),
            function=names.get(event.about, ""),
            function_url=urls.get(event.about, ""),
            thing_url=places.url_of(event.subject),
            key=places.name_of_key(str(event.data.get("key", ""))),
        )
        for event in events
    ]


@dataclass(frozen=True)
class _Places:
    """Where the things on a page of the log can be seen, as far as they are still there."""

    workspace: Workspace
    there: dict[str, str]
    key_names: dict[str, str]

    KINDS: ClassVar[dict[str, type[Model]]] = {"key": ApiKey, "webhook": Webhook, "member": Membership}

    @classmethod
    def of(cls, workspace: Workspace, events: list[Event]) -> _Places:
        things = {event.subject for event in events}
        there: dict[str, str] = {}
        for kind, model in cls.KINDS.items():
            of_kind = {thing for thing in things if thing.startswith(f"{kind}_")}
            rows = model._default_manager.filter(workspace=workspace, public_id__in=of_kind) if of_kind else []
            there |= {str(row.public_id): kind for row in rows}  # type: ignore[attr-defined]  # each of them has one
        keys = {str(event.data["key"]) for event in events if event.data.get("key")}
        names = dict(ApiKey.objects.filter(workspace=workspace, public_id__in=keys).values_list("public_id", "name"))
        return cls(workspace, there, names)

    def url_of(self, thing: str) -> str:
        kind = self.there.get(thing, "")
        if kind == "webhook":
            return reverse("workspaces:webhook_page", args=[thing])
        page = {"key": "workspaces:keys_page", "member": "workspaces:members_page"}.get(kind)
        return f"{reverse(page, args=[self.workspace.public_id])}#{thing}" if page else ""

    def name_of_key(self, key: str) -> str:
        return self.key_names.get(key, key)
