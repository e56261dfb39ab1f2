"""How far a faithful kernel may be from the definition at the end of a few steps."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import OptimizerCapability, Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import Lift, Outputs, bounded, sampled
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.judge.remembered import remembered
from truestep.properties.judge.truth import faultless
from truestep.properties.kinds.optimizer import sampling, stored
from truestep.properties.kinds.optimizer.laws.definitions import RULES, handed
from truestep.properties.kinds.optimizer.storage import StoredRule, rule_of
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.validation import Array

Bounds = Mapping[str, NDArray[np.float64]]
# A gradient, or what gives it from the parameter.
Gradient = Array | Callable[[Array], Array]


def path_bounds(
    capability: OptimizerCapability,
    hyper: Hyper,
    slot: Slot,
    gradients: Sequence[Gradient],
    *,
    whole: bool,
) -> Bounds:
    """The largest errors, by output, after a step with each gradient in turn from slot on.

    Those of the capability's arithmetic; whole: and of the float64 definition together. Where a
    rule has observables, the bounds are on these. A rule with a line search is sampled, as those
    with decompositions are.
    """
    rule = rule_of(capability)
    kinds = (arithmetic_of(capability.arithmetic), *([ORACLE] if whole else []))
    if isinstance(rule, StoredRule):
        return _stored(rule, hyper, slot, kinds)
    searches = capability.rule in FROM_FUNCTION and not rule.FACTS.values_alone
    one = _sampled if searches or rule.FACTS.observables else _bounded

    def made() -> Bounds:
        found = [one(capability.rule, hyper, slot, gradients, kind) for kind in kinds]
        return {name: sum(each[name] for each in found[1:]) + e for name, e in found[0].items()}

    arrays = [g.tobytes() for g in gradients if isinstance(g, np.ndarray)]
    if len(arrays) < len(gradients):  # functions of the parameter, which no key tells apart
        return made()
    return remembered(("path", capability.rule, hyper, kinds[0].name, whole, *arrays), slot, made)


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
        g = lift.stored("p", gradient(p)) if callable(gradient) else gradient
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
    outputs = _path(name, hyper, slot, gradients, sampled(world))
    rows = sampling.in_rows(RULES[name], hyper, outputs, world)
    return {k: sampling.spread(x) for k, x in rows.items()}


def _stored(rule: StoredRule, hyper: Hyper, slot: Slot, kinds: Sequence[Arithmetic]) -> Bounds:
    """Of codes: how many lie between those that the number's and the scale's errors admit."""
    [kernel], *rest = (stored.moments(rule, hyper, [slot], kind) for kind in kinds)
    oracle: Outputs = rest[0][0] if rest else {}
    out: dict[str, NDArray[np.float64]] = {}
    for name, due in kernel.items():
        if name not in rule.kept:
            out[name] = _size(due) + (_size(oracle[name]) if oracle else 0.0)
            continue
        truth = oracle.get(name, faultless(due))
        quantizer, how = rule.quantizer(name), hyper.storage[name]
        scale, value, error, out[rule.scale_of(name)] = _scale(rule, hyper, name, due, truth)
        with np.errstate(all="ignore"):
            relative = np.where(value != 0, error / np.abs(value), 0.0)
            # Of several scales that an element may have, the one that may be off farthest.
            spread = -quantizer.per_element(how, -relative, due.shape)
            error = due.e + truth.e + np.abs(due.v) * spread
            low, high = quantizer.admissible(how, due.v, scale, error=error)
        known = np.isfinite(due.e) & np.isfinite(due.v)
        out[f"{name}_code"] = np.where(known, (high - low).astype(np.float64), np.inf)
    return out


def _scale(
    rule: StoredRule, hyper: Hyper, name: str, due: Bounded, truth: Bounded
) -> tuple[Array, Array, Array, Array]:
    """A stored tensor's scale as it is stored, its value, and how far both sides may be from it.

    At last how far they may be from it as it is stored, which of some is a code.
    """
    quantizer = rule.quantizer(name)
    if hasattr(quantizer, "block_absmax"):
        one, other = (stored.block_absmax(rule, hyper, name, x) for x in (due, truth))
        return one.v, one.v, one.e + other.e, one.e + other.e
    low, high, known = stored.scales(rule, hyper, name, due, truth)
    value, most = (stored.scale_value(quantizer, x) for x in (low, high))
    error = np.where(known, most - value, np.inf)
    return low, value, error, np.where(known, high.astype(np.float64) - low, np.inf)


def _size(x: Array) -> NDArray[np.float64]:
    return x.e if isinstance(x, Bounded) else sampling.spread(x)
