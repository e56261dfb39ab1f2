"""By which contract an optimizer of one's own is judged: by bounds, where they are of any use."""

from dataclasses import replace

import numpy as np

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import bounded, stepped
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.reference import own
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array

# Steps in which it is looked at, from a fresh state on, and the tensors.
_STEPS = 3
_SHAPE = (4, 6)
_KNOWN: set[str] = set()


def choose_contract(rule: str) -> None:
    """Have a rule of one's own be judged by replicates where its bounds are vacuous.

    So where its lines use what no bound is carried through, or where the bound of most elements is
    larger than their step. A rule that declares its observables has chosen.
    """
    if rule not in own.OWN or rule in _KNOWN:
        return
    _KNOWN.add(rule)
    module = OPTIMIZERS[rule]
    if module.FACTS.observables is None and _vacuous(module):
        module.FACTS = replace(module.FACTS, observables=_everything)  # type: ignore[misc]


def _everything(h: Hyper, s: object, p: Array) -> dict[str, Array]:
    return {"p": p, **{name: x for name, x in fields_of(s).items() if name != "t"}}


def _vacuous(rule: Optimizer) -> bool:
    """Whether bounds at the defaults say nothing of most elements of every step."""
    rng = np.random.default_rng(0)
    h, p = rule.Hyper(), rng.standard_normal(_SHAPE)
    state = rule.init(h, p)
    for _ in range(_STEPS):
        g = rng.standard_normal(_SHAPE)
        inputs = {k: rng.standard_normal(of(_SHAPE)) for k, of in rule.FACTS.inputs.items()}
        slot = Slot(p, g, fields_of(state), inputs)
        new, q = advanced(rule, h, state, p, g, inputs)
        try:
            due = stepped(rule, h, slot, bounded(PROFILES["ieee_float32"]))["p"]
        except (TypeError, Undecided):
            return True
        if isinstance(due, Bounded) and np.mean(due.e < np.abs(q - p)) > 0.5:
            return False
        state, p = new, q
    return True
