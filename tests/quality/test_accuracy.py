"""Accuracy on public data never falls below what the product promises."""

import json
from statistics import mean

import pytest

from apps.engine import bench

FLOORS = {
    "clinc20": 0.97,
    "medical_abstracts": 0.51,
    "sms_spam": 0.94,
    "snips7": 0.92,
    "trashnet": 0.67,
    "sign_digits": 0.82,
    "german_credit": 0.70,
    "penguins": 0.97,
}
MEAN_OF_TEXT = 0.85
TEXT = ("clinc20", "medical_abstracts", "sms_spam", "snips7")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not bench.PUBLIC_DATA.is_dir(), reason=f"the public data sets are not beside the checkout ({bench.PUBLIC_DATA})"
    ),
]


@pytest.fixture(scope="module")
def rows_of() -> dict[str, list[dict[str, float]]]:
    from apps.engine.bench_accuracy import measure_accuracy

    found: dict[str, list[dict[str, float]]] = {}
    for name in FLOORS:
        for row in measure_accuracy(bench.PUBLIC_DATA / name):
            print(json.dumps(row))  # noqa: T201  # what was measured is worth seeing, passed or not
            found.setdefault(name, []).append(row)  # type: ignore[arg-type]  # the figures used are numbers
    return found


@pytest.mark.parametrize("name", FLOORS)
def test_a_hundred_labels_reach_the_floor(name: str, rows_of: dict[str, list[dict[str, float]]]) -> None:
    assert mean(row["accuracy"] for row in rows_of[name]) >= FLOORS[name]
    assert mean(row["ece"] for row in rows_of[name]) < 0.10


def test_text_reaches_its_mean(rows_of: dict[str, list[dict[str, float]]]) -> None:
    assert mean(row["accuracy"] for name in TEXT for row in rows_of[name]) >= MEAN_OF_TEXT


def test_confidence_means_what_it_says(rows_of: dict[str, list[dict[str, float]]]) -> None:
    large = [name for name in FLOORS if name not in {"german_credit", "penguins"}]  # 400 test rows and more
    assert mean(row["ece"] for name in large for row in rows_of[name]) <= 0.05
