"""Algebraic invariants: those that every rule is asked about, and those of single families."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.claims import Law
from truestep.properties.kinds.optimizer.laws.common import COMMON
from truestep.properties.kinds.optimizer.laws.special import SPECIAL

LAWS: dict[str, Law] = dict(sorted({**COMMON, **SPECIAL}.items()))

__all__ = ["COMMON", "LAWS", "SPECIAL"]
