"""How far a faithful kernel may be from the definition at the end of a few steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import OptimizerCapability, Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import Lift, Outputs, advanced, bounded, sampled
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.sampled import Sampled, quantile
from truestep.properties.judge.remembered import remembered
from truestep.properties.kinds.optimizer import sampling, stored
from truestep.properties.kinds.optimizer.laws.definitions import RULES, handed
from truestep.properties.kinds.optimizer.storage import StoredRule, rule_of
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.validation import Array

Bounds = Mapping[str, NDArray[np.float64]]
# A gradient, or what gives it from the parameter.
Gradient = Array | Callable[[Array], Array]


def path_bounds(
    capability: OptimizerCapability, hyper: Hyper, slot: Slot, gradients: Sequence[Gradient]
) -> Bounds:
    """The largest errors, by output, after a step with each gradient in turn from slot on.

    Those of the capability's arithmetic and of the float64 definition together. Where a rule has
    observables, the bounds are on these. A rule with a line search is sampled, as those with
    decompositions are.
    """
    rule = rule_of(capability)
    kinds = (arithmetic_of(capability.arithmetic), ORACLE)
    if isinstance(rule, StoredRule):
        return _stored(rule, hyper, slot, kinds)
    searches = capability.rule in FROM_FUNCTION and not rule.FACTS.values_alone
    one = _sampled if searches or rule.FACTS.observables else _bounded

    def made() -> Bounds:
        found = [one(capability.rule, hyper, slot, gradients, kind) for kind in kinds]
        return {name: e + found[1][name] for name, e in found[0].items()}

    arrays = [g.tobytes() for g in gradients if isinstance(g, np.ndarray)]
    if len(arrays) < len(gradients):  # functions of the parameter, which no key tells apart
        return made()
    return remembered(("path", capability.rule, hyper, kinds[0].name, *arrays), slot, made)


def _path(
    name: str, hyper: Hyper, slot: Slot, gradients: Sequence[Gradient], lift: Lift
) -> Outputs:
    """The outputs of the last step in the arrays that lift makes, each step's stored."""
    rule, h = RULES[name], lift.hyper(hyper)
    state, p = lift.state(rule.State, slot.state), lift.tensor(slot.param)
    outputs: Outputs = {}

    def enter(x: Array) -> Array:
        return lift.tensor(x) if isinstance(x, np.ndarray) else x

    for gradient in gradients:
        g = gradient(p) if callable(gradient) else gradient
        g, others = handed(name, g, slot.inputs, enter)
        outputs = lift.outputs(*advanced(rule, h, state, p, g, others))
        p = outputs["p"]
        state = rule.State(**{k: x for k, x in outputs.items() if k != "p"})
    return outputs


def _bounded(
    name: str, hyper: Hyper, slot: Slot, gradients: Sequence[Gradient], arithmetic: Arithmetic
) -> Bounds:
    outputs = _path(name, hyper, slot, gradients, bounded(arithmetic))
    arrays = {k: x for k, x in outputs.items() if k != "t"}
    return {k: x.e if isinstance(x, Bounded) else np.zeros(np.shape(x)) for k, x in arrays.items()}


def _sampled(
    name: str, hyper: Hyper, slot: Slot, gradients: Sequence[Gradient], arithmetic: Arithmetic
) -> Bounds:
    world = sampling.replicates(arithmetic)
    rule = RULES[name]
    outputs = _path(name, hyper, slot, gradients, sampled(world))
    if world.overflows:
        raise Undecided(f"{world.overflows[0]} left the range of the format")
    rows = []
    for i in range(world.count + 1):
        values = {k: x.x[i] if isinstance(x, Sampled) else x for k, x in outputs.items()}
        if rule.FACTS.observables:
            p = values.pop("p")
            values = sampling.observables(rule, hyper, values, p)
        rows.append({k: np.asarray(x, dtype=np.float64) for k, x in values.items() if k != "t"})
    return {k: _spread(np.stack([row[k] for row in rows])) for k in rows[0]}


def _spread(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an error like the replicates' exceeds with probability FALSE_ALARM, by element."""
    with np.errstate(all="ignore"):
        strayed = rows[1:] - rows[0]
        factor = quantile(len(strayed), max(1, rows[0].size))
        spread = factor * np.sqrt(np.mean(strayed**2, axis=0))
        alike = np.all((rows == rows[0]) | (np.isnan(rows) & np.isnan(rows[0])), axis=0)
    return np.where(alike, 0.0, np.where(np.isfinite(spread), spread, np.inf))


def _stored(rule: StoredRule, hyper: Hyper, slot: Slot, kinds: Sequence[Arithmetic]) -> Bounds:
    """Of codes: how many lie between those that the number's and the scale's errors admit."""
    kernel, oracle = (stored.moments(rule, hyper, slot, kind) for kind in kinds)
    out: dict[str, NDArray[np.float64]] = {}
    for name, due in kernel.items():
        if name == "t":
            continue
        truth = oracle[name]
        if name not in rule.kept:
            out[name] = due.e + truth.e
            continue
        quantizer, how = rule.quantizer(name), hyper.storage[name]
        scale = stored.block_absmax(how, due)
        out[f"{name}_absmax"] = scale.e + stored.block_absmax(how, truth).e
        with np.errstate(all="ignore"):
            relative = np.where(scale.v > 0, scale.e / scale.v, 0.0)
        spread = quantizer.per_element(how, relative, due.shape)
        error = due.e + truth.e + np.abs(due.v) * spread
        low, high = quantizer.admissible(how, due.v, scale.v, error=error)
        known = np.isfinite(due.e) & np.isfinite(due.v)
        out[f"{name}_code"] = np.where(known, (high - low).astype(np.float64), np.inf)
    return out
