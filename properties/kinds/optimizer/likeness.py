"""A first look at another reading of a rule, which spares most of hundreds their bounds."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.properties.search.identification import Unlike
from truestep.reference.declared import Hyper
from truestep.reference.rules import Optimizer


def require_likeness(
    rule: Optimizer, hyper: Hyper, slots: Sequence[Slot], results: Sequence[Stepped]
) -> None:
    """Raise Unlike where half of a tensor lies off by a quarter or more.

    What is judged by replicates or in codes is not looked at.
    """
    if rule.FACTS.observables or isinstance(rule, StoredRule):
        return
    for slot, new in zip(slots, results, strict=True):
        for name, due in stepped(rule, hyper, slot, plain()).items():
            got = np.asarray(new.param if name == "p" else new.state[name], dtype=np.float64)
            with np.errstate(invalid="ignore"):
                off = np.abs(got - due) > np.maximum(np.abs(got), np.abs(due)) / 4
            if 2 * np.count_nonzero(off) > got.size:
                raise Unlike(name)
