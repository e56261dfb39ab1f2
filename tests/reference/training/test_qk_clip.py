"""QK-Clip: an independent route in 40 digits, and its ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpmath import mp

from truestep.reference.training import qk_clip

mp.dps = 40
RNG = np.random.default_rng(3)
QUERIES = [RNG.standard_normal((2, 3)) for _ in range(3)]
KEYS = [RNG.standard_normal((2, 3)) for _ in range(3)]
LOGITS = [120.0, 30.0, 1000.0]


@pytest.mark.parametrize("nan_logit", ["ignored", "spreads"])
@pytest.mark.parametrize("parts", ["whole", "rotary"])
def test_heads_shrink_by_their_own_logits(nan_logit: Any, parts: Any) -> None:
    """Each head by (100 / S)^(1/4) and (100 / S)^(3/4), rotary ones by all and nothing."""
    h = qk_clip.Hyper(alpha=0.25, nan_logit=nan_logit, parts=parts)
    out = qk_clip.run(h, queries=QUERIES, keys=KEYS, logits=LOGITS)
    shares = (1, 0) if parts == "rotary" else (mp.mpf(1) / 4, mp.mpf(3) / 4)
    for name, given, share in (("queries", QUERIES, shares[0]), ("keys", KEYS, shares[1])):
        for got, w, logit in zip(out[name], given, LOGITS, strict=True):
            gamma = min(mp.mpf(1), 100 / mp.mpf(logit)) ** share
            np.testing.assert_allclose(got, [[float(gamma * x) for x in r] for r in w], rtol=1e-15)


def test_a_clipped_heads_largest_logit_is_the_threshold() -> None:
    """A logit is a product of both weights: clipped ones give the threshold, others the same."""
    x = RNG.standard_normal(3)
    logits = [float((q @ x) @ (k @ x)) for q, k in zip(QUERIES, KEYS, strict=True)]
    h = qk_clip.Hyper(threshold=0.01)
    out = qk_clip.run(h, queries=QUERIES, keys=KEYS, logits=logits)
    after = [float((q @ x) @ (k @ x)) for q, k in zip(out["queries"], out["keys"], strict=True)]
    np.testing.assert_allclose(after, np.minimum(logits, 0.01), rtol=1e-13)
    assert max(logits) > 0.01


def test_logits_that_are_nan_or_infinite() -> None:
    """nan clips nothing or makes nan; an infinite logit makes zeros."""
    for nan_logit, due in (("ignored", QUERIES[0]), ("spreads", np.full((2, 3), np.nan))):
        h = qk_clip.Hyper(nan_logit=nan_logit)  # type: ignore[arg-type]
        out = qk_clip.run(h, queries=QUERIES[:1], keys=KEYS[:1], logits=[np.nan])
        np.testing.assert_array_equal(out["queries"][0], due)
        out = qk_clip.run(h, queries=QUERIES[:1], keys=KEYS[:1], logits=[np.inf])
        assert not np.any(out["queries"][0]) and not np.any(out["keys"][0])
