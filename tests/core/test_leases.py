"""Work is claimed by update: one holder at a time, and a dead holder's work is taken up again."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import DatabaseError, OperationalError
from django.utils import timezone

from apps.core import leases
from apps.functions.models import Function
from apps.training.models import FunctionWork, WorkKind


@pytest.fixture
def work(text_function: Function) -> FunctionWork:
    return FunctionWork.objects.create(function=text_function, kind=WorkKind.TRAIN)


def test_a_free_row_is_claimed_once(work: FunctionWork) -> None:
    assert leases.claim(FunctionWork, work.pk)
    assert not leases.claim(FunctionWork, work.pk)


def test_a_released_row_can_be_claimed_again(work: FunctionWork) -> None:
    leases.claim(FunctionWork, work.pk)
    leases.release(FunctionWork, work.pk)
    assert leases.claim(FunctionWork, work.pk)


def test_a_dead_holders_row_is_claimed_after_the_lease_ran_out(work: FunctionWork) -> None:
    FunctionWork.objects.update(lease_holder="1-gone", lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert leases.claim(FunctionWork, work.pk)
    work.refresh_from_db()
    assert work.lease_holder == leases.holder_id()


def test_releasing_leaves_another_holders_lease_alone(work: FunctionWork) -> None:
    FunctionWork.objects.update(lease_holder="1-other", lease_expires_at=timezone.now() + timedelta(seconds=5))
    leases.release(FunctionWork, work.pk)
    work.refresh_from_db()
    assert work.lease_holder == "1-other"


def test_renewing_moves_only_own_and_living_leases(work: FunctionWork, text_function: Function) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    other = FunctionWork.objects.create(
        function=text_function, kind=WorkKind.EMBED, lease_holder="1-other", lease_expires_at=soon
    )
    assert leases.claim(FunctionWork, work.pk)
    FunctionWork.objects.filter(pk=work.pk).update(lease_expires_at=soon)
    assert leases.renew_all(FunctionWork) == 1
    work.refresh_from_db()
    other.refresh_from_db()
    assert work.lease_expires_at is not None
    assert work.lease_expires_at > soon
    assert other.lease_expires_at == soon


def test_a_lease_that_ran_out_is_not_renewed_by_its_late_holder(work: FunctionWork) -> None:
    past = timezone.now() - timedelta(seconds=1)
    assert leases.claim(FunctionWork, work.pk)
    FunctionWork.objects.filter(pk=work.pk).update(lease_expires_at=past)
    assert leases.renew_all(FunctionWork) == 0


def test_what_a_living_process_is_no_longer_at_runs_out_though_it_could_not_say_so(work: FunctionWork) -> None:
    leases.claim(FunctionWork, work.pk)
    with (
        patch.object(FunctionWork._default_manager, "filter", side_effect=OperationalError),
        pytest.raises(DatabaseError),
    ):
        leases.release(FunctionWork, work.pk)
    assert leases.renew_all(FunctionWork) == 0
    FunctionWork.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert leases.claim(FunctionWork, work.pk)
