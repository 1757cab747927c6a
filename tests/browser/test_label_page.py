"""The label page as hands meet it: keys, taps, a network that goes, and answers that arrive once all the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp, wait_until

TEXTS = [f"Please refund order {n}" for n in range(20)] + [f"Where is my parcel {n}?" for n in range(20)]
SPECIMEN = "[data-part=specimen]"
STATUS = "#label-status"

# Tells how long after a key went down the next sample was painted: two frames later it certainly has been.
MEASURE = """
window.latencies = [];
let pressed_at = null;
addEventListener("keydown", (event) => { pressed_at = event.timeStamp; }, { capture: true });
new MutationObserver(() => {
  if (pressed_at === null) return;
  const from = pressed_at;
  pressed_at = null;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.latencies.push(performance.now() - from);
    channel.port2.postMessage(null);
  });
}).observe(document.querySelector("[data-part=specimen]"), { childList: true });
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=TEXTS)


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[list[str]]:
    """No page may complain: no script error, no report of the content security policy.

    The browser itself reports requests that fail; tests in which some must fail clear the list at their end.
    """
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield complaints
    assert complaints == []


def specimen(page: Page) -> str:
    """Return the text shown, once there is one: on a busy machine the next may still be on its way."""
    expect(page.locator(SPECIMEN)).not_to_have_text("", timeout=15_000)
    return page.locator(SPECIMEN).inner_text()


def right_key(page: Page) -> str:
    return "1" if "refund" in specimen(page) else "2"


def labelled(page: Page, n: int) -> None:
    expect(page.locator(f"[data-n-labelled='{n}']")).to_be_visible(timeout=15_000)


def test_one_key_labels_saves_and_moves_on(page: Page, desk: Desk) -> None:
    desk.open(page)
    given = []
    for _ in range(12):
        text = specimen(page)
        given.append((text, "Refund" if "refund" in text else "Shipping"))
        page.keyboard.press(right_key(page))
        expect(page.locator(SPECIMEN)).not_to_have_text(text)

    labelled(page, 12)
    assert len({text for text, _label in given}) == 12
    assert [(row["text"], row["label"]) for row in desk.annotations()] == given


def test_predictions_accuracy_and_suggestions_arrive_without_a_reload(page: Page, desk: Desk) -> None:
    desk.open(page)
    page.evaluate("window.is_same_page = true")
    expect(page.locator("#label-progress")).to_contain_text("0 of a first hundred labelled")
    pressed: list[str] = []
    while len(pressed) < 8 or min(pressed.count("1"), pressed.count("2")) < 2:  # drawn at random: eight may not do
        pressed.append(right_key(page))
        page.keyboard.press(pressed[-1])

    accuracy = re.compile(rf"Right on \d+ of {len(pressed)} it never saw")
    expect(page.locator("[data-accuracy]")).to_have_text(accuracy, timeout=20_000)
    n_pressed = 0
    while not page.locator("#label-suggestion").is_visible():
        page.keyboard.press(right_key(page))
        n_pressed += 1
        page.wait_for_timeout(200)  # a person's pace: what is asked next depends on what the model made of this
        assert n_pressed < 15
    suggested = page.locator("#label-suggestion .chip").inner_text()
    text = specimen(page)
    page.keyboard.press("Enter")
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    expect(page.locator(STATUS)).to_have_text(f"Labelled {suggested}")

    assert page.evaluate("window.is_same_page")
    n_answers = len(pressed) + n_pressed + 1
    wait_until(lambda: len(desk.annotations()) == n_answers, what="all answers saved")
    assert (desk.annotations()[-1]["text"], desk.annotations()[-1]["label"]) == (text, suggested)


def test_a_sample_drawn_at_random_is_marked_and_shows_no_suggestion(page: Page, desk: Desk) -> None:
    desk.open(page)
    for _ in range(5):  # every fifth is
        if page.get_by_text("Drawn at random").is_visible():
            break
        text = specimen(page)
        page.keyboard.press("1")
        expect(page.locator(SPECIMEN)).not_to_have_text(text)

    expect(page.get_by_text("Drawn at random, so that the score stays honest")).to_be_visible()
    expect(page.locator("#label-suggestion")).not_to_be_visible()
    text = specimen(page)
    page.keyboard.press("Enter")
    expect(page.locator(STATUS)).to_contain_text("No suggestion here")
    assert specimen(page) == text


