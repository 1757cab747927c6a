"""What the queue asks for teaches more than a random draw, on every public text set."""

from collections import defaultdict
from statistics import mean

import pytest

from apps.engine import bench

TEXT = ("clinc20", "medical_abstracts", "sms_spam", "snips7")
ALONG, AT_THE_END, NOWHERE_BELOW = 0.03, 0.02, -0.01

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not bench.PUBLIC_DATA.is_dir(), reason=f"the public data sets are not beside the checkout ({bench.PUBLIC_DATA})"
    ),
]


def test_the_queue_gains_over_a_random_draw() -> None:
    from apps.engine.bench_queue import Steps, measure_queue

    steps = Steps()
    along, at_the_end = {}, {}
    for name in TEXT:
        accuracy: defaultdict[tuple[object, object], list[float]] = defaultdict(list)
        for row in measure_queue(bench.PUBLIC_DATA / name, steps=steps, n_seeds=3):
            accuracy[row["strategy"], row["n"]].append(float(str(row["accuracy"])))
        gains = {n: mean(accuracy["product", n]) - mean(accuracy["random", n]) for n in steps}
        along[name], at_the_end[name] = mean(gains.values()), gains[steps.stop]

    assert mean(along.values()) >= ALONG, along
    assert mean(at_the_end.values()) >= AT_THE_END, at_the_end
    assert min(*along.values(), *at_the_end.values()) >= NOWHERE_BELOW, (along, at_the_end)
