"""Agreement between people, held against scikit-learn's and a worked example."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from apps.engine.agreement import cohen_kappa, fleiss_kappa, percent_agreement

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(PAIRS)
def test_cohens_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where only one label was given
        expected = cohen_kappa_score(first, second)
    ours = cohen_kappa(first, second)
    assert math.isnan(ours) if math.isnan(expected) else ours == pytest.approx(expected)


def test_percent_agreement_counts_the_same_labels() -> None:
    assert percent_agreement(np.array([1, 2, 3, 1]), np.array([1, 2, 1, 1])) == 0.75


def test_two_people_who_only_ever_say_one_thing_tell_nothing_of_each_other() -> None:
    assert math.isnan(cohen_kappa(np.array([1, 1]), np.array([1, 1])))


def test_fleiss_kappa_of_his_own_example() -> None:
    # Ten patients, fourteen raters, five labels: 0.210 in the paper's worked example.
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=0.001)


@pytest.mark.parametrize("pair", [([], []), ([1], [1, 2])])
def test_samples_of_one_person_alone_are_refused(pair: tuple[list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match="same samples"):
        cohen_kappa(np.array(pair[0]), np.array(pair[1]))


def test_fleiss_needs_two_people_a_sample() -> None:
    with pytest.raises(ValueError, match="two people"):
        fleiss_kappa(np.array([[1, 0]]))
