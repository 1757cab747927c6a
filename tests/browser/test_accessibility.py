"""axe-core over every page of a function that has learned, wide and on a telephone, light and dark."""

from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Page

from apps.ops import demo
from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SIZES = {"wide": (1280, 800), "telephone": (390, 780)}
THEMES = ("light", "dark")
PAGES = [
    "/",
    "/functions/new/",
    "/functions/{function}/",
    "/functions/{function}/?verdict=wrong",
    "/functions/{function}/?tab=unlabelled",
    "/functions/{function}/label/",
    "/functions/{function}/grid/",
    "/functions/{function}/review/",
    "/functions/{function}/review/wrong-labels/",
    "/functions/{function}/review/unsure/",
    "/functions/{function}/review/near-duplicates/",
    "/functions/{function}/review/provisional/",
    "/functions/{function}/samples/select/",
    "/functions/{function}/mistakes/",
    "/functions/{function}/slices/",
    "/functions/{function}/map/",
    "/functions/{function}/history/",
    "/functions/{function}/bin/",
    "/functions/{function}/instructions/",
    "/functions/{function}/people/",
    "/functions/{function}/teamwork/",
    "/functions/{function}/bring/",
    "/functions/{function}/rules/",
    "/functions/{function}/models/",
    "/functions/{function}/call/",
    "/functions/{function}/monitor/",
    "/functions/{function}/calls/",
    "/functions/{function}/predict/",
    "/functions/{function}/settings/",
    "/workspaces/{workspace}/members/",
    "/workspaces/{workspace}/keys/",
    "/workspaces/{workspace}/audit/",
    "/workspaces/{workspace}/webhooks/",
    "/workspaces/new/",
    "/profile/",
    "/nowhere/",
]
_LABEL = """
import time
from apps.functions.models import Function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.training.selectors import is_finished
function = Function.objects.get(public_id={function!r})
labels = list(function.labels.in_use())
keys = list(Sample.objects.filter(function=function).order_by("pk").values_list("pk", flat=True)[:30])
pairs = [(key, labels[place % 2].pk) for place, key in enumerate(keys)]
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.RANDOM)
until = time.monotonic() + 60
while not is_finished(function.pk) or not function.trained_models.exists():
    assert time.monotonic() < until, "nothing was learned"
    time.sleep(0.2)
print(function.workspace.public_id)
"""

_CALL = """
from datetime import timedelta
from django.utils import timezone
from apps.functions.models import Function
from apps.invoke.models import DriftAlarm, Invocation
function = Function.objects.get(public_id={function!r})
labels, now = list(function.labels.in_use()), timezone.now()
for n in range(60):
    Invocation.objects.create(
        function=function, label=labels[n % 2], confidence=0.5 + n / 130, novelty=n / 60, milliseconds=5 + n,
        is_for_review=n % 9 == 0, created_at=now - timedelta(minutes=20 * n),
    )
facts = {{"watched": "novelty", "is_more": True, "now": 0.4, "usual": 0.05, "n_calls": 90, "calls": [
    {{"at": now.isoformat(), "label": "", "label_name": "Refund", "confidence": 0.4, "novelty": 0.99, "sample": ""}}
]}}
DriftAlarm.objects.create(function=function, kind="input", facts=facts, began_at=now)
"""

PAGES_OF_SEARCH = [
    "/functions/{function}/search/",
    "/functions/{function}/search/?q=my+parcel+never+came",
    "/functions/{function}/bring/",
    "/functions/{function}/call/",
    "/functions/{function}/settings/",
    "/functions/{function}/label/",
]
_MAKE_FINDER = """
from apps.functions.models import Function
from apps.functions.services import create_function
from apps.samples.services.intake import NewText, add_texts
beside = Function.objects.get(public_id={function!r})
finder = create_function(
    workspace=beside.workspace, name="Alike", input_kind="text", output_kind="search", label_names=[], actor=None
)
texts = list(beside.samples.values_list("text", flat=True)[:20])
add_texts(function=finder, items=[NewText(text) for text in texts], person=None, origin="api")
print(finder.public_id)
"""


@pytest.fixture(scope="module")
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, labels=["Refund", "Delivery"], texts=[item.text for item in demo.demo_messages()[:60]])


@pytest.fixture(scope="module")
def workspace(desk: Desk) -> str:
    """The desk's function has learned something, right and wrong, before anything is looked at."""
    desk.run(_CALL.format(function=desk.function))
    return desk.run(_LABEL.format(function=desk.function)).strip()


@pytest.fixture(scope="module")
def pages(browser: Browser, shared_up: LiveUp, desk: Desk) -> Iterator[dict[str, Page]]:
    """A window for each size and theme."""
    contexts = {}
    for (size, (width, height)), theme in product(SIZES.items(), THEMES):
        context = browser.new_context(
            base_url=shared_up.url, viewport={"width": width, "height": height}, color_scheme=theme
        )
        context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": shared_up.url}])
        contexts[f"{size}, {theme}"] = context
    yield {name: context.new_page() for name, context in contexts.items()}
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_wrong(path: str, pages: dict[str, Page], desk: Desk, workspace: str) -> None:
    found = {}
    for name, page in pages.items():
        page.goto(path.format(function=desk.function, workspace=workspace))
        found[name] = violations(page)
    assert found == {name: [] for name in pages}


@pytest.fixture(scope="module")
def finder(shared_up: LiveUp, desk: Desk) -> str:
    """A function that finds samples, with some, beside the other."""
    return desk.run(_MAKE_FINDER.format(function=desk.function)).strip()


@pytest.mark.parametrize("path", PAGES_OF_SEARCH)
def test_axe_finds_nothing_wrong_where_samples_are_found(path: str, pages: dict[str, Page], finder: str) -> None:
    found = {}
    for name, page in pages.items():
        page.goto(path.format(function=finder))
        found[name] = violations(page)
    assert found == {name: [] for name in pages}
