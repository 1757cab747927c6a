"""S08: what the cookies and the headers promise, and that no other site can press our buttons."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.workspaces.models import Workspace
from tests.conftest import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "CSRF_COOKIE_SAMESITE",
    "ALLOWED_HOSTS",
    "DEBUG",
    "X_FRAME_OPTIONS",
)


def settings_with(tmp_path: Path, **environment: str) -> dict[str, object]:
    """Return the settings of a fresh process with this environment."""
    code = (
        "import json, django; django.setup(); from django.conf import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {NAMES!r}}}))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUNDREDFOLD_")}
    given = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "HUNDREDFOLD_DATA_DIR": str(tmp_path),
        "HUNDREDFOLD_REDIS_URL": "memory://",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**clean, **given}, capture_output=True, text=True, check=True
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_s08_an_https_address_makes_cookies_secure_and_browsers_remember_it(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, HUNDREDFOLD_BASE_URL="https://label.example.com")
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]", "label.example.com"]


def test_s08_without_one_it_works_on_this_machine_only_and_is_never_in_debug(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    assert settings["DEBUG"] is False
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert (settings["SESSION_COOKIE_HTTPONLY"], settings["SESSION_COOKIE_SAMESITE"]) == (True, "Lax")
    assert settings["CSRF_COOKIE_SAMESITE"] == "Lax"
    assert settings["X_FRAME_OPTIONS"] == "DENY"


def test_s08_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(owner: User) -> None:
    client = Client()
    client.post("/sign-in/", {"login": owner.email, "password": PASSWORD})
    cookie = client.cookies["hundredfold_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.django_db
def test_s08_a_host_nobody_configured_is_refused() -> None:
    assert Client().get("/sign-in/", headers={"host": "evil.example"}).status_code == 400


def test_signing_in_changes_the_session_key(owner: User) -> None:
    """An address with a session planted by someone else would otherwise be theirs as well."""
    client = Client()
    client.get("/sign-in/")
    client.cookies["hundredfold_session"] = "planted0000000000000000000000000"
    client.post("/sign-in/", {"login": owner.email, "password": PASSWORD})
    assert client.cookies["hundredfold_session"].value != "planted0000000000000000000000000"


def test_s08_a_post_without_a_token_changes_nothing(owner: User, workspace: Workspace) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    response = client.post("/profile/", {"name": "Changed"})
    assert response.status_code == 403
    owner.refresh_from_db()
    assert owner.name == "Olga Owner"


def test_s08_htmx_posts_need_the_token_too_and_are_served_with_it(owner: User, workspace: Workspace) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    headers = {"HX-Request": "true"}
    assert client.post("/profile/", {"name": "Changed"}, headers=headers).status_code == 403
    client.get("/profile/")
    token = client.cookies["csrftoken"].value
    response = client.post("/profile/", {"name": "Changed"}, headers={**headers, "X-CSRFToken": token})
    assert response.status_code == 302
