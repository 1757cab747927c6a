"""Instructions: written by those who may, read by everybody who labels."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.models import Event
from apps.functions.models import Function
from apps.functions.services.instructions import INSTRUCTIONS_MAX, set_instructions

pytestmark = pytest.mark.django_db


def page_url(function: Function) -> str:
    return reverse("functions:instructions_page", args=[function.public_id])


def label_page(client: Client, function: Function) -> str:
    return client.get(reverse("labeling:label_page", args=[function.public_id])).content.decode()


def test_what_an_owner_writes_everybody_reads_beside_the_labels(
    owner_client: Client, member_client: Client, owner: User, text_function: Function
) -> None:
    assert "label-instructions" not in label_page(member_client, text_function)

    response = owner_client.post(
        page_url(text_function), {"text": "# Refund\r\n\r\nMoney **back** <script>"}, follow=True
    )

    assert "Saved. Everybody finds them" in response.content.decode()
    text_function.refresh_from_db()
    assert text_function.instructions == "# Refund\n\nMoney **back** <script>"
    html = label_page(member_client, text_function)
    assert "<h3>Refund</h3>" in html
    assert "Money <strong>back</strong> &lt;script&gt;" in html
    assert Event.objects.get(kind="function.instructions_changed").actor == owner.public_id


def test_instructions_that_have_changed_are_new_to_read(
    member_client: Client, owner: User, text_function: Function
) -> None:
    versions = []
    for text in ("One", "Two", "Two"):
        set_instructions(function=text_function, text=text, actor=owner)
        versions.append(label_page(member_client, text_function).split('data-version="')[1].split('"')[0])

    assert versions[0] != versions[1] == versions[2]
    assert Event.objects.filter(kind="function.instructions_changed").count() == 2


def test_too_long_instructions_come_back_to_be_shortened(
    owner_client: Client, text_function: Function, owner: User
) -> None:
    response = owner_client.post(page_url(text_function), {"text": "x" * (INSTRUCTIONS_MAX + 1)})

    assert response.status_code == 422
    assert "at most 20,000 characters; these have 20,001" in response.content.decode()
    with pytest.raises(InvalidInput):
        set_instructions(function=text_function, text="x" * (INSTRUCTIONS_MAX + 1), actor=owner)
    text_function.refresh_from_db()
    assert text_function.instructions == ""


def test_the_preview_is_what_will_be_read_and_saves_nothing(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:preview_instructions", args=[text_function.public_id])

    assert owner_client.post(url, {"text": "*so*"}).content.decode().strip() == "<p><em>so</em></p>"
    assert "Nothing written yet" in owner_client.post(url, {"text": " "}).content.decode()
    text_function.refresh_from_db()
    assert text_function.instructions == ""


@pytest.mark.parametrize("name", ["instructions_page", "preview_instructions"])
def test_labelers_and_strangers_write_none(
    member_client: Client, outsider_client: Client, client: Client, text_function: Function, name: str
) -> None:
    url = reverse(f"functions:{name}", args=[text_function.public_id])

    assert member_client.post(url, {"text": "x"}).status_code == 403
    assert outsider_client.post(url, {"text": "x"}).status_code == 404
    assert client.post(url, {"text": "x"}).status_code == 302
    text_function.refresh_from_db()
    assert text_function.instructions == ""
