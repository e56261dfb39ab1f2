"""How far a faithful kernel may be from the definition at the end of a few steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Capability, Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import Lift, advanced, bounded, sampled
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.sampled import Sampled, quantile
from truestep.properties.kinds.optimizer import quantized_state, sampling
from truestep.properties.kinds.optimizer.laws.definitions import RULES, VALUE_ALONE, handed
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS, adamw_8bit
from truestep.reference.quantizers import dynamic_8bit

Bounds = Mapping[str, NDArray[np.float64]]


def path_bounds(
    capability: Capability, hyper: Any, slot: Slot, gradients: Sequence[Any]
) -> dict[str, NDArray[np.float64]]:
    """The largest errors, by output, after a step with each gradient in turn from slot on.

    Those of the capability's arithmetic and of the float64 definition together. A gradient may be a
    function of the parameter. Where a rule has observables, the bounds are on these. A
    rule with a line search is sampled, as those with decompositions are.
    """
    rule = RULES[capability.rule]
    kinds = (arithmetic_of(capability.arithmetic), ORACLE)
    if rule is OPTIMIZERS["adamw_8bit"]:
        return _quantized(hyper, slot, kinds)
    searches = capability.rule in FROM_FUNCTION and capability.rule not in VALUE_ALONE
    one = _sampled if searches or hasattr(rule, "observables") else _bounded
    found = [one(capability.rule, hyper, slot, gradients, kind) for kind in kinds]
    return {name: e + found[1][name] for name, e in found[0].items()}


def _path(
    name: str, hyper: Any, slot: Slot, gradients: Sequence[Any], lift: Lift
) -> dict[str, Any]:
    """The outputs of the last step in the arrays that lift makes, each step's stored."""
    rule, h = RULES[name], lift.hyper(hyper)
    state, p = lift.state(rule.State, slot.state), lift.tensor(slot.param)
    outputs: dict[str, Any] = {}
    for gradient in gradients:
        g = gradient(p) if callable(gradient) else gradient
        g, others = handed(name, g, slot.inputs, lambda x: lift.tensor(x) if _plain(x) else x)
        outputs = lift.outputs(*advanced(rule, h, state, p, g, others))
        p = outputs["p"]
        state = rule.State(**{k: x for k, x in outputs.items() if k != "p"})
    return outputs


def _plain(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def _bounded(
    name: str, hyper: Any, slot: Slot, gradients: Sequence[Any], arithmetic: Arithmetic
) -> dict[str, NDArray[np.float64]]:
    outputs = _path(name, hyper, slot, gradients, bounded(arithmetic))
    arrays = {k: x for k, x in outputs.items() if k != "t"}
    return {k: x.e if isinstance(x, Bounded) else np.zeros(np.shape(x)) for k, x in arrays.items()}


def _sampled(
    name: str, hyper: Any, slot: Slot, gradients: Sequence[Any], arithmetic: Arithmetic
) -> dict[str, NDArray[np.float64]]:
    world = sampling.replicates(arithmetic)
    rule = RULES[name]
    outputs = _path(name, hyper, slot, gradients, sampled(world))
    if world.overflows:
        raise Undecided(f"{world.overflows[0]} left the range of the format")
    rows = []
    for i in range(world.count + 1):
        values = {k: x.x[i] if isinstance(x, Sampled) else x for k, x in outputs.items()}
        if hasattr(rule, "observables"):
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


def _quantized(
    hyper: Any, slot: Slot, kinds: Sequence[Arithmetic]
) -> dict[str, NDArray[np.float64]]:
    """Of codes: how many lie between those that the moment's and the scale's errors admit."""
    kernel, oracle = (quantized_state.moments(hyper, slot, kind) for kind in kinds)
    out = {"p": kernel["p"].stored("p").e + oracle["p"].stored("p").e}
    for name, signed in quantized_state.MOMENTS:
        moment, truth = kernel[name], oracle[name]
        scale = quantized_state.block_absmax(hyper, moment)
        out[f"{name}_absmax"] = scale.e + quantized_state.block_absmax(hyper, truth).e
        quantizer = adamw_8bit.quantizer(hyper, signed=signed)
        with np.errstate(all="ignore"):
            relative = np.where(scale.v > 0, scale.e / scale.v, 0.0)
        spread = dynamic_8bit.per_element(quantizer, relative, slot.param.shape)
        low, high = dynamic_8bit.admissible(
            quantizer, moment.v, scale.v, error=moment.e + truth.e + np.abs(moment.v) * spread
        )
        known = np.isfinite(moment.e) & np.isfinite(moment.v)
        out[f"{name}_code"] = np.where(known, (high - low).astype(np.float64), np.inf)
    return out
