"""Accuracy on public data never falls below what the product promises."""

import json

import pytest

from apps.engine import bench

FLOORS = {"sms_spam": 0.92, "clinc20": 0.97, "trashnet": 0.60, "sign_digits": 0.74}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not bench.PUBLIC_DATA.is_dir(), reason=f"the public data sets are not beside the checkout ({bench.PUBLIC_DATA})"
    ),
]


@pytest.mark.parametrize("name", FLOORS)
def test_a_hundred_labels_reach_the_floor(name: str) -> None:
    figures = bench.measure_accuracy(bench.PUBLIC_DATA / name)
    print(json.dumps(figures))  # noqa: T201  # what was measured is worth seeing, passed or not
    test_accuracy, calibration_error = figures["test_accuracy"], figures["test_calibration_error"]
    assert isinstance(test_accuracy, float)
    assert isinstance(calibration_error, float)
    assert test_accuracy >= FLOORS[name]
    assert calibration_error < 0.10
