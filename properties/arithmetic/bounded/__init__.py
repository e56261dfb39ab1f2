"""Error-carrying arrays: running error analysis by NumPy's dispatch."""

from truestep.properties.arithmetic.bounded.bounded import Bounded

__all__ = ["Bounded"]
