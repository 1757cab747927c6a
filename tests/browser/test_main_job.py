"""The main job as a person does it who has never seen the page, on the real backbones and by keyboard alone.

One-time link, new function, forty samples, twelve labels; predictions and the bar move by themselves; a key; a call.
"""

from __future__ import annotations

import base64
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect

from tests.live_up import LiveUp, running_up, wait_until

N_LABELS = 12
MOST_TABS = 120

REFUND = [
    f"{opening} {rest}"
    for opening in ("I want my money back,", "Please refund me,", "You charged me twice,", "Give me a refund:")
    for rest in (
        "the kettle was broken",
        "I cancelled last week",
        "it is not what I paid for",
        "my card shows two payments",
        "the shoes do not fit",
    )
]
SHIPPING = [
    f"{opening} {rest}"
    for opening in (
        "Where is my parcel?",
        "When will it be delivered?",
        "The courier never came.",
        "Tracking is stuck.",
    )
    for rest in (
        "It was due on Monday",
        "I moved to another street",
        "The package says in transit",
        "Nobody rang the bell",
        "I need the delivery today",
    )
]


@pytest.fixture(scope="module")
def real_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveUp]:
    folder = tmp_path_factory.mktemp("main-job") / "data"
    with running_up(folder, environment={"HUNDREDFOLD_BACKBONES": "default"}) as up:
        yield up


class Hands:
    """A person at the keyboard: finds what to press with Tab, as the page offers it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = page.keyboard

    def go_to(self, target: Locator) -> None:
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.keys.press("Tab")
        raise AssertionError(f"Tab never reached {target}.")

    def write(self, target: Locator, text: str) -> None:
        self.go_to(target)
        self.keys.insert_text(text)

    def press(self, target: Locator) -> None:
        self.go_to(target)
        self.keys.press("Enter")

    def open_tab(self, name: str) -> None:
        self.press(self.page.locator("nav.tabs").get_by_role("link", name=name, exact=True))


@pytest.fixture
def hands(browser: Browser) -> Iterator[Hands]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield Hands(context.new_page())
    context.close()
    assert complaints == []


def enter(hands: Hands, up: LiveUp) -> None:
    """Come in by the one-time link, or by one for somebody who has been here."""
    page = hands.page
    email = "olga@example.com"
    again = up.manage("sign_in_link", email)
    page.goto(again.stdout.strip() if again.returncode == 0 else up.sign_in_url)
    if again.returncode == 0:
        hands.press(page.locator("main").get_by_role("button"))
        expect(page.get_by_text("You are signed in")).to_be_visible()
        page.goto(up.url)
        return
    hands.write(page.locator("[name=name]"), "Olga Owner")
    hands.write(page.locator("[name=email]"), email)
    hands.write(page.locator("[name=password]"), "correct horse battery staple")
    hands.write(page.locator("[name=workspace_name]"), "Support")
    hands.press(page.get_by_role("button", name="Start"))
    expect(page.locator("h1")).to_contain_text("Show it a hundred")


def make_function(hands: Hands, kind: str, name: str, labels: list[str]) -> None:
    page = hands.page
    hands.press(page.locator("main").get_by_role("link", name="New function"))
    expect(page).to_have_url(re.compile("/functions/new/"))
    hands.go_to(page.locator("[name=input_kind][value=text]"))
    hands.keys.press("Space")
    if kind == "image":
        hands.keys.press("ArrowDown")
    expect(page.locator(f"[name=input_kind][value={kind}]")).to_be_checked()
    hands.write(page.locator("[name=name]"), name)
    hands.go_to(page.locator("#id_labels"))
    for label in labels:
        hands.keys.type(label)
        hands.keys.press("Enter")
    hands.press(page.get_by_role("button", name="Make it"))
    expect(page).to_have_url(re.compile(r"/functions/function_\w+/bring/"))


def watch_home(page: Page) -> Page:
    """Open the function's home in a second tab, marked so that a reload would be noticed."""
    home = page.context.new_page()
    home.goto(page.url.replace("/bring/", "/").replace("/label/", "/"))
    home.evaluate("window.is_same_page = true")
    return home


def label_twelve(hands: Hands, key_of: Callable[[], str]) -> None:
    page = hands.page
    specimen = page.locator("[data-part=specimen]")
    expect(specimen.locator(":scope > *")).to_have_count(1)
    for n in range(1, N_LABELS + 1):
        before = specimen.locator(":scope > *").element_handle()
        hands.keys.press(key_of())
        wait_until(lambda before=before: not before.evaluate("element => element.isConnected"))
        expect(page.locator(f"[data-n-labelled='{n}']")).to_be_visible(timeout=15_000)


def expect_figures(page: Page, home: Page) -> None:
    """Both open pages come to show twelve judged samples, neither by a reload."""
    said = re.compile(rf"Right on \d+ of {N_LABELS} it never saw")
    expect(page.locator("[data-accuracy]")).to_have_text(said, timeout=30_000)
    number = home.locator(f"[data-n-judged='{N_LABELS}']")
    expect(number).to_be_visible(timeout=30_000)
    expect(home.locator("svg.review-bar rect").first).to_be_attached()
    expect(home.locator("[data-verdict=right]").first).to_be_visible()
    assert int(number.get_attribute("data-n-right") or 0) >= N_LABELS - 4
    assert home.evaluate("window.is_same_page")


