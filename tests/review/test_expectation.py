"""What is said of samples nobody has seen, and the slider of what needs no person."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.engine.automation import TARGETS
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function
from apps.review import selectors
from apps.samples.models import PickedBy
from apps.training.models import TrainedModel
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db

ACCURACY = {
    "value": 0.84,
    "low": 0.78,
    "high": 0.89,
    "n": 96,
    "n_random": 31,
    "basis": "weighted",
    "is_early": False,
    "majority": 0.41,
}


def options(*, promised_up_to: float = 1.0) -> list[dict[str, float | None]]:
    return [
        {
            "target": target,
            "threshold": target - 0.1 if target <= promised_up_to else None,
            "share": 1.5 - target if target <= promised_up_to else 0.0,
            "right": target if target <= promised_up_to else None,
        }
        for target in TARGETS
    ]


def give_figures(model: TrainedModel, **figures: object) -> None:
    model.figures = {"accuracy": ACCURACY, "automation": options(), "forecast": None} | figures
    model.save(update_fields=["figures"])


@pytest.fixture
def judged(add: Add) -> None:
    for label in ("Refund", "Shipping"):
        for _ in range(10):
            add(label, label, picked_by=PickedBy.RANDOM)


@pytest.fixture
def viewer_client(workspace: Workspace) -> Client:
    user = make_user("vera@example.com", "Vera Viewer")
    workspace.memberships.create(user=user, role=Role.VIEWER)
    return client_of(user)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def home(client: Client, function: Function) -> str:
    response = client.get(f"/functions/{function.public_id}/")
    assert response.status_code == 200
    return words(response.content.decode())


def test_the_home_says_the_interval_and_what_more_labels_would_bring(
    owner_client: Client, text_function: Function, model: TrainedModel, judged: None
) -> None:
    give_figures(model, forecast={"n_more": 100, "value": 0.88, "low": 0.86, "high": 0.91})
    said = home(owner_client, text_function)
    assert "expect 78% to 89% right" in said
    assert "by the 31 drawn at random" in said
    assert "About 100 more labels should bring 86% to 91%." in said


def test_a_forecast_of_next_to_nothing_is_said_as_that(
    owner_client: Client, text_function: Function, model: TrainedModel, judged: None
) -> None:
    give_figures(model, forecast={"n_more": 100, "value": 0.845, "low": 0.84, "high": 0.85})
    said = home(owner_client, text_function)
    assert "would hardly change that" in said
    assert "should bring" not in said


def test_below_ten_of_each_it_is_too_early_and_says_what_to_label(
    owner_client: Client, text_function: Function, model: TrainedModel, add: Add
) -> None:
    for _ in range(4):
        add("Refund", "Refund")
    early = ACCURACY | {"is_early": True}
    give_figures(model, accuracy=early, forecast={"n_more": 10, "value": 0.9, "low": 0.9, "high": 0.9})
    said = home(owner_client, text_function)
    assert "Too early to say" in said
    assert "6 more Refund, 10 more Shipping" in said
    assert "78%" not in said
    assert "should bring" not in said


def test_without_figures_nothing_is_claimed(
    owner_client: Client, text_function: Function, model: TrainedModel, judged: None
) -> None:
    assert selectors.automation(text_function) is None
    said = home(owner_client, text_function)
    assert "is being estimated" in said
    assert "Automate" not in said


def test_the_slider_stands_where_the_function_wants_it_and_says_what_that_means(
    owner_client: Client, text_function: Function, model: TrainedModel, judged: None
) -> None:
    give_figures(model)
    automation = selectors.automation(text_function)
    assert automation is not None
    assert automation.stop.target == text_function.automation_target == 0.95
    assert "Automate 55% at 95% right; 45% go to a person." in home(owner_client, text_function)


def test_what_cannot_be_promised_is_said(text_function: Function, model: TrainedModel) -> None:
    give_figures(model, automation=options(promised_up_to=0.9))
    automation = selectors.automation(text_function)
    assert automation is not None
    assert automation.promises_anything
    assert automation.stop.sentence == "95% right cannot be promised yet: every answer goes to a person."
    give_figures(model, automation=options(promised_up_to=0.0))
    nothing = selectors.automation(text_function)
    assert nothing is not None
    assert not nothing.promises_anything


def test_moving_the_slider_saves_what_is_wanted(
    owner_client: Client, text_function: Function, model: TrainedModel
) -> None:
    url = f"/functions/{text_function.public_id}/automation/target/"
    place = TARGETS.index(0.99)
    assert owner_client.post(url, {"place": place}, headers={"HX-Request": "true"}).status_code == 204
    text_function.refresh_from_db()
    assert text_function.automation_target == 0.99
    assert Event.objects.get(kind=Audit.AUTOMATION_CHANGED).data["target"] == "99"
    for bad in ("", "-1", "9", "x", "²"):
        assert owner_client.post(url, {"place": bad}, headers={"HX-Request": "true"}).status_code == 400
    text_function.refresh_from_db()
    assert text_function.automation_target == 0.99


def test_the_slider_cannot_be_moved_by_those_who_may_only_look(
    viewer_client: Client, text_function: Function, model: TrainedModel, judged: None
) -> None:
    give_figures(model)
    url = f"/functions/{text_function.public_id}/automation/"
    assert viewer_client.post(f"{url}target/", {"place": 3}).status_code == 403
    html = viewer_client.get(url).content.decode()
    assert re.search(r'id="automation-range"[^>]* disabled', html)
