"""The random Hadamard transform: the matrix, its inverse, what it is for, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.reference.training.hadamard_transform import Hyper, apply, hadamard, run

# The signs that Transformer Engine holds fixed.
SIGNS = np.array([1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1, -1], float)


@pytest.mark.parametrize("n", [1, 2, 16, 64])
def test_the_matrix_is_that_of_common_bits(n: int) -> None:
    """Symmetric, and its rows are orthogonal."""
    due = [[(-1) ** (i & j).bit_count() for j in range(n)] for i in range(n)]
    assert np.array_equal(hadamard(n), due)
    assert np.array_equal(hadamard(n) @ hadamard(n), n * np.eye(n))


def test_the_inverse_undoes_it() -> None:
    """And the product of two matrices is that of their transforms."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 5, 48))
    forward, inverse = Hyper(), Hyper(direction="inverse")
    turned = apply(forward, x, SIGNS)
    assert not np.allclose(turned, x)
    np.testing.assert_allclose(apply(inverse, turned, SIGNS), x, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(turned @ apply(forward, y, SIGNS).T, x @ y.T, rtol=1e-13, atol=1e-13)


def test_one_large_element_is_spread_over_its_block() -> None:
    """To a quarter of itself, with the signs of its row."""
    x = np.zeros((2, 32))
    x[1, 19] = 8.0
    (y,) = run(Hyper(), gradients=[x], signs=SIGNS)["transformed"]
    assert np.array_equal(y[1, 16:], 2.0 * SIGNS[3] * hadamard(16)[3])
    assert not y[0].any()
    assert not y[1, :16].any()


def test_blocks_that_do_not_fit_are_refused() -> None:
    """By their length, and by the shape."""
    with pytest.raises(ValueError, match="power of two, got 12"):
        apply(Hyper(), np.zeros(24), SIGNS[:12])
    with pytest.raises(ValueError, match=r"multiple of 16, got the shape \(3, 20\)"):
        apply(Hyper(), np.zeros((3, 20)), SIGNS)
    assert apply(Hyper(), np.zeros((3, 0)), SIGNS).shape == (3, 0)
