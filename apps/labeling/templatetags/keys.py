"""Keys on pages. A page that has some says::

    {% load keys %}
    {% page_keys "grid" as page_keys %}{% include "labeling/_keys.html" %}
    <button>{{ page_keys|kbd:"undo" }} Undo</button>

and its script imports `keys` from static/js/keys.js.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling.commands import Command, Page, key_words, on_page
from apps.labeling.key_services import keys_of

register = template.Library()

_PICK = "pick-"


@dataclass(frozen=True)
class Line:
    """A command as the list of keys shows it."""

    name: str
    words: str
    key_words: str
    fixed_words: str


@dataclass(frozen=True)
class PageKeys:
    """The keys of one person on one page: as data for its script, and as lines to read and change."""

    data: Mapping[str, object]
    words: Mapping[str, str]
    lines: list[Line]
    picks: list[Line]


@register.simple_tag(takes_context=True)
def page_keys(context: Context, page: str) -> PageKeys:
    user, function = context["user"], context.get("function")
    output_kind = function.output_kind if isinstance(function, Function) else ""
    return _keys_on(Page(page), user, output_kind)


@register.filter
def kbd(keys: PageKeys, command: str) -> SafeString:
    """Return the key of a command as it stands beside a button; keys.js keeps it up to date."""
    words = keys.words.get(command, "")
    return format_html('<kbd data-key="{}"{}>{}</kbd>', command, SafeString("" if words else " hidden"), words)


def _keys_on(page: Page, person: User, output_kind: str) -> PageKeys:
    keys = keys_of(person)
    commands = on_page(page, output_kind)
    lines = [_line(command, keys.by_command[command.name], output_kind) for command in commands]
    return PageKeys(
        data={
            "areOn": keys.are_on,
            "keys": {command.name: keys.by_command[command.name] for command in commands},
            "fixed": {key: command.name for command in commands for key in command.fixed_keys},
        },
        words={line.name: line.key_words for line in lines},
        lines=[line for line in lines if not line.name.startswith(_PICK)],
        picks=[line for line in lines if line.name.startswith(_PICK)],
    )


def _line(command: Command, key: str, output_kind: str) -> Line:
    fixed = " ".join(f"Ctrl {fixed.removeprefix('ctrl+').upper()}" for fixed in command.fixed_keys)
    return Line(command.name, command.words_for(output_kind), key_words(key), fixed)
