"""What dtypes of arrays are called in a message: only those of numbers pass."""

from functools import cache, lru_cache

import numpy as np

from truestep.fast.protocol import DType, numpy_dtype

_NUMBERS = "biufc"


def numeric(dtype: DType) -> bool:
    """Whether its values are numbers of NumPy, in whichever order of bytes, or of ml_dtypes."""
    return dtype.kind in _NUMBERS or dtype.isbuiltin == 2


@cache
def name_of(dtype: DType) -> str:
    """NumPy's own short name, or that of a format of ml_dtypes."""
    return dtype.name if dtype.isbuiltin == 2 else dtype.str


@lru_cache(maxsize=256)
def named(name: object) -> DType:
    """The dtype of that name; raises TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"a dtype is {name!r}")
    try:
        found: DType = np.dtype(name) if name[:1] in "<>|" else numpy_dtype(name)
    except SyntaxError as error:
        raise ValueError(f"a dtype is {name!r}") from error
    if not numeric(found):
        raise ValueError(f"a dtype is {name!r}")
    return found
