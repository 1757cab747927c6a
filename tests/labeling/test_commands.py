"""Keys: no two commands on one page share one, by default or by choice, and each may be given up."""

import re
from contextlib import suppress
from itertools import combinations

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.core.errors import Conflict, HundredfoldError, InvalidInput
from apps.functions.models import Function
from apps.labeling.commands import (
    BY_NAME,
    COMMANDS,
    MOVING_KEYS,
    PAGES_WITH_CURSOR,
    Page,
    effective_keys,
    holder_of,
    is_key,
    key_words,
)
from apps.labeling.key_services import choose_key, keys_of, reset_keys, switch_keys
from apps.labeling.models import KeyBindings

KEYS = st.sampled_from(
    [
        "",
        "u",
        "x",
        "q",
        "f",
        "enter",
        "space",
        "left",
        "shift+right",
        "1",
        "shift+1",
        "?",
        "backspace",
        "ctrl+z",
        "U",
        "é",
    ]
)
CHOICES = st.dictionaries(st.sampled_from([*BY_NAME, "*", "gone"]), KEYS)


def shared(keys: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the pairs of commands that have one key on one page."""
    return [
        (one.name, other.name, key)
        for one, other in combinations(COMMANDS, 2)
        if one.pages & other.pages
        for key in {keys[one.name], *one.fixed_keys} & {keys[other.name], *other.fixed_keys}
        if key
    ]


def test_no_two_commands_on_one_page_share_a_usual_key() -> None:
    assert shared({command.name: command.usual_key for command in COMMANDS}) == []
    assert effective_keys({}) == {command.name: command.usual_key for command in COMMANDS}
    assert len(BY_NAME) == len(COMMANDS)


def test_every_page_has_commands_and_every_command_a_key_and_words() -> None:
    assert {page for command in COMMANDS for page in command.pages} == set(Page)
    for command in COMMANDS:
        assert is_key(command.usual_key), command
        assert command.words[0].isupper()


def test_keys_that_move_from_sample_to_sample_do_nothing_else() -> None:
    assert [
        command.name for command in COMMANDS if command.usual_key in MOVING_KEYS and command.pages & PAGES_WITH_CURSOR
    ] == []


@pytest.mark.parametrize(
    "key",
    [
        "backspace",
        "shift+backspace",
        "tab",
        "escape",
        "delete",
        "ctrl+z",
        "alt+u",
        "f5",
        "U",
        "ab",
        " ",
        "é",
        "shift+?",
    ],
)
def test_what_means_one_thing_everywhere_is_no_key(key: str) -> None:
    assert not is_key(key)


def test_backspace_is_never_bound() -> None:
    every_key = [key for command in COMMANDS for key in (command.usual_key, *command.fixed_keys)]
    assert not [key for key in every_key if "backspace" in key or "delete" in key]


@settings(deadline=None)  # of a machine that does other things beside
@given(chosen=CHOICES)
def test_whatever_was_chosen_no_two_commands_on_one_page_share_a_key(chosen: dict[str, str]) -> None:
    """Choices are kept as they were made; a later list of commands may not allow them any more."""
    keys = effective_keys(chosen)

    assert shared(keys) == []
    assert not [key for key in keys.values() if key and not is_key(key)]


@settings(deadline=None)  # of a machine that does other things beside
@given(chosen=CHOICES, command=st.sampled_from(COMMANDS), key=KEYS)
def test_a_key_that_nobody_holds_is_had_by_whoever_chooses_it(
    chosen: dict[str, str], command: object, key: str
) -> None:
    one = BY_NAME[command.name]  # type: ignore[attr-defined]  # a Command
    if not is_key(key) or (key in MOVING_KEYS and one.pages & PAGES_WITH_CURSOR):
        return
    if holder_of(key, one, effective_keys(chosen)) is None:
        assert effective_keys({**chosen, one.name: key})[one.name] == key


@pytest.mark.parametrize(
    ("key", "words"), [("u", "U"), ("shift+1", "⇧1"), ("enter", "Enter"), ("left", "←"), ("", ""), ("+", "+")]
)
def test_keys_are_read_as_they_are_printed(key: str, words: str) -> None:
    assert key_words(key) == words


@pytest.mark.django_db
def test_a_person_chooses_gives_up_and_goes_back(member: User, owner: User) -> None:
    assert choose_key(person=member, command="undo", key="z").by_command["undo"] == "z"
    assert choose_key(person=member, command="flag", key="u").by_command["flag"] == "u"
    assert choose_key(person=member, command="skip", key="").by_command["skip"] == ""
    assert KeyBindings.objects.get(person=member).keys == {"undo": "z", "flag": "u", "skip": ""}
    assert keys_of(owner).by_command["undo"] == "u"

    with pytest.raises(Conflict, match="U already means “Flag the sample"):
        choose_key(person=member, command="undo", key="u")
    choose_key(person=member, command="flag", key="f")
    assert choose_key(person=member, command="undo", key="u").by_command == {**effective_keys({}), "skip": ""}
    assert KeyBindings.objects.get(person=member).keys == {"skip": ""}
    assert reset_keys(person=member).by_command == effective_keys({})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("command", "key", "sentence"),
    [
        ("undo", "f", r"F already means “Flag the sample for a reviewer, or unflag it” on the label page\."),
        ("undo", "k", r"K already means “Keep the label it has” in review\."),
        ("flag", "shift+3", "⇧3 already means “Give label 13”"),
        ("undo", "left", "moves from sample to sample"),
        ("undo", "backspace", "belongs to the browser"),
        ("undo", "ctrl+z", "belongs to the browser"),
        ("make-coffee", "z", "no such command"),
    ],
)
def test_a_key_that_cannot_be_is_refused_in_a_sentence(member: User, command: str, key: str, sentence: str) -> None:
    with pytest.raises((Conflict, InvalidInput), match=sentence):
        choose_key(person=member, command=command, key=key)

    assert keys_of(member).by_command == effective_keys({})


@pytest.mark.django_db
def test_commands_that_never_meet_may_share_a_key(member: User) -> None:
    assert choose_key(person=member, command="take-over", key="k").by_command["keep"] == "k"


@pytest.mark.django_db
def test_through_the_service_no_two_commands_ever_share_a_key(member: User) -> None:
    """Every command asks for every usual key, one after the other."""
    for command in COMMANDS:
        for other in COMMANDS:
            with suppress(HundredfoldError):
                choose_key(person=member, command=command.name, key=other.usual_key)
        assert shared(dict(keys_of(member).by_command)) == []


@pytest.mark.django_db
def test_single_keys_are_switched_off_whatever_they_are(member: User) -> None:
    choose_key(person=member, command="undo", key="z")
    assert not switch_keys(person=member, are_on=False).are_on
    assert choose_key(person=member, command="flag", key="y").are_on is False
    assert reset_keys(person=member).are_on is False

    assert switch_keys(person=member, are_on=True).are_on
    assert keys_of(member).by_command == effective_keys({})


def post(client: Client, name: str, body: object) -> tuple[int, dict[str, object]]:
    response = client.post(
        reverse(f"labeling:{name}"), body, content_type="application/json", headers={"accept": "application/json"}
    )
    return response.status_code, response.json()


@pytest.mark.django_db
def test_the_doors_take_json_and_answer_where_all_keys_stand(member_client: Client, member: User) -> None:
    status, body = post(member_client, "choose_key", {"command": "undo", "key": "z"})
    assert (status, body["keys"]["undo"], body["areOn"]) == (200, "z", True)  # type: ignore[index]  # JSON
    assert post(member_client, "switch_keys", {"areOn": False})[1]["areOn"] is False
    assert post(member_client, "reset_keys", {})[1]["keys"] == effective_keys({})

    assert post(member_client, "choose_key", {"command": "undo", "key": "f"})[0] == 409
    for name, bad in (("choose_key", {"command": 1, "key": "z"}), ("choose_key", []), ("switch_keys", {"areOn": "no"})):
        status, body = post(member_client, name, bad)
        assert (status, body["code"]) == (400, "invalid_input")
    assert keys_of(member).by_command == effective_keys({})


@pytest.mark.django_db
def test_a_page_shows_the_keys_its_reader_chose(member_client: Client, member: User, text_function: Function) -> None:
    choose_key(person=member, command="undo", key="z")
    choose_key(person=member, command="skip", key="")

    html = member_client.get(reverse("labeling:label_page", args=[text_function.public_id])).content.decode()

    assert re.search(r'data-action="undo"><kbd data-key="undo">Z</kbd>', html)
    assert re.search(r'data-action="skip"><kbd data-key="skip" hidden></kbd>', html)
    assert 'data-key-of="take-over"' not in html
