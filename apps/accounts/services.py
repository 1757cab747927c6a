"""People and the one-time links that let them in. Who belongs where is decided a floor higher."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from apps.accounts.models import LinkPurpose, OneTimeLink, User
from apps.core.errors import Conflict, InvalidInput, NotFound

LINK_LIFETIME = timedelta(hours=1)
OPERATOR_EMAIL = "operator@hundredfold.invalid"
_COMMAND = {
    LinkPurpose.SET_UP: "Run the command that started Hundredfold again to get a new one.",
    LinkPurpose.SIGN_IN: "Run `python manage.py sign_in_link EMAIL` again, or ask whoever runs Hundredfold to.",
}


def new_token() -> str:
    """Return 256 random bits for a link."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return what is stored of a token; it is random, so a plain hash says nothing about it."""
    return hashlib.sha256(token.encode()).hexdigest()


def has_owner() -> bool:
    """Whether set-up has been done: the first person is always an owner, and the last owner cannot leave."""
    return User.objects.exclude(email=OPERATOR_EMAIL).exists()


def operator() -> User:
    """Return who stands for whoever runs the installation: keys made before there is anybody are theirs.

    Nobody signs in as them, and the set-up link makes an owner as if they were not there.
    """
    person = User.objects.filter(email=OPERATOR_EMAIL).first()
    return person or User.objects.create_user(email=OPERATOR_EMAIL, name="The operator", password=None)


@transaction.atomic
def create_link(*, purpose: LinkPurpose, user: User | None = None) -> str:
    """Make a link's token, shown to nobody else again; it works once and for an hour."""
    now = timezone.now()
    token = new_token()
    OneTimeLink.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
    OneTimeLink.objects.create(purpose=purpose, token_hash=hash_token(token), user=user, expires_at=now + LINK_LIFETIME)
    return token


def find_link(*, token: str, purpose: LinkPurpose) -> OneTimeLink:
    """Return a link that still works, without using it. Raises NotFound for any other token.

    No set-up link works once there is an owner, however many were made.
    """
    link = _open_links(token, purpose).select_related("user").first()
    if link is None or (purpose == LinkPurpose.SET_UP and has_owner()):
        raise _dead_link(purpose)
    return link


def use_link(*, token: str, purpose: LinkPurpose) -> OneTimeLink:
    """Use a link up; of two who try at once, one succeeds. Raises NotFound for a used, expired or unknown token."""
    if _open_links(token, purpose).update(used_at=timezone.now()) != 1:
        raise _dead_link(purpose)
    return OneTimeLink.objects.select_related("user").get(token_hash=hash_token(token))


@transaction.atomic
def create_person(*, email: str, name: str, password: str) -> User:
    """Add a person who can sign in with a password."""
    person = User(email=email.strip().lower(), name=name.strip())
    try:
        validate_email(person.email)
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(email=person.email, name=person.name, password=password)
    except IntegrityError as error:
        raise Conflict("There is an account with this e-mail address already. Sign in with it instead.") from error


def create_person_without_password(*, email: str) -> User:
    """Add a person who comes in by a sign-in link and can choose a password then."""
    person = User(email=email.strip().lower())
    try:
        validate_email(person.email)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from error
    return User.objects.create_user(email=person.email, name=person.email.partition("@")[0], password=None)


def rename_person(*, person: User, name: str) -> None:
    person.name = name.strip()
    person.save(update_fields=["name"])


def change_password(*, person: User, password: str) -> None:
    """Set a new password; every session of that person ends with the old one."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from error
    person.set_password(password)
    person.save(update_fields=["password"])


def end_sessions(*, person: User) -> None:
    """Sign a person out everywhere."""
    User.objects.filter(pk=person.pk).update(session_epoch=F("session_epoch") + 1)


def _open_links(token: str, purpose: LinkPurpose) -> QuerySet[OneTimeLink]:
    return OneTimeLink.objects.filter(
        token_hash=hash_token(token), purpose=purpose, used_at=None, expires_at__gt=timezone.now()
    )


def _dead_link(purpose: LinkPurpose) -> NotFound:
    return NotFound(f"This link has been used already or is older than an hour. {_COMMAND[purpose]}")
