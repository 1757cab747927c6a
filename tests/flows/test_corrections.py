"""The API keeps no error that a person just corrected: through the pages of a real `up`, its worker and its calls."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.live_client import LiveClient, value
from tests.live_up import LiveUp, running_up, wait_until

pytestmark = pytest.mark.xdist_group("browser")  # timed, so it wants the machine to itself as those do

SECONDS = 5.0
"""From the person's click to the right answer; usually under one."""

_SEED = """
from apps.functions.services import create_function
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace

function = create_function(
    workspace=Workspace.objects.get(), name="Spam?", input_kind="text", label_names=["Spam", "Fine"], actor=None
)
items = [
    *(NewText(f"the parcel with {what} is late", "Fine") for what in ("my order", "the lamp", "a chair", "the cup")),
    *(NewText(f"win {what} now", "Spam") for what in ("cash", "a prize", "a phone")),
    NewText("win a lamp", "Fine"),
    *(NewText(f"thank you for {what}") for what in ("your help", "the lamp", "everything")),
]
add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
print(function.public_id)
"""

_KEY = """
from apps.accounts.models import User
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key

print(create_key(workspace=Workspace.objects.get(), owner=User.objects.get(), name="Web", actions=[Action.INVOKE])[1])
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveUp]:
    with running_up(tmp_path_factory.mktemp("corrections") / "data") as up:
        yield up


@pytest.fixture(scope="module")
def person(up: LiveUp) -> Iterator[LiveClient]:
    with LiveClient(up) as client:
        client.set_up()
        yield client


@pytest.fixture(scope="module")
def key(up: LiveUp, person: LiveClient) -> str:
    return run(up, _KEY)


def run(up: LiveUp, code: str) -> str:
    done = up.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Spam:
    """A function with one wrong label, learned and served, and somebody else's program that calls it."""

    def __init__(self, up: LiveUp, key: str) -> None:
        self.up = up
        self.id = run(up, _SEED)
        self.caller = httpx.Client(base_url=up.url, trust_env=False, headers={"Authorization": f"Bearer {key}"})
        wait_until(lambda: self.ask("win cash now") == "Spam", what="a model answers")

    def ask(self, text: str) -> str:
        reply = self.caller.post(f"/v1/functions/{self.id}/invoke", json={"data": text})
        return str(reply.json().get("labelName", ""))

    def sample_id(self, text: str) -> str:
        return str(self._of("samples_sample", "text", text))

    def label_id(self, name: str) -> str:
        return str(self._of("functions_label", "name", name))

    def _of(self, table: str, column: str, wanted: str) -> object:
        names = f"{table} r join functions_function f on f.id = r.function_id"
        query = f"select r.public_id from {names} where f.public_id = ? and r.{column} = ?"
        return value(self.up, query, self.id, wanted)


@pytest.fixture
def spam(up: LiveUp, key: str) -> Iterator[Spam]:
    function = Spam(up, key)
    yield function
    function.caller.close()


def fix(person: LiveClient, spam: Spam, text: str, label_name: str) -> None:
    """Correct a label as the function home does."""
    answer = person.post(f"/samples/{spam.sample_id(text)}/fix/", {"label": spam.label_id(label_name)})
    assert answer.status_code == 200, answer.text


def test_a_mistake_that_is_relabelled_is_answered_right_within_seconds(person: LiveClient, spam: Spam) -> None:
    wait_until(lambda: spam.ask("win a lamp") == "Fine", what="what it was taught wrongly, it answers wrongly")
    fix(person, spam, "win a lamp", "Spam")
    started = time.monotonic()
    wait_until(lambda: spam.ask("win a lamp") == "Spam", seconds=SECONDS, what="the correction is answered")
    assert time.monotonic() - started < SECONDS


def test_a_label_that_is_added_is_answered_within_seconds(person: LiveClient, spam: Spam) -> None:
    assert spam.ask("thank you for the cup") in {"Spam", "Fine"}
    answer = person.post(f"/functions/{spam.id}/labels/", {"name": "Thanks"})
    assert answer.status_code == 200, answer.text
    for what in ("your help", "the lamp", "everything"):
        fix(person, spam, f"thank you for {what}", "Thanks")
    wait_until(lambda: spam.ask("thank you for the cup") == "Thanks", seconds=SECONDS, what="the new label is answered")
    assert spam.ask("win a prize") == "Spam"
