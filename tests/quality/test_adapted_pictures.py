"""The best model of pictures is as good as promised, and no worse than the first one."""

from statistics import mean

import pytest

from apps.engine import bench
from apps.engine.bench_accuracy import Stage, measure_accuracy

FLOORS = {"trashnet": 0.70, "sign_digits": 0.91}
MOST_LOST = 0.005
"""Two pictures of 400: what is better on a hundred samples may be worse on others by so much."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not bench.PUBLIC_DATA.is_dir(), reason=f"the public data sets are not beside the checkout ({bench.PUBLIC_DATA})"
    ),
]


@pytest.mark.parametrize("name", FLOORS)
def test_a_hundred_pictures_reach_the_floor_of_the_best_model(name: str) -> None:
    best, first = (
        mean(float(str(row["accuracy"])) for row in measure_accuracy(bench.PUBLIC_DATA / name, stage=stage))
        for stage in (Stage.BEST, Stage.FIRST)
    )
    assert best >= FLOORS[name]
    assert best >= first - MOST_LOST
