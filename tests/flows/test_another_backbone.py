"""An operator brings another backbone to a running installation: nobody who calls, and nobody who labels, notices."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests import tiny_models
from tests.live_client import LiveClient, rows, value
from tests.live_up import LiveUp, running_up, wait_until

SCRIPT = """
from apps.functions.services import create_function
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services.keys import create_key

workspace = Workspace.objects.get()
owner = workspace.memberships.get().user
function = create_function(
    workspace=workspace, name="Which desk?", input_kind="text", label_names=["Money", "Parcel"], actor=None
)
items = [
    NewText(f"{{one}} {{other}}", name if i % 3 else "")
    for name, words in zip(("Money", "Parcel"), {groups!r})
    for i, (one, other) in enumerate((one, other) for one in words for other in words if one < other)
]
add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
print(function.public_id, create_key(workspace=workspace, owner=owner, name="Test", actions=[Action.INVOKE])[1])
"""


def manage(up: LiveUp, *arguments: str) -> str:
    done = up.manage(*arguments, seconds=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_by(up: LiveUp) -> set[str]:
    """The backbones that the live model reads."""
    versions = value(up, "SELECT backbone_versions FROM training_trainedmodel WHERE is_live")
    return set(json.loads(versions)) if versions else set()


def call(up: LiveUp, function_id: str, key: str, text: str) -> str:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(
        f"{up.url}/v1/functions/{function_id}/invoke", json={"data": text}, headers=headers, timeout=30, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["labelName"])


def test_another_backbone_takes_over_while_calls_are_answered(tmp_path: Path) -> None:
    folder = tiny_models.bert(tmp_path / "tiny-bert", n_steps=40)
    with (
        running_up(tmp_path / "data", environment={"HUNDREDFOLD_BACKBONES": "default"}) as up,
        LiveClient(up) as person,
    ):
        person.set_up()
        function_id, key = manage(up, "shell", "--no-imports", "-c", SCRIPT.format(groups=tiny_models.GROUPS)).split()
        wait_until(lambda: read_by(up), seconds=60, what="a first model is live")
        assert "tickets" not in read_by(up)
        call(up, function_id, key, "refund invoice")
        assert "every checksum recorded" in manage(up, "backbones", "pull", str(folder), "--name", "tickets")
        assert "tickets reads texts from now on" in manage(up, "backbones", "use", "tickets")
        # Calls go on at once, whatever the worker is at.
        for _ in range(10):
            call(up, function_id, key, "money card")
        wait_until(lambda: "tickets" in read_by(up), seconds=90, what="a model that reads with the new one is live")
        assert rows(up, "SELECT state FROM training_rereading") == [("taken",)], up.log[-3000:]
        n_samples = value(up, "SELECT count(*) FROM samples_sample")
        assert value(up, "SELECT count(*) FROM training_embedding WHERE backbone = 'tickets'") == n_samples
        assert call(up, function_id, key, "invoice cash") == "Money"
        assert call(up, function_id, key, "door courier") == "Parcel"
        listed = manage(up, "backbones", "list")
        assert "texts                   tickets" in listed
        assert "took over for 1 function" in listed
        assert "tickets loads in" in manage(up, "doctor")
