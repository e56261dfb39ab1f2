"""assert_stochastic: several draws of one tensor that was rounded by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from truestep.reference.quantizers import QUANTIZERS
from truestep.testing import BeyondContract, assert_stochastic

Draws = list[Any]
X = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
HIGH = np.uint32(0xFFFF0000)


def rounded(noise: Any) -> Any:
    """X as bfloat16, in float32: noise of 16 bits is added and the rest cut off."""
    return ((X.view(np.uint32) + noise.astype(np.uint32)) & HIGH).view(np.float32)


def drawn(seed: int = 1, bits: int = 16, count: int = 8) -> Draws:
    """Draws of so many random bits each."""
    rng = np.random.default_rng(seed)
    low = 16 - bits
    return [rounded(rng.integers(0, 2**bits, X.size) << low) for _ in range(count)]


def lanes() -> Draws:
    """Four neighbours share a random number."""
    rng = np.random.default_rng(1)
    return [rounded(np.repeat(rng.integers(0, 2**16, X.size // 4), 4)) for _ in range(8)]


def low_by(part: int) -> Draws:
    """Thresholds that are too high by so much of 2^16, so that fewer go up."""
    rng = np.random.default_rng(1)
    return [rounded(np.maximum(rng.integers(0, 2**16, X.size) - part, 0)) for _ in range(8)]


def test_right_draws_pass() -> None:
    """As float32 and as bfloat16 numbers, with a seed of their own each."""
    for seed in range(3):
        assert_stochastic("bfloat16", X, drawn(seed))
    assert_stochastic("bfloat16", X, [each.astype(ml_dtypes.bfloat16) for each in drawn()])


WRONG: dict[str, Callable[[], Draws]] = {
    "nearest": lambda: [X.astype(ml_dtypes.bfloat16)] * 8,
    "cut off": lambda: [rounded(np.zeros(X.size, np.uint32))] * 8,
    "one seed for all calls": lambda: [drawn()[0]] * 8,
    "every second seed again": lambda: drawn(count=2) * 4,
    "lanes share a number": lanes,
    "a sixteenth too low": lambda: low_by(2**12),
    "two bits": lambda: drawn(bits=2),
    "none of the neighbours": lambda: [x + np.float32(1) for x in drawn()],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_draws_fail(name: str) -> None:
    """With the probability of a false alarm in the message."""
    with pytest.raises(BeyondContract, match="false-alarm probability 1e-09, 8 draws"):
        assert_stochastic("bfloat16", X, WRONG[name]())


@pytest.mark.parametrize("format", ["float8_e4m3fn", "int8", "mxfp8_e4m3", "nvfp4"])
def test_codes_with_their_scales(format: str) -> None:
    """Formats with groups and without, drawn by the reference; the nearest codes fail."""
    rule = QUANTIZERS[format]
    own = {"block_size": 64} if format == "int8" else {}
    x, rng = X[:3200], np.random.default_rng(2)

    def stored(rounding: str, *random: Any) -> dict[str, Any]:
        out = rule.encode(rule.Hyper(rounding=rounding, **own), x.astype(np.float64), *random)
        if not rule.BLOCKS:
            return {"code": out}
        code, scale = out[:2]
        wide = scale.dtype == np.float64
        return {"code": code, rule.SCALE: scale.astype(np.float32) if wide else scale}

    right = [stored("stochastic", rng.integers(0, 2**16, x.shape)) for _ in range(6)]
    assert_stochastic(format, x, right, own)
    with pytest.raises(BeyondContract):
        assert_stochastic(format, x, [stored("nearest_even")] * 6, own)


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "few": (("bfloat16", X[:100], [x[:100] for x in drawn()]), "8 draws of 100 numbers that lie"),
    "nothing between": (("bfloat16", np.ones(9, np.float32), [np.ones(9)] * 2), "of 0 numbers"),
    "one": (("bfloat16", X, drawn()[:1]), "draws must be at least 2, got 1"),
    "rounding": (("bfloat16", X, drawn(), {"rounding": "nearest_even"}), "got 'nearest_even'"),
    "scales": (("int8", X, drawn()), "must be a mapping with 'code' and its scales"),
    "shape": (("bfloat16", X, [X[:5], X]), "must have the shape of x, (4000,), got (5,)"),
    "type": (("bfloat16", X.astype(np.float64), drawn()), "x must be float32, got float64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_is_refused(case: str) -> None:
    """Too few draws are no pass; a ValueError shows the value."""
    arguments, message = REFUSED[case]
    with pytest.raises(ValueError) as raised:
        assert_stochastic(*arguments)
    assert message in str(raised.value)
