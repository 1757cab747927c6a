"""Markdown of one person in the browser of another: what is meant comes through, nothing else does."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.functions.markdown import ATTRIBUTES, ELEMENTS, render

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://tracker.example/pixel.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example" onclick="alert(1))',
    "<a href='/sign-out/' hx-get='/sign-out/' hx-trigger='load'>x</a>",
    "<style>body{display:none}</style>",
    "<iframe src=https://a.example></iframe>",
    "<svg/onload=alert(1)>",
    "<form action=/x><input name=y></form>",
    "```html\n<script>alert(1)</script>\n```",
    "[x]: javascript:alert(1)\n\n[x]",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
]
TAG = re.compile(r"<(/?)([a-z0-9]+)((?:\s[^<>]*)?)>")
# What `render` itself sets on every link.
SET = {"a": {"target", "rel"}}


def check_strict(html: str) -> None:
    """Every `<` begins a listed element, every attribute is listed, every address is of a listed scheme."""
    tags = TAG.findall(html)
    assert html.count("<") == len(tags), html
    for _closing, element, attributes in tags:
        assert element in ELEMENTS, html
        names = set(re.findall(r'\s([^\s="]+)="[^"]*"', attributes))
        assert names <= ATTRIBUTES.get(element, set()) | SET.get(element, set()), html
        for address in re.findall(r'href="([^"]*)"', attributes):
            assert re.match(r"(https?:|mailto:|[^:]*$)", address), html


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_runs_and_nothing_is_fetched(text: str) -> None:
    check_strict(render(text))
    assert "<img" not in render(text)


@settings(deadline=None, max_examples=300)  # of a machine that does other things beside
@given(
    parts=st.lists(
        st.one_of(st.sampled_from([*ATTACKS, "[", "](", ")", "<", ">", '"', "'", "`", "\n"]), st.text(max_size=8))
    )
)
def test_whatever_is_written_only_listed_elements_come_out(parts: list[str]) -> None:
    check_strict(render("".join(parts)))


def test_what_is_meant_comes_through() -> None:
    html = render(
        "# Labels\n\n- **Refund**: money back\n- *Shipping*\n\n1. one\n\n> said\n\n`code`\n\n~~no~~\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |"
    )

    for part in ("<h3>Labels</h3>", "<strong>Refund</strong>", "<em>Shipping</em>", "<ol>", "<blockquote>"):
        assert part in html
    for part in ("<code>code</code>", "<s>no</s>", "<th>a</th>", "<td>1</td>"):
        assert part in html
    assert render("one\ntwo") == "<p>one<br>\ntwo</p>\n"


def test_the_headings_of_a_text_stand_below_those_of_the_page() -> None:
    html = render("\n\n".join(f"{'#' * level} x" for level in range(1, 7)))

    assert re.findall(r"<h(\d)>", html) == ["3", "4", "5", "6", "6", "6"]


def test_links_open_elsewhere_and_vouch_for_nothing() -> None:
    html = render('[the policy](https://example.com/a?b=1&c=2 "Policy") <mail@example.com>')

    assert html.count('rel="noopener noreferrer nofollow"') == html.count('target="_blank"') == 2
    assert 'href="https://example.com/a?b=1&amp;c=2"' in html
    assert 'href="mailto:mail@example.com"' in html


def test_nothing_is_nothing() -> None:
    assert render("") == ""
