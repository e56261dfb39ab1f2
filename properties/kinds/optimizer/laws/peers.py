"""A rule beside another: the step of a kernel, claimed to be that of another rule."""

from collections.abc import Mapping

import numpy as np

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded, stepped
from truestep.properties.arithmetic.profiles import ORACLE
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due
from truestep.properties.laws.claims import Claims
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import OPTIMIZERS


def evaluated(
    other: str, trial: Trial, tensors: Mapping[str, str], **fields: object
) -> dict[str, Bounded]:
    """The other rule's step from a trial, with bounds on its rounding in float64.

    tensors: fields of the other's state by their names in the trial's; the rest is fresh.
    Hyperparameters and dialects carry over where both rules have them; fields are set beside.
    """
    rule = OPTIMIZERS[other]
    shared = {
        k: x
        for k, x in trial.hyper.items()
        if k in rule.Hyper.__dataclass_fields__ and x in rule.DIALECTS.get(k, (x,))
    }
    hyper = rule.Hyper(**{**shared, **fields})
    state = fields_of(rule.init(hyper, np.asarray(trial.p, dtype=np.float64)))
    state |= {mine: trial.slot.state[theirs] for mine, theirs in tensors.items()}
    state["t"] = trial.t
    out = stepped(rule, hyper, Slot(trial.p, trial.g, state), bounded(ORACLE))
    return {k: out[k] for k in ("p", *tensors) if isinstance(out[k], Bounded)}


def as_rule(
    bench: Bench, trial: Trial, other: str, tensors: Mapping[str, str], **fields: object
) -> Claims:
    """Claims that a step is the other rule's, in p and in the tensors."""
    out = bench.step(trial)
    for name, formula in evaluated(other, trial, tensors, **fields).items():
        yield due("p" if name == "p" else tensors[name], out, formula)
