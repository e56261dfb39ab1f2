"""Numbers that follow from the count of steps are recognized."""

from __future__ import annotations

import pytest

from truestep.fast.wrapped.counted import recognized

HYPER = {"lr": 0.03, "beta1": 0.7, "beta2": 0.85, "nesterov": True}


@pytest.mark.parametrize(
    "function",
    [
        lambda h, t: h["beta2"] ** t,
        lambda h, t: 1 - h["beta1"] ** t,
        lambda h, t: h["lr"] * (1 - h["beta1"] ** t),
        lambda h, t: (1 - h["beta2"] ** t) / (1 - h["beta2"]),
    ],
)
def test_functions_of_the_count(function) -> None:  # type: ignore[no-untyped-def]
    """The same function has the same values with other numbers."""
    found = recognized([function(HYPER, t) for t in range(1, 9)], HYPER)
    assert found is not None
    other = {**HYPER, "lr": 0.1, "beta1": 0.9, "beta2": 0.99}
    assert found(other, 1000) == pytest.approx(function(other, 1000), rel=1e-12)


def test_what_follows_from_something_else() -> None:
    """It is not recognized."""
    assert recognized([0.3, 0.5, 0.1, 0.7], HYPER) is None
