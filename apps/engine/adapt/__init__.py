"""Adaptation: the top layers of a backbone learn from one function's labelled samples.

What lies below them, and what they differ from, stays as it is and is shared by everybody; what a function owns is a
few towers, kept as small differences from the backbone's own top. There is a tower for every fold, fitted without that
fold's samples, so that a round can judge what the towers make of the samples as it judges any other reading of them,
and one fitted on all, which serves. A sample labelled later was seen by no tower: it may be put in any fold.

Importing this package does not import torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from apps.engine import artifacts, crossval
from apps.engine.backbones import Backbone, BackboneSpec, Input
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers import PLUS
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import ADAPTED, Blend, FloatArray, IntArray

N_FOLDS = 3
FEWEST_SAMPLES = 20
FEWEST_OF_LABEL, FEWEST_LABELS = 4, 2
"""With fewer samples, or fewer labels that have so many, there is next to nothing to bring together and apart."""
MOST_LEARNED_FROM = 400
"""Samples a tower learns from, at most, drawn evenly over the labels: with more, plain heads catch up."""
FORMAT_VERSION = 1


class Tower(Protocol):
    """The top layers of a backbone as a function owns them, loaded: ready to encode."""

    @property
    def n_bytes(self) -> int:
        """Memory it takes."""
        ...


class Adaptable(Backbone, Protocol):
    """A backbone whose top layers can learn.

    Parameters
    ----------
    adapted
        Of embeddings made with a tower: name `adapted-NAME`; `version` changes whenever towers are built or read
        another way, and says nothing of which tower it is.
    """

    adapted: BackboneSpec

    def tower(self, state: State) -> Tower:
        """Return the tower that `fit_towers` described. Raises `ArtifactCorrupt` if it does not fit this backbone."""
        ...

    def encode_for(
        self,
        inputs: Sequence[Input],
        wanted: Sequence[tuple[Tower | None, IntArray]],
        *,
        deadline: Deadline | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Return what several towers make of some inputs each; the lower layers run once per input.

        Parameters
        ----------
        wanted
            Towers, None being the backbone's own top, and the positions in `inputs` that each is to encode.
        deadline
            Checked before each batch.

        Returns
        -------
        Per entry of `wanted` `(len(rows), dim)`, float32, row `i` for the input at position `rows[i]`.
        `encode(inputs)` is `encode_for(inputs, [(None, all of them)])[0]`.

        Raises
        ------
        DeadlineExpired
        TypeError
            For an input of the other modality, or a tower of another backbone.
        """
        ...

    def fit_towers(
        self,
        inputs: Sequence[Input],
        labels: IntArray,
        held_out: Sequence[IntArray],
        *,
        seed: int = 0,
        warm: Sequence[State | None] = (),
        deadline: Deadline | None = None,
    ) -> list[State]:
        """Fit one tower per entry of `held_out`; the lower layers read the inputs once for all of them.

        Parameters
        ----------
        labels
            `(n_samples,)`; tags `(n_samples, n_tags)`: 1 where the tag is there, 0 where it is not, -1 where nobody
            was asked.
        held_out
            Positions that a tower must not see; a tower of which nothing is held out sees all.
        seed
            The same arguments and seed give the same towers, on the same machine.
        warm
            Per tower one to set out from, fitted without the same samples; none by default.
        deadline
            Checked before each step.

        Raises
        ------
        DeadlineExpired
        """
        ...


@dataclass(frozen=True)
class Adaptation:
    """What a function's samples taught the top of a backbone.

    Parameters
    ----------
    base, base_version
        The backbone.
    version
        Of its adapted embeddings, `Adaptable.adapted.version`.
    folds
        `(n_samples,)` in `[0, n_folds)`: where each sample it was fitted on is held out.
    towers
        One per fold, then the one fitted on all.
    """

    base: str
    base_version: str
    version: str
    folds: IntArray
    towers: tuple[State, ...]

    @property
    def n_folds(self) -> int:
        """Towers that hold samples out."""
        return len(self.towers) - 1

    def fits(self, backbone: Backbone) -> TypeGuard[Adaptable]:
        """Whether a backbone, of this installation, is the one that was adapted."""
        return (
            is_adaptable(backbone)
            and (self.base, self.base_version) == (backbone.spec.name, backbone.spec.version)
            and self.version == backbone.adapted.version
        )


@dataclass(frozen=True)
class Plan:
    """Who is held out of which tower.

    Parameters
    ----------
    folds
        `(n_samples,)` in `[0, n_folds)`.
    held_out
        Per tower, by fold and then the one on all, the positions it must not see: its fold, and what is beyond the
        samples a tower learns from.
    """

    folds: IntArray
    held_out: tuple[IntArray, ...]


def is_adaptable(backbone: Backbone) -> TypeGuard[Adaptable]:
    """Whether the top layers of a backbone can learn."""
    return hasattr(backbone, "adapted")


def is_read(blend: Blend) -> bool:
    """Whether some of what a blend reads was adapted."""
    return any(part.startswith(ADAPTED) for name in blend.backbones for part in name.split(PLUS))


def is_worth_trying(labels: IntArray) -> bool:
    """Whether there are enough labelled samples, `(n_samples,)` or tags `(n_samples, n_tags)`, to learn from."""
    if len(labels) < FEWEST_SAMPLES:
        return False
    if labels.ndim == 2:
        return bool((np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0)) >= FEWEST_OF_LABEL).any())
    return int((np.bincount(labels) >= FEWEST_OF_LABEL).sum()) >= FEWEST_LABELS


