"""What was found, in words."""

from truestep.fast.wrapped import search
from truestep.fast.wrapped.search import Found

# How libraries round in float32, the strictest first: each operation by itself; with functions of
# the counter in float32; with all numbers in float32. Norms are added up one number after another.
_ELEMENTS = ("ieee_float32", "capturable_float32", "float32_hyper")
_SUMS = ("sequential_float32", "sequential_float32_hyper")


def arithmetics(found: Found) -> tuple[str, ...]:
    """How an optimizer may round: the judge finds which it is."""
    if found.rule == "muon" and found.error > search.WITHIN:
        return ("bfloat16_newton_schulz", "bfloat16_newton_schulz_hyper")
    return _SUMS if search.mixes(found) else _ELEMENTS


def declaration(found: Found, rounding: str | tuple[str, ...]) -> str:
    """One line: the rule, its form, whose state is whose, and what is held fixed."""
    form = [f"{name} {value}" for name, value in sorted(found.dialect.items())]
    kept = [
        f"{ours} is {'-' if place.negative else ''}{place.name}"
        for ours, place in sorted(found.state.items())
    ]
    if found.counter:
        kept.append(f"t is {found.counter.name}")
    if found.unseen:
        kept.append(f"{', '.join(found.unseen)} not seen")
    if found.beside:
        kept.append(f"{', '.join(found.beside)} not of this rule")
    fixed = [f"{name} = {value}" for name, value in sorted(found.fixed.items())]
    parts = [", ".join([f"judged as {found.rule}", *form])]
    parts += [", ".join(each) for each in (kept, fixed) if each]
    if isinstance(rounding, str):  # else the judge says which of them it found
        parts.append(f"arithmetic {rounding}")
    return "; ".join(parts)
