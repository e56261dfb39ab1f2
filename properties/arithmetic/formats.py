"""Binary floating-point formats: the units in which every bound is written."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import numpy_dtype
from truestep.reference.silence import SILENCE


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format: precision counts the hidden bit too; emin and emax as in IEEE 754.

    Round to nearest gives |fl(x) - x| <= u |x| + eta for every |x| <= largest, where u =
    2^-precision and eta is half the least subnormal number (Higham, Accuracy and Stability of
    Numerical Algorithms, 2.1 and 2.2).
    """

    name: str
    precision: int
    emin: int
    emax: int
    # Unit roundoff of round to nearest.
    u: float = field(init=False, repr=False, compare=False)
    # Underflow unit; for float64 the least subnormal, since half of it is no float64.
    eta: float = field(init=False, repr=False, compare=False)
    # The least positive normal number, and the largest finite one.
    least_normal: float = field(init=False, repr=False, compare=False)
    largest: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        units = {
            "u": 2.0**-self.precision,
            "eta": max(2.0 ** (self.emin - self.precision), 5e-324),
            "least_normal": 2.0**self.emin,
            "largest": (2 - 2.0 ** (1 - self.precision)) * 2.0**self.emax,
        }
        for name, value in units.items():
            object.__setattr__(self, name, value)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype that stores this format."""
        return numpy_dtype(self.name)

    def round(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """x rounded to the nearest number of this format, ties to even, as float64."""
        if self.name == "float64":
            return x
        with SILENCE:
            return np.asarray(x).astype(self.dtype).astype(np.float64)

    def represents(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where x is a finite number of this format."""
        return np.asarray((self.round(x) == x) & np.isfinite(x))


FORMATS = {
    "bfloat16": Format("bfloat16", precision=8, emin=-126, emax=127),
    "float16": Format("float16", precision=11, emin=-14, emax=15),
    "float32": Format("float32", precision=24, emin=-126, emax=127),
    "float64": Format("float64", precision=53, emin=-1022, emax=1023),
}


def format_named(name: str) -> Format:
    """The format of that name; an unknown name raises ValueError and lists the known ones."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}; known: {', '.join(FORMATS)}")
    return FORMATS[name]
