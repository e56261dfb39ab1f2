"""L-BFGS on float32 arrays: it minimises, and leaves arrays whatever the shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast.ours import lbfgs
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import FROM_FUNCTION


def bowl(x: Any) -> tuple[Any, Any]:
    """A quadratic of curvatures 1 to x.size, least at 1."""
    scale = np.arange(1, x.size + 1, dtype=np.float32).reshape(x.shape)
    return np.float32(np.sum(scale * (x - 1) ** 2) / 2), np.asarray(scale * (x - 1))


@pytest.mark.parametrize("shape", [(), (1,), (3, 4)], ids=str)
@pytest.mark.parametrize("search", ["strong_wolfe", "backtracking"])
def test_minimises(shape: tuple[int, ...], search: str) -> None:
    """A quadratic in as many variables, in some more steps than those."""
    rule: Any = FROM_FUNCTION["lbfgs"]
    h, p = rule.Hyper(line_search=search), np.zeros(shape, np.float32)
    fields = fields_of(rule.init(h, p.astype(np.float64)))
    state: dict[str, Any] = {n: x if n == "t" else x.astype(np.float32) for n, x in fields.items()}
    for _ in range(25):
        after = lbfgs.minimizer_step(h, p, state, bowl)
        p, state = after.param, dict(after.state)
        assert isinstance(p, np.ndarray)
        assert all(isinstance(x, np.ndarray) for n, x in state.items() if n != "t")
    np.testing.assert_allclose(p, np.ones(shape), atol=1e-4)
