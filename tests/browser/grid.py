"""A robot at the grid: what hands would do there, and how many keys that took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from tests.browser.desk import Desk
from tests.live_up import wait_until

CARD = "#grid-list [data-sample]"
TRAIN = """
import time
from apps.functions.models import Function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.training.selectors import is_finished
function = Function.objects.get(public_id={function!r})
labels = {{label.name: label.pk for label in function.labels.in_use()}}
said = {said!r}
keys = dict(Sample.objects.filter(function=function, text__in=list(said)).values_list("text", "pk"))
pairs = [(keys[text], labels[name]) for text, name in said.items()]
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.RANDOM)
until = time.monotonic() + 60
while not is_finished(function.pk) or not function.trained_models.exists():
    assert time.monotonic() < until, "nothing was learned"
    time.sleep(0.1)
"""


def train(desk: Desk, said: Mapping[str, str]) -> None:
    """Label these texts so, and wait until the model has looked at all the others."""
    desk.run(TRAIN.format(function=desk.function, said=dict(said)))


def open_grid(page: Page, desk: Desk, query: str = "") -> None:
    """Open the grid as that person, and wait until somebody could have looked at it."""
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"{desk.up.url}/functions/{desk.function}/grid/{query}")
    expect(page.locator(CARD).first).to_be_visible(timeout=15_000)
    look(page)


def look(page: Page) -> None:
    """Let a moment pass: what is accepted sooner than anybody can look is taken for a slip."""
    page.wait_for_timeout(350)


def texts_on(page: Page) -> list[str]:
    """Return the samples that can be picked."""
    return [text.strip() for text in page.locator(f"{CARD} .grid-card-text").all_inner_texts()]


def label_looked_for(page: Page) -> str:
    return page.locator("#grid-title .chip").inner_text()


@dataclass
class Hands:
    """Someone who knows the truth, sees what is on the screen, and has keys only; each is counted."""

    page: Page
    truth: Callable[[str], str]
    keys: Mapping[str, str]
    n_pressed: int = 0
    odd: list[str] = field(default_factory=list)

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)
            self.n_pressed += 1

    def go_through_a_grid(self) -> list[str]:
        """Give the odd ones their own labels and accept the rest. Returns what was on the grid."""
        shown = texts_on(self.page)
        wanted = label_looked_for(self.page)
        cursor = -1
        for place, text in enumerate(shown):
            if self.truth(text) == wanted:
                continue
            self.press("ArrowRight", place - cursor)
            if cursor == place:  # the cursor went on to it by itself
                self.press("x")
            self.press(self.keys[self.truth(text)])
            cursor = place + 1
            self.odd.append(text)
        self._accept(shown)
        return shown

    def _accept(self, shown: list[str]) -> None:
        """Press Enter until others are there: it may first bring into view what nobody has seen."""
        left = [text for text in shown if text not in self.odd]
        for _ in range(12):
            look(self.page)
            self.press("Enter")
            try:
                wait_until(lambda: texts_on(self.page) != left, what="the next grid", seconds=1.0)
            except AssertionError:
                continue
            return
        raise AssertionError("The grid does not go on.")
