"""Numbers as people read them: never rounded across a limit, and floats also in hex."""

import itertools
import math
from collections.abc import Container

from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.judge.results import HISTOGRAM_EDGES

# A check passes up to this utilisation, and its histogram ends there.
LIMIT = HISTOGRAM_EDGES[-1]


def utilisation(value: float | str | None) -> str:
    """A short number, rounded away from 1 and from the limit rather than onto them."""
    if value is None:
        return "–"
    number = float(value)
    if not math.isfinite(number):
        return {"inf": "∞", "-inf": "-∞"}.get(repr(number), "nan")
    if number == 0.0:
        return "0"
    if number < 0.005:
        return "<0.01"
    if number >= 1000:
        return _power(f"{number:.1e}")
    if number >= 10:
        return f"{number:.{2 - int(math.log10(number))}f}"
    for digits in (2, 3):
        text = f"{number:.{digits}f}"
        if float(text) not in (1.0, LIMIT) or float(text) == number:
            return text
    away = math.floor if number < float(text) else math.ceil
    return f"{away(number * 1000) / 1000:.3f}"


def ulps(got: object, due: object, format: str) -> str:
    """How many units in the last place of the format two recorded numbers differ by, "" if unknown.

    A unit is the distance of the format's numbers at the one that is due.
    """
    one, other = _float(got), _float(due)
    if one is None or other is None or format not in FORMATS or not math.isfinite(one - other):
        return ""
    of = FORMATS[format]
    size = max(abs(other), of.least_normal)
    unit = math.ldexp(of.u, math.frexp(size)[1])
    return utilisation(abs(one - other) / unit)


def _power(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def percent(fraction: float) -> str:
    """A share rounded down, so that 100 % means all of it and 0 % none of it."""
    if fraction >= 1:
        return "100 %"
    if fraction <= 0:
        return "0 %"
    tenths = math.floor(fraction * 1000) / 10
    return "<0.1 %" if tenths == 0 else f"{tenths:g} %"


def count(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def plural(number: int, noun: str) -> str:
    """A count with its noun: "1 check", "2 checks"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def distinct(name: str, taken: Container[str], form: str) -> str:
    """The name, numbered as in "{} ({})" where it is taken."""
    numbered = (name if n == 1 else form.format(name, n) for n in itertools.count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def duration(seconds: float) -> str:
    """A time: "4.2 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def both(value: object) -> tuple[str, str]:
    """A recorded number as (decimal, hex); hex is empty for what is no float.

    Accepts floats, "inf", "nan" and hex strings as float.hex writes them.
    """
    number = _float(value)
    if number is None:
        return str(value), ""
    return repr(number), number.hex() if math.isfinite(number) else ""


def _float(value: object) -> float | None:
    if not isinstance(value, str):
        return value if isinstance(value, float) else None
    try:
        return float.fromhex(value) if "0x" in value.lower() else float(value)
    except (ValueError, OverflowError):
        return None
