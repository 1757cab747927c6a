"""Every view says who may open it, in the one way there is."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from apps.workspaces.access import DECLARED
from apps.workspaces.roles import Action

WORDS = {"public", "signed_in", "key", "pair"}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern), entry


ALL = dict(patterns(get_resolver()))


def test_there_are_views_to_look_at() -> None:
    assert len(ALL) > 20


@pytest.mark.parametrize("route", ALL)
def test_every_view_declares_its_access(route: str) -> None:
    declared = getattr(ALL[route].callback, DECLARED, None)
    assert declared in WORDS or isinstance(declared, Action), f"{route} declares no access"


@pytest.mark.parametrize("route", ALL)
def test_every_address_has_a_name(route: str) -> None:
    assert ALL[route].name
