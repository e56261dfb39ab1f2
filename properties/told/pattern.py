"""Where the elements err that a kernel gets wrong, in words: which tensors, and what tells them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from truestep.properties.judge.results import SLACK

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

# How close the order of errors has to be to the order of a number for it to be named.
_TREND = 0.6
# Of fewer elements an order says nothing.
_FEW = 6


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of some steps, in one row.

    numbers: what entered each, by name; t is the number of the step. ratios: of each tensor the
    utilisation, nan where it is not judged.
    """

    numbers: Mapping[str, Float]
    ratios: Mapping[str, Float]


def words(elements: Elements, exact: Sequence[str] = (), unit: str = "element") -> str:
    """As "t, m, v agree; p errs, most at small t"; exact: what was judged beside and agrees.

    unit: what an element is called.
    """
    erring = {name: ratio > SLACK for name, ratio in elements.ratios.items()}
    agreeing = [name for name, errs in erring.items() if not errs.any() and _judged(elements, name)]
    alike: dict[str, list[str]] = {}
    for name, errs in erring.items():
        if errs.any():
            alike.setdefault(_where(elements, name, errs, unit), []).append(name)
    told = [_verb(names, "err") + where for where, names in alike.items()]
    return "; ".join([_verb([*exact, *agreeing], "agree"), *told] if agreeing or exact else told)


def _verb(names: Sequence[str], verb: str) -> str:
    return f"{', '.join(names)} {verb}{'s' if len(names) == 1 else ''}"


def _judged(elements: Elements, name: str) -> bool:
    return not bool(np.isnan(elements.ratios[name]).all())


def _where(elements: Elements, name: str, errs: Mask, unit: str) -> str:
    ratio = elements.ratios[name]
    judged = ~np.isnan(ratio)
    errs, others = errs[judged], (~errs)[judged]
    numbers = {key: x[judged] for key, x in elements.numbers.items()}
    if not others.any():
        return f" in every {unit}{_trend(numbers, ratio[judged])}"
    exactly = next((told for told, where in _conditions(numbers, errs) if _same(where, errs)), "")
    if exactly:
        return f", only {exactly}"
    return f" in {errs.sum()} of {errs.size} {unit}s{_trend(numbers, ratio[judged])}"


def _same(one: Mask, other: Mask) -> bool:
    return bool(np.array_equal(one, other))


def _conditions(numbers: Mapping[str, Float], errs: Mask) -> Iterator[tuple[str, Mask]]:
    """What may hold of the elements that err and of no others, the plainest first."""
    for name, x in numbers.items():
        if name == "t":
            first, last = x[errs].min(), x[errs].max()
            if first == last:
                yield f"at t = {int(first)}", x == first
            yield f"up to t = {int(last)}", x <= last
            yield f"from t = {int(first)} on", x >= first
            continue
        yield f"where {name} = 0", x == 0
        yield f"where {name} is not 0", x != 0
        yield f"where {name} < 0", x < 0
        yield f"where {name} > 0", x > 0
        yield f"where {name} is not finite", ~np.isfinite(x)
    for name, x in numbers.items():
        size = np.abs(x)
        if name != "t" and np.isfinite(size).all():
            yield f"where |{name}| <= {size[errs].max():.3g}", size <= size[errs].max()
            yield f"where |{name}| >= {size[errs].min():.3g}", size >= size[errs].min()


def _trend(numbers: Mapping[str, Float], ratio: Float) -> str:
    """The number whose size orders the errors best."""
    if ratio.size < _FEW:
        return ""
    found = {name: _correlation(np.abs(x), ratio) for name, x in numbers.items()}
    name = max(found, key=lambda n: abs(found[n]), default="t")
    if abs(found.get(name, 0.0)) < _TREND:
        return ""
    size = "small" if found[name] < 0 else "large"
    return f", most at {size} t" if name == "t" else f", most where |{name}| is {size}"


def _correlation(x: Float, y: Float) -> float:
    """Spearman's, of ranks in which equal numbers count once."""
    ranks = [np.unique(a, return_inverse=True)[1].astype(np.float64) for a in (x, y)]
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
