"""What can be done by key, and where: one list for the label page, the grid, review and the map.

A key is written as the browser's script names it: `u`, `/`, `enter`, `space`, `left`, `1` for the first digit of the
row whatever the keyboard prints on it, `shift+` before any of these but signs, which have their own. Two commands that
act on one page never share a key: a test holds the usual keys to that, `effective_keys` and `key_services` those that
people choose. Backspace is nothing here, as it means three different things in three other tools.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Page(StrEnum):
    """Where a command acts."""

    LABEL = "label"
    GRID = "grid"
    REVIEW = "review"
    MAP = "map"


PAGE_WORDS = {
    Page.LABEL: "on the label page",
    Page.GRID: "in the grid",
    Page.REVIEW: "in review",
    Page.MAP: "on the map",
}


@dataclass(frozen=True)
class Command:
    """Something a key does. `usual_key` is the one it has unless a person chooses another; `fixed_keys` it keeps.

    `words` say it to people, `tag_words` where the function gives tags; `only_for` is an output kind it exists for.
    """

    name: str
    words: str
    usual_key: str
    pages: frozenset[Page]
    tag_words: str = ""
    fixed_keys: tuple[str, ...] = ()
    only_for: str = ""

    def words_for(self, output_kind: str) -> str:
        return (output_kind == "tags" and self.tag_words) or self.words


EVERYWHERE = frozenset(Page)
_LABEL, _GRID, _REVIEW, _MAP = (frozenset({page}) for page in Page)


def _picks() -> list[Command]:
    """The digits for the first ten labels, with shift for the next ten."""
    keys = [*"1234567890", *(f"shift+{digit}" for digit in "1234567890")]
    return [
        Command(f"pick-{n}", f"Give label {n}", key, EVERYWHERE, tag_words=f"Put tag {n} on, or take it off")
        for n, key in enumerate(keys, start=1)
    ]


COMMANDS: tuple[Command, ...] = (
    *_picks(),
    Command(
        "accept", "Accept the suggestion", "enter", _LABEL, tag_words="Save what is on; with nothing on: none of these"
    ),
    Command("accept-all", "Accept all that are not taken out", "enter", _GRID),
    Command("change", "Change to what is proposed", "enter", _REVIEW),
    Command("keep", "Keep the label it has", "k", _REVIEW),
    Command("take-over", "Take the suggested tags over", "t", _LABEL, only_for="tags"),
    Command("skip", "Skip this sample for now", "space", _LABEL | _REVIEW),
    Command("undo", "Take the last thing back", "u", EVERYWHERE, fixed_keys=("ctrl+z",)),
    Command("unsure", "Say that you are not sure", "q", _LABEL | _REVIEW),
    Command("flag", "Flag the sample for a reviewer, or unflag it", "f", EVERYWHERE),
    Command("comment", "Write a comment beside the sample", "c", _LABEL | _REVIEW),
    Command("previous", "Look at the sample before", "left", _LABEL | _REVIEW),
    Command("next", "Go on to the sample after", "right", _LABEL | _REVIEW),
    Command("select", "Select a sample, or take it out", "x", _GRID | _REVIEW | _MAP, fixed_keys=("ctrl+a",)),
    Command("open", "Look at the sample closely", "o", _GRID | _REVIEW | _MAP),
    Command("similar", "Show samples like this one", "s", _GRID | _REVIEW | _MAP),
    Command("larger", "Show samples larger", "+", _GRID | _MAP),
    Command("smaller", "Show samples smaller", "-", _GRID | _MAP),
    Command("label-before", "Look for the label before", ",", _GRID),
    Command("label-after", "Look for the label after", ".", _GRID),
    Command("hunt", "Find more of one label", "h", _GRID),
    Command("send-back", "Send the sample back with a comment", "b", _REVIEW),
    Command("bin", "Put it into the bin", "e", _REVIEW),
    Command("settle", "Say that it is seen to", "d", _REVIEW),
    Command("save-slice", "Keep this filter by name", "w", _REVIEW),
    Command("switch-view", "Switch between one by one and the grid", "g", _LABEL | _GRID),
    Command("new-label", "Make a new label, or suggest one", "n", _LABEL | _GRID),
    Command("instructions", "Read the instructions", "i", _LABEL | _GRID | _REVIEW),
    Command("filter", "Find by name", "/", EVERYWHERE),
    Command("help", "Show the keys", "?", EVERYWHERE),
)
BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS}

_SIGN = r"[!-/:-@\[-`{-~]"
_NAMED = "enter|space|left|right"
_KEY = re.compile(rf"(shift\+)?([a-z0-9]|{_NAMED})|{_SIGN}")
# They move the cursor among samples there.
MOVING_KEYS = frozenset({"left", "right", "shift+left", "shift+right"})
PAGES_WITH_CURSOR = frozenset({Page.GRID, Page.MAP})


def is_key(text: str) -> bool:
    """Whether a command can have this key: not Backspace, Tab or Escape, nor what belongs to the browser."""
    return _KEY.fullmatch(text) is not None


def is_free_for(key: str, command: Command) -> bool:
    """Whether the pages themselves leave the key to this command."""
    return not (key in MOVING_KEYS and command.pages & PAGES_WITH_CURSOR)


def on_page(page: Page, output_kind: str) -> list[Command]:
    return [command for command in COMMANDS if page in command.pages and command.only_for in {"", output_kind}]


def holder_of(key: str, command: Command, keys: Mapping[str, str]) -> Command | None:
    """Return which other command that meets this one on some page has the key already."""
    others = (other for other in COMMANDS if other != command and other.pages & command.pages)
    return next((other for other in others if key == keys[other.name] or key in other.fixed_keys), None)


def effective_keys(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return every command's key, empty where it has none: what was chosen first, then the usual ones not taken by it.

    A choice that an older list of commands allowed and this one does not is passed over.
    """
    keys = dict.fromkeys(BY_NAME, "")
    for command in COMMANDS:
        key = chosen.get(command.name, "")
        if is_key(key) and is_free_for(key, command) and holder_of(key, command, keys) is None:
            keys[command.name] = key
    for command in COMMANDS:
        is_own = chosen.get(command.name) == "" or keys[command.name]
        if not is_own and holder_of(command.usual_key, command, keys) is None:
            keys[command.name] = command.usual_key
    return keys


_WORDS = {"enter": "Enter", "space": "Space", "left": "←", "right": "→"}


def key_words(key: str) -> str:
    """Return a key as it stands on a page: `shift+1` is ⇧1."""
    bare = key.removeprefix("shift+")
    return ("⇧" if bare != key else "") + _WORDS.get(bare, bare.upper())
