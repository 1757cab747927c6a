"""Layers that learned from a function's samples: kept in a file, loaded within bounds, run beside the shared ones."""

from collections.abc import Sequence

import numpy as np
import pytest

from apps.engine import adapt, backbones
from apps.engine.adapt import Tower
from apps.engine.backbones.weightless import TinyText
from apps.engine.errors import ArtifactCorrupt, BackboneUnavailable
from apps.functions.models import Function
from apps.training.models import Adaptation
from apps.training.services import encoders, towers
from tests.training.conftest import OTHERS, PARCELS, REFUNDS

pytestmark = pytest.mark.django_db

TEXTS = REFUNDS + PARCELS
IDS = [f"sample_{number}" for number in range(len(TEXTS))]


def learned() -> adapt.Adaptation:
    labels = np.repeat([0, 1], [len(REFUNDS), len(PARCELS)])
    return adapt.fit(TinyText(backbones.TINY_TEXT), TEXTS, labels, np.arange(len(TEXTS)))


@pytest.fixture
def adaptation(text_function: Function) -> Adaptation:
    made = learned()
    row = Adaptation(
        function=text_function,
        base=made.base,
        base_version=made.base_version,
        version=made.version,
        data_revision=1,
        label_ids=[],
        n_annotations=len(TEXTS),
        seconds=0.1,
    )
    towers.keep_file(row, made, IDS)
    row.save()
    return row


def test_what_was_kept_is_what_is_loaded(adaptation: Adaptation) -> None:
    made, ids = towers.read_file(adaptation)
    assert ids == tuple(IDS)
    assert made.folds.tolist() == learned().folds.tolist()
    assert towers.folds_of(adaptation) == towers.Folds(3, dict(zip(IDS, made.folds.tolist(), strict=True)))


def test_each_tower_is_that_of_its_fold(adaptation: Adaptation) -> None:
    tiny = TinyText(backbones.TINY_TEXT)
    wanted = adapt.embed(tiny, [tiny.tower(state) for state in learned().towers], OTHERS)
    for fold, rows in [(0, wanted[0]), (2, wanted[2]), (None, wanted[-1])]:
        spec, tower = towers.adapted_spec(adaptation, fold), towers.tower_of(adaptation, fold)
        (found,) = towers.embed_wanted([towers.Wanted(spec, np.arange(len(OTHERS)), tower)], OTHERS)
        assert np.allclose(found, rows)
        assert spec.version == adaptation.public_id


def test_what_is_shared_is_computed_once_for_all_towers(
    adaptation: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    lower = TinyText._lower

    def counted(self: TinyText, inputs: Sequence[backbones.Input]) -> np.ndarray:
        read.append(len(inputs))
        return lower(self, inputs)

    monkeypatch.setattr(TinyText, "_lower", counted)
    frozen, adapted = backbones.TINY_TEXT, towers.adapted_spec(adaptation)
    wanted = [
        towers.Wanted(frozen, np.array([0, 1])),
        towers.Wanted(adapted, np.array([1, 3]), towers.tower_of(adaptation)),
    ]
    of_frozen, of_adapted = towers.embed_wanted(wanted, OTHERS)
    assert read == [3]  # nobody asked for the third text
    assert np.allclose(of_frozen, TinyText(frozen).encode(OTHERS[:2]))
    alone = [towers.Wanted(adapted, np.array([0, 1]), towers.tower_of(adaptation))]
    assert np.allclose(of_adapted, towers.embed_wanted(alone, [OTHERS[1], OTHERS[3]])[0])
    assert not np.allclose(of_adapted[0], of_frozen[1])


def test_a_file_that_is_damaged_or_gone_is_never_loaded(adaptation: Adaptation) -> None:
    path = towers.folder_of(adaptation) / towers.FILE
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactCorrupt):
        towers.tower_of(adaptation)
    path.unlink()
    with pytest.raises(ArtifactCorrupt):
        towers.folds_of(adaptation)


def test_layers_for_another_version_of_the_backbone_are_not_read(adaptation: Adaptation) -> None:
    adaptation.base_version = "of yesterday"
    assert not towers.is_current(adaptation)
    with pytest.raises(BackboneUnavailable):
        towers.adapted_spec(adaptation)


class OfBytes:
    """A tower that says how large it is."""

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes


def test_loaded_towers_take_no_more_memory_than_they_may() -> None:
    cache: encoders.BoundedCache[int, Tower] = encoders.BoundedCache(
        max_entries=10, max_bytes=100, n_bytes_of=lambda tower: tower.n_bytes
    )
    made: list[int] = []

    def get(key: int, n_bytes: int) -> None:
        def make() -> Tower:
            made.append(key)
            return OfBytes(n_bytes)

        cache.get(key, make)

    for key, n_bytes in [(1, 40), (2, 40), (1, 40), (3, 40), (1, 40), (2, 40), (4, 500), (4, 500), (1, 40)]:
        get(key, n_bytes)
    assert made == [1, 2, 3, 2, 4, 1]
