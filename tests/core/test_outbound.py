"""S20 to S26: whatever address somebody gives, this server reaches only what the public internet knows."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import Settings

from apps.core import outbound
from apps.core.errors import TooLarge
from apps.core.outbound import NoAnswer, Refused, check, fetch, is_public, post

PUBLIC = "93.184.216.34"
INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "232.1.2.3",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "64:ff9b::5db8:d822",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


class Names:
    """A resolver that the test writes: each name stands for its next list of addresses, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_args: object, **_options: object) -> list[tuple[object, ...]]:
        try:
            found = [str(ip_address(host))]
        except ValueError:
            self.asked.append(host)
            if host not in self.answers:
                raise socket.gaierror(socket.EAI_NONAME, "not known") from None
            coming = self.answers[host]
            found = coming.pop(0) if len(coming) > 1 else coming[0]
        return [(self._family(number), socket.SOCK_STREAM, 6, "", (number, port)) for number in found]

    @staticmethod
    def _family(number: str) -> int:
        return socket.AF_INET6 if ":" in number else socket.AF_INET


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Names:
    settings.OUTBOUND_ALLOW = []
    names = Names()
    names.answers["example.com"] = [[PUBLIC]]
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


class Receiver:
    """Answers each connection to it with fixed bytes, or as a function does, and keeps what it was sent."""

    def __init__(
        self, answer: bytes | Callable[[socket.socket], object], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.answer, self.requests = answer, list[bytes]()
        self.socket = socket.create_server((host, port))
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}/"

    def serve(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            with connection:
                self.converse(connection)

    def converse(self, connection: socket.socket) -> None:
        try:
            self.requests.append(whole_request(connection))
            if isinstance(self.answer, bytes):
                connection.sendall(self.answer)
            else:
                self.answer(connection)
        except OSError:
            return


def whole_request(connection: socket.socket) -> bytes:
    """Return headers and body, which may come in several pieces."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(65536)
    head, _, body = came.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def receiving(
    answer: bytes | Callable[[socket.socket], object], host: str = "127.0.0.1", port: int = 0
) -> Iterator[Receiver]:
    receiver = Receiver(answer, host, port)
    thread = threading.Thread(target=receiver.serve, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.socket.shutdown(socket.SHUT_RDWR)
        receiver.socket.close()
        thread.join(5)


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("number", INSIDE)
def test_s20_nothing_that_only_this_network_knows_is_reached(number: str, names: Names) -> None:
    host = f"[{number}]" if ":" in number else number
    for url in (f"http://{host}/", f"https://{host}:8443/x"):
        with pytest.raises(Refused):
            check(url)
    names.answers["inside.example.com"] = [[PUBLIC, number]]
    with pytest.raises(Refused):
        check("https://inside.example.com/")
    assert not is_public(ip_address(number))


@pytest.mark.parametrize("number", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:2800:220:1:248:1893:25c8:1946"])
def test_s20_what_the_internet_knows_is_reached(number: str, names: Names) -> None:
    names.answers["outside.example.com"] = [[number]]
    assert check("https://outside.example.com/hook?a=1").numbers == [number]
    host = f"[{number}]" if ":" in number else number
    assert check(f"https://{host}/").host == number


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "127．0．0．1",
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127%2e0.0.1",
        "127.0.0.1%00.example.com",
        "[::1%25eth0]",
        "[fe80::1%eth0]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST.",
        "ｌｏｃａｌｈｏｓｔ",
        "localhost.localdomain",
        "metadata.google.internal",
        "0x7f000001.",
        "example.0x7f",
        "1.2.3.4.5",
        "-example.com",
        "exa mple.com",
        "a..b",
        f"{'a' * 64}.com",
    ],
)
def test_s20_other_ways_to_write_an_inner_host_are_refused(host: str, names: Names) -> None:
    names.answers["localhost"] = names.answers["localhost.localdomain"] = [["127.0.0.1", "::1"]]
    names.answers["metadata.google.internal"] = [["169.254.169.254"]]
    with pytest.raises(Refused):
        check(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1?@example.com/",
        "http://exam\nple.com/",
        "http://example.com/\r\nHost: inside",
        " http://example.com/",
        "http://",
        "http:///path",
        "//example.com/",
        "example.com",
        "",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://example.com:25/",
        "http://example.com:22/",
        "http://example.com/" + "a" * 2000,
        "http://[::1/",
        "http://[example.com]/",
    ],
)
def test_s20_addresses_that_two_readers_may_read_differently_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        check(url)


def test_s20_names_in_other_scripts_are_asked_for_in_ascii(names: Names) -> None:
    names.answers["xn--bcher-kva.example"] = [[PUBLIC]]
    assert check("https://Bücher。example/über?q=ü").host == "xn--bcher-kva.example"
    assert check("https://Bücher.example/über?q=ü").path == "/%C3%BCber?q=%C3%BC"


def test_s20_is_checked_again_when_it_is_sent(names: Names) -> None:
    names.answers["hooks.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    with receiving(ok(b"")) as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        check(url)
        with pytest.raises(Refused):
            post(url, body=b"{}", headers={})
        with pytest.raises(Refused):
            fetch(url, max_bytes=10)
        assert not receiver.requests


def test_s20_an_unknown_name_reads_as_an_inner_one(names: Names) -> None:
    names.answers["inside.example.com"] = [["10.0.0.1"]]
    sentences = []
    for host in ("inside.example.com", "unknown.example.com"):
        with pytest.raises(Refused) as refused:
            check(f"https://{host}/")
        sentences.append(refused.value.message)
    assert sentences[0] == sentences[1]


def test_s20_only_hosts_and_networks_on_the_list_are_let_through(names: Names, settings: Settings) -> None:
    names.answers["inside.example.com"] = names.answers["beside.example.com"] = [["10.20.30.40"]]
    settings.OUTBOUND_ALLOW = ["Inside.example.com", "127.0.0.1", "192.168.7.0/24"]
    assert check("http://inside.example.com:25/").numbers == ["10.20.30.40"]
    assert check("http://127.0.0.1:8000/").numbers == ["127.0.0.1"]
    assert check("http://192.168.7.9/").numbers == ["192.168.7.9"]
    for refused in ("beside.example.com", "sub.inside.example.com", "127.0.0.2", "192.168.8.1", "[::1]"):
        with pytest.raises(Refused):
            check(f"http://{refused}/")


def test_s21_a_redirect_is_not_followed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(ok(b"secret")) as inner:
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + inner.url.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        with receiving(moved) as receiver:
            assert post(receiver.url, body=b"{}", headers={}).status == 302
            with pytest.raises(NoAnswer, match="302"):
                fetch(receiver.url, max_bytes=100)
        assert not inner.requests


def test_s22_the_connection_goes_to_the_address_that_was_checked(names: Names, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.2/32"]
    names.answers["rebinding.example.com"] = [["127.0.0.2"], ["127.0.0.1"]]
    with receiving(ok(b"outer"), "127.0.0.2") as outer, receiving(ok(b"inner"), "127.0.0.1", outer.port) as inner:
        assert fetch(f"http://rebinding.example.com:{outer.port}/", max_bytes=100) == b"outer"
        assert names.asked == ["rebinding.example.com"]
        assert f"Host: rebinding.example.com:{outer.port}".encode() in outer.requests[0]
        with pytest.raises(Refused):
            fetch(f"http://rebinding.example.com:{outer.port}/", max_bytes=100)
        assert not inner.requests


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "data:text/plain,x", "ws://example.com/"],
)
def test_s23_only_http_and_https_are_spoken(url: str) -> None:
    with pytest.raises(Refused):
        check(url)
    with pytest.raises(Refused):
        fetch(url, max_bytes=100)


def test_s24_of_the_reply_to_a_message_only_the_code_is_read(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(b"HTTP/1.1 500 secret-reason\r\nX-Secret: 1\r\nContent-Length: 6\r\n\r\nsecret") as receiver:
        posted = post(receiver.url, body=b'{"a":1}', headers={"Content-Type": "application/json"})
    assert posted.status == 500
    assert "secret" not in repr(posted)
    assert receiver.requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert receiver.requests[0].endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-secret\r\n", b"HTTP/1.1 403 secret\r\nContent-Length: 6\r\n\r\nsecret", b"secret", b""],
)
def test_s25_errors_carry_nothing_of_the_reply(answer: bytes, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(answer) as receiver, pytest.raises(NoAnswer) as failed:
        fetch(receiver.url, max_bytes=100)
    assert "secret" not in failed.value.message
    assert "127.0.0.1" not in failed.value.message


def test_s25_a_closed_port_says_nothing_of_the_machine(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(b"") as receiver:
        url = receiver.url
    with pytest.raises(NoAnswer) as failed:
        fetch(url, max_bytes=100)
    assert failed.value.message == "There was no whole answer from this address."


@pytest.mark.parametrize("length", [b"", b"Content-Length: 5\r\n", b"Content-Length: 999999999999\r\n"])
def test_s26_endless_bodies_end_at_the_cap_whatever_length_they_claim(length: bytes, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with receiving(pour) as receiver:
        if b" 5" in length:
            assert fetch(receiver.url, max_bytes=100_000) == b"xxxxx"
        else:
            with pytest.raises(TooLarge):
                fetch(receiver.url, max_bytes=100_000)


def drip(start: bytes, drop: bytes) -> Callable[[socket.socket], object]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)  # this is the attack

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.recv(1),
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "headers", "body", "promises"],
)
def test_s26_slow_drips_end_in_time(answer: Callable[[socket.socket], object], settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(answer) as receiver:
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="in time"):
            fetch(receiver.url, max_bytes=10_000_000, seconds=0.5)
        assert time.monotonic() - started < 2


def test_s26_endless_headers_end(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: " + b"x" * 60_000)

    with receiving(pour) as receiver, pytest.raises(NoAnswer):
        fetch(receiver.url, max_bytes=100)


def test_s26_a_name_that_is_never_answered_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def think(*_args: object, **_options: object) -> list[object]:
        is_over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", think)
    started = time.monotonic()
    with pytest.raises(Refused):
        check("https://example.com/", seconds=0.3)
    assert time.monotonic() - started < 2
    is_over.set()


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with receiving(ok(b"by proxy")) as proxy, receiving(ok(b"straight")) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert fetch(receiver.url, max_bytes=100) == b"straight"
        assert not proxy.requests


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for hooks.example.com alone, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, paper = folder / "key.pem", folder / "paper.pem"
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ],
            *["-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com"],
            *("-keyout", str(key), "-out", str(paper)),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + paper.read_bytes())
    return both


@contextmanager
def receiving_tls(certificate: Path, answer: bytes) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(answer) as receiver:
        plain = receiver.converse

        def converse(connection: socket.socket) -> None:
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    plain(tls)
            except OSError:
                return

        receiver.converse = converse  # type: ignore[method-assign]  # the same receiver behind TLS
        yield receiver


def test_the_certificate_must_be_trusted_and_of_that_name(
    certificate: Path, names: Names, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    names.answers["hooks.example.com"] = names.answers["other.example.com"] = [["127.0.0.1"]]
    with receiving_tls(certificate, ok(b"hello")) as receiver:
        with pytest.raises(NoAnswer, match="certificate"):
            fetch(f"https://hooks.example.com:{receiver.port}/", max_bytes=100)
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(outbound, "_trust", lambda: trusting)
        assert fetch(f"https://hooks.example.com:{receiver.port}/", max_bytes=100) == b"hello"
        for host in ("other.example.com", "127.0.0.1"):
            with pytest.raises(NoAnswer, match="certificate"):
                fetch(f"https://{host}:{receiver.port}/", max_bytes=100)
    assert len(receiver.requests) == 1


def test_another_of_its_addresses_is_tried_where_one_is_dead(names: Names, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8"]
    names.answers["two.example.com"] = [["127.0.0.3", "127.0.0.2"]]
    with receiving(ok(b"second"), "127.0.0.2") as receiver:
        assert fetch(f"http://two.example.com:{receiver.port}/", max_bytes=100) == b"second"


@pytest.mark.django_db(transaction=True)
def test_nobody_keeps_the_database_while_waiting_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has a pool of connections: a few slow addresses would take all of them from everybody."""
    mine = connections["default"]
    mine.ensure_connection()
    was_free: list[bool] = []

    def answer(*_args: object, **_options: object) -> list[object]:
        was_free.append(mine.connection is None)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(Refused):
        fetch("https://slow.example.com/a.jpg", max_bytes=10)
    assert was_free == [True]
