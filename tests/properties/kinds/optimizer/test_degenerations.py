"""Rules that become one another at special hyperparameters: two references, one exact result."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.properties.arithmetic.lift import converted, state_of
from truestep.reference.optimizers import OPTIMIZERS

STEPS = 4


def trajectory(name: str, **fields: Any) -> list[Any]:
    """Parameters after each step from fixed gradients, in 60 digits."""
    rule = OPTIMIZERS[name]
    rng = np.random.default_rng(7)
    h = converted(rule.Hyper(**fields), lambda _, x: mpmath.mpf(x) if isinstance(x, float) else x)
    p = Exact.of(rng.standard_normal(6))
    fresh = rule.init(rule.Hyper(**fields), np.zeros(6))
    fields_of = {f: getattr(fresh, f) for f in rule.State.__dataclass_fields__}
    s = state_of(rule.State, fields_of, Exact.of)
    out = []
    for _ in range(STEPS):
        s, p = rule.step(h, s, p, Exact.of(rng.standard_normal(6)))
        out.append(p.x)
    return out


def agree(a: list[Any], b: list[Any]) -> bool:
    """Equal but for the last ten of the working digits."""
    unit = mpmath.mpf(10) ** (10 - DIGITS)
    return all(
        abs(x - y) <= unit for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("adam", {"lr": 0.1}), ("adamw", {"lr": 0.1, "weight_decay": 0.0})),
        (
            ("adam", {"lr": 0.1, "weight_decay": 0.3, "decay": "before"}),
            ("adamw", {"lr": 0.1, "weight_decay": 0.3, "decay": "before"}),
        ),
        (
            ("nesterov", {"lr": 0.1, "momentum": 0.0, "form": "torch"}),
            ("sgd", {"lr": 0.1, "momentum": 0.0}),
        ),
        (
            ("sgd", {"lr": 0.1, "momentum": 0.9, "momentum_form": "lr_inside"}),
            ("sgd", {"lr": 0.1, "momentum": 0.9}),
        ),
        (
            ("sgd", {"lr": 0.1, "weight_decay": 0.2, "decay": "decoupled"}),
            ("sgd", {"lr": 0.1, "weight_decay": 0.2}),
        ),
        (
            ("nesterov", {"lr": 0.1, "momentum": 0.9, "form": "keras"}),
            ("nesterov", {"lr": 0.1, "momentum": 0.9, "form": "torch"}),
        ),
        (
            ("adamw", {"lr": 0.1, "eps": 0.0, "eps_placement": "inside"}),
            ("adamw", {"lr": 0.1, "eps": 0.0, "eps_placement": "before_correction"}),
        ),
    ],
)
def test_rules_coincide(one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]) -> None:
    """Two names for one sequence of parameters."""
    with mpmath.workdps(DIGITS):
        assert agree(trajectory(one[0], **one[1]), trajectory(other[0], **other[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("adam", {"lr": 0.1, "weight_decay": 0.3}), ("adamw", {"lr": 0.1, "weight_decay": 0.3})),
        (("adamw", {"decay": "before"}), ("adamw", {"decay": "after"})),
        (("amsgrad", {"bias_correction": "both", "beta2": 0.5}), ("adam", {"beta2": 0.5})),
        (("nesterov", {"momentum": 0.9, "form": "torch"}), ("sgd", {"momentum": 0.9})),
    ],
)
def test_rules_differ(one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]) -> None:
    """The comparison above can fail."""
    with mpmath.workdps(DIGITS):
        assert not agree(trajectory(one[0], **one[1]), trajectory(other[0], **other[1]))