def test_ten_seconds_without_a_network_lose_no_answer(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    page.keyboard.press("1")
    labelled(page, 1)
    page.context.set_offline(True)
    for _ in range(3):
        page.keyboard.press("1")
    expect(page.locator("#label-waiting")).to_contain_text("3 answers waiting for the network")
    page.wait_for_timeout(10_000)  # the cut itself
    page.keyboard.press("2")
    expect(page.locator("#label-waiting")).to_contain_text("4 answers waiting for the network")

    page.context.set_offline(False)

    expect(page.locator("#label-waiting")).to_be_hidden(timeout=15_000)
    labelled(page, 5)
    assert [row["label"] for row in desk.annotations()] == ["Refund"] * 4 + ["Shipping"]
    quiet_console.clear()


def test_answers_outlive_a_reload_and_arrive_once(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    page.route("**/answers/", lambda route: route.abort())
    for _ in range(3):
        page.keyboard.press("2")
    expect(page.locator("#label-waiting")).to_contain_text("3 answers waiting")
    page.on("dialog", lambda dialog: dialog.accept())  # it asks before leaving, since leaving matters now
    page.reload()
    page.unroute("**/answers/")
    page.reload()

    labelled(page, 3)
    assert [row["label"] for row in desk.annotations()] == ["Shipping"] * 3
    quiet_console.clear()


def test_an_answer_whose_receipt_was_lost_counts_once(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    n_lost = 0

    def deliver_and_lose(route: Route) -> None:
        nonlocal n_lost
        if n_lost < 2:
            n_lost += 1
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/answers/", deliver_and_lose)
    page.keyboard.press("1")
    page.keyboard.press("2")

    expect(page.locator("#label-waiting")).to_be_hidden(timeout=15_000)
    labelled(page, 2)
    assert n_lost == 2
    assert [row["label"] for row in desk.annotations()] == ["Refund", "Shipping"]
    quiet_console.clear()


def test_answers_of_someone_signed_out_wait_until_they_are_back(
    page: Page, desk: Desk, quiet_console: list[str]
) -> None:
    desk.open(page)
    page.keyboard.press("1")
    labelled(page, 1)
    page.context.clear_cookies(name="hundredfold_session")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#label-waiting")).to_contain_text("You are signed out. 2 answers kept until you are back.")
    expect(page.locator("#label-waiting a")).to_be_visible()

    desk.sign_in_again(page)

    expect(page.locator("#label-waiting")).to_be_hidden(timeout=20_000)
    labelled(page, 3)
    assert [row["label"] for row in desk.annotations()] == ["Refund", "Refund", "Shipping"]
    quiet_console.clear()


def test_answers_are_never_saved_under_the_name_of_the_next_person(
    page: Page, desk: Desk, shared_up: LiveUp, quiet_console: list[str]
) -> None:
    desk.open(page)
    other = make_desk(shared_up, texts=["x"])
    page.context.add_cookies([{"name": "hundredfold_session", "value": other.cookie, "url": shared_up.url}])
    page.keyboard.press("1")
    expect(page.locator("#label-waiting")).to_contain_text("1 answer kept")
    assert desk.annotations() == []

    desk.sign_in_again(page)

    labelled(page, 1)
    quiet_console.clear()


def test_a_person_who_may_no_longer_label_is_told(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    desk.run(
        "from apps.workspaces.models import Membership;"
        f"Membership.objects.filter(user__public_id={desk.person!r}).update(role='viewer')"
    )
    page.keyboard.press("1")

    expect(page.locator("#label-waiting")).to_contain_text("Your role does not include this")
    expect(page.locator("#label-waiting")).to_contain_text("1 answer could not be saved")
    assert desk.annotations() == []
    quiet_console.clear()


def test_leaving_warns_only_when_it_matters(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    desk.open(page)
    page.keyboard.press("1")
    labelled(page, 1)
    page.reload()
    assert asked == []

    page.route("**/answers/", lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator("#label-waiting")).to_be_visible()
    page.reload()
    assert asked == ["beforeunload"]
    quiet_console.clear()


def test_undo_goes_back_several_steps_by_either_key(page: Page, desk: Desk) -> None:
    desk.open(page)
    seen = []
    for _ in range(4):
        seen.append(specimen(page))
        page.keyboard.press("1")
    labelled(page, 4)

    for key, text in zip(["u", "Control+z", "u"], seen[:0:-1], strict=True):
        page.keyboard.press(key)
        expect(page.locator(SPECIMEN)).to_have_text(text)
    page.keyboard.press("2")

    labelled(page, 2)
    standing = {row["text"]: row["label"] for row in desk.annotations()}
    assert standing == {seen[0]: "Refund", seen[1]: "Shipping", seen[2]: None, seen[3]: None}


def test_undo_reaches_back_behind_a_reload(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("1")
    labelled(page, 1)
    page.reload()

    page.keyboard.press("u")

    expect(page.locator(SPECIMEN)).to_have_text(text)
    labelled(page, 0)
    page.keyboard.press("u")
    expect(page.locator(STATUS)).to_have_text("There is nothing to undo.")
    quiet_console.clear()


def test_an_answer_undone_before_it_left_never_arrives(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    page.context.set_offline(True)
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#label-waiting")).to_contain_text("2 answers")
    page.keyboard.press("u")
    expect(page.locator("#label-waiting")).to_contain_text("1 answer waiting")

    page.context.set_offline(False)

    labelled(page, 1)
    assert [row["label"] for row in desk.annotations()] == ["Refund"]
    quiet_console.clear()


def test_keys_do_nothing_in_text_fields_and_dialogs(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("n")
    page.keyboard.type("12 un?/ 0")
    expect(page.locator("#new-label-name")).to_have_value("12 un?/ 0")
    page.keyboard.press("Escape")
    expect(page.locator("#new-label")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#key-help")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.locator("#key-help")).to_be_hidden()
    page.keyboard.press("Backspace")

    assert specimen(page) == text
    assert desk.annotations() == []


def test_single_keys_can_be_switched_off(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("?")
    page.locator("#single-keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert specimen(page) == text

    page.reload()
    page.locator("[data-action=help]").click()
    page.locator("#single-keys").check()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    labelled(page, 1)


def test_a_key_held_down_labels_one_sample(page: Page, desk: Desk) -> None:
    desk.open(page)
    for _ in range(5):
        page.keyboard.down("1")
    page.keyboard.up("1")

    labelled(page, 1)
    assert len(desk.annotations()) == 1


def test_a_new_label_keeps_the_place_and_has_a_key(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("n")
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(page.locator("#new-label-error")).to_contain_text("already a label")
    page.keyboard.type("Complaint")
    page.keyboard.press("Enter")

    expect(page.locator("#label-keys .label-key")).to_have_count(3)
    assert specimen(page) == text
    page.keyboard.press("3")
    labelled(page, 1)
    assert [(row["text"], row["label"]) for row in desk.annotations()] == [(text, "Complaint")]
    quiet_console.clear()


def test_a_labeler_makes_no_label_but_suggests_one(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up, texts=TEXTS[:4], role="labeler")
    desk.open(page)
    page.keyboard.press("n")
    page.keyboard.type("Charge back")
    page.keyboard.press("Enter")

    expect(page.locator(STATUS)).to_contain_text("“Charge back” is suggested")
    expect(page.locator("#label-keys .label-key")).to_have_count(2)
    page.keyboard.press("1")
    labelled(page, 1)


def test_skipped_samples_wait_at_the_end(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up, texts=["one", "two", "three"])
    desk.open(page)
    skipped = specimen(page)
    page.keyboard.press("Space")
    expect(page.locator(SPECIMEN)).not_to_have_text(skipped)
    page.keyboard.press("1")
    page.keyboard.press("2")

    expect(page.get_by_text("Every sample has a label")).to_be_visible()
    page.get_by_role("button", name="Show 1 sample again").click()

    expect(page.locator(SPECIMEN)).to_have_text(skipped)
    page.keyboard.press("1")
    labelled(page, 3)


def test_an_answer_for_a_deleted_sample_is_told_and_the_others_are_saved(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up, texts=["one", "two", "three"])
    desk.open(page)
    gone = specimen(page)
    desk.run(f"from apps.samples.models import Sample; Sample.objects.filter(text={gone!r}).delete()")
    for _ in range(3):
        page.keyboard.press("1")

    expect(page.locator("#label-refusals")).to_contain_text("sample was deleted")
    labelled(page, 2)
    page.locator("#label-refusals button").click()
    expect(page.locator("#label-refusals .notice")).to_have_count(0)


def test_samples_that_come_in_are_asked_without_a_reload(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up)
    desk.open(page)
    expect(page.get_by_text("Nothing to label yet")).to_be_visible()

    desk.run(
        "from apps.functions.models import Function; from apps.samples.services.intake import NewText, add_texts;"
        f"add_texts(function=Function.objects.get(public_id={desk.function!r}),"
        " items=[NewText(text='fresh')], person=None, origin='browser')"
    )

    expect(page.locator(SPECIMEN)).to_have_text("fresh", timeout=15_000)


def test_the_eleventh_label_has_shift_and_many_labels_a_search(page: Page, shared_up: LiveUp) -> None:
    labels = [f"Label number {n}" for n in range(1, 26)]
    desk = make_desk(shared_up, texts=TEXTS, labels=labels)
    desk.open(page)
    page.keyboard.press("0")
    page.keyboard.press("Shift+Digit1")
    page.keyboard.press("/")
    page.keyboard.type("number 25")
    expect(page.locator("#label-keys .label-key:visible")).to_have_count(1)
    page.keyboard.press("Enter")

    labelled(page, 3)
    given = [row["label"] for row in desk.annotations()]
    assert given == ["Label number 10", "Label number 11", "Label number 25"]


def test_what_a_sample_says_is_never_run(page: Page, shared_up: LiveUp) -> None:
    payload = "<img src=x onerror=\"document.title='run'\"><div hx-get='/' hx-trigger='load'>hello</div>"
    desk = make_desk(shared_up, texts=[payload], labels=[payload, "plain"])
    desk.open(page)

    assert specimen(page) == payload
    expect(page.locator("#label-keys .label-key").first).to_contain_text(payload)
    assert page.title() != "run"


def test_taps_work_at_390_pixels_with_the_labels_under_the_thumb(
    browser: Browser, shared_up: LiveUp, tmp_path: Path
) -> None:
    desk = make_desk(shared_up, texts=["A long message. " * 150, *TEXTS[:3]])
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    desk.open(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for n in range(1, 5):
        button = page.locator("#label-keys .label-key").first
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert 422 < box["y"] < 844 - box["height"]
        text = specimen(page)
        button.tap()
        expect(page.locator(SPECIMEN)).not_to_have_text(text)
        labelled(page, n)
    context.close()


def test_pictures_are_there_before_they_are_asked(page: Page, shared_up: LiveUp, tmp_path: Path) -> None:
    paths = []
    for n in range(12):
        paths.append(tmp_path / f"picture-{n}.png")
        Image.new("RGB", (320, 240), (20 * n, 255 - 20 * n, 90)).save(paths[-1])
    desk = make_desk(shared_up, pictures=paths, labels=["warm", "cold"])
    desk.open(page)
    expect(page.locator(".label-specimen img")).to_be_visible()
    page.evaluate(MEASURE)

    for n in range(1, 11):
        page.keyboard.press("1" if n % 2 else "2")
        shown = page.evaluate(
            "(() => { const image = document.querySelector('.label-specimen img');"
            " return image && [image.complete, image.naturalWidth]; })()"
        )
        assert shown == [True, 320]
        labelled(page, n)


def test_the_next_sample_is_painted_at_once(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up, texts=[f"Message number {n}, neither long nor short" for n in range(120)])
    desk.open(page)
    expect(page.locator("#label-keys .label-key")).to_have_count(2)
    page.evaluate(MEASURE)
    for n in range(1, 61):
        page.keyboard.press("1" if n % 2 else "2")
        wait_until(lambda n=n: page.evaluate("window.latencies.length") == n)
        page.wait_for_timeout(150)  # the pace of a quick person, with the model learning beside it

    latencies: list[Any] = sorted(page.evaluate("window.latencies"))
    p50, p95 = latencies[30], latencies[56]
    print(json.dumps({"key_to_next_sample_ms": {"p50": round(p50, 1), "p95": round(p95, 1)}}))  # noqa: T201
    # The aim is 100 ms on an idle machine; this bound only catches a page that waits for the server.
    assert p95 < 400
