"""Agreement between people, held against scikit-learn's."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from apps.engine.agreement import cohen_kappa, percent_agreement

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


@pytest.mark.parametrize("pair", [([], []), ([1], [1, 2])])
def test_samples_of_one_person_alone_are_refused(pair: tuple[list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match="same samples"):
        cohen_kappa(np.array(pair[0]), np.array(pair[1]))
