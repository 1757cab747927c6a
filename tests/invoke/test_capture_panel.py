"""The panel that says what a function keeps of its calls, and what it kept."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function, InputKind, Label
from apps.samples.models import Capture, CapturePolicy, CaptureReason, Missed, Origin, Sample
from apps.samples.services.capture_policies import CaptureRules, note_missed, set_capture
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

CHOSEN = {"mode": "informative", "random_percent": "0.5", "per_hour": "50", "days_kept": "30", "redactions": ["email"]}


@pytest.fixture
def path(text_function: Function) -> str:
    return f"/functions/{text_function.public_id}/capture/"


def test_what_is_chosen_holds_and_stands_in_the_audit_log(
    owner_client: Client, owner: User, path: str, text_function: Function
) -> None:
    response = owner_client.post(f"{path}set/", CHOSEN)
    assert response.status_code == 200
    assert "Saved. It holds from now on." in response.content.decode()
    policy = CapturePolicy.objects.get(function=text_function)
    assert (policy.mode, policy.random_share, policy.per_hour, policy.days_kept) == ("informative", 0.005, 50, 30)
    assert policy.redactions == ["email"]
    event = Event.objects.get(kind=Audit.CAPTURE_CHANGED)
    assert (event.actor, event.subject) == (owner.public_id, text_function.public_id)
    page = owner_client.get(path).content.decode()
    assert 'value="informative" checked' in page
    assert 'value="0.5"' in page


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "some"}, {"random_percent": "101"}, {"random_percent": "nan"}, {"per_hour": "0"}, {"days_kept": ""}],
)
def test_what_cannot_be_meant_is_said_beside_it(owner_client: Client, path: str, wrong: dict[str, str]) -> None:
    response = owner_client.post(f"{path}set/", CHOSEN | wrong)
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()
    assert not CapturePolicy.objects.exists()


def test_it_says_what_was_kept_and_why_and_what_was_not(
    owner_client: Client, path: str, text_function: Function, refund: Label
) -> None:
    set_capture(function=text_function, rules=CaptureRules(mode="all"), actor=None)
    add_texts(function=text_function, items=[NewText(str(n)) for n in range(3)], person=None, origin=Origin.CAPTURE)
    reasons = [CaptureReason.RANDOM, CaptureReason.ALL, CaptureReason.ALL]
    for sample, reason in zip(Sample.objects.all(), reasons, strict=True):
        Capture.objects.create(sample=sample, function=text_function, reason=reason, label=refund, confidence=0.9)
    note_missed(function_id=text_function.pk, n_calls=1, because=Missed.LIMIT)
    page = owner_client.get(path).content.decode()
    assert '<span class="num">2</span> <span>every call is kept</span>' in page
    assert '<span class="num">1</span> <span>drawn at random</span>' in page
    assert "1 call of this hour was to be kept and was not: as many as may be kept in an hour were." in page
    assert f"/functions/{text_function.public_id}/review/captured/" in page


def test_pictures_offer_nothing_to_blot_and_keep_what_was_chosen(owner_client: Client, workspace: Workspace) -> None:
    function = workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)
    page = owner_client.get(f"/functions/{function.public_id}/capture/").content.decode()
    assert "Blot out" not in page
    assert '<input type="hidden" name="redactions" value="email">' in page


def test_it_says_that_the_operator_blots_too(owner_client: Client, path: str, settings: Settings) -> None:
    assert "operator wrote" not in owner_client.get(path).content.decode()
    settings.REDACT = "somewhere.redact"
    assert "operator wrote" in owner_client.get(path).content.decode()


def test_members_read_it_and_admins_change_it(
    member_client: Client, outsider_client: Client, path: str, text_function: Function
) -> None:
    page = member_client.get(path).content.decode()
    assert "Nothing is kept." in page
    assert "<form" not in page
    assert member_client.post(f"{path}set/", CHOSEN).status_code == 403
    assert outsider_client.get(path).status_code == 404
    assert outsider_client.post(f"{path}set/", CHOSEN).status_code == 404
    set_capture(function=text_function, rules=CaptureRules(mode="all"), actor=None)
    assert "<strong>every call</strong>" in member_client.get(path).content.decode()


def test_it_stands_on_the_monitor_page_and_the_call_page_leads_there(
    owner_client: Client, text_function: Function
) -> None:
    assert 'id="capture"' in owner_client.get(f"/functions/{text_function.public_id}/monitor/").content.decode()
    call_page = owner_client.get(f"/functions/{text_function.public_id}/call/").content.decode()
    assert f"/functions/{text_function.public_id}/monitor/#capture" in call_page
