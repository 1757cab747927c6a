"""What is said of a request whose answer never came: its process may have died over it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.workspaces.models import ApiKey, IdempotentReply, Workspace
from apps.workspaces.services import idempotency
from apps.workspaces.services.idempotency import Claim, StillAtWork


@pytest.fixture
def key(workspace: Workspace, owner: User) -> ApiKey:
    return ApiKey.objects.create(workspace=workspace, owner=owner, name="Shop", prefix="a" * 12, client_id="shop")


def told(key: ApiKey, *, seconds_ago: float) -> StillAtWork:
    """Return what the same request is told so long after a first one whose process died."""
    IdempotentReply.objects.update(created_at=timezone.now() - timedelta(seconds=seconds_ago))
    with pytest.raises(StillAtWork) as caught:
        idempotency.begin(key=key, words="order-17", request_hash="h")
    return caught.value


def test_who_waits_long_is_told_when_the_request_will_be_carried_out_anew(key: ApiKey) -> None:
    assert isinstance(idempotency.begin(key=key, words="order-17", request_hash="h"), Claim)
    soon = told(key, seconds_ago=2)
    assert (soon.retry_after_s, "in a moment" in soon.message) == (1, True)
    late = told(key, seconds_ago=100)
    assert "came 100 seconds ago" in late.message
    assert "in 201 seconds" in late.message
    assert late.retry_after_s == 25


def test_nobody_is_sent_away_past_the_moment_at_which_the_words_are_free(key: ApiKey) -> None:
    idempotency.begin(key=key, words="order-17", request_hash="h")
    last = told(key, seconds_ago=idempotency.DEAD_AFTER.total_seconds() - 3)
    assert last.retry_after_s <= 4
    IdempotentReply.objects.update(created_at=timezone.now() - idempotency.DEAD_AFTER)
    assert isinstance(idempotency.begin(key=key, words="order-17", request_hash="h"), Claim)


def test_who_does_as_told_asks_a_few_times_and_not_hundreds(key: ApiKey) -> None:
    idempotency.begin(key=key, words="order-17", request_hash="h")
    age, n_asked = 1.0, 0
    while age < idempotency.DEAD_AFTER.total_seconds():
        age += told(key, seconds_ago=age).retry_after_s
        n_asked += 1
    assert n_asked < 30
