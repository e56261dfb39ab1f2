"""Rates that a metric drives: what the libraries do, recorded, and what limits the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.reference.training import greedy, reduce_on_plateau

METRICS = (3.0, 3.0, 2.5, 2.5, 2.5, 2.5, 2.4995, 2.5, 2.5, 2.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
# After how many metrics the rate fell: torch 2.13, keras 3.15.1, optax 0.2.8, each in its form.
FALLS = {
    ("exceeded", "last"): (6, 14),
    ("reached", "next"): (5, 8, 13),
    ("reached", "last"): (5, 9, 13),
}


def _rates(h: reduce_on_plateau.Hyper, metrics: Any) -> list[float]:
    s, rates = reduce_on_plateau.init(h, 1.0), [1.0]
    for metric in metrics:
        s = reduce_on_plateau.step(h, s, metric)
        rates.append(float(s.lr))
    return rates


@pytest.mark.parametrize(("patience_ends", "cooled"), FALLS)
def test_falls_come_where_the_libraries_have_them(patience_ends: Any, cooled: Any) -> None:
    """Patience 2, a cooldown of 2, an absolute threshold that 0.0005 does not pass."""
    h = reduce_on_plateau.Hyper(
        factor=0.5, patience=2, cooldown=2, rtol=0.0, atol=1e-3, min_lr=0.2,
        patience_ends=patience_ends, cooled=cooled,
    )  # fmt: skip
    rates = _rates(h, METRICS)
    falls = [t for t in range(1, len(rates)) if rates[t] < rates[t - 1]]
    assert tuple(falls) == FALLS[patience_ends, cooled]
    assert min(rates) >= 0.2
    # What rises as the other falls has the same rates.
    rising = reduce_on_plateau.Hyper(**{**vars(h), "mode": "max"})
    assert _rates(rising, [-x for x in METRICS]) == rates


def test_a_negative_metric_that_stays_is_a_plateau_unless_thresholds_have_its_sign() -> None:
    """torch and optax multiply the best metric by 1 - threshold."""
    size = reduce_on_plateau.Hyper(patience=3, rtol=0.01)
    signed = reduce_on_plateau.Hyper(patience=3, rtol=0.01, margin="signed")
    assert _rates(size, [-5.0] * 9)[-1] < 1.0
    assert _rates(signed, [-5.0] * 9)[-1] == 1.0


def test_means_of_metrics_are_looked_at_when_they_are_whole() -> None:
    """Of three: two calls change nothing, the third measures."""
    h = reduce_on_plateau.Hyper(accumulation=3, patience=0)
    s = reduce_on_plateau.init(h, 1.0)
    for metric in (1.0, 2.0):
        s = reduce_on_plateau.step(h, s, metric)
        assert (s.lr, s.best, s.bad) == (1.0, np.inf, 0)
    s = reduce_on_plateau.step(h, s, 6.0)
    assert (s.best, s.seen, s.mean) == (3.0, 0, 0.0)


def test_greedy_rises_falls_rests_and_begins_anew() -> None:
    """Doubled at the second improvement, halved down to the floor, reset after two rests there."""
    h = greedy.Hyper(initial=0.25, factor=0.5, patience=1, min_lr=0.125, rests=2, atol=0.0)
    s, rates = greedy.init(h), []
    for metric in (9.0, 8.0, *[8.0] * 8):
        s = greedy.step(h, s, metric)
        rates.append(float(s.lr))
    assert rates == [0.25, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.25, 0.25, 0.25]
    with pytest.raises(ValueError, match=r"min_lr must be <= max_lr, got 2\.0 > 1\.0"):
        greedy.Hyper(min_lr=2.0)
