"""Which key a program shows: its text or a token of it (`authenticate`), or its client id and secret (`exchange`)."""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
from collections import OrderedDict
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import F, OuterRef, Q
from django.utils import timezone

from apps.core import caller
from apps.core.connections import let_go
from apps.core.errors import NotSignedIn, Throttled
from apps.core.throttling import Throttle
from apps.events.models import ChainHead
from apps.workspaces.models import ApiKey
from apps.workspaces.services.key_texts import KEY_TEXT, hashes_in_force, proof_of_text, slow_hashes_in_force
from apps.workspaces.services.tokens import Token, is_token_of, new_token, prefix_in

NOTE_USE_EVERY = timedelta(minutes=1)
WRONG_PAIR = "The client id or its secret is wrong, or the key does not work any more. See the page API keys."
MAX_CLIENT_ID = 80
_WAIT_S = 5.0
_MAX_KNOWN = 1024


def authenticate(bearer: str) -> ApiKey:
    """Return the key whose text or token this is, with its owner's role of this moment. Raises NotSignedIn for others.

    One query; a second one, at most once a minute, notes the use.
    """
    match = KEY_TEXT.fullmatch(bearer)
    prefix = match[1] if match else prefix_in(bearer)
    key = _find_usable(prefix=prefix) if prefix else None
    # Compared in either case, so that the time taken does not tell which prefixes exist.
    is_right = bool(proof_of_text(bearer, hashes_in_force(key) if key else [])) or (key and is_token_of(key, bearer))
    if key is None or not is_right:
        raise NotSignedIn("This key is not valid. Make a new one on the page API keys.")
    _note_use(key)
    return key


def is_in_force(key_id: str) -> bool:
    """Whether the key with this public id still works: what was given out for it dies with it. One query."""
    return _find_usable(public_id=key_id) is not None


def exchange(*, client_id: str, secret: str) -> Token:
    """Return a token for a client id and its secret. Raises NotSignedIn for a wrong pair, Throttled after many of them.

    An unknown client id takes as long, and is answered in the same words, as a wrong secret.
    """
    key = _find_usable(client_id=client_id) if len(client_id) <= MAX_CLIENT_ID else None
    if KEY_TEXT.fullmatch(secret):
        proof = proof_of_text(secret, hashes_in_force(key) if key else [])
        if not proof:
            _guesses.admit(client_id)
    else:
        proof = _slow_proof(client_id, secret, slow_hashes_in_force(key) if key else [])
    if key is None or not proof:
        raise NotSignedIn(WRONG_PAIR)
    _note_use(key)
    return new_token(key, proof=proof)


def _find_usable(**by: str) -> ApiKey | None:
    """Return the key if it is neither revoked nor expired and its owner is still a member."""
    key = (
        ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None, **by)
        .filter(owner__is_active=True, workspace__memberships__user=F("owner"))
        .annotate(
            membership_role=F("workspace__memberships__role"),
            n_events=ChainHead.objects.filter(workspace_id=OuterRef("workspace__public_id")).values("sequence")[:1],
        )
        .select_related("workspace", "owner")
        .first()
    )
    if key is not None:
        key.role_of_owner = key.membership_role
        key.n_events_then = key.n_events or 0
    return key


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - NOTE_USE_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


class _Guesses:
    """Keeps strangers from guessing: so many wrong pairs from one address, and for one client id, in a while."""

    def __init__(self) -> None:
        self._addresses = Throttle(1, 60)
        self._clients = Throttle(1, 60)

    def admit(self, client_id: str) -> None:
        """Count one try. Raises Throttled."""
        wait_s = self._addresses.take(caller.current().network) or self._clients.take(client_id[:MAX_CLIENT_ID])
        if wait_s:
            raise Throttled("Too many wrong tries. Wait a moment.", retry_after_s=math.ceil(wait_s))


class _Known:
    """Chosen secrets that were right, by a hash that only this process can make: a right one is checked slowly once."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def proof_of(self, secret: str, kept: list[str]) -> str:
        with self._lock:
            return next((each for each in kept if self._digest(secret, each) in self._known), "")

    def add(self, secret: str, proof: str) -> None:
        with self._lock:
            self._known[self._digest(secret, proof)] = None
            while len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)

    def _digest(self, secret: str, proof: str) -> bytes:
        return hashlib.blake2b(f"{proof}\0{secret}".encode("utf-8", "replace"), key=self._salt).digest()


_guesses = _Guesses()
_known = _Known()
# One at a time: each takes a core for a fifth of a second, and strangers can ask for it.
_one_at_a_time = threading.Lock()


def _slow_proof(client_id: str, secret: str, kept: list[str]) -> str:
    """Return the one of `kept` that a chosen secret proves, or ""."""
    if found := _known.proof_of(secret, kept):
        return found
    _guesses.admit(client_id)
    let_go()  # strangers wait here, and must not keep others from the database
    if not _one_at_a_time.acquire(timeout=_WAIT_S):
        raise Throttled("Too many sign in at this moment. Try again shortly.", retry_after_s=int(_WAIT_S))
    try:
        return _known.proof_of(secret, kept) or _checked_slowly(secret, kept)
    finally:
        _one_at_a_time.release()


def _checked_slowly(secret: str, kept: list[str]) -> str:
    if not kept:
        make_password(secret)  # the same work as for a client id that exists
        return ""
    proof = next((each for each in kept if check_password(secret, each)), "")
    if proof:
        _known.add(secret, proof)
    return proof
