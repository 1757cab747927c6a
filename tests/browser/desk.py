"""A desk to label at: a person with a session, a function with samples, put into a running `up` past its pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.live_up import LiveUp

_SEED = """
import json, uuid
from pathlib import Path
from django.test import Client
from apps.accounts.models import User
from apps.functions.services import create_function
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.workspaces.models import Workspace
given = json.loads({given!r})
email = f"{{uuid.uuid4().hex}}@example.com"
user = User.objects.create_user(email=email, name="Lea Labeler", password=None)
workspace = Workspace.objects.create(name="Desk")
workspace.memberships.create(user=user, role=given["role"])
function = create_function(
    workspace=workspace,
    name="Which desk?",
    input_kind=given["kind"],
    output_kind=given["gives"],
    label_names=given["labels"],
    actor=user,
)
if given["kind"] == "text":
    add_texts(function=function, items=[NewText(text=text) for text in given["texts"]], person=user, origin="browser")
else:
    add_images(
        function=function,
        items=[NewImage(content=Path(name).read_bytes(), original_name=Path(name).name) for name in given["pictures"]],
        person=user,
        origin="browser",
    )
client = Client()
client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
print(json.dumps({{
    "function": function.public_id,
    "person": user.public_id,
    "cookie": client.cookies["hundredfold_session"].value,
}}))
"""

_SIGN_IN = """
from django.test import Client
from apps.accounts.models import User
client = Client()
user = User.objects.get(public_id={person!r})
client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
print(client.cookies["hundredfold_session"].value)
"""

_ANNOTATIONS = """
import json
from apps.functions.models import Label
from apps.samples.models import Annotation
rows = Annotation.objects.filter(sample__function__public_id={function!r}).order_by("pk")
names = dict(Label.objects.filter(function__public_id={function!r}).values_list("public_id", "name"))
print(json.dumps([
    {{"text": row.sample.text, "label": row.label.name if row.label else None, "undoes": row.undoes_id,
      "tags": None if row.tags is None else [names[tag] for tag, is_present in row.tags.items() if is_present],
      "picked_by": row.picked_by}}
    for row in rows.select_related("sample", "label")
]))
"""


@dataclass(frozen=True)
class Desk:
    """One person's function in a running `up`."""

    up: LiveUp
    function: str
    person: str
    cookie: str

    def open(self, page: Page) -> None:
        """Open the label page as that person."""
        page.context.add_cookies([{"name": "hundredfold_session", "value": self.cookie, "url": self.up.url}])
        page.goto(f"{self.up.url}/functions/{self.function}/label/")

    def sign_in_again(self, page: Page) -> None:
        cookie = self.run(_SIGN_IN.format(person=self.person))
        page.context.add_cookies([{"name": "hundredfold_session", "value": cookie, "url": self.up.url}])

    def run(self, code: str) -> str:
        return _run(self.up, code)

    def annotations(self) -> list[dict[str, object]]:
        """Every annotation the server holds, in the order it took them."""
        rows: list[dict[str, object]] = json.loads(self.run(_ANNOTATIONS.format(function=self.function)))
        return rows


def make_desk(
    up: LiveUp,
    *,
    labels: Sequence[str] = ("Refund", "Shipping"),
    texts: Sequence[str] = (),
    pictures: Sequence[Path] = (),
    role: str = "owner",
    gives: str = "label",
) -> Desk:
    given = {
        "kind": "image" if pictures else "text",
        "labels": list(labels),
        "texts": list(texts),
        "pictures": [str(path) for path in pictures],
        "role": role,
        "gives": gives,
    }
    made = json.loads(_run(up, _SEED.format(given=json.dumps(given))))
    return Desk(up, made["function"], made["person"], made["cookie"])


def _run(up: LiveUp, code: str) -> str:
    done = up.manage("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
