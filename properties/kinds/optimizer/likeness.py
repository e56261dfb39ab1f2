"""A first look at another reading of a rule, which spares most of hundreds their bounds."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.properties.search.identification import Unlike
from truestep.reference.declared import Hyper
from truestep.reference.rules import Optimizer

# Units of the coarsest rounding that half of a tensor is not off by, but in another reading.
_ROUNDINGS = 2**12


def require_likeness(
    rule: Optimizer,
    hyper: Hyper,
    slots: Sequence[Slot],
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
) -> None:
    """Raise Unlike where half of a tensor is off by more than rounding makes of it, or a quarter.

    What is judged by replicates or in codes is not looked at.
    """
    if rule.FACTS.observables or isinstance(rule, StoredRule):
        return
    formats = arithmetic.compute, arithmetic.hyper, arithmetic.counter, *arithmetic.storage.values()
    part = min(0.25, _ROUNDINGS * max(format_named(name).u for name in formats))
    for slot, new in zip(slots, results, strict=True):
        for name, due in stepped(rule, hyper, slot, plain()).items():
            old, got = (
                np.asarray(x, dtype=np.float64) for x in
                ((slot.param, new.param) if name == "p" else (slot.state[name], new.state[name]))
            )  # fmt: skip
            with np.errstate(invalid="ignore"):
                # Of what a step takes back to zero nothing but rounding may be left.
                size = np.maximum(np.abs(old), np.maximum(np.abs(got), np.abs(due)))
                off = np.abs(got - due) > part * size
            if 2 * np.count_nonzero(off) > got.size:
                raise Unlike(name)
