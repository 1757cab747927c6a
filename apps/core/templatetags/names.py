"""Names as they fit into narrow places."""

import re

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[_/.:])(?=\w)")


@register.filter
def breakable(name: str) -> SafeString:
    """Let “SearchScreeningEvent” and “card_payment_fee” break between their words, rather than within one."""
    parts = _SEAM.split(name)
    first = format_html_join("", "{}", [parts[:1]])
    return first + format_html_join("", "<wbr>{}", ((part,) for part in parts[1:]))
