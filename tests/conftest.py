"""What all tests share: the cast, and what it works with. The settings are in `tests/settings.py`.

The cast is fixed: `owner` and `member` (a labeler) belong to `workspace`; `outsider` owns another one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.functions.models import Function, Label
    from apps.samples.models import Sample
    from apps.workspaces.models import Workspace

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def plain_static_files(settings: pytest.FixtureRequest) -> None:
    """Tests render templates without a collectstatic first."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def start_fresh(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forget what a process remembers by the keys of rows, as a new one would."""
    from apps.invoke import drift
    from apps.training import rule_hits, standing
    from apps.training.services import arrays, encoders, fan_out, search_index, serving, survey, sweeper, towers
    from apps.training.services.encoders import BoundedCache
    from apps.training.services.vectors import MatrixCache
    from apps.workspaces.services import quotas

    def forget() -> None:
        monkeypatch.setattr(serving, "_artifacts", BoundedCache(max_entries=8))
        monkeypatch.setattr(encoders, "_backbones", BoundedCache(max_entries=8))
        monkeypatch.setattr(towers, "_towers", BoundedCache(max_entries=8))
        monkeypatch.setattr(towers, "_folds", BoundedCache(max_entries=8))
        monkeypatch.setattr(arrays, "matrices", MatrixCache(max_bytes=2**20))
        monkeypatch.setattr(survey, "_views", survey._Views(max_entries=8))
        for module, name in (
            (drift, "_seen"),
            (fan_out, "_given"),
            (quotas, "_calls"),
            (quotas, "_room"),
            (rule_hits, "_cache"),
            (standing, "_counts"),
            (sweeper, "_progress"),
        ):
            monkeypatch.setattr(module, name, type(getattr(module, name))())
        search_index.forget_views()

    return forget


@pytest.fixture(autouse=True)
def own_process(start_fresh: Callable[[], None]) -> None:
    """Keys of rows come again in every test: nothing that a process remembers by them may outlive one."""
    start_fresh()


def make_user(email: str, name: str) -> "User":
    from apps.accounts.models import User

    return User.objects.create_user(email=email, name=name, password=PASSWORD)


def delete_for_good(sample: "Sample", person: "User | None" = None) -> None:
    """Put a sample into the bin and empty that, as somebody would who wants it gone at once."""
    from apps.samples.services.bin import bin_samples, purge_samples

    for remove in (bin_samples, purge_samples):
        remove(function=sample.function, sample_ids=[sample.public_id], person=person)


@pytest.fixture
def workspace(db: None) -> "Workspace":
    from apps.workspaces.models import Workspace

    return Workspace.objects.create(name="Support desk")


@pytest.fixture
def owner(workspace: "Workspace") -> "User":
    from apps.workspaces.roles import Role

    user = make_user("olga@example.com", "Olga Owner")
    workspace.memberships.create(user=user, role=Role.OWNER)
    return user


@pytest.fixture
def member(workspace: "Workspace") -> "User":
    from apps.workspaces.roles import Role

    user = make_user("mika@example.com", "Mika Member")
    workspace.memberships.create(user=user, role=Role.LABELER)
    return user


@pytest.fixture
def outsider(db: None) -> "User":
    from apps.workspaces.models import Workspace
    from apps.workspaces.roles import Role

    user = make_user("sam@example.net", "Sam Stranger")
    Workspace.objects.create(name="Elsewhere").memberships.create(user=user, role=Role.OWNER)
    return user


@pytest.fixture
def text_function(workspace: "Workspace") -> "Function":
    """A text function with two labels, *Refund* and *Shipping*, and no samples."""
    from apps.functions.models import InputKind

    function = workspace.functions.create(name="Which desk?", input_kind=InputKind.TEXT)
    for position, name in enumerate(["Refund", "Shipping"]):
        function.labels.create(name=name, position=position, colour=position)
    return function


@pytest.fixture
def refund(text_function: "Function") -> "Label":
    return text_function.labels.get(name="Refund")


@pytest.fixture
def shipping(text_function: "Function") -> "Label":
    return text_function.labels.get(name="Shipping")


def client_of(user: "User") -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def owner_client(owner: "User") -> Client:
    return client_of(owner)


@pytest.fixture
def member_client(member: "User") -> Client:
    return client_of(member)


@pytest.fixture
def outsider_client(outsider: "User") -> Client:
    return client_of(outsider)
