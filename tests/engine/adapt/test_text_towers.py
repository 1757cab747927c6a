"""Towers of the text backbone: honest, small, the same alone as among others, and worth their while."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from apps.engine import adapt, backbones
from apps.engine.adapt import contrast, lowrank, text
from apps.engine.adapt.contrast import contrastive_loss, likeness
from apps.engine.backbones.minilm import MAX_LEARNED, N_SHARED, MiniLM
from apps.engine.backbones.transformer import PRODUCTS, Delta, Own
from apps.engine.errors import ArtifactCorrupt, DeadlineExpired
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray

ASKED = ("what time is it in {}", "how far is it to {}", "can you call my friend in {}", "i want to move to {}")
PLACES = ("paris", "rome", "new york", "a small village by the sea", "lima", "cairo", "my home town", "oslo", "bern")
NONE = np.array([], dtype=np.int64)


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    backbone = backbones.load("minilm", device="cpu")
    assert isinstance(backbone, MiniLM)
    return backbone


def asked() -> tuple[list[str], IntArray]:
    """Questions about places: the label is what is asked, and places are what they differ by most."""
    pairs = [(form.format(place), label) for place in PLACES for label, form in enumerate(ASKED)]
    return [text for text, _ in pairs], np.array([label for _, label in pairs])


@pytest.fixture(scope="module")
def fitted(minilm: MiniLM) -> State:
    texts, labels = asked()
    return minilm.fit_towers(texts, labels, [np.arange(0, len(texts), 3)])[0]


def test_a_tower_learns_nothing_from_what_is_held_out(minilm: MiniLM, fitted: State) -> None:
    texts, labels = asked()
    held_out = np.arange(0, len(texts), 3)
    labels[held_out] = (labels[held_out] + 1) % 4
    for row in held_out:
        texts[row] = texts[held_out[0]]
    again = minilm.fit_towers(texts, labels, [held_out])[0]
    # Other texts stand in the batches of the lower layers, whose sums differ in their last digit.
    assert towards(fitted, again) > 0.99
    labels = np.roll(labels, 5)
    assert towards(fitted, minilm.fit_towers(texts, labels, [held_out])[0]) < 0.9


def towards(one: State, other: State) -> float:
    """Return the cosine of what two towers add."""
    ways = [
        np.concatenate([(state.arrays[f"{i}.{name}.up"].astype(float) @ state.arrays[f"{i}.{name}.down"]).ravel()
                        for i in range(6 - N_SHARED) for name in ("qkv", "narrow")])
        for state in (one, other)
    ]  # fmt: skip
    return float(ways[0] @ ways[1] / (np.linalg.norm(ways[0]) * np.linalg.norm(ways[1])))


def test_the_same_seed_gives_the_same_tower(minilm: MiniLM, fitted: State) -> None:
    texts, labels = asked()
    again = minilm.fit_towers(texts, labels, [np.arange(0, len(texts), 3)])[0]
    assert all(np.array_equal(array, again.arrays[name]) for name, array in fitted.arrays.items())
    other = minilm.fit_towers(texts, labels, [np.arange(0, len(texts), 3)], seed=1)[0]
    assert not all(np.array_equal(array, other.arrays[name]) for name, array in fitted.arrays.items())


def test_a_tower_brings_unseen_texts_of_a_label_together(minilm: MiniLM) -> None:
    texts, labels = asked()
    unseen = np.arange(len(texts)) >= 20
    state = minilm.fit_towers(texts, labels, [np.flatnonzero(unseen)])[0]
    frozen, own = minilm.encode_for(texts, [(None, np.arange(36)), (minilm.tower(state), np.arange(36))])
    assert margin(own[unseen], labels[unseen]) > 1.4 * margin(frozen[unseen], labels[unseen])


def margin(rows: np.ndarray, labels: IntArray) -> float:
    cosines = rows @ rows.T
    same = labels[:, None] == labels[None]
    return float(cosines[same].mean() - cosines[~same].mean())


def test_a_tower_reads_a_text_alike_alone_and_among_others(minilm: MiniLM, fitted: State) -> None:
    texts, _ = asked()
    texts = [*texts, "word " * 700, ""]  # one in parts, one without a word
    tower, second = minilm.tower(fitted), minilm.tower(shifted(fitted))
    rows = np.arange(len(texts))
    some = np.array([36, 4, 37, 4])
    frozen, own, few, other = minilm.encode_for(texts, [(None, rows), (tower, rows), (tower, some), (second, some)])
    np.testing.assert_allclose(frozen, minilm.encode(texts), atol=0.01)
    np.testing.assert_allclose(own[some], few, atol=0.02)
    for row, expected, expected_other in zip(some, few, other, strict=True):
        alone = minilm.encode_for([texts[row]], [(tower, np.array([0])), (second, np.array([0]))])
        assert float(alone[0][0] @ expected) > 0.999
        assert float(alone[1][0] @ expected_other) > 0.999
    assert float((few * other).sum(axis=1).max()) < 0.999
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1.0, atol=1e-4)


def test_a_row_each_of_many_towers_is_read_as_alone(minilm: MiniLM, fitted: State) -> None:
    texts, _ = asked()
    towers = [minilm.tower(shifted(fitted) if i % 2 else fitted) for i in range(5)]
    wanted = [(tower, np.array([place])) for place, tower in enumerate(towers)]
    frozen, *own = minilm.encode_for(texts[:6], [(None, np.array([5])), *wanted])
    assert float(frozen[0] @ minilm.encode([texts[5]])[0]) > 0.999
    for place, tower in enumerate(towers):
        alone = minilm.encode_for([texts[place]], [(tower, np.array([0]))])[0]
        assert float(own[place][0] @ alone[0]) > 0.999
        other = minilm.encode_for([texts[place]], [(towers[(place + 1) % 2], np.array([0]))])[0]
        assert float(own[place][0] @ other[0]) < 0.999


def shifted(state: State) -> State:
    return State(
        {name: array * (-1 if name.endswith("up") else 1) for name, array in state.arrays.items()}, state.facts
    )


def test_a_loaded_tower_computes_what_it_computed_when_it_learned(minilm: MiniLM, fitted: State) -> None:
    """Kept in half precision beside the shared products, it is the same as weights with it added."""
    layers = [layer.to(torch.float32) for layer in minilm._encoder.layers[N_SHARED:]]
    deltas = lowrank.from_state(fitted, layers, dtype=torch.float32)
    x = torch.randn(3, 7, 384, generator=torch.Generator().manual_seed(0))
    beside = merged = x
    for layer, own in zip(layers, deltas, strict=True):
        beside = layer.through(beside, None, [Own(slice(0, 3), own)])
        whole = {
            name: (weight + own[name].up @ own[name].down, bias) if name in own else (weight, bias)
            for name, (weight, bias) in ((name, pair) for name, pair in vars(layer).items() if name != "packed")
        }
        merged = type(layer)(packed={}, **whole).through(merged, None)
    assert float((beside - merged).abs().max()) < 1e-4


def test_what_makes_a_pass_fast_changes_no_number(minilm: MiniLM, fitted: State) -> None:
    """Packed weights, and deltas laid on in place, of one tower for its rows and of many stacked, one row each."""
    layers = [layer.to(torch.float32) for layer in minilm._encoder.layers[N_SHARED:]]
    towers = [lowrank.from_state(state, layers, dtype=torch.float32) for state in (fitted, shifted(fitted))]
    x = torch.randn(6, 20, 384, generator=torch.Generator().manual_seed(0))
    whose = [None, 0, 0, 0, 1, 0]
    plain, fast = [x[row : row + 1] for row in range(6)], x
    for i, layer in enumerate(layers):
        of_both = [tower[i] for tower in towers]
        own = [[Own(slice(0, 1), of_both[one])] if one is not None else [] for one in whose]
        plain = [layer.through(row, None, of_row) for row, of_row in zip(plain, own, strict=True)]
        stacked = {
            name: Delta(*map(torch.stack, zip(of_both[1][name], of_both[0][name], strict=True))) for name in PRODUCTS
        }
        with torch.inference_mode():
            ready = layer.with_packed()
            assert bool(ready.packed) == torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's own
            few, many = Own(slice(1, 2), of_both[0]), Own(slice(2, 4), of_both[0])
            fast = ready.through(fast, None, [few, many, Own(slice(4, 6), stacked)])
    rows, expected = fast.mean(dim=1), torch.cat(plain).mean(dim=1)
    lengths = expected.norm(dim=1, keepdim=True)
    assert float((rows / lengths - expected / lengths).abs().max()) < 1e-5


def test_a_tower_is_small(minilm: MiniLM, fitted: State) -> None:
    assert sum(array.nbytes for array in fitted.arrays.values()) < 1_500_000
    assert 0 < minilm.tower(fitted).n_bytes < 2_000_000


def test_long_texts_cost_what_their_beginning_does(minilm: MiniLM) -> None:
    texts, _ = asked()
    long = [f"{one} {'word ' * 300}" for one in texts]
    longer = [f"{one} {'word ' * 300}{'other ' * 3_000}" for one in texts]
    batches, other = (minilm._batches(given, torch.float32, None) for given in (long, longer))
    assert max(batch.states.shape[1] for batch in batches) == MAX_LEARNED
    assert sum(batch.is_token.numel() for batch in batches) == sum(batch.is_token.numel() for batch in other)


def test_a_large_batch_is_learned_from_as_a_small_one(minilm: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = asked()
    at_once = minilm.fit_towers(texts, labels, [NONE])[0]
    monkeypatch.setattr(text, "MOST_AT_ONCE", 0)
    in_two_passes = minilm.fit_towers(texts, labels, [NONE])[0]
    assert towards(at_once, in_two_passes) > 0.99


def test_a_tower_sets_out_from_an_earlier_one(minilm: MiniLM, fitted: State) -> None:
    texts, labels = asked()
    held_out = [np.arange(0, len(texts), 3)]
    warm = minilm.fit_towers(texts, labels, held_out, warm=[fitted])[0]
    loss, loss_before = warm.facts["loss"], fitted.facts["loss"]
    assert isinstance(loss, float)
    assert isinstance(loss_before, float)
    assert loss < loss_before


def test_nothing_to_learn_from_changes_nothing(minilm: MiniLM) -> None:
    texts, labels = asked()
    state = minilm.fit_towers(texts, labels, [np.arange(len(texts))])[0]
    assert all(not array.any() for name, array in state.arrays.items() if name.endswith("up"))
    lonely = minilm.fit_towers(texts[:4], labels[:4], [NONE])[0]
    assert all(np.isfinite(array).all() for array in lonely.arrays.values())


def test_the_deadline_is_kept_within_a_step(minilm: MiniLM) -> None:
    texts, labels = asked()
    with pytest.raises(DeadlineExpired):
        minilm.fit_towers(texts * 40, np.tile(labels, 40), [NONE], deadline=Deadline.after(1.0))


def test_a_damaged_tower_is_refused(minilm: MiniLM, fitted: State) -> None:
    name = "1.wide.down"
    broken = (
        {key: array for key, array in fitted.arrays.items() if key != name},
        {**fitted.arrays, name: fitted.arrays[name][:, :-1]},
        {**fitted.arrays, name: fitted.arrays[name][:-1]},
        {**fitted.arrays, name: np.full_like(fitted.arrays[name], np.nan)},
        {**fitted.arrays, "9.wide.down": fitted.arrays[name]},
    )
    for arrays in broken:
        with pytest.raises(ArtifactCorrupt):
            minilm.tower(State(arrays))


class TestContrast:
    def test_the_loss_falls_as_labels_come_together(self) -> None:
        labels = np.array([0, 0, 1, 1])
        together = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        mixed = together[[0, 2, 1, 3]]
        assert contrastive_loss(together, likeness(labels)) < contrastive_loss(mixed, likeness(labels))

    def test_it_is_that_of_the_paper(self) -> None:
        random = np.random.default_rng(0)
        rows, labels = random.normal(size=(6, 3)), np.array([0, 0, 0, 1, 1, 2])
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        terms = []
        for i in range(5):  # the last has none like it
            powers = {k: np.exp(units[i] @ units[k] / contrast.TEMPERATURE) for k in range(6) if k != i}
            alike = [k for k in powers if labels[k] == labels[i]]
            terms.append(-np.mean([np.log(powers[k] / sum(powers.values())) for k in alike]))
        found = contrastive_loss(torch.from_numpy(rows), likeness(labels))
        assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)

    def test_tags_are_alike_by_what_they_share(self) -> None:
        tags = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, -1, 0], [0, 0, 1]])
        alike = likeness(tags).numpy()
        assert alike[0, 1] == pytest.approx(0.5)
        assert alike[2, 3] == 1.0  # neither has any
        assert not alike[4].any()
        assert not alike.diagonal().any()

    def test_where_nothing_is_alike_there_is_nothing_to_learn(self) -> None:
        rows = torch.randn(3, 4, requires_grad=True)
        loss = contrastive_loss(rows, likeness(np.arange(3)))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        assert float(loss.detach()) == 0.0
        assert rows.grad is not None
        assert not rows.grad.any()

    def test_the_pace_rises_and_falls(self) -> None:
        paces = [contrast.pace(step, n_steps=10, n_warm=3) for step in range(10)]
        assert paces.index(max(paces)) == 3
        assert max(paces) == 1.0
        assert min(paces) > 0.0


def test_deltas_begin_as_nothing(minilm: MiniLM) -> None:
    layers = minilm._encoder.layers[N_SHARED:]
    deltas = lowrank.begin(layers, rank=4, seed=0)
    assert all(isinstance(delta, Delta) and not delta.up.any() for own in deltas for delta in own.values())
    assert adapt.is_adaptable(minilm)
