"""Addresses: what can be had, what is said when it cannot, and by which names browsers may come."""

import socket

import pytest

from apps.ops import listening


def test_port_zero_takes_a_free_one_and_says_which() -> None:
    with listening.listen("127.0.0.1", 0) as listener:
        assert listening.url_of(listener, "127.0.0.1") == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_connection_made_before_anybody_accepts_waits() -> None:
    with listening.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        listener.accept()[0].close()


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 0, "not an address of this machine"),
        ("no.such.host.invalid", 0, "not an address of this machine"),
        ("127.0.0.1", 70_000, "70000 is not a port"),
    ],
)
def test_what_cannot_be_had_is_said(host: str, port: int, words: str) -> None:
    with pytest.raises(listening.CannotListen, match=words):
        listening.listen(host, port)


def test_a_server_on_every_address_is_opened_on_this_machine() -> None:
    with listening.listen("0.0.0.0", 0) as listener:
        assert listening.url_of(listener, "0.0.0.0") == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_on_this_machine_alone_answers_to_no_other_name() -> None:
    assert listening.host_names("127.0.0.1") == ["localhost", "127.0.0.1", "[::1]", "127.0.0.1"]


def test_a_server_on_every_address_answers_to_this_machines_names() -> None:
    assert socket.gethostname() in listening.host_names("0.0.0.0")
