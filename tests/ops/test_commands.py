"""The small commands: doctor, sign_in_link, worker."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.core import heartbeat
from apps.core.jobs import Queue
from apps.engine.errors import DeviceUnavailable
from apps.ops import doctor

pytestmark = pytest.mark.django_db


def findings() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine()}


def test_doctor_finds_everything_well_with_a_worker_running(with_redis: None) -> None:
    client = heartbeat.connect()
    heartbeat.beat(client)
    out = StringIO()
    call_command("doctor", stdout=out)
    heartbeat.fall_silent(client)
    assert out.getvalue().splitlines() == [line for line in out.getvalue().splitlines() if line.startswith("ok ")]
    assert len(out.getvalue().splitlines()) == len(doctor.CHECKS)


def test_doctor_says_what_is_wrong_and_fails(with_redis: None) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="1 of these"):
        call_command("doctor", stdout=out)
    assert "WRONG  worker: none is running" in out.getvalue()


def test_doctor_goes_on_where_redis_is_away(settings: Settings) -> None:
    settings.REDIS_URL, settings.IS_ALONE = "redis://:secret@127.0.0.1:1/0", False
    found = findings()
    assert {what for what, finding in found.items() if not finding.is_well} == {"redis", "worker"}
    assert "secret" not in found["redis"].words


def test_doctor_says_which_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "requires", lambda _name: ["no-such-package>=1", 'other>=1; extra == "dev"'])
    found = findings()["packages"]
    assert not found.is_well
    assert "missing: no-such-package;" in found.words


def test_doctor_says_what_models_compute_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor.encoders, "device", lambda: "cpu")
    monkeypatch.setattr(doctor, "GRAPHICS_CARD", tmp_path / "none")
    settings.DEVICE = "auto"
    assert doctor._device()[0]
    assert "processor" in doctor._device()[1]
    monkeypatch.setattr(doctor, "GRAPHICS_CARD", tmp_path)  # there, but not to be used by this torch
    is_well, words = doctor._device()
    assert not is_well
    assert "built for it" in words
    settings.DEVICE = "cpu"
    assert doctor._device()[0]


def test_doctor_says_that_the_device_asked_for_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise DeviceUnavailable("There is no cuda:1 here, only cuda:0 to cuda:0.")

    monkeypatch.setattr(doctor.encoders, "device", missing)
    is_well, words = doctor._device()
    assert not is_well
    assert words.startswith("There is no cuda:1 here")
    assert "HUNDREDFOLD_DEVICE" in words


def test_doctor_says_what_no_worker_takes(with_redis: None) -> None:
    client = heartbeat.connect()
    heartbeat.beat(client, [Queue.EMBED, Queue.DEFAULT])
    found = findings()["worker"]
    heartbeat.fall_silent(client)
    assert (found.is_well, found.words) == (False, "1 running, but none takes adapt, parts, train")


def test_doctor_says_where_files_are(settings: Settings) -> None:
    assert "in the data directory" in findings()["files"].words
    settings.FILES = "database"
    assert "in the database" in findings()["files"].words


def test_doctor_says_that_it_cannot_write(settings: Settings) -> None:
    settings.DATA_DIR = "/proc"
    assert not findings()["data directory"].is_well


def test_a_lost_password_is_helped_by_a_link_that_works_once(owner: User, client: Client) -> None:
    out = StringIO()
    call_command("sign_in_link", owner.email.upper(), stdout=out)
    url = out.getvalue().strip()
    assert url.startswith("http://127.0.0.1:8000/enter/")
    path = url.removeprefix("http://127.0.0.1:8000")
    assert client.post(path).status_code == 302
    assert client.session["_auth_user_id"] == str(owner.pk)
    assert Client().post(path).status_code == 404


def test_a_link_for_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="Nobody here has the address"):
        call_command("sign_in_link", "nobody@example.com")


def test_a_worker_alone_says_what_it_needs() -> None:
    with pytest.raises(CommandError, match="needs a broker"):
        call_command("worker")
