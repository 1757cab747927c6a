"""S03: one-time links work once, for an hour, for one purpose, and are stored as hashes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import LinkPurpose, OneTimeLink
from apps.accounts.services import create_link, create_person, find_link, has_owner, use_link
from apps.core.errors import Conflict, InvalidInput, NotFound
from tests.conftest import PASSWORD, make_user

SET_UP, SIGN_IN = LinkPurpose.SET_UP, LinkPurpose.SIGN_IN


@pytest.mark.django_db
def test_a_link_is_found_any_number_of_times_and_used_once() -> None:
    token = create_link(purpose=SET_UP)
    assert find_link(token=token, purpose=SET_UP) == find_link(token=token, purpose=SET_UP)
    assert use_link(token=token, purpose=SET_UP).used_at is not None
    with pytest.raises(NotFound, match="used already"):
        use_link(token=token, purpose=SET_UP)
    with pytest.raises(NotFound):
        find_link(token=token, purpose=SET_UP)


@pytest.mark.django_db
def test_s03_a_link_dies_after_an_hour() -> None:
    token = create_link(purpose=SET_UP)
    link = OneTimeLink.objects.get()
    assert timedelta(minutes=59) < link.expires_at - timezone.now() <= timedelta(hours=1)
    OneTimeLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        find_link(token=token, purpose=SET_UP)
    with pytest.raises(NotFound):
        use_link(token=token, purpose=SET_UP)


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "é" * 43, "\x00", "A" * 5000])
def test_any_other_token_finds_nothing(token: str) -> None:
    create_link(purpose=SET_UP)
    with pytest.raises(NotFound):
        find_link(token=token, purpose=SET_UP)


@pytest.mark.django_db
def test_a_link_for_one_purpose_does_not_serve_another() -> None:
    person = make_user("mika@example.com", "Mika")
    token = create_link(purpose=SIGN_IN, user=person)
    with pytest.raises(NotFound):
        use_link(token=token, purpose=SET_UP)
    assert use_link(token=token, purpose=SIGN_IN).user == person


@pytest.mark.django_db
def test_the_token_is_not_in_the_database() -> None:
    token = create_link(purpose=SET_UP)
    assert len(token) == 43
    assert not any(token in str(value) for row in OneTimeLink.objects.values() for value in row.values())


@pytest.mark.django_db
def test_links_long_dead_are_swept_away() -> None:
    create_link(purpose=SET_UP)
    OneTimeLink.objects.update(expires_at=timezone.now() - timedelta(days=2))
    create_link(purpose=SET_UP)
    assert OneTimeLink.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(3))
def test_of_many_who_use_a_link_at_once_one_succeeds(_attempt: int) -> None:
    token = create_link(purpose=SET_UP)
    start = threading.Barrier(4)

    def use(_number: int) -> bool:
        start.wait(10)
        try:
            use_link(token=token, purpose=SET_UP)
        except NotFound:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(4))) == 1


@pytest.mark.django_db
def test_the_first_person_is_the_owner() -> None:
    assert not has_owner()
    make_user("olga@example.com", "Olga")
    assert has_owner()


@pytest.mark.django_db
def test_addresses_are_kept_in_lower_case_and_only_once() -> None:
    person = create_person(email=" Olga@Example.COM ", name=" Olga ", password=PASSWORD)
    assert (person.email, person.name) == ("olga@example.com", "Olga")
    with pytest.raises(Conflict):
        create_person(email="OLGA@example.com", name="Another", password=PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["", "olga", "olga@", "@example.com", "olga@example.com\nBcc: x@example.com"])
def test_an_address_has_to_be_one(email: str) -> None:
    with pytest.raises(InvalidInput):
        create_person(email=email, name="Olga", password=PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["", "short", "password1234", "olga@example.com", "1234567890"])
def test_s03_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        create_person(email="olga@example.com", name="Olga", password=password)
