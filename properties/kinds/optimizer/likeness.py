"""A step's tensors under another reading, at a first look."""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.lift import plain, stepped
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.properties.search import likeness
from truestep.reference.declared import Hyper
from truestep.reference.rules import Optimizer


def require_likeness(
    rule: Optimizer,
    hyper: Hyper,
    slots: Sequence[Slot],
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
) -> None:
    """Raise Unlike where a tensor is; what is judged by replicates or in codes is not looked at."""
    if rule.FACTS.observables or isinstance(rule, StoredRule):
        return
    for slot, new in zip(slots, results, strict=True):
        for name, due in stepped(rule, hyper, slot, plain()).items():
            pair = (slot.param, new.param) if name == "p" else (slot.state[name], new.state[name])
            was, got = (np.asarray(x, dtype=np.float64) for x in pair)
            likeness.require_likeness(name, got, due, arithmetic, was)
