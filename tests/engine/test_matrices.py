"""Whatever a matrix is made of, products and figures are those of the array it stands for."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from apps.engine import matrices
from apps.engine.matrices import Matrix, SideBySide

WHOLE = np.random.default_rng(0).normal(size=(7, 9)) * (np.random.default_rng(1).random((7, 9)) < 0.5)
KINDS: dict[str, Matrix] = {
    "dense": WHOLE,
    "sparse": csr_array(WHOLE),
    "both": SideBySide([WHOLE[:, :4], csr_array(WHOLE[:, 4:])]),
}


@pytest.fixture(params=KINDS)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return KINDS[request.param]


def test_products(matrix: Matrix) -> None:
    W, S = np.random.default_rng(2).normal(size=(9, 3)), np.random.default_rng(3).normal(size=(7, 2))
    np.testing.assert_allclose(matrices.product(matrix, W), WHOLE @ W)
    np.testing.assert_allclose(matrices.transposed_product(matrix, S), WHOLE.T @ S)
    np.testing.assert_allclose(matrices.gram(matrix), WHOLE @ WHOLE.T)


def test_figures(matrix: Matrix) -> None:
    np.testing.assert_allclose(matrices.mean_row(matrix), WHOLE.mean(axis=0))
    np.testing.assert_allclose(matrices.column_squares(matrix), (WHOLE**2).sum(axis=0))
    np.testing.assert_allclose(matrices.row_squares(matrix), (WHOLE**2).sum(axis=1))
    assert matrices.spread(matrix) == pytest.approx(((WHOLE - WHOLE.mean(axis=0)) ** 2).sum(axis=1).mean())


def test_rows_are_taken_by_number_and_by_mask(matrix: Matrix) -> None:
    for rows in (np.array([5, 0]), np.arange(7) % 2 == 0):
        np.testing.assert_allclose(matrices.mean_row(matrix[rows]), WHOLE[rows].mean(axis=0))


def test_dense_parts_become_one_array() -> None:
    assert isinstance(matrices.side_by_side([WHOLE, WHOLE]), np.ndarray)
    with pytest.raises(ValueError, match="dense"):
        matrices.dense(KINDS["both"])


def test_rows_are_written_out_with_their_zeros(matrix: Matrix) -> None:
    np.testing.assert_array_equal(matrices.written_out(matrix), WHOLE)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.ones((4, 3)), np.full((4, 3), 0.1)])
def test_rows_that_are_all_the_same_have_no_spread(rows: np.ndarray) -> None:
    assert matrices.spread(rows) == 0.0
