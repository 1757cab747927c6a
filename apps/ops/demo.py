"""The demo: two functions with samples made for this project, half of them labelled, trained by the ordinary path."""

import csv
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.functions.models import Function, InputKind
from apps.functions.services import create_function
from apps.samples.models import Origin
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.workspaces.models import Workspace
from apps.workspaces.services.workspaces import create_workspace, ownerless_workspaces

FOLDER: Path = settings.ROOT_DIR / "fixtures" / "demo"
WORKSPACE_NAME = "Demo"
MESSAGES = "What is this message about?"
MESSAGE_LABELS = ("Refund", "Delivery", "Broken", "Question")
LEAVES = "Is this leaf healthy?"
LEAF_LABELS = ("Healthy", "Spotted", "Eaten")


def load_demo(*, workspace: Workspace | None = None, person: User | None = None) -> Workspace:
    """Put the demo into a workspace; a second time adds what is missing, usually nothing.

    Without a workspace it takes the one that waits for its owner, else the oldest, else makes one that belongs to
    whoever uses the set-up link.
    """
    with transaction.atomic():
        workspace = workspace or _first_workspace() or create_workspace(name=WORKSPACE_NAME, owner=None)
        # Two clicks at once would both find no function of that name.
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        messages = _function(workspace, MESSAGES, InputKind.TEXT, MESSAGE_LABELS, person)
        leaves = _function(workspace, LEAVES, InputKind.IMAGE, LEAF_LABELS, person)
    texts = demo_messages()
    if messages.samples.count() < len(texts):
        add_texts(function=messages, items=texts, person=person, origin=Origin.IMPORT)
    pictures = demo_pictures()
    if leaves.samples.count() < len(pictures):
        add_images(function=leaves, items=pictures, person=person, origin=Origin.IMPORT)
    return workspace


def demo_messages() -> list[NewText]:
    """The messages as intake takes them; every second one brings its label."""
    with (FOLDER / "messages.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        NewText(text=row["text"], label_name="" if position % 2 else row["label"]) for position, row in enumerate(rows)
    ]


def demo_pictures() -> list[NewImage]:
    """The leaves as intake takes them, one of each label in turn; every second round brings its labels.

    Their names are numbers of our own: a name such as `spotted-01.jpg` would give the answer away.
    """
    per_label = [sorted((FOLDER / "pictures" / label.lower()).glob("*.jpg")) for label in LEAF_LABELS]
    pictures: list[NewImage] = []
    for round_number, paths in enumerate(zip(*per_label, strict=True)):
        for label, path in zip(LEAF_LABELS, paths, strict=True):
            pictures.append(
                NewImage(
                    content=path.read_bytes(),
                    label_name="" if round_number % 2 else label,
                    original_name=f"leaf-{len(pictures) + 1:02}.jpg",
                )
            )
    return pictures


def _first_workspace() -> Workspace | None:
    return ownerless_workspaces().order_by("id").first() or Workspace.objects.order_by("id").first()


def _function(
    workspace: Workspace, name: str, input_kind: InputKind, labels: tuple[str, ...], person: User | None
) -> Function:
    known = workspace.functions.filter(name=name, input_kind=input_kind).first()
    return known or create_function(
        workspace=workspace, name=name, input_kind=input_kind, label_names=labels, actor=person
    )
