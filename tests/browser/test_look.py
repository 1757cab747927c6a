"""Every page, wide and on a telephone: nothing sticks out, nothing complains, everything can be reached."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from apps.ops import demo
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SIZES = {"wide": (1280, 800), "telephone": (390, 780)}
PAGES = [
    "/",
    "/functions/new/",
    "/functions/{function}/",
    "/functions/{function}/label/",
    "/functions/{function}/bring/",
    "/functions/{function}/call/",
    "/functions/{function}/settings/",
    "/workspaces/{workspace}/members/",
    "/workspaces/{workspace}/keys/",
    "/workspaces/{workspace}/audit/",
    "/workspaces/new/",
    "/profile/",
    "/nowhere/",
    "/sign-in/",
]
LONG = "An answer that nobody thought of, which is called Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüssel"

# What sticks out to the right, unless an ancestor of its own scrolls.
STICKING_OUT = """() => {
  const scrolls = (element) => element && (
    (element !== document.documentElement && ["auto", "scroll"].includes(getComputedStyle(element).overflowX))
    || scrolls(element.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() && !element.closest(".visually-hidden, .skip-link, svg"))
    .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .filter((element) => !scrolls(element))
    .map((element) => `${element.tagName}.${element.className}`);
}"""

# Controls without a name, as a screen reader would meet them, and ids that are there twice.
NAMELESS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter((element) => element.checkVisibility())
  .filter((element) => !(element.getAttribute("aria-label") || element.innerText?.trim() || element.labels?.length
    || element.textContent.trim() || element.closest("label")))
  .map((element) => element.outerHTML.slice(0, 120))"""
TWICE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""


@pytest.fixture(scope="module")
def desk(shared_up: LiveUp) -> Desk:
    texts = [item.text for item in demo.demo_messages()[:30]] + ["nospaces" * 60]
    return make_desk(shared_up, labels=["Refund", "Delivery", LONG], texts=texts)


@pytest.fixture(scope="module")
def workspace(desk: Desk) -> str:
    return desk.run(
        f"from apps.functions.models import Function; "
        f"print(Function.objects.get(public_id={desk.function!r}).workspace.public_id)"
    )


@pytest.fixture
def open_page(browser: Browser, shared_up: LiveUp, desk: Desk, workspace: str) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def open_(path: str, size: str = "wide", theme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            base_url=shared_up.url, viewport={"width": width, "height": height}, color_scheme=theme
        )
        contexts.append(context)
        if path != "/sign-in/":
            context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": shared_up.url}])
        page = context.new_page()
        page.complaints = complaints = []

        def note(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and "404" not in message.text:
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        response = page.goto(path.format(function=desk.function, workspace=workspace))
        assert response is not None
        assert response.ok or path == "/nowhere/", f"{path} answers {response.status}"
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_and_complains_of_nothing(path: str, size: str, open_page: Callable[..., Page]) -> None:
    page = open_page(path, size)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []
    assert page.complaints == []  # type: ignore[attr-defined]  # put there by the fixture


@pytest.mark.parametrize("path", ["/", "/functions/{function}/", "/profile/"])
def test_the_first_tab_leads_past_the_header(path: str, open_page: Callable[..., Page]) -> None:
    page = open_page(path)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))


def test_both_themes_differ_and_follow_the_system(open_page: Callable[..., Page]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page("/", theme=theme).evaluate(ground) for theme in ("light", "dark"))
    assert light == "rgb(244, 245, 249)"
    assert dark == "rgb(15, 17, 26)"


def test_menus_close_on_escape_and_on_a_click_elsewhere(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    menu = page.locator("details.person-menu")
    menu.locator("summary").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.locator("main").click(position={"x": 5, "y": 5})
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_on_a_telephone_the_menu_of_the_workspace_leads_everywhere(open_page: Callable[..., Page]) -> None:
    page = open_page("/", "telephone")
    expect(page.get_by_role("link", name="Members")).to_be_hidden()
    page.locator("header details.menu summary").first.click()
    page.get_by_role("link", name="Members").click()
    expect(page.get_by_role("heading", level=1, name="Members")).to_be_visible()


def test_a_sentence_of_a_failed_request_becomes_a_message(open_page: Callable[..., Page], desk: Desk) -> None:
    page = open_page("/functions/{function}/settings/")
    page.get_by_label("New label").fill("refund")
    page.get_by_label("New label").press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("There is already a label “Refund”.")
    expect(page.get_by_role("heading", name="Labels")).to_be_visible()
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)


def test_a_whole_page_that_answers_a_fragment_is_not_put_into_the_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/functions/{function}/settings/")
    page.route("**/labels/", lambda route: route.fulfill(status=500, body="<!doctype html><h1>Something broke</h1>"))
    page.get_by_label("New label").fill("Fresh")
    page.get_by_label("New label").press("Enter")
    expect(page.get_by_role("status").filter(has_text="That did not work")).to_be_visible()
    expect(page.get_by_role("heading", name="Something broke")).to_have_count(0)


def wait_to_hear(page: Page, kind: str) -> None:
    """Wait for an event. Playwright's own waiting evaluates text inside the page, which the page's policy forbids."""
    deadline = time.monotonic() + 20
    while not page.evaluate("kind => window.heard.includes(kind)", kind):
        assert time.monotonic() < deadline, f"no {kind} event came"
        page.wait_for_timeout(50)


def test_the_event_stream_is_open_only_while_the_tab_is_seen(open_page: Callable[..., Page], desk: Desk) -> None:
    page = open_page("/functions/{function}/settings/")
    page.evaluate(
        """() => {
          window.heard = [];
          for (const kind of ["reopened", "annotations"])
            document.body.addEventListener(`live:${kind}`, () => window.heard.push(kind));
        }"""
    )
    set_hidden = """(hidden) => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    rename = (
        "from apps.functions.models import Function; from apps.functions.services import rename_label; "
        f"label = Function.objects.get(public_id={desk.function!r}).labels.in_use().order_by('id')[1]; "
        "rename_label(label=label, name={name!r})"
    )
    page.evaluate(set_hidden, True)
    desk.run(rename.format(name="Unheard"))
    page.evaluate("window.heard = []")
    page.evaluate(set_hidden, False)
    wait_to_hear(page, "reopened")
    assert page.evaluate("window.heard.includes('annotations')") is False
    desk.run(rename.format(name="Delivery"))
    wait_to_hear(page, "annotations")
