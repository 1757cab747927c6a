"""Markdown that people write, as HTML that can be shown to others.

Twice held: the parser passes no raw HTML on, and of what it makes only listed elements and attributes stay. Pictures
are not among them: one from elsewhere would tell its server who reads this.
"""

from functools import cache

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

ELEMENTS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
# Under the page's own title and that of the panel.
FIRST_HEADING = 3


def render(text: str) -> SafeString:
    """Return the HTML of a Markdown text. Links open elsewhere, and tell nobody where they were followed from."""
    html = nh3.clean(
        _parser().render(text),
        tags=ELEMENTS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return SafeString(html)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable("image")
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


def _lower_headings(state: object) -> None:
    """A person's first heading is not the page's."""
    for token in getattr(state, "tokens", ()):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + FIRST_HEADING - 1)}"
