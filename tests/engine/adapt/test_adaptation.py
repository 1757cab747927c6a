"""Adaptations: towers that never see what they are judged on, read together, kept in one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from PIL import Image

from apps.engine import adapt, artifacts, automl, backbones
from apps.engine.adapt import Adaptable, Adaptation
from apps.engine.backbones import Input
from apps.engine.errors import ArtifactCorrupt, DeadlineExpired
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import FoldRows, Inputs, IntArray, Modality, RoundResult, TrainingData

N = 60


def loaded(name: str) -> Adaptable:
    backbone = backbones.load(name, device="cpu")
    assert adapt.is_adaptable(backbone)
    return backbone


@pytest.fixture(scope="module", params=["tiny-text", "tiny-image"])
def tiny(request: pytest.FixtureRequest) -> Adaptable:
    return loaded(request.param)


def samples(backbone: Adaptable, n: int = N) -> tuple[list[Input], IntArray]:
    """Samples whose label is one weak sign among much noise."""
    random = np.random.default_rng(0)
    labels: IntArray = np.arange(n) % 3
    if backbone.spec.modality is Modality.TEXT:
        signs = ("alpha", "beta", "gamma")
        noise = [" ".join(f"w{word}" for word in random.integers(400, size=12)) for _ in range(n)]
        return [f"{text} {signs[label]}" for text, label in zip(noise, labels, strict=True)], labels
    pixels = random.integers(0, 200, size=(n, 4, 4, 3)).astype(np.uint8)
    pixels[np.arange(n), labels, 0, 0] += 55
    return [Image.fromarray(one) for one in pixels], labels


def same(one: State, other: State) -> bool:
    return one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items()
    )


def fitted(backbone: Adaptable, inputs: Sequence[Input], labels: IntArray, seed: int = 0) -> Adaptation:
    return adapt.fit(backbone, inputs, labels, np.arange(len(labels)), seed=seed)


def test_a_tower_learns_nothing_from_what_is_held_out(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    held_out = np.arange(0, N, 4)
    changed_labels, changed_inputs = labels.copy(), list(inputs)
    changed_labels[held_out] = (labels[held_out] + 1) % 3
    for row in held_out:
        changed_inputs[row] = inputs[0]
    first, whole = tiny.fit_towers(inputs, labels, [held_out, np.array([], dtype=int)])
    second, other_whole = tiny.fit_towers(changed_inputs, changed_labels, [held_out, np.array([], dtype=int)])
    assert same(first, second)
    assert not same(whole, other_whole)


def test_there_is_a_tower_per_fold_and_one_on_all(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    adaptation = fitted(tiny, inputs, labels)
    assert (adaptation.n_folds, len(adaptation.towers)) == (adapt.N_FOLDS, adapt.N_FOLDS + 1)
    for fold in range(adapt.N_FOLDS):
        again = tiny.fit_towers(inputs, labels, [np.flatnonzero(adaptation.folds == fold)])
        assert same(again[0], adaptation.towers[fold])
    assert adaptation.fits(tiny)


def test_encoding_is_what_the_top_of_the_backbone_makes_of_it(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    towers = [tiny.tower(state) for state in fitted(tiny, inputs, labels).towers]
    rows = np.array([7, 3, 20])
    frozen, some, whole = tiny.encode_for(inputs, [(None, np.arange(N)), (towers[0], rows), (towers[0], np.arange(N))])
    assert np.array_equal(frozen, tiny.encode(inputs))
    np.testing.assert_allclose(some, whole[rows], atol=1e-5)
    assert whole.shape == (N, tiny.adapted.dim)
    assert whole.dtype == np.float32
    assert not np.allclose(whole, frozen)
    assert all(tower.n_bytes > 0 for tower in towers)


def test_what_nobody_asked_for_is_no_row(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    tower = tiny.tower(fitted(tiny, inputs, labels).towers[0])
    none = np.array([], dtype=int)
    assert [rows.shape for rows in tiny.encode_for(inputs, [(tower, none), (None, none)])] == [
        (0, tiny.adapted.dim),
        (0, tiny.spec.dim),
    ]
    assert tiny.encode_for([], []) == []


def test_the_same_seed_gives_the_same_towers(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    one, other = fitted(tiny, inputs, labels), fitted(tiny, inputs, labels)
    assert all(map(same, one.towers, other.towers))


def rounds(
    backbone: Adaptable, inputs: list[Input], labels: IntArray, n: int
) -> tuple[RoundResult, RoundResult, Inputs]:
    """Return a round with what was adapted to the first `n` samples, one without, and the other samples as read."""
    adaptation = fitted(backbone, inputs[:n], labels[:n])
    rows = adapt.embed(backbone, [backbone.tower(state) for state in adaptation.towers], inputs)
    frozen, name, adapted = backbone.encode(inputs), backbone.spec.name, backbone.adapted.name
    honest = {adapted: FoldRows(adaptation.folds, rows[:-1, :n])}
    both = Inputs(n, {name: frozen[:n], adapted: rows[-1][:n]})
    best = automl.train(TrainingData(both, labels[:n], 3, np.arange(n), adapted=honest))
    first = automl.train(TrainingData(Inputs(n, {name: frozen[:n]}), labels[:n], 3, np.arange(n)))
    return best, first, Inputs(len(inputs) - n, {name: frozen[n:], adapted: rows[-1][n:]})


def test_adapted_embeddings_tell_labels_apart_that_frozen_ones_do_not() -> None:
    backbone = loaded("tiny-text")
    inputs, labels = samples(backbone, 120)
    best, first, unseen = rounds(backbone, inputs, labels, 60)
    right = (best.predictor.pred_probs(unseen).argmax(axis=1) == labels[60:]).mean()
    right_before = (first.predictor.pred_probs(unseen).argmax(axis=1) == labels[60:]).mean()
    assert backbone.adapted.name in best.blend.backbones
    assert right > right_before + 0.1


def test_labels_without_a_reason_are_not_learned_by_heart() -> None:
    backbone = loaded("tiny-text")
    inputs, labels = samples(backbone, 120)
    labels = np.random.default_rng(1).permutation(labels)
    best, _first, _unseen = rounds(backbone, inputs, labels, 90)
    assert (best.pred_probs.argmax(axis=1) == labels[:90]).mean() < 0.6


def test_tags_are_learned_and_those_nobody_was_asked_about_are_not() -> None:
    backbone = loaded("tiny-text")
    inputs, labels = samples(backbone)
    tags = np.eye(3, dtype=np.int64)[labels]
    asked = tags.copy()
    asked[::5, 2] = -1
    none = [np.array([], dtype=int)]
    full, partly = backbone.fit_towers(inputs, tags, none)[0], backbone.fit_towers(inputs, asked, none)[0]
    assert np.array_equal(full.arrays["down"][:, :2], partly.arrays["down"][:, :2])
    assert not np.array_equal(full.arrays["down"][:, 2], partly.arrays["down"][:, 2])


def test_duplicates_are_held_out_together_and_known_folds_are_kept() -> None:
    labels: IntArray = np.arange(N) % 3
    groups = np.arange(N) // 4
    first = adapt.plan(labels[:40], groups[:40])
    known = np.append(first.folds, np.full(N - 40, -1))
    later = adapt.plan(labels, groups, known=known)
    assert np.array_equal(later.folds[:40], first.folds)
    assert all(len(np.unique(later.folds[groups == group])) == 1 for group in groups)
    assert [sorted(np.flatnonzero(later.folds == fold)) for fold in range(3)] == [
        rows.tolist() for rows in later.held_out[:3]
    ]
    assert len(later.held_out[3]) == 0


def test_of_many_samples_an_even_draw_is_learned_from() -> None:
    labels = (np.arange(5_000) % 50 == 0).astype(np.int64)
    planned = adapt.plan(labels, np.arange(5_000))
    seen = np.setdiff1d(np.arange(5_000), planned.held_out[-1])
    assert len(seen) == adapt.MOST_LEARNED_FROM
    assert int(labels[seen].sum()) == 100
    for fold in range(adapt.N_FOLDS):
        assert not np.isin(np.flatnonzero(planned.folds == fold), np.setdiff1d(seen, planned.held_out[fold])).any()


@pytest.mark.parametrize(
    ("labels", "is_enough"),
    [
        (np.arange(20) % 5, True),
        (np.arange(19) % 2, False),
        (np.array([0] * 40 + [1] * 3), False),
        (np.array([0] * 40 + [1] * 4), True),
        (np.arange(30), False),
        (np.array([[1, -1]] * 12 + [[0, -1]] * 12), True),
        (np.array([[1, 0]] * 24), False),
        (np.zeros(0, dtype=int), False),
    ],
)
def test_too_few_labels_are_not_worth_it(labels: IntArray, is_enough: bool) -> None:
    assert adapt.is_worth_trying(labels) is is_enough


def test_the_deadline_is_kept(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    with pytest.raises(DeadlineExpired):
        adapt.fit(tiny, inputs, labels, np.arange(N), deadline=Deadline.after(0))


def test_an_adaptation_is_read_as_it_was_saved(tiny: Adaptable) -> None:
    inputs, labels = samples(tiny)
    adaptation, ids = fitted(tiny, inputs, labels), [f"sample_{i}" for i in range(N)]
    content = adapt.save(adaptation, ids)
    read, read_ids = adapt.load(content, sha256=artifacts.sha256_of(content))
    assert read_ids == tuple(ids)
    assert np.array_equal(read.folds, adaptation.folds)
    assert all(map(same, read.towers, adaptation.towers))
    assert [tower.facts for tower in read.towers] == [tower.facts for tower in adaptation.towers]
    assert read.fits(tiny)


def test_a_damaged_file_is_refused() -> None:
    backbone = loaded("tiny-text")
    inputs, labels = samples(backbone)
    content = adapt.save(fitted(backbone, inputs, labels), [str(i) for i in range(N)])
    sha256 = artifacts.sha256_of(content)
    for damaged in (content[:-1], content[:99] + bytes([content[99] ^ 1]) + content[100:], b""):
        with pytest.raises(ArtifactCorrupt):
            adapt.load(damaged, sha256=sha256)
    for other in (b"", b"{}", content[:-1]):  # with the right checksum, still no adaptation
        with pytest.raises(ArtifactCorrupt):
            adapt.load(other, sha256=artifacts.sha256_of(other))


def test_a_tower_of_another_shape_is_refused(tiny: Adaptable) -> None:
    with pytest.raises(ArtifactCorrupt):
        tiny.tower(State({"down": np.zeros((3, 2), np.float32), "up": np.zeros((2, 5), np.float32)}))
    with pytest.raises(ArtifactCorrupt):
        tiny.tower(State())


def test_a_tower_of_another_backbone_is_refused(tiny: Adaptable) -> None:
    class Other:
        n_bytes = 0

    with pytest.raises(TypeError):
        tiny.encode_for([], [(cast(adapt.Tower, Other()), np.arange(0))])


def test_an_adaptation_of_another_version_does_not_fit() -> None:
    backbone = loaded("tiny-text")
    old = Adaptation("tiny-text", backbone.spec.version, "0", np.zeros(0, int), ())
    assert not old.fits(backbone)
    assert not Adaptation("tiny-text", backbone.spec.version, "1", np.zeros(0, int), ()).fits(backbones.load("pixels"))
