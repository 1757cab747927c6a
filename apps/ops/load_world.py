"""What `bench load` calls: made in the data directory of a running `up`, by a process of its own.

`python -m apps.ops.load_world N` prints one line of JSON: a key, a function of texts, one of pictures, and N more of
texts, all of them published.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if __name__ == "__main__":
    import django

    django.setup()

from django.conf import settings

from apps.accounts.models import User
from apps.engine import artifacts
from apps.functions.models import Function, InputKind
from apps.functions.services import create_function
from apps.invoke.bench import made_up
from apps.samples.models import Origin
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.training.models import TrainedModel
from apps.training.services import files, finish_work, serving
from apps.training.services.serving import Served
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key, create_workspace

N_TEXTS, N_PICTURES = 100, 40
LABELS = ["A", "B"]
TRAINING_SECONDS = 60.0


def make_world(n_functions: int) -> dict[str, object]:
    """Return what is needed to call it: the key's text and public ids."""
    owner = User.objects.create_user(email="load@example.com")
    workspace = create_workspace(name="Load", owner=owner)
    _key, secret = create_key(workspace=workspace, owner=owner, name="Load", actions=[Action.INVOKE])
    of_texts = _trained(workspace, owner, InputKind.TEXT)
    of_pictures = _trained(workspace, owner, InputKind.IMAGE)
    served = _published(of_texts)
    _published(of_pictures)
    many = [_like(served, workspace, number) for number in range(n_functions)]
    return {
        "secret": secret,
        "text": of_texts.public_id,
        "image": of_pictures.public_id,
        "many": [each.public_id for each in many],
    }


def _trained(workspace: Workspace, owner: User, input_kind: InputKind) -> Function:
    function = create_function(
        workspace=workspace, name=input_kind.value, input_kind=input_kind, label_names=LABELS, actor=owner
    )
    if input_kind == InputKind.IMAGE:
        pictures = made_up(range(N_PICTURES), has_pictures=True)
        images = [NewImage(one, LABELS[i % 2]) for i, one in enumerate(pictures) if isinstance(one, bytes)]
        add_images(function=function, items=images, person=owner, origin=Origin.IMPORT)
    else:
        texts = made_up(range(N_TEXTS), has_pictures=False)
        items = [NewText(one, LABELS[i % 2]) for i, one in enumerate(texts) if isinstance(one, str)]
        add_texts(function=function, items=items, person=owner, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


def _published(function: Function) -> Served:
    """Wait for the function's model: the worker of `up` may be faster at it than this process, or slower.

    One that needs no forward pass would make calls quick, and say nothing; with tiny backbones nothing is said anyway.
    """
    end = time.monotonic() + TRAINING_SECONDS
    while (served := serving.load_live(function.pk)) is None or not (served.specs or settings.BACKBONES == "tiny"):
        if time.monotonic() > end:
            raise SystemExit("A function to be called could not be trained, or reads its samples without a backbone.")
        time.sleep(0.2)
    return served


def _like(served: Served, workspace: Workspace, number: int) -> Function:
    """Return a new function with a published model of its own that says what another one says."""
    function = Function.objects.create(workspace=workspace, name=f"Function {number}", input_kind=InputKind.TEXT)
    labels = [function.labels.create(name=name, position=i, colour=i) for i, name in enumerate(LABELS)]
    model = TrainedModel.objects.get(pk=served.model.pk)
    model.pk, model.function, model.adaptation = None, function, None
    model.public_id = f"{served.model.public_id[:-4]}{number:04d}"
    model.label_ids = [label.public_id for label in labels]
    folder = serving.artifact_folder(function, model.public_id)
    model.sha256 = artifacts.save(
        folder,
        predictor=served.artifact.predictor,
        label_ids=model.label_ids,
        backbone_versions=model.backbone_versions,
        trained_with={},
    )
    files.keep(folder)
    model.save(force_insert=True)
    return function


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make_world(int(sys.argv[1]))) + "\n")
