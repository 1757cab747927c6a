"""How the labelling goes: counts with their samples behind them, the curve so far, and when it is time to stop."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.functions.models import Function
from apps.labeling.outlook import HEIGHT, WIDTH, going
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import TrainedModel
from apps.training.outlook import HARDLY, curve_of, outlook_of

pytestmark = pytest.mark.django_db

ACCURACY = {"value": 0.84, "low": 0.78, "high": 0.89, "n": 96, "n_random": 31, "basis": "weighted", "is_early": False}


def figures(value: float = 0.84, gain: float = 0.04, **changes: object) -> dict[str, object]:
    forecast = {"n_more": 100, "value": value + gain, "low": value + gain - 0.02, "high": value + gain + 0.03}
    return {"accuracy": {**ACCURACY, "value": value}, "forecast": forecast, **changes}


def add_model(function: Function, *, n: int, number: int, is_live: bool = False, **kept: object) -> TrainedModel:
    return TrainedModel.objects.create(
        function=function,
        number=number,
        data_revision=number,
        recipe={},
        label_ids=[],
        sha256="",
        last_annotation_id=0,
        n_annotations=n,
        n_right=n,
        log_loss=0.4,
        is_live=is_live,
        figures=kept,
        published_at=timezone.now(),
    )


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).strip()


def page(client: Client, name: str, function: Function) -> str:
    response = client.get(reverse(f"labeling:{name}", args=[function.public_id]))
    assert response.status_code == 200
    return response.content.decode()


def label_some(function: Function, samples: list[Sample], **wanted: int) -> None:
    left = iter(samples)
    for name, n in wanted.items():
        label = function.labels.get(name=name)
        for _ in range(n):
            annotate_sample(sample=next(left), label=label, person=None, picked_by=PickedBy.PERSON)


def test_every_label_is_counted_and_its_samples_are_a_click_away(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    label_some(text_function, samples, Refund=12, Shipping=3)

    html = page(member_client, "outlook", text_function)

    assert "Refund 12 Shipping 3" in words(html)
    refund = text_function.labels.get(name="Refund")
    link = f"{reverse('review:function_home', args=[text_function.public_id])}?label={refund.public_id}"
    assert link in html
    shown = words(member_client.get(link).content.decode())
    assert member_client.get(link).status_code == 200
    assert "12" in shown
    assert "Ten of each make a figure one can trust: 7 more Shipping." in words(html)
    assert [(bar.n, bar.percent) for bar in going(text_function).bars] == [(12, 100), (3, 25)]


def test_before_there_is_a_forecast_it_is_said_when_there_will_be(
    member_client: Client, text_function: Function
) -> None:
    html = page(member_client, "outlook", text_function)

    assert "from about 40 on, with ten of each" in words(html)
    assert "label-curve" not in html


def test_the_forecast_is_said_and_no_stop_while_labels_help(member_client: Client, text_function: Function) -> None:
    add_model(text_function, n=96, number=1, is_live=True, **figures())

    said = words(page(member_client, "outlook", text_function))

    assert "expect 78% to 89% right. About 100 more labels should bring 86% to 91%." in said
    assert "may stop" not in said
    assert "data-may-stop" not in page(member_client, "progress", text_function)


def test_one_may_stop_where_more_labels_would_hardly_help(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    label_some(text_function, samples, Refund=20, Shipping=20)
    add_model(text_function, n=96, number=1, is_live=True, **figures(gain=HARDLY - 0.001))

    assert "You may stop here: about 100 more labels of the same kind would hardly change that." in words(
        page(member_client, "outlook", text_function)
    )
    assert "data-may-stop" in page(member_client, "progress", text_function)
    assert "data-may-stop" in page(member_client, "label_page", text_function)


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"accuracy": ACCURACY, "forecast": None},
        figures(gain=0.0) | {"accuracy": {**ACCURACY, "is_early": True}},
    ],
)
def test_nothing_is_forecast_from_too_little(text_function: Function, kept: dict[str, object]) -> None:
    assert outlook_of(add_model(text_function, n=50, number=1, **kept)) is None
    assert outlook_of(None) is None


def test_the_curve_is_what_was_expected_at_each_number_of_labels(text_function: Function) -> None:
    early = {**ACCURACY, "is_early": True}
    for number, (n, kept) in enumerate(
        [
            (20, {"accuracy": early}),
            (40, figures(0.7)),
            (60, figures(0.8)),
            (60, figures(0.75)),  # learned anew from as many
            (50, figures(0.72)),  # some were taken back
            (80, {}),
        ],
        start=1,
    ):
        add_model(text_function, n=n, number=number, **kept)  # type: ignore[arg-type]  # figures of several shapes
    unpublished = add_model(text_function, n=90, number=9, **figures(0.9))
    TrainedModel.objects.filter(pk=unpublished.pk).update(published_at=None)

    assert [(point.n, point.value) for point in curve_of(text_function)] == [(40, 0.7), (50, 0.72), (60, 0.75)]


def test_the_drawing_stays_within_its_frame(member_client: Client, text_function: Function) -> None:
    add_model(text_function, n=40, number=1, **figures(0.62))
    add_model(text_function, n=100, number=2, is_live=True, **figures(0.84))

    curve = going(text_function).curve

    assert curve is not None
    for drawn in (curve.line, curve.ahead, curve.band):
        for point in drawn.split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert curve.line.split()[0].startswith("0.0,")
    assert curve.ahead.split()[0] == curve.line.split()[-1]
    assert curve.n_end == 200
    html = page(member_client, "outlook", text_function)
    assert "With 40 labels 62% of new samples were expected right, with 100 84%; with 100 more it should be" in html


def test_the_queries_stay_few_however_many_labels_there_are(
    text_function: Function, django_assert_max_num_queries: object
) -> None:
    for place in range(60):
        text_function.labels.create(name=f"label {place}", position=place + 2, colour=place % 12)

    with django_assert_max_num_queries(5):  # type: ignore[operator]  # a fixture
        assert len(going(text_function).bars) == 62


@pytest.mark.parametrize(("who", "status"), [("outsider_client", 404), ("client", 302)])
def test_strangers_see_nothing_of_it(
    request: pytest.FixtureRequest, text_function: Function, who: str, status: int
) -> None:
    url = reverse("labeling:outlook", args=[text_function.public_id])
    assert request.getfixturevalue(who).get(url).status_code == status
