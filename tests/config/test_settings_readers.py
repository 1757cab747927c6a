"""Settings refuse what they cannot read, and the secret key is never weak nor readable by others."""

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.secret_key import load_or_create_secret_key


def test_a_flag_that_is_neither_true_nor_false_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNDREDFOLD_DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="HUNDREDFOLD_DEBUG must be true or false"):
        env.flag("DEBUG", default=False)


def test_a_number_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNDREDFOLD_UPLOAD_MAX_MB", "lots")
    with pytest.raises(ImproperlyConfigured, match="whole number"):
        env.integer("UPLOAD_MAX_MB", 1)


def test_a_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://db\n")
    monkeypatch.setenv("HUNDREDFOLD_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert env.text("DATABASE_URL") == "postgresql://db"


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HUNDREDFOLD_DATA_DIR=` is not the directory one happens to be in."""
    monkeypatch.setenv("HUNDREDFOLD_DATA_DIR", "")
    assert env.text("DATA_DIR", "var") == "var"


def test_s02_a_generated_key_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    key = load_or_create_secret_key("", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_secret_key("", path) == key


@pytest.mark.parametrize("weak", ["short", "change-me-" * 8, "django-insecure-" + "x" * 60])
def test_s01_a_weak_or_well_known_key_stops_the_start(weak: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="random text of at least 50"):
        load_or_create_secret_key(weak, tmp_path / "secret_key")
