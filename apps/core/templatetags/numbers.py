"""Numbers as people read them."""

from django import template

register = template.Library()


@register.filter
def percent(share: float) -> str:
    """Say a share in whole percent; nearly all is not all, and nearly none is not none."""
    if 0.995 <= share < 1:
        return "over 99%"
    if 0 < share < 0.005:
        return "under 1%"
    return f"{int(100 * share + 0.5)}%"


@register.filter
def thousands(number: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,}"
