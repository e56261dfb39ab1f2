"""A first look at another reading of a rule, which spares most of hundreds their bounds."""

import numpy as np

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.search.identification import Unlike

# Units of the coarsest rounding that half of a tensor is not off by, but in another reading.
_ROUNDINGS = 2**12


def require_likeness(
    name: str, got: Array, due: Array, arithmetic: Arithmetic, was: Array | float = 0.0
) -> None:
    """Raise Unlike where half a tensor is off by more than rounding makes of it, or a quarter.

    was: the numbers before the step: where it goes back to zero, rounding alone may be left.
    """
    formats = arithmetic.compute, arithmetic.hyper, arithmetic.counter, *arithmetic.storage.values()
    part = min(0.25, _ROUNDINGS * max(format_named(each).u for each in formats))
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(was), np.maximum(np.abs(got), np.abs(due)))
        off = np.abs(got - due) > part * size
    if 2 * np.count_nonzero(off) > got.size:
        raise Unlike(name)
