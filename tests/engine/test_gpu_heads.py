"""Heads of large rounds on a GPU: the same results as here. The torch they are written in runs on a CPU as well."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.sparse import csr_array

from apps.engine import automl, heads, search
from apps.engine.heads import discriminant, logistic, on_gpu, placing
from apps.engine.heads.discriminant import DiscriminantHead
from apps.engine.heads.logistic import EXACT, LogisticHead
from apps.engine.heads.regression import fit_regression
from apps.engine.matrices import Matrix, SideBySide
from apps.engine.types import Inputs, IntArray, Recipe, Task, TrainingData

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


def blobs(n: int, dim: int, n_classes: int, *, seed: int = 0) -> tuple[npt.NDArray[np.float32], IntArray]:
    random = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    centres = random.normal(size=(n_classes, dim))
    return (centres[y] + 2 * random.normal(size=(n, dim)) + 5).astype(np.float32), y


def tags(n: int, n_tags: int, *, seed: int = 0) -> IntArray:
    return np.random.default_rng(seed).choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=(n, n_tags))


def words(n: int, width: int) -> csr_array:
    random = np.random.default_rng(1)
    return csr_array(random.random((n, width)) * (random.random((n, width)) < 0.05), dtype=np.float32)


def loss_of(X: Matrix, y: IntArray, C: float, found: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]) -> float:
    """Return what a regression minimises, in float64."""
    rows = np.concatenate([part if isinstance(part, np.ndarray) else part.toarray() for part in parts_of(X)], axis=1)
    rows = rows.astype(np.float64)
    scale = 1 / np.sqrt(((rows - rows.mean(axis=0)) ** 2).sum(axis=1).mean())
    scores = rows @ found[0] + found[1]
    if y.ndim == 2:
        losses = np.where(y >= 0, np.logaddexp(0, scores) - (y == 1) * scores, 0.0)
    else:
        losses = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1)
        losses = losses - scores[np.arange(len(y)), y]
    return float(C * losses.sum() + 0.5 * ((found[0] / scale) ** 2).sum())


def parts_of(X: Matrix) -> list[npt.NDArray[np.float32] | csr_array]:
    return list(X.parts) if isinstance(X, SideBySide) else [X]


def kinds_of_rows() -> dict[str, Matrix]:
    dense = blobs(300, 24, 4)[0]
    return {"dense": dense, "sparse": words(300, 200), "both": SideBySide([dense, words(300, 200), dense[:, :3] ** 2])}


@pytest.mark.parametrize("C", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("kind", ["dense", "sparse", "both"])
@pytest.mark.parametrize("is_tags", [False, True])
def test_a_regression_in_torch_is_the_one_here(C: float, kind: str, is_tags: bool) -> None:
    X, y = kinds_of_rows()[kind], tags(300, 5) if is_tags else blobs(300, 24, 4)[1]
    n_classes = 5 if is_tags else 4
    here = fit_regression(X, y, n_classes, C=C, tolerance=1e-4)
    there = on_gpu.fit_regression(X, y, n_classes, C=C, tolerance=1e-4, device="cpu")
    assert there[0].dtype == np.float64
    assert loss_of(X, y, C, there) == pytest.approx(loss_of(X, y, C, here), rel=2e-5)
    assert probabilities(X, there) == pytest.approx(probabilities(X, here), abs=5e-3)


def probabilities(X: Matrix, found: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    head = LogisticHead()
    head.classes_ = np.arange(len(found[1]))
    head._take(*found)
    return head.predict_proba(X).astype(np.float64)


def test_a_regression_sets_out_from_a_near_one() -> None:
    X, y = blobs(400, 30, 5)
    near = on_gpu.fit_regression(X, y, 5, C=3.0, tolerance=EXACT, device="cpu")
    n_passes: list[int] = []
    for start in (None, near):
        regression = on_gpu._Regression(X, y, 5, C=10.0, device="cpu")
        loss, n_before = regression.loss, [0]

        def counted(
            scores: torch.Tensor, loss: on_gpu.Loss = loss, n_before: list[int] = n_before
        ) -> tuple[torch.Tensor, torch.Tensor]:
            n_before[0] += 1
            return loss(scores)

        regression.loss = counted
        regression.fitted(EXACT, start)
        n_passes.append(n_before[0])
    assert n_passes[1] < n_passes[0]


def test_the_least_of_a_hard_valley_is_found() -> None:
    """Rosenbrock's: curved, and ten thousand times as steep across as along."""

    def valley(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.enable_grad():
            x = at.clone().requires_grad_()
            loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
            (gradient,) = torch.autograd.grad(loss, x)
        return loss.detach(), gradient

    found = on_gpu.minimise(valley, torch.tensor([-1.2, 1.0], dtype=torch.float64), tolerance=1e-8)
    assert found.tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_function_without_a_way_down_ends_the_search() -> None:
    flat = on_gpu.minimise(lambda at: (torch.zeros((), dtype=torch.float64), at * 0), torch.ones(3), tolerance=0.0)
    assert flat.tolist() == [1, 1, 1]

    def lies(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return -at.sum(), torch.ones_like(at)  # says it falls where it rises

    start = torch.ones(3, dtype=torch.float64)
    assert on_gpu.minimise(lies, start, tolerance=1e-9).tolist() == [1, 1, 1]


def fit_in_torch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have fits run in torch, on the CPU, whatever their size; the list says how often."""
    fits: list[str] = []

    def there(device: str, seconds: float, *, there: Callable[[], object], here: Callable[[], object]) -> object:
        fits.append(device)
        return there()

    for module in (logistic, discriminant):
        monkeypatch.setattr(module, "fit_there_or_here", there)
    return fits


@pytest.fixture
def always_there(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return fit_in_torch(monkeypatch)


@pytest.mark.parametrize("shrinkage", [0.1, 0.6])
@pytest.mark.parametrize("is_tags", [False, True])
def test_discriminants_in_torch_are_those_here(
    shrinkage: float, is_tags: bool, always_there: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = blobs(300, 40, 4)
    task = Task.TAGS if is_tags else Task.LABEL
    y = tags(300, 5) if is_tags else y
    there = DiscriminantHead(shrinkage=shrinkage, task=task).fit(X, y)
    assert always_there == ["cpu"]
    monkeypatch.setattr(discriminant, "fit_there_or_here", placing.fit_there_or_here)
    here = DiscriminantHead(shrinkage=shrinkage, task=task).fit(X, y)
    np.testing.assert_allclose(there.coef_, here.coef_, atol=1e-4 * float(np.abs(here.coef_).max()))
    np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), atol=1e-3)


def test_another_setting_takes_over_a_scatter_wherever_it_lies(always_there: list[str]) -> None:
    X, y = blobs(300, 40, 4)
    first = DiscriminantHead(shrinkage=0.6).fit(X, y)
    second = DiscriminantHead(shrinkage=0.1).fit(X, y, start=first)
    assert len(always_there) == 1
    again = DiscriminantHead(shrinkage=0.1).fit(X, y)
    np.testing.assert_allclose(second.coef_, again.coef_, rtol=1e-5)


def test_a_round_comes_to_the_same_model_wherever_it_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs(400, 20, 3)
    data = TrainingData(Inputs(400, {"tiny-text": X}), y, 3, np.arange(400))
    here = automl.train(data)
    fits = fit_in_torch(monkeypatch)
    found = automl.train(data)
    assert fits
    assert found.log_loss == pytest.approx(here.log_loss, abs=2e-3)
    np.testing.assert_allclose(found.pred_probs, here.pred_probs, atol=0.03)


def test_every_fit_of_a_round_is_told_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: set[str] = set()

    def here(device: str, seconds: float, *, there: Callable[[], object], here: Callable[[], object]) -> object:
        devices.add(device)
        return here()

    for module in (logistic, discriminant):
        monkeypatch.setattr(module, "fit_there_or_here", here)
    X, y = blobs(60, 8, 3)
    data = TrainingData(Inputs(60, {"tiny-text": X}), y, 3, np.arange(60))
    found = automl.train(data, device="cuda:1")
    assert devices == {"cuda:1"}
    devices.clear()
    candidates = [one for line in automl.plan(data) for one in automl.try_line(data, line, device="cuda:1")]
    apart = automl.conclude(data, candidates, device="cuda:1")
    assert devices == {"cuda:1"}
    assert apart.log_loss == pytest.approx(found.log_loss, abs=0.05)


def test_a_round_dares_larger_regressions_where_there_is_a_gpu() -> None:
    rows = np.zeros((20_000, 1_536), np.float32)
    data = TrainingData(Inputs(20_000, {"minilm": rows}), np.arange(20_000) % 100, 100, np.arange(20_000))
    recipe = Recipe("minilm", "logistic", {"C": 10.0})
    here, there = (search.expected_seconds(recipe, data, device=device) for device in ("cpu", "cuda:0"))
    assert there < here / 4


def test_only_large_fits_leave_for_a_gpu() -> None:
    def fitted(device: str, seconds: float) -> str:
        return placing.fit_there_or_here(device, seconds, there=lambda: "there", here=lambda: "here")

    assert fitted("cpu", 100.0) == "here"
    assert fitted("cuda:0", 0.05) == "here"
    assert fitted("cuda:0", 0.5) == "there"
    small, large = np.zeros((100, 1_536), np.float32), np.zeros((10_000, 1_536), np.float32)
    assert placing.seconds_of_regression(small, 4) < placing.LEAST_SECONDS < placing.seconds_of_regression(large, 4)
    assert placing.seconds_of_scatter(small) < placing.LEAST_SECONDS < placing.seconds_of_scatter(large)
    assert placing.seconds_of_regression(SideBySide([small, words(100, 50)]), 4) < placing.LEAST_SECONDS


def test_a_gpu_that_is_full_costs_time_and_no_round() -> None:
    def full() -> str:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    def broken() -> str:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    assert placing.there_or_here(full, lambda: "here") == "here"
    with pytest.raises(RuntimeError, match="illegal"):
        placing.there_or_here(broken, lambda: "here")


def test_heads_know_the_device_of_their_round() -> None:
    made = [
        heads.create(name, settings, device="cuda:1")
        for name, settings in (("logistic", {"C": 1.0}), ("discriminant", {"shrinkage": 0.5}))
    ]
    assert [head.device for head in made] == ["cuda:1", "cuda:1"]  # type: ignore[attr-defined]  # linear ones have it


@needs_gpu
@pytest.mark.parametrize("kind", ["dense", "sparse", "both"])
@pytest.mark.parametrize("is_tags", [False, True])
def test_a_regression_on_the_gpu_is_the_one_here(kind: str, is_tags: bool) -> None:
    X, y = kinds_of_rows()[kind], tags(300, 5) if is_tags else blobs(300, 24, 4)[1]
    n_classes = 5 if is_tags else 4
    here = fit_regression(X, y, n_classes, C=3.0, tolerance=1e-4)
    there = on_gpu.fit_regression(X, y, n_classes, C=3.0, tolerance=1e-4, device="cuda:0")
    assert loss_of(X, y, 3.0, there) == pytest.approx(loss_of(X, y, 3.0, here), rel=2e-5)
    assert probabilities(X, there) == pytest.approx(probabilities(X, here), abs=5e-3)


@needs_gpu
def test_large_heads_on_the_gpu_are_those_here() -> None:
    X, y = blobs(12_000, 1_024, 6)
    for name, settings in (("logistic", {"C": 1.0}), ("discriminant", {"shrinkage": 0.3})):
        here = heads.create(name, settings).fit(X, y).predict_proba(X[:500])
        torch.cuda.reset_peak_memory_stats()
        there = heads.create(name, settings, device="cuda:0").fit(X, y).predict_proba(X[:500])
        assert torch.cuda.max_memory_allocated() > X.nbytes  # it was there
        np.testing.assert_allclose(there, here, atol=5e-3)
