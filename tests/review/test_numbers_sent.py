"""Numbers that forms send: only those there are to choose from, whatever else comes and however long it is."""

import pytest
from django.test import Client

from apps.functions.models import Function, Weight

pytestmark = pytest.mark.django_db

# More than 4,300 digits are more than Python reads; the others are digits to Python and to nobody else.
NO_CHOICES = ["9" * 4_301, "٣", "²", "-1", "1.0", " 1", "01", "", "99"]


@pytest.mark.parametrize("sent", NO_CHOICES)
def test_a_place_the_slider_does_not_have_is_refused(text_function: Function, owner_client: Client, sent: str) -> None:
    before = text_function.automation_target
    path = f"/functions/{text_function.public_id}/automation/target/"
    assert owner_client.post(path, {"place": sent}).status_code == 400
    text_function.refresh_from_db()
    assert text_function.automation_target == before


@pytest.mark.parametrize("sent", NO_CHOICES)
def test_a_weight_nobody_offers_is_refused(text_function: Function, owner_client: Client, sent: str) -> None:
    label = text_function.labels.all()[0]
    assert owner_client.post(f"/labels/{label.public_id}/weight/", {"weight": sent}).status_code == 400
    label.refresh_from_db()
    assert label.weight == Weight.USUAL
