"""Five people label one function at once, over HTTP: no sample in vain, no answer lost, agreement told right."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.live_client import LiveClient, rows, value
from tests.live_up import LiveUp, running_up, wait_until

pytestmark = pytest.mark.xdist_group("browser")  # busy for half a minute, so it wants the machine to itself

N_ROBOTS = 5
N_SAMPLES = 1_000
LABELS = ["Refund", "Shipping", "Thanks"]
MISTAKES = 0.2
"""Share of a robot's answers that are given at random."""
BETWEEN_LOOKS = 0.05

_SEED = f"""
import json
from apps.accounts.models import LinkPurpose, User
from apps.accounts.services import create_link
from apps.functions.models import Function
from apps.functions.services import create_function
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role

workspace = Workspace.objects.get()
labels = {LABELS!r}
function = create_function(
    workspace=workspace, name="Which desk?", input_kind="text", label_names=labels, actor=None
)
Function.objects.filter(pk=function.pk).update(overlap_share=0.1, overlap_people=2)
items = [NewText(f"message {{number}} is about {{labels[number % 3]}}") for number in range({N_SAMPLES})]
for start in range(0, len(items), 250):
    add_texts(function=function, items=items[start : start + 250], person=None, origin=Origin.IMPORT)
links = []
for number in range({N_ROBOTS}):
    robot = User.objects.create_user(email=f"robot{{number}}@example.com", name=f"Robot {{number}}")
    workspace.memberships.create(user=robot, role=Role.LABELER)
    links.append("/enter/" + create_link(purpose=LinkPurpose.SIGN_IN, user=robot) + "/")
ids = dict(function.labels.values_list("name", "public_id"))
print(json.dumps({{"function": function.public_id, "labels": ids, "links": links}}))
"""

