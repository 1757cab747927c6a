"""Which blend serves."""

import numpy as np
import pytest

from apps.engine import blending, search, selection
from apps.engine.runtime import Deadline
from apps.engine.search import Line
from apps.engine.selection import Candidate, Mixture, Truth
from apps.engine.types import Decision, FloatArray, Recipe, Trial, Verdict

LABELS = np.arange(60) % 2
TRUTH = Truth(LABELS, np.ones(60, dtype=bool))


def recipe(C: float = 1.0, backbone: str = "minilm") -> Recipe:
    return Recipe(backbone, "logistic", {"C": C})


def mixture(C: float, losses: list[float]) -> Mixture:
    one = Candidate(Trial(recipe(C), float(np.mean(losses)), 0.5, 0.1), 1.0, np.zeros((len(losses), 2)))
    return Mixture([(one, 1.0)], 1.0, one.pred_probs, np.array(losses))


def saying(right: FloatArray, what: Recipe) -> Candidate:
    """A candidate that gives each sample's label this probability."""
    pred_probs = np.where(np.arange(2) == LABELS[:, None], right[:, None], 1 - right[:, None])
    return selection.judge(what, np.log(pred_probs), TRUTH, seconds=0.1)


def test_the_first_model_needs_no_comparison() -> None:
    best = mixture(1.0, [0.5, 0.5])
    assert selection.decide(best, None) == (best, Decision(Verdict.FIRST))


def test_the_blend_in_service_stays_when_it_is_best_again() -> None:
    best = mixture(1.0, [0.5, 0.5])
    assert selection.decide(best, best)[1].verdict is Verdict.SAME


def test_a_gain_within_its_uncertainty_changes_nothing() -> None:
    serving, best = mixture(1.0, [0.5, 0.5, 0.5, 0.5]), mixture(3.0, [0.0, 0.9, 0.1, 0.9])
    chosen, decision = selection.decide(best, serving)
    assert chosen is serving
    assert decision.verdict is Verdict.KEPT
    assert 0 < decision.gain < decision.gain_error


def test_a_gain_beyond_its_uncertainty_replaces_the_blend_in_service() -> None:
    serving, best = mixture(1.0, [0.5, 0.6, 0.5, 0.6]), mixture(3.0, [0.4, 0.5, 0.3, 0.5])
    chosen, decision = selection.decide(best, serving)
    assert chosen is best
    assert decision.verdict is Verdict.REPLACED
    assert decision.gain == pytest.approx(0.125)


def test_one_comparable_sample_replaces_nothing() -> None:
    serving = mixture(1.0, [0.9])
    assert selection.decide(mixture(3.0, [0.1]), serving)[0] is serving


def test_candidates_that_err_apart_are_blended() -> None:
    one = np.where(np.arange(60) % 3 == 0, 0.2, 0.95)
    other = np.where(np.arange(60) % 3 == 1, 0.2, 0.95)
    chosen = blending.choose([saying(one, recipe()), saying(other, recipe(backbone="lexical"))], TRUTH)
    assert [weight for _candidate, weight in chosen.members] == pytest.approx([0.5, 0.5], abs=0.05)
    assert chosen.log_loss < min(candidate.trial.log_loss for candidate, _weight in chosen.members)


def test_a_candidate_that_adds_nothing_is_left_out() -> None:
    good, noise = np.where(np.arange(60) % 6 == 0, 0.3, 0.9), np.full(60, 0.5)
    chosen = blending.choose([saying(good, recipe()), saying(noise, recipe(backbone="lexical"))], TRUTH)
    assert [candidate.recipe.backbone for candidate, _weight in chosen.members] == ["minilm"]


def test_of_twins_only_one_is_asked() -> None:
    right = np.where(np.arange(60) % 6 == 0, 0.3, 0.9)
    chosen = blending.choose([saying(right, recipe()), saying(right, recipe(backbone="lexical"))], TRUTH)
    assert len(chosen.members) == 1


def test_a_tie_between_settings_goes_to_the_one_tried_first() -> None:
    right = np.where(np.arange(60) % 6 == 0, 0.3, 0.9)
    chosen = blending.choose([saying(right, recipe(1.0)), saying(right - 1e-5, recipe(3.0))], TRUTH)
    assert chosen.blend.members[0][0] == recipe(1.0)


def test_few_samples_do_not_trust_one_candidate_alone() -> None:
    lucky, sound = np.full((4, 1), 0.9), np.full((4, 1), 0.6)
    assert blending.weigh(np.hstack([lucky, sound]))[0] < 0.7
    assert blending.weigh(np.repeat(np.hstack([lucky, sound]), 100, axis=0))[0] > 0.9


