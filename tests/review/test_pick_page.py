"""Selecting many samples of a list: the same filter, without anything else to press in its lines."""

import re

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.functions.models import Function, OutputKind
from apps.samples.models import GoldSample, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


def test_it_shows_what_the_list_showed(text_function: Function, add: Add, owner_client: Client) -> None:
    add("Refund", "Refund")
    wrong = add("Refund", "Shipping")
    path = f"/functions/{text_function.public_id}/samples/select/?verdict=wrong"
    for asked in (path, f"{path}&items="):
        html = owner_client.get(asked).content.decode()
        assert re.findall(r'data-sample="([^"]+)"', html) == [wrong.public_id]
    assert "<html" not in owner_client.get(f"{path}&items=").content.decode()


def test_options_hold_nothing_to_press(text_function: Function, add: Add, owner_client: Client) -> None:
    add("Refund", "Shipping")
    html = owner_client.get(f"/functions/{text_function.public_id}/samples/select/?items=").content.decode()
    assert not re.search(r"<(a|button|input)\b", html)


def test_only_filters_and_only_reviewers(
    text_function: Function, owner_client: Client, member_client: Client, outsider_client: Client
) -> None:
    path = f"/functions/{text_function.public_id}/samples/select/"
    assert owner_client.get(path).status_code == 200
    assert owner_client.get(f"{path}?nonsense=1").status_code == 400
    assert member_client.get(path).status_code == 403
    assert outsider_client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["samples/select/", "review/provisional/"])
def test_the_labels_beside_the_list_know_what_they_need(
    text_function: Function, owner_client: Client, path: str
) -> None:
    html = owner_client.get(f"/functions/{text_function.public_id}/{path}").content.decode()
    dock = re.search(r'<section id="label-dock".*?</section>', html, re.DOTALL)
    assert dock is not None
    assert int(re.findall(r'data-most="(\d+)"', dock[0])[0]) > 100
    assert len(re.findall(r"data-place=", dock[0])) == 2


def known_path(function: Function) -> str:
    return f"/functions/{function.public_id}/people/known-answers/selected/"


def send(client: Client, function: Function, *samples: Sample) -> tuple[int, str]:
    sent = ",".join(sample.public_id for sample in samples)
    done = client.post(known_path(function), {"samples": sent}).json()
    return done["n"], done["words"]


def test_selected_samples_become_known_answers_and_those_without_a_label_are_said(
    text_function: Function, add: Add, owner_client: Client
) -> None:
    refund, shipping, bare = add("Refund"), add("Shipping"), add(None)
    n, words = send(owner_client, text_function, refund, shipping, bare)
    assert (n, words) == (2, "2 samples more with a known answer. 1 had no label, or was known already.")
    known = {gold.sample: gold.label.name for gold in GoldSample.objects.select_related("label") if gold.label}
    assert known == {refund: "Refund", shipping: "Shipping"}
    assert send(owner_client, text_function, refund)[0] == 0


def test_selected_samples_with_tags_are_known_by_all_of_them(
    text_function: Function, add: Add, owner_client: Client, owner: User
) -> None:
    Function.objects.update(output_kind=OutputKind.TAGS)
    refund, shipping = text_function.labels.order_by("position")
    sample = Sample.objects.get(pk=add(None).pk)
    tag_sample(sample=sample, tags={refund: True}, person=owner, picked_by=PickedBy.PERSON)
    assert send(owner_client, text_function, sample) == (1, "1 sample more with a known answer.")
    assert GoldSample.objects.get().tags == {refund.public_id: True, shipping.public_id: False}


def test_known_answers_are_for_reviewers_and_take_a_selection_of_a_size_to_look_through(
    text_function: Function, owner_client: Client, member_client: Client, outsider_client: Client
) -> None:
    path = known_path(text_function)
    assert [client.post(path).status_code for client in (owner_client, member_client, outsider_client)] == [
        400,
        403,
        404,
    ]
    assert owner_client.post(path, {"samples": ",".join(f"smp_{n}" for n in range(101))}).status_code == 400
    assert not GoldSample.objects.exists()