def expect_suggestion(hands: Hands) -> None:
    """Samples to come carry what the model makes of them; every fifth carries none."""
    suggestion = hands.page.locator("#label-suggestion")
    for _ in range(10):
        if suggestion.is_visible():
            return
        hands.keys.press("Space")
        hands.page.wait_for_timeout(300)
    raise AssertionError("No suggestion came within ten samples.")


def make_key(hands: Hands) -> tuple[str, str]:
    """Return the address to call and a new key, both read off the page."""
    page = hands.page
    hands.open_tab("Call")
    hands.write(page.locator("#key-name"), "Website")
    hands.keys.press("Enter")
    secret = page.locator("#new-key")
    expect(secret).to_have_text(re.compile(r"hf_\S{12}_\S{43}"))
    return page.locator("#invoke-url").inner_text().strip(), secret.inner_text().strip()


def test_text_from_the_one_time_link_to_a_call(real_up: LiveUp, hands: Hands) -> None:
    page = hands.page
    enter(hands, real_up)
    make_function(hands, "text", "Which desk?", ["Refund", "Shipping"])
    lines = [*REFUND, *SHIPPING]
    assert len(lines) == 40
    hands.write(page.locator("#lines-text"), "\n".join(lines))
    hands.press(page.get_by_role("button", name="Bring these lines"))
    expect(page.locator(".import-counts").first).to_contain_text("40 added", timeout=20_000)
    home = watch_home(page)

    hands.open_tab("Label")
    label_twelve(hands, lambda: "1" if page.locator("[data-part=specimen]").inner_text() in REFUND else "2")
    expect_figures(page, home)
    expect_suggestion(hands)
    url, key = make_key(hands)

    for text, label in (
        ("I would like my money returned, the lamp arrived in pieces", "Refund"),
        ("The parcel has not been delivered yet, where is it?", "Shipping"),
    ):
        answer = httpx.post(url, headers={"Authorization": f"Bearer {key}"}, json={"data": text}, timeout=20)
        assert answer.status_code == 200, answer.text
        assert answer.json()["labelName"] == label
        assert 0.5 <= answer.json()["confidence"] <= 1
    assert httpx.post(url, headers={"Authorization": "Bearer no"}, json={"data": "x"}, timeout=20).status_code == 401


def picture(kind: str, seed: int) -> bytes:
    """A sun over sand or a fir in snow, each a little different."""
    chance = random.Random(f"{kind}-{seed}")
    image = Image.new("RGB", (160, 120), (250, 200, 120) if kind == "sun" else (225, 235, 245))
    draw = ImageDraw.Draw(image)
    x, y, size = chance.randint(40, 120), chance.randint(30, 70), chance.randint(14, 28)
    if kind == "sun":
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(240, 80 + chance.randint(0, 60), 20))
        draw.rectangle((0, 95, 160, 120), fill=(200, 150, 80))
    else:
        draw.polygon([(x, y - 2 * size), (x - size, y + size), (x + size, y + size)], fill=(20, 90, 40))
        draw.rectangle((x - 3, y + size, x + 3, y + size + 14), fill=(90, 60, 30))
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def drop_files(page: Page, selector: str, files: dict[str, bytes]) -> None:
    """Let go of files over an element, as from the desktop."""
    given: list[dict[str, Any]] = [
        {"name": name, "body": base64.b64encode(content).decode()} for name, content in files.items()
    ]
    transfer = page.evaluate_handle(
        """(files) => {
          const transfer = new DataTransfer();
          for (const { name, body } of files) {
            const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type: "image/png" }));
          }
          return transfer;
        }""",
        given,
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event(selector, kind, {"dataTransfer": transfer})


def test_pictures_from_the_one_time_link_to_a_call(real_up: LiveUp, hands: Hands, tmp_path: Path) -> None:
    page = hands.page
    enter(hands, real_up)
    make_function(hands, "image", "Beach or forest?", ["Beach", "Forest"])
    files = {f"{kind}-{seed}.png": picture(kind, seed) for kind in ("sun", "fir") for seed in range(20)}
    drop_files(page, "#drop", files)
    expect(page.locator("#drop-counts")).to_contain_text("40", timeout=60_000)
    home = watch_home(page)

    hands.open_tab("Label")
    label_twelve(hands, lambda: "1" if "sun" in page.locator("[data-part=name]").inner_text() else "2")
    expect_figures(page, home)
    expect_suggestion(hands)
    url, key = make_key(hands)

    for kind, label in (("sun", "Beach"), ("fir", "Forest")):
        unseen = picture(kind, 99)
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(url, headers=headers, files={"data": ("x.png", unseen, "image/png")}, timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.json()["labelName"] == label
        inline = f"data:image/png;base64,{base64.b64encode(unseen).decode()}"
        body = json.dumps({"data": inline})
        json_headers = {**headers, "Content-Type": "application/json"}
        again = httpx.post(url, headers=json_headers, content=body, timeout=30)
        assert again.json()["labelName"] == label
