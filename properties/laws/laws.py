"""Algebraic invariants: those that every rule is asked about, and those of single families."""

from __future__ import annotations

from truestep.properties.laws.claims import Law
from truestep.properties.laws.common import COMMON
from truestep.properties.laws.degrees import DEGREES
from truestep.properties.laws.special import SPECIAL

LAWS: dict[str, Law] = dict(sorted({**COMMON, **SPECIAL}.items()))

__all__ = ["COMMON", "DEGREES", "LAWS", "SPECIAL"]