def plan(
    labels: IntArray, groups: IntArray, *, n_folds: int = N_FOLDS, seed: int = 0, known: IntArray | None = None
) -> Plan:
    """Deal samples into folds, and say what each tower must not see.

    Parameters
    ----------
    labels, groups
        As in `TrainingData`.
    known
        `(n_samples,)`: the fold a sample was held out in when the towers to set out from were fitted, -1 for new ones.
        It stays there.
    """
    folds = crossval.assign_folds(labels, groups, n_folds=n_folds, seed=seed, known=known)
    drawn = _drawn(labels, seed=seed)
    left_out = np.setdiff1d(np.arange(len(labels)), drawn)
    of_fold = [np.union1d(left_out, np.flatnonzero(folds == fold)) for fold in range(n_folds)]
    return Plan(folds, (*of_fold, left_out))


def fit(
    backbone: Adaptable,
    inputs: Sequence[Input],
    labels: IntArray,
    groups: IntArray,
    *,
    n_folds: int = N_FOLDS,
    seed: int = 0,
    warm: Adaptation | None = None,
    known: IntArray | None = None,
    deadline: Deadline | None = None,
) -> Adaptation:
    """Fit a tower for every fold and one on all samples, in this process; `process.fit_apart` does it in another.

    Parameters
    ----------
    labels, groups
        As in `TrainingData`.
    warm, known
        An adaptation to set out from, and the fold each sample was held out in there, -1 for new ones.

    Raises
    ------
    DeadlineExpired
    """
    planned = plan(labels, groups, n_folds=n_folds, seed=seed, known=known)
    towers = backbone.fit_towers(
        inputs, labels, planned.held_out, seed=seed, warm=warm_states(warm, backbone, n_folds), deadline=deadline
    )
    return assemble(backbone, planned.folds, towers)


def assemble(backbone: Adaptable, folds: IntArray, towers: Sequence[State]) -> Adaptation:
    """Return the adaptation of towers that were fitted one by one; by fold, then the one on all."""
    return Adaptation(
        backbone.spec.name, backbone.spec.version, backbone.adapted.version, folds.astype(np.int64), tuple(towers)
    )


def warm_states(warm: Adaptation | None, backbone: Adaptable, n_folds: int) -> tuple[State, ...]:
    """Return the towers to set out from; none where the adaptation is of another backbone, version or folds."""
    return warm.towers if warm is not None and warm.n_folds == n_folds and warm.fits(backbone) else ()


def embed(
    backbone: Adaptable,
    towers: Sequence[Tower],
    inputs: Sequence[Input],
    *,
    deadline: Deadline | None = None,
) -> FloatArray:
    """Return what each tower makes of each input, `(n_towers, len(inputs), dim)`, float32.

    With all towers of an adaptation, `rows[:-1]` are those of `FoldRows` and `rows[-1]` what serves reads. The lower
    layers run once per input.
    """
    rows = np.arange(len(inputs))
    return np.stack(backbone.encode_for(inputs, [(tower, rows) for tower in towers], deadline=deadline))


def save(adaptation: Adaptation, ids: Sequence[str]) -> bytes:
    """Return an adaptation as the content of one file; `ids` name the samples of `adaptation.folds`."""
    if len(ids) != len(adaptation.folds):
        raise ValueError("An adaptation has one id per sample.")
    facts = {
        "format_version": FORMAT_VERSION,
        "base": adaptation.base,
        "base_version": adaptation.base_version,
        "version": adaptation.version,
        "ids": list(ids),
        "towers": [dict(tower.facts) for tower in adaptation.towers],
    }
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8),
        "folds": adaptation.folds,
    }
    for i, tower in enumerate(adaptation.towers):
        arrays |= {f"{i}.{name}": np.ascontiguousarray(array) for name, array in tower.arrays.items()}
    return safetensors.numpy.save(arrays)


def load(content: bytes, *, sha256: str) -> tuple[Adaptation, tuple[str, ...]]:
    """Return the adaptation that `save` wrote, and the ids of its samples.

    Raises `ArtifactCorrupt` unless `content` is, byte for byte, what has this checksum (`artifacts.sha256_of`).
    """
    if artifacts.sha256_of(content) != sha256:
        raise ArtifactCorrupt("An adaptation is not the file that was saved.")
    try:
        arrays = safetensors.numpy.load(content)
        facts = json.loads(arrays["facts"].tobytes())
        if facts["format_version"] != FORMAT_VERSION:
            raise ValueError(f"it has format {facts['format_version']}")
        of_towers: list[Mapping[str, object]] = facts["towers"]
        towers = tuple(State(artifacts.without_prefix(f"{i}.", arrays), dict(own)) for i, own in enumerate(of_towers))
        adaptation = Adaptation(
            str(facts["base"]), str(facts["base_version"]), str(facts["version"]), arrays["folds"], towers
        )
        return adaptation, tuple(map(str, facts["ids"]))
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ArtifactCorrupt(f"A saved adaptation cannot be read: {error}") from error


def _drawn(labels: IntArray, *, seed: int) -> IntArray:
    """Return the samples to learn from: all, or as many of every label as there are, up to an even share."""
    if len(labels) <= MOST_LEARNED_FROM:
        return np.arange(len(labels))
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    kinds = crossval.rarest_tag(labels) if labels.ndim == 2 else labels
    turn = np.empty(len(labels), dtype=np.int64)  # how many of its label come before it
    for kind in np.unique(kinds):
        own = shuffled[kinds[shuffled] == kind]
        turn[own] = np.arange(len(own))
    return np.sort(shuffled[np.argsort(turn[shuffled], kind="stable")][:MOST_LEARNED_FROM])
