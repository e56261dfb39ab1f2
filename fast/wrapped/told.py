"""What was found, in words."""

from truestep.fast.wrapped.search import WITHIN, Found
from truestep.reference.optimizers import OPTIMIZERS


def arithmetic(found: Found) -> str:
    """How a rule is expected to round in float32: with sums, one number is added after another."""
    if found.rule == "muon" and found.error > WITHIN:
        return "bfloat16_newton_schulz"
    elementwise = OPTIMIZERS[found.rule].FACTS.elementwise
    return "ieee_float32" if elementwise else "sequential_float32"


def declaration(found: Found, rounding: str) -> str:
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
    fixed = [f"{name} = {value}" for name, value in sorted(found.fixed.items())]
    parts = [", ".join([f"judged as {found.rule}", *form])]
    parts += [", ".join(each) for each in (kept, fixed) if each]
    parts.append(f"arithmetic {rounding}")
    return "; ".join(parts)
