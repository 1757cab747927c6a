"""What more labels would bring."""

import numpy as np
import pytest

from apps.engine.errors import DeadlineExpired
from apps.engine.estimates import Basis, Estimate
from apps.engine.forecast import Judge, cheap_recipe, errors_removed, forecast, judge_of
from apps.engine.runtime import Deadline
from apps.engine.types import BoolArray, Inputs, IntArray, TrainingData


def a_curve(power: float, seed: int = 0) -> Judge:
    """Return a judge whose errors fall by this power of the number of samples."""
    random = np.random.default_rng(seed)

    def judge(train: IntArray, test: IntArray) -> BoolArray:
        is_right: BoolArray = random.random(len(test)) > 0.3 * (len(train) / 160) ** -power
        return is_right

    return judge


FOLDS = np.arange(400) % 5
NOW = Estimate(0.80, 0.74, 0.85, n=120, n_random=60, basis=Basis.WEIGHTED)


@pytest.mark.parametrize("power", [0.3, 0.5, 0.8])
def test_the_part_of_errors_removed_is_that_of_the_curve(power: float) -> None:
    removed = [errors_removed(a_curve(power, seed), FOLDS) or 0.0 for seed in range(20)]
    assert np.mean(removed) == pytest.approx(1 - 2**-power, abs=0.08)


def test_what_helped_before_is_expected_to_help_again_and_less() -> None:
    found = forecast(NOW, 0.5)
    assert found is not None
    assert found.n_more == 120
    assert 0.85 < found.value < 0.90
    assert NOW.low < found.low < found.value < found.high <= 1


@pytest.mark.parametrize("removed", [0.0, 0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("value", [0.0, 0.3, 0.8, 0.97, 1.0])
def test_a_forecast_never_promises_less_than_today_nor_more_than_everything(removed: float, value: float) -> None:
    now = Estimate(value, max(0.0, value - 0.1), min(1.0, value + 0.1), n=90, n_random=30, basis=Basis.WEIGHTED)
    found = forecast(now, removed)
    assert found is not None
    assert now.low <= found.low <= found.value <= found.high <= 1
    assert value <= found.value


def test_a_forecast_grows_with_what_the_last_labels_removed() -> None:
    values = [found.value for removed in (0.0, 0.2, 0.5, 0.9) if (found := forecast(NOW, removed)) is not None]
    assert values == sorted(values)
    assert values[0] == NOW.value


def test_nothing_is_said_of_few_samples_or_without_random_ones() -> None:
    assert forecast(Estimate(0.8, 0.6, 0.9, n=30, n_random=30, basis=Basis.RANDOM), 0.5) is None
    assert forecast(Estimate(0.8, 0.6, 0.9, n=100, n_random=0, basis=Basis.WEIGHTED), 0.5) is None
    assert forecast(NOW, None) is None
    assert errors_removed(a_curve(0.5), FOLDS[:30]) is None
    assert errors_removed(a_curve(0.5), np.zeros(100, dtype=int)) is None  # one group: nothing can be held out


@pytest.mark.parametrize(("n", "n_more"), [(57, 60), (130, 130), (1_234, 1_200), (44, 40)])
def test_the_number_of_labels_is_one_people_would_say(n: int, n_more: int) -> None:
    found = forecast(Estimate(0.8, 0.7, 0.9, n=n, n_random=n, basis=Basis.RANDOM), 0.3)
    assert found is not None
    assert found.n_more == n_more


def test_many_samples_are_judged_in_few_fits() -> None:
    n_fits = 0

    def judge(train: IntArray, test: IntArray) -> BoolArray:
        nonlocal n_fits
        n_fits += 1
        return np.ones(len(test), dtype=bool)

    errors_removed(judge, np.arange(5_000) % 5)
    assert n_fits == 4


def test_it_stops_when_its_time_is_over() -> None:
    with pytest.raises(DeadlineExpired):
        errors_removed(a_curve(0.5), FOLDS, deadline=Deadline.after(0))


@pytest.mark.parametrize("gives_tags", [False, True])
def test_the_judge_of_a_round_learns_what_can_be_learned(gives_tags: bool) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=200)
    rows = (np.eye(3, 16)[labels] * 3 + random.normal(size=(200, 16))).astype(np.float32)
    told = np.eye(3, dtype=int)[labels] if gives_tags else labels
    if gives_tags:
        told[:20, 1] = -1  # nobody was asked
    data = TrainingData(Inputs(200, {"minilm": rows}), told, 3, np.arange(200))
    judge = judge_of(data)
    assert judge(np.arange(100), np.arange(100, 200)).mean() > 0.8
    removed = errors_removed(judge, np.arange(200) % 5)
    assert removed is not None
    assert 0 <= removed < 0.9


def test_samples_that_do_not_count_are_learned_from_and_never_judged() -> None:
    judged: set[int] = set()
    learned: set[int] = set()

    def judge(train: IntArray, test: IntArray) -> BoolArray:
        judged.update(test.tolist())
        learned.update(train.tolist())
        return np.ones(len(test), dtype=bool)

    counts = np.arange(400) % 3 > 0
    errors_removed(judge, FOLDS, counts=counts)
    assert judged
    assert counts[sorted(judged)].all()
    assert not counts[sorted(learned)].all()
    assert errors_removed(judge, FOLDS, counts=np.arange(400) < 20) is None


def test_more_is_forecast_of_all_that_was_learned_from() -> None:
    found = forecast(NOW, 0.5, n_learned=600)
    assert found is not None
    assert found.n_more == 600


def test_a_curve_is_never_drawn_with_layers_that_saw_all_samples() -> None:
    rows = np.ones((4, 2), dtype=np.float32)
    adapted_first = Inputs(4, {"adapted-minilm": rows, "minilm": rows})
    assert cheap_recipe(adapted_first).backbone == "minilm"