_AGREEMENT = """
import json
from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.agreement import opinions_of, pairs

emails = dict(User.objects.values_list("pk", "email"))
found = pairs(opinions_of(Function.objects.get()))
print(json.dumps([[emails[p.first], emails[p.second], p.n, p.percent, p.kappa, len(p.disputed)] for p in found]))
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveUp]:
    with running_up(tmp_path_factory.mktemp("robots") / "data") as up:
        yield up


@dataclass
class Robot:
    """One labeler, and what it remembers: what it was given, and what it said of it."""

    email: str
    client: LiveClient
    function_id: str
    label_ids: Mapping[str, str]
    rng: random.Random
    given: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)

    def work(self, is_over: Any) -> None:
        """Ask and answer until nothing is left; an empty queue may fill again while others are at it."""
        while not is_over():
            held = self.given[-4:]
            found = self.client.queue(self.function_id, n=self.rng.randint(1, 8), exclude=held)
            items = found["items"]
            self.given += [item["sampleId"] for item in items]
            if items:
                self.answer(items)
            else:
                threading.Event().wait(BETWEEN_LOOKS)

    def answer(self, items: list[dict[str, Any]]) -> None:
        """Send some answers in one request; now and then once more, as a page does that lost the reply."""
        body = []
        for item in items:
            name = self.opinion(item["text"])
            token = str(uuid4())
            self.said[item["sampleId"]] = name
            self.tokens[UUID(token).hex] = (item["sampleId"], name)
            body.append(
                {
                    "token": token,
                    "sampleId": item["sampleId"],
                    "labelId": self.label_ids[name],
                    "proof": item["proof"],
                    "ms": self.rng.randint(200, 4_000),
                }
            )
        for _ in range(2 if self.rng.random() < 0.15 else 1):
            reply = self.client.post(f"/functions/{self.function_id}/answers/", body=body)
            assert reply.status_code == 200, reply.text
            assert reply.json() == {"saved": [row["token"] for row in body], "refused": []}

    def opinion(self, text: str) -> str:
        return self.rng.choice(LABELS) if self.rng.random() < MISTAKES else text.rpartition(" ")[2]


@pytest.fixture(scope="module")
def robots(up: LiveUp) -> Iterator[list[Robot]]:
    """The five, after their work."""
    with LiveClient(up) as owner:
        owner.set_up()
    facts = run(up, _SEED)
    found = []
    for number, link in enumerate(facts["links"]):
        client = LiveClient(up)
        client.sign_in(link)
        email = f"robot{number}@example.com"
        found.append(Robot(email, client, facts["function"], facts["labels"], random.Random(number)))
    label_all(up, found)
    yield found
    for robot in found:
        robot.client.http.close()


def label_all(up: LiveUp, robots: list[Robot]) -> None:
    failures: list[BaseException] = []

    def is_over() -> bool:
        unfinished = "SELECT count(*) FROM samples_sample WHERE annotation_id IS NULL AND NOT is_disputed"
        return bool(failures) or value(up, unfinished) == 0

    def work(robot: Robot) -> None:
        try:
            robot.work(is_over)
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=work, args=(robot,), daemon=True) for robot in robots]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), seconds=240, what="the robots finish")
    assert not failures, failures


def run(up: LiveUp, code: str) -> Any:
    done = up.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def n_wanted(up: LiveUp) -> dict[str, int]:
    return dict(rows(up, "SELECT public_id, n_wanted FROM samples_sample"))


def test_no_sample_is_given_twice_beyond_its_overlap(up: LiveUp, robots: list[Robot]) -> None:
    for robot in robots:
        assert len(robot.given) == len(set(robot.given)), "given to the same robot twice"
    times = Counter(sample_id for robot in robots for sample_id in robot.given)
    assert dict(times) == n_wanted(up)
    assert set(times.values()) == {1, 2}
    n_shared = sum(n == 2 for n in times.values())
    assert 65 <= n_shared <= 135  # a tenth of a thousand, within four standard deviations


def test_everybody_had_something_to_do(robots: list[Robot]) -> None:
    assert min(len(robot.said) for robot in robots) > N_SAMPLES / N_ROBOTS / 4


def test_no_answer_is_lost_or_doubled(up: LiveUp, robots: list[Robot]) -> None:
    query = """
        SELECT a.client_token, s.public_id, l.name, u.email FROM samples_annotation a
        JOIN samples_sample s ON s.id = a.sample_id JOIN functions_label l ON l.id = a.label_id
        JOIN accounts_user u ON u.id = a.person_id
    """
    kept = {UUID(str(token)).hex: rest for token, *rest in rows(up, query)}
    noted = {
        token: [sample_id, name, robot.email] for robot in robots for token, (sample_id, name) in robot.tokens.items()
    }
    assert kept == noted
    assert value(up, "SELECT count(*) FROM samples_annotation") == len(noted)


def test_what_is_in_force_is_what_they_said(up: LiveUp, robots: list[Robot]) -> None:
    said: dict[str, list[str]] = defaultdict(list)
    for robot in robots:
        for sample_id, name in robot.said.items():
            said[sample_id].append(name)
    query = """
        SELECT s.public_id, l.name, s.is_disputed FROM samples_sample s LEFT JOIN functions_label l ON l.id = s.label_id
    """
    for sample_id, name, is_disputed in rows(up, query):
        one, *others = said[sample_id]
        is_agreed = all(other == one for other in others)
        assert (name, bool(is_disputed)) == ((one, False) if is_agreed else (None, True)), said[sample_id]


def test_agreement_equals_the_reference(up: LiveUp, robots: list[Robot]) -> None:
    told = {(one, other): rest for one, other, *rest in run(up, _AGREEMENT)}
    compared = 0
    for first, second in combinations(robots, 2):
        shared = sorted(first.said.keys() & second.said.keys())
        if not shared:
            assert (first.email, second.email) not in told
            continue
        a, b = ([robot.said[sample_id] for sample_id in shared] for robot in (first, second))
        n, percent, kappa, n_disputed = told[first.email, second.email]
        assert (n, n_disputed) == (len(shared), sum(x != y for x, y in zip(a, b, strict=True)))
        assert percent == pytest.approx(np.mean(np.array(a) == np.array(b)))
        expected = cohen_kappa_score(a, b)
        assert kappa is None if np.isnan(expected) else kappa == pytest.approx(expected)
        compared += 1
    assert compared == len(told) >= 6


def test_nothing_is_left_in_anybodys_hands(up: LiveUp, robots: list[Robot]) -> None:
    assert value(up, "SELECT count(*) FROM labeling_handout") == 0
