"""Functions that find samples, and a recorder that writes when it is told to."""

from __future__ import annotations

from apps.functions.models import Function, InputKind, OutputKind
from apps.invoke.recorder import Answered, Recorder
from apps.samples.models import Origin
from apps.samples.services.intake import NewImage, add_images
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from tests.pictures import picture

TEXTS = ["please refund my money", "i want a refund of my money", "where is my parcel", "the parcel is late again"]


class Held(Recorder):
    """Holds what was answered until it is told to write: a thread of its own would wait for the test's transaction."""

    def add(self, row: Answered) -> None:
        self._waiting.append(row)


def make_finder(workspace: Workspace, kind: InputKind) -> Function:
    return workspace.functions.create(name=f"Find {kind}", input_kind=kind, output_kind=OutputKind.SEARCH)


def make_picture_finder(workspace: Workspace) -> Function:
    """One that finds *red.png*, *blue.png* and *lime.png*."""
    function = make_finder(workspace, InputKind.IMAGE)
    items = [NewImage(picture(colour), original_name=f"{colour}.png") for colour in ("red", "blue", "lime")]
    add_images(function=function, items=items, person=None, origin=Origin.API)
    finish_work(function_id=function.pk)
    return function