def test_weights_are_shares() -> None:
    weights = blending.weigh(np.random.default_rng(0).random((50, 7)))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0).all()


def test_a_blend_is_judged_again_only_where_all_of_it_was_tried() -> None:
    right = np.full(60, 0.9)
    tried = [saying(right, recipe()), saying(right - 0.1, recipe(backbone="lexical"))]
    chosen = blending.choose(tried, TRUTH)
    again = blending.again(chosen.blend, tried, TRUTH)
    assert again is not None
    assert again.losses.tolist() == chosen.losses.tolist()
    assert blending.again(chosen.blend, [saying(right, recipe(7.0))], TRUTH) is None


def test_no_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        blending.choose([], TRUTH)


PENALTIES = [recipe(C) for C in search.PENALTIES]
LATER = Deadline.after(1e6)


@pytest.mark.parametrize("valley", search.PENALTIES)
@pytest.mark.parametrize("served", [[], [recipe(1.0)]])
def test_the_search_finds_the_valley_from_wherever_it_starts(valley: float, served: list[Recipe]) -> None:
    def attempt(one: Recipe) -> Candidate:
        loss = abs(float(np.log(float(one.settings["C"]) / valley)))
        return Candidate(Trial(one, loss, 0.5, 0.1), 1.0, np.zeros((1, 2)))

    tried = list(search.explore([Line(PENALTIES, 5)], attempt, served=served, until=LATER))
    assert min(tried, key=lambda one: one.trial.log_loss).recipe.settings["C"] == valley
    assert len({one.recipe for one in tried}) == len(tried)
    assert not served or tried[0].recipe == served[0]


def flat(one: Recipe) -> Candidate:
    return Candidate(Trial(one, 0.5, 0.5, 0.1), 1.0, np.zeros((1, 2)))


def test_when_the_time_is_over_only_the_first_and_what_serves_is_tried() -> None:
    planned = [Line(PENALTIES, 5), Line([recipe(backbone="lexical")]), Line([recipe(backbone="pixels")])]
    served = [recipe(7.0), recipe(backbone="pixels")]
    tried = [one.recipe for one in search.explore(planned, flat, served=served, until=Deadline.after(0))]
    assert tried == [recipe(10.0), *served]


def test_all_lines_are_tried_while_there_is_time() -> None:
    planned = [Line([recipe(backbone=name)]) for name in ("minilm", "lexical", "pixels")]
    tried = search.explore(planned, flat, served=[], until=LATER)
    assert [one.recipe.backbone for one in tried] == ["minilm", "lexical", "pixels"]


def test_more_samples_get_more_time() -> None:
    seconds = [search.budget(n).remaining() for n in (0, 100, 10_000, 100_000)]
    assert seconds == pytest.approx([1.0, 1.0, 5.0, 11.2], abs=0.1)


def test_what_would_not_be_done_in_time_is_passed_over() -> None:
    planned = [Line([recipe(backbone=name)]) for name in ("minilm", "lexical", "pixels")]
    seconds = {"minilm": 100.0, "lexical": 3.0, "pixels": 1.0}
    tried = search.explore(planned, flat, served=[], until=Deadline.after(5.0), cost=lambda one: seconds[one.backbone])
    assert [one.recipe.backbone for one in tried] == ["minilm", "pixels"]  # the first always, since one must be tried


class TestAsShown:
    def test_one_alone_is_shown_less_sure_where_nothing_held_out_was_wrong(self) -> None:
        right = saying(np.linspace(0.9, 0.999, 60), recipe())
        chosen = selection.mixture([(right, 1.0)], TRUTH)
        shown = selection.as_shown(chosen, TRUTH)
        assert shown.pred_probs.max(axis=1).mean() < chosen.pred_probs.max(axis=1).mean()
        assert shown.members == chosen.members

    def test_what_is_likeliest_stays_so_at_any_temperature(self) -> None:
        random = np.random.default_rng(0)
        blend = [(saying(random.uniform(0.05, 0.95, 60), recipe(C)), 0.5) for C in (1.0, 3.0)]
        chosen = selection.mixture(blend, TRUTH)
        shown = selection.as_shown(chosen, TRUTH)
        assert (shown.pred_probs.argmax(axis=1) == chosen.pred_probs.argmax(axis=1)).all()
        assert shown.temperature > 0
        np.testing.assert_allclose(shown.pred_probs.sum(axis=1), 1.0, rtol=1e-5)
