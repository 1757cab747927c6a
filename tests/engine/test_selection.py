"""Which recipe serves."""

import numpy as np
import pytest

from apps.engine import search, selection
from apps.engine.selection import Candidate
from apps.engine.types import Decision, Recipe, Trial, Verdict


def candidate(C: float, losses: list[float]) -> Candidate:
    trial = Trial(Recipe("minilm", "logistic", {"C": C}), float(np.mean(losses)), 0.5, 0.1)
    return Candidate(trial, 1.0, np.zeros((len(losses), 2)), np.array(losses))


def test_the_smallest_loss_wins() -> None:
    assert selection.best([candidate(1.0, [0.5]), candidate(3.0, [0.4])]).recipe.settings["C"] == 3.0


def test_a_tie_goes_to_the_simpler_model() -> None:
    tied = [candidate(3.0, [0.4]), candidate(1.0, [0.4005])]
    assert selection.best(sorted(tied, key=search.by_simplicity)).recipe.settings["C"] == 1.0


def test_the_first_model_needs_no_comparison() -> None:
    best = candidate(1.0, [0.5, 0.5])
    assert selection.decide(best, None) == (best, Decision(Verdict.FIRST))


def test_the_recipe_in_service_stays_when_it_is_best_again() -> None:
    best = candidate(1.0, [0.5, 0.5])
    assert selection.decide(best, best)[1].verdict is Verdict.SAME


def test_a_gain_within_its_uncertainty_changes_nothing() -> None:
    serving, best = candidate(1.0, [0.5, 0.5, 0.5, 0.5]), candidate(3.0, [0.0, 0.9, 0.1, 0.9])
    chosen, decision = selection.decide(best, serving)
    assert chosen is serving
    assert decision.verdict is Verdict.KEPT
    assert 0 < decision.gain < decision.gain_error


def test_a_gain_beyond_its_uncertainty_replaces_the_recipe_in_service() -> None:
    serving, best = candidate(1.0, [0.5, 0.6, 0.5, 0.6]), candidate(3.0, [0.4, 0.5, 0.3, 0.5])
    chosen, decision = selection.decide(best, serving)
    assert chosen is best
    assert decision.verdict is Verdict.REPLACED
    assert decision.gain == pytest.approx(0.125)


def test_one_comparable_sample_replaces_nothing() -> None:
    serving = candidate(1.0, [0.9])
    assert selection.decide(candidate(3.0, [0.1]), serving)[0] is serving


def losses_by_penalty(valley: float) -> dict[float, float]:
    return {C: abs(np.log(C / valley)) for C in search.PENALTIES}


@pytest.mark.parametrize("valley", search.PENALTIES)
@pytest.mark.parametrize("serving", [None, Recipe("minilm", "logistic", {"C": 1.0})])
def test_the_search_finds_the_valley_from_wherever_it_starts(valley: float, serving: Recipe | None) -> None:
    loss = losses_by_penalty(valley)
    tried = list(
        search.explore(
            ["minilm"],
            lambda recipe: candidate(float(recipe.settings["C"]), [loss[float(recipe.settings["C"])]]),
            serving=serving,
        )
    )
    assert selection.best(tried).recipe.settings["C"] == valley
    assert len({one.recipe for one in tried}) == len(tried)
    if serving is not None:
        assert tried[0].recipe == serving


def test_a_recipe_in_service_with_settings_of_an_earlier_version_is_tried_too() -> None:
    serving = Recipe("minilm", "logistic", {"C": 7.0})
    tried = list(
        search.explore(["minilm"], lambda recipe: candidate(float(recipe.settings["C"]), [0.5]), serving=serving)
    )
    assert tried[0].recipe == serving
    assert len(tried) > 1


def test_a_recipe_on_a_backbone_that_is_gone_is_left_out() -> None:
    serving = Recipe("other", "logistic", {"C": 1.0})
    tried = search.explore(["minilm"], lambda recipe: candidate(1.0, [0.5]), serving=serving)
    assert serving not in {one.recipe for one in tried}
