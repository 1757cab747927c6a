"""The keys a person chose: one at a time, refused where another command has it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.labeling.commands import BY_NAME, PAGE_WORDS, Command, Page, effective_keys, holder_of, is_free_for, is_key
from apps.labeling.commands import key_words as words_of
from apps.labeling.models import KeyBindings

# Under this name, beside the commands, an empty text switches all single keys off.
_ALL = "*"


@dataclass(frozen=True)
class Keys:
    """What a person's keys do; where they are not on, only Ctrl and Cmd with a letter do anything."""

    by_command: Mapping[str, str]
    are_on: bool


def keys_of(person: User) -> Keys:
    chosen = KeyBindings.objects.filter(person=person).values_list("keys", flat=True).first()
    return _keys_from(chosen or {})


@transaction.atomic
def choose_key(*, person: User, command: str, key: str) -> Keys:
    """Give a command another key, or none. Raises InvalidInput for what is no key, Conflict where another has it."""
    bindings = _locked(person)
    of = BY_NAME.get(command)
    if of is None:
        raise InvalidInput("There is no such command.")
    if key:
        _require_free(key, of, effective_keys(bindings.keys))
    bindings.keys = {name: chosen for name, chosen in bindings.keys.items() if name != command}
    if key != of.usual_key:
        bindings.keys[command] = key
    bindings.save(update_fields=["keys"])
    return _keys_from(bindings.keys)


@transaction.atomic
def switch_keys(*, person: User, are_on: bool) -> Keys:
    """Let single keys act, or not: whoever speaks to their computer types them without meaning to."""
    bindings = _locked(person)
    bindings.keys = {name: chosen for name, chosen in bindings.keys.items() if name != _ALL}
    if not are_on:
        bindings.keys[_ALL] = ""
    bindings.save(update_fields=["keys"])
    return _keys_from(bindings.keys)


@transaction.atomic
def reset_keys(*, person: User) -> Keys:
    """Go back to the usual keys; whether they act at all stays."""
    bindings = _locked(person)
    bindings.keys = {name: chosen for name, chosen in bindings.keys.items() if name == _ALL}
    bindings.save(update_fields=["keys"])
    return _keys_from(bindings.keys)


def _locked(person: User) -> KeyBindings:
    KeyBindings.objects.get_or_create(person=person)
    return KeyBindings.objects.select_for_update().get(person=person)


def _require_free(key: str, command: Command, keys: Mapping[str, str]) -> None:
    if not is_key(key):
        raise InvalidInput("This key belongs to the browser. Choose a letter, a digit, a sign, Enter, Space or ← →.")
    if not is_free_for(key, command):
        raise Conflict(f"{words_of(key)} moves from sample to sample in the grid and on the map. Choose another key.")
    holder = holder_of(key, command, keys)
    if holder is not None:
        where = PAGE_WORDS[min(holder.pages & command.pages, key=list(Page).index)]
        raise Conflict(
            f"{words_of(key)} already means “{holder.words}” {where}. Choose another key, or give that one up first."
        )


def _keys_from(chosen: Mapping[str, str]) -> Keys:
    return Keys(by_command=effective_keys(chosen), are_on=_ALL not in chosen)
