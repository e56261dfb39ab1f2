"""What was found, in words."""

from truestep.fast.wrapped.search import Found
from truestep.reference.optimizers import OPTIMIZERS


def arithmetic(rule: str) -> str:
    """How a rule is expected to round in float32: with sums, one number is added after another."""
    return "ieee_float32" if OPTIMIZERS[rule].FACTS.elementwise else "sequential_float32"


def declaration(found: Found, rounding: str) -> str:
    """One line: the rule, its form, whose state is whose, and what is held fixed."""
    form = [f"{name} {value}" for name, value in sorted(found.dialect.items())]
    kept = [
        f"{ours} is {'-' if place.negative else ''}{place.name}"
        for ours, place in sorted(found.state.items())
    ]
    if found.counter:
        kept.append(f"t is {found.counter.name}")
    fixed = [f"{name} = {value}" for name, value in sorted(found.fixed.items())]
    parts = [", ".join([f"judged as {found.rule}", *form])]
    parts += [", ".join(each) for each in (kept, fixed) if each]
    parts.append(f"arithmetic {rounding}")
    return "; ".join(parts)
