"""Plain functions and optax's transformations are understood as optimizer classes are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep import wrap
from truestep.fast.discovery import BrokenBackend
from truestep.reports import judging


def adam(
    p: Any,
    g: Any,
    state: dict[str, Any],
    lr: float = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Any, dict[str, Any]]:
    """Adam in the arrays' own format."""
    t = state.get("count", 0) + 1
    with np.errstate(all="ignore"):
        m = b1 * state.get("mean", np.zeros_like(p)) + (1 - b1) * g
        v = b2 * state.get("square", np.zeros_like(p)) + (1 - b2) * (g * g)
        root = np.sqrt(v / p.dtype.type(1 - b2**t)) + p.dtype.type(eps)
        p = p - lr * (m / p.dtype.type(1 - b1**t) / root)
    return p, {"count": t, "mean": m, "square": v}


def test_a_function() -> None:
    """Its rule is found without being named, and its steps pass."""
    backend = wrap.callable(adam)
    assert backend.declaration == (
        "judged as adam; m is mean, v is square, t is count; maximize = False, "
        "weight_decay = 0.0; arithmetic ieee_float32"
    )
    assert judging.certify(backend, only="*lockstep*", level="smoke").passed


def test_a_function_that_needs_more() -> None:
    """What it needs besides p, g and state is named."""

    def step(p: Any, g: Any, state: dict[str, Any], mask: Any) -> tuple[Any, dict[str, Any]]:
        return p, state

    with pytest.raises(BrokenBackend, match="needs mask besides p, g and state"):
        wrap.callable(step)


def test_what_moves_nothing_computes_no_rule() -> None:
    """Steps of DoWG may be as short as one likes, so that none at all would agree with it."""

    def step(p: Any, g: Any, state: dict[str, Any], lr: float = 1e-3) -> tuple[Any, dict[str, Any]]:
        return p, state

    with pytest.raises(BrokenBackend, match="steps change no parameter"):
        wrap.callable(step)


@pytest.mark.parametrize(
    ("name", "rule", "dialect", "state"),
    [
        ("adamw", "adamw", {"decay": "in_step"}, {"m": "[0].mu", "v": "[0].nu"}),
        ("lion", "lion", {"decay": "in_step"}, {"m": "[0].mu"}),
        ("lars", "lars", {"guard": "one", "ratio": "norm_of_sum"}, {"b": "[3].trace"}),
    ],
)
def test_optax(name: str, rule: str, dialect: dict[str, str], state: dict[str, str]) -> None:
    """Its forms differ from others' by rounding alone, and are told apart by it."""
    library = pytest.importorskip("optax", reason="optax is not installed")
    backend = wrap.optax(getattr(library, name), rule)
    assert backend.found.dialect == dialect
    assert {f: place.name for f, place in backend.found.state.items()} == state
