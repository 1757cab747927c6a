"""Who is asking: the address of the connection, told to whoever asks within the request."""

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from apps.core import caller
from apps.core.middleware import RequestIdMiddleware


def test_outside_a_request_nobody_asks() -> None:
    assert caller.current() == caller.Caller(address="", key="")


def test_within_a_request_the_address_and_then_the_key_are_known_and_forgotten_after_it() -> None:
    seen = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(caller.current())
        caller.shown("key_0123456789abcdef")
        seen.append(caller.current())
        return HttpResponse()

    RequestIdMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR="203.0.113.9"))
    assert seen == [caller.Caller("203.0.113.9"), caller.Caller("203.0.113.9", "key_0123456789abcdef")]
    assert caller.current() == caller.Caller()


def test_a_forwarding_header_by_itself_claims_nothing() -> None:
    seen = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(caller.current().address)
        return HttpResponse()

    headers = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}
    RequestIdMiddleware(view)(RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1"))
    assert seen == ["10.0.0.1"]


def test_an_ipv4_address_over_an_ipv6_socket_reads_as_itself() -> None:
    with caller.calling("::ffff:203.0.113.9"):
        assert caller.current().address == "203.0.113.9"


def test_an_ipv6_subscriber_counts_as_one() -> None:
    assert caller.network_of("2001:db8:1:2:3::4") == caller.network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert caller.network_of("2001:db8:1:3::9") != caller.network_of("2001:db8:1:2::9")
    assert caller.network_of("203.0.113.9") == "203.0.113.9"
    assert caller.network_of("") == ""
