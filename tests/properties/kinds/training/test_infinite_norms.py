"""Clipping after an infinity: what is due is judged, and a kernel that does nothing fails."""

from __future__ import annotations

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, PROFILES
from truestep.properties.judge.contracts import judge
from truestep.reference.training import clip_by_global_norm as clip


@pytest.mark.parametrize("norm", ["two", "infinity"])
@pytest.mark.parametrize("form", ["threshold", "divided", "shrunk"])
def test_finite_elements_become_zero(form: str, norm: str) -> None:
    """The clipped gradient is judged where the norm is infinite; the gradient itself fails."""
    h = clip.Hyper(max_norm=1.0, form=form, norm=norm)
    g = np.array([3.0, np.inf, -0.5])
    due, oracle = (
        clip.apply(h, [Bounded.exact(g, arithmetic)])[0]
        for arithmetic in (PROFILES["ieee_float32"], ORACLE)
    )
    zeroed = judge(np.array([0.0, np.nan, -0.0]), due, oracle)
    assert zeroed.passed and zeroed.judged >= 2
    assert not judge(g, due, oracle).passed
    assert not judge(g / np.array([3.0, 1.0, 3.0]), due, oracle).passed
