"""What Shampoo, Distributed Shampoo and SOAP share: special cases, domains, symmetries."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import distributed_shampoo, shampoo, soap

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import GRADIENTS, P, run

RULES: list[Any] = [distributed_shampoo, shampoo, soap]


@pytest.mark.parametrize("module", RULES)
def test_nan_makes_all_nan_and_zero_leaves_p(module: Any) -> None:
    """nan in one element reaches every element of p; zero gradients move nothing."""
    h = dataclasses.replace(module.Hyper(), weight_decay=0.0)
    s, p = run(module, h, P, GRADIENTS[:2])
    g = GRADIENTS[2].copy()
    g[1, 2] = np.nan
    _, p = module.step(h, s, p, g)
    assert np.all(np.isnan(p))
    np.testing.assert_array_equal(run(module, h, P, [0 * P, 0 * P, 0 * P])[1], P)


@pytest.mark.parametrize("module", RULES)
def test_empty_tensors_stay_empty_and_count(module: Any) -> None:
    """Shapes with a zero axis, and lines without elements."""
    for shape in ((0, 3), (0,), (2, 0, 3)):
        s, p = run(module, module.Hyper(), np.zeros(shape), [np.zeros(shape), np.zeros(shape)])
        assert (s.t, p.shape) == (2, shape)
        assert all(np.ndim(x) >= 1 for x in module.observables(module.Hyper(), s, p).values())


@pytest.mark.parametrize("module", RULES)
def test_maximizing_is_minimizing_the_negated_gradient(module: Any) -> None:
    """Bit for bit, weight decay included."""
    h = dataclasses.replace(module.Hyper(), weight_decay=0.5)
    up = dataclasses.replace(h, maximize=True)
    np.testing.assert_array_equal(
        run(module, up, P, GRADIENTS)[1], run(module, h, P, -GRADIENTS)[1]
    )


@pytest.mark.parametrize("module", RULES)
@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("lr", -1.0, ValueError),
        ("eps", float("inf"), ValueError),
        ("weight_decay", -0.5, ValueError),
        ("weight_decay", "0", TypeError),
        ("precondition_frequency", 0, ValueError),
        ("precondition_frequency", 2.0, TypeError),
        ("decay", "both", ValueError),
    ],
)
def test_values_outside_the_domain_are_refused(
    module: Any, field: str, value: Any, error: type[Exception]
) -> None:
    """The error names the field."""
    with pytest.raises(error, match=field):
        module.Hyper(**{field: value})


@pytest.mark.parametrize(
    ("module", "field", "value"),
    [
        (distributed_shampoo, "beta2", 1.0),
        (distributed_shampoo, "dampening", 1.0),
        (distributed_shampoo, "graft_beta2", -0.1),
        (distributed_shampoo, "graft_eps", -1e-8),
        (distributed_shampoo, "momentum", 1.0),
        (distributed_shampoo, "start", -1),
        (shampoo, "momentum", 1.0),
        (soap, "max_dim", 0),
        (soap, "shampoo_beta", 1.0),
    ],
)
def test_each_rules_own_values_are_checked(module: Any, field: str, value: Any) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=field):
        module.Hyper(**{field: value})
