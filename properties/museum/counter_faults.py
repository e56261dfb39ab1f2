"""Faults in step counters, bias corrections and the precision of constants and state."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np

from truestep.properties.museum.fault import Fault
from truestep.properties.museum.line_faults import bfloat16


@lru_cache(maxsize=256)
def _float32_product(beta: float, t: int) -> float:
    """beta^t as a float32 product of t factors; it has long underflowed after a million of them."""
    factors = np.full(min(t, 1_000_000), np.float32(beta))
    return float(np.multiply.reduce(factors, dtype=np.float32))


def _sequential(beta: float, t: int) -> float:
    factors = np.full(min(t, 1_000_000), np.float32(beta))
    return float(np.multiply.accumulate(factors, dtype=np.float32)[-1])


_accumulated = lru_cache(maxsize=256)(_sequential)


def _with(h: Any, **changes: float) -> SimpleNamespace:
    """Hyperparameters with some replaced, without their validation."""
    names = h.__dataclass_fields__
    return SimpleNamespace(**{name: getattr(h, name) for name in names} | changes)


def _through(cast: Any, *fields: str) -> Any:
    """A first line that rounds the named hyperparameters."""
    return lambda x: _with(x.h, **{f: float(cast(getattr(x.h, f))) for f in fields})
