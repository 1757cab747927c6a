"""What one process tried of a round reaches another to the bit, or is refused."""

import numpy as np
import pytest

from apps.engine import automl, travel
from apps.engine.errors import ArtifactCorrupt
from apps.engine.selection import Candidate
from apps.engine.types import Inputs, Recipe, TrainingData, Trial


def candidate(seed: int = 0, *, n: int = 30, settings: dict[str, float | int | str] | None = None) -> Candidate:
    rng = np.random.default_rng(seed)
    recipe = Recipe("minilm", "logistic", settings or {"C": 0.1, "kind": "größer"})
    return Candidate(Trial(recipe, 1 / 3, 0.7, 0.25), 1.2345678901234567, rng.random((n, 4), dtype=np.float32))


def data(n: int = 60) -> TrainingData:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    rows = rng.normal(size=(n, 8)) + 2 * np.eye(3, 8)[labels]
    return TrainingData(Inputs(n, {"minilm": rows.astype(np.float32)}), labels, 3, np.arange(n))


def test_candidates_come_out_as_they_went_in() -> None:
    sent = [candidate(0), candidate(1, settings={"C": 100.0})]
    for before, after in zip(sent, travel.unpack(travel.pack(sent), shape=(30, 4)), strict=True):
        assert (after.trial, after.temperature) == (before.trial, before.temperature)
        assert after.pred_probs.dtype == np.float32
        assert (after.pred_probs == before.pred_probs).all()


@pytest.mark.parametrize("damaged", [b"", b"\0" * 8, b"nothing of ours", travel.pack([candidate()])[:-5]])
def test_what_was_damaged_on_the_way_is_refused(damaged: bytes) -> None:
    with pytest.raises(ArtifactCorrupt):
        travel.unpack(damaged, shape=(30, 4))


def test_parts_of_other_samples_are_refused() -> None:
    with pytest.raises(ArtifactCorrupt, match="other samples"):
        travel.unpack(travel.pack([candidate(n=29)]), shape=(30, 4))


def test_a_round_put_together_from_parts_is_the_round_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.engine.search.budget", lambda _n: automl.Deadline.after(300))
    whole = automl.train(data(), seed=3)
    parts = [travel.pack(automl.try_line(data(), line, seed=3)) for line in automl.plan(data())]
    candidates = [one for part in parts for one in travel.unpack(part, shape=(60, 3))]
    together = automl.conclude(data(), candidates, seed=3)
    assert together.blend == whole.blend
    assert (together.pred_probs == whole.pred_probs).all()
    assert [trial.recipe for trial in together.trials] == [trial.recipe for trial in whole.trials]
    again, before = (result.predictor.pred_probs(data().inputs) for result in (together, whole))
    assert np.abs(again - before).max() < 1e-3, "beyond what another start of the same regression makes"
