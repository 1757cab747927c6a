"""S01 and S02: the key that signs sessions is strong, private, and ends every session when it changes."""

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from config.secret_key import load_or_create_secret_key

GOOD = "k3Vt9wQz7Lm2Xp8Rb4Nc6Hs1Jd5Fg0YaUeToIiOuPqWxZvBnMlK"


PLACEHOLDERS = ["change-me" * 10, f"django-insecure-{GOOD}", f"this-is-an-EXAMPLE-key{GOOD}", f"SECRET{GOOD}"]


@pytest.mark.parametrize("key", ["short", "x" * 49, *PLACEHOLDERS])
def test_s01_a_short_or_well_known_key_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HUNDREDFOLD_SECRET_KEY"):
        load_or_create_secret_key(key, tmp_path / "secret_key")


def test_s01_a_key_from_the_environment_is_used_as_it_is(tmp_path: Path) -> None:
    assert load_or_create_secret_key(GOOD, tmp_path / "secret_key") == GOOD
    assert not (tmp_path / "secret_key").exists()


def test_s02_a_made_key_is_the_owners_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    key = load_or_create_secret_key("", path)
    assert len(key) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_secret_key("", path) == key


def test_s02_a_key_file_that_others_can_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    load_or_create_secret_key("", path)
    path.chmod(0o644)
    load_or_create_secret_key("", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_s01_a_placeholder_put_into_the_file_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("changeme", encoding="ascii")
    with pytest.raises(ImproperlyConfigured):
        load_or_create_secret_key("", path)


def test_s02_a_new_key_signs_everyone_out(owner_client: Client, settings: Settings) -> None:
    assert owner_client.get("/profile/").status_code == 200
    settings.SECRET_KEY = GOOD
    assert owner_client.get("/profile/").status_code == 302
