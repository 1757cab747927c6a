"""Pictures, files and a picture function for the tests of this app."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.test import Client
from PIL import Image

from apps.functions.models import Function, InputKind
from apps.samples.models import Import, ImportState
from apps.samples.services.import_runs import run_import
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: pytest.FixtureRequest) -> Path:
    """A media folder of its own for every test."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def image_function(workspace: Workspace) -> Function:
    """A picture function with two labels, *Cat* and *Dog*, and no samples."""
    function = workspace.functions.create(name="Which animal?", input_kind=InputKind.IMAGE)
    for position, name in enumerate(["Cat", "Dog"]):
        function.labels.create(name=name, position=position, colour=position)
    return function


@pytest.fixture
def reviewer_client(workspace: Workspace) -> Client:
    user = make_user("rita@example.com", "Rita Reviewer")
    workspace.memberships.create(user=user, role=Role.REVIEWER)
    return client_of(user)


def picture(seed: int = 0, *, size: tuple[int, int] = (40, 30), kind: str = "JPEG", **options: object) -> bytes:
    """A small picture of one colour per seed."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, 0))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def zip_of(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def run_to_end(job: Import, *, budget_seconds: float = 60.0) -> Import:
    """Do what the worker would: slice after slice until the import is over."""
    job.refresh_from_db()
    cursor: int | None = job.cursor
    for _slice in range(10_000):
        if cursor is None:
            break
        cursor = run_import(import_id=job.pk, cursor=cursor, budget_seconds=budget_seconds)
    job.refresh_from_db()
    assert job.state in {ImportState.DONE, ImportState.FAILED}
    return job
