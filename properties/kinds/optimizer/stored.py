"""Judging state that is kept as codes: from the codes in, to the codes out.

The step starts from the kernel's own codes and scales, decoded as the kernel decodes them (one
product per element). What is not stored is judged as that of any optimizer; a new scale by those of
error-carrying numbers; a new code, by its place in the order of values, by the interval that the
number, with its error, and the kernel's own scale admit; a drawn one as either of two neighbours.

Of a rule that is judged by replicates, a number's error is what theirs exceed with probability
FALSE_ALARM. A tensor that is stored is judged where the definition determines it as it is, and of
the observables those that no stored tensor enters.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array, Slot, State, Stepped
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import Lift, Outputs, bounded, sampled, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic
from truestep.properties.arithmetic.sampled import Sampled
from truestep.properties.judge import truth
from truestep.properties.judge.contracts import (
    LINEAR,
    Judgement,
    enclosure,
    judge,
    judge_sampled,
    membership,
    not_judged,
)
from truestep.properties.kinds.optimizer import sampling, split
from truestep.properties.kinds.optimizer.joint import flat, joined, parts
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.reference.declared import Hyper
from truestep.reference.erring_extremes import either_sign
from truestep.reference.rules import Quantizer
from truestep.reference.splits import Split

Float = NDArray[np.float64]
# The least number of float32.
_LEAST = 2.0**-149
_NO_LEVEL = Hyper()


def judgements(
    rule: StoredRule,
    hyper: Hyper,
    slots: Sequence[Slot],
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
) -> Iterator[tuple[int, str, Judgement]]:
    """Every tensor of the slots' step, judged: p, then the state in its order, by slot."""
    given = [determined(rule, hyper, new.state, new.param) for new in results]

    def found(oracle: Sequence[Outputs]) -> Iterator[tuple[tuple[int, str], Judgement]]:
        for i, (got, due, truths) in enumerate(zip(given, kernel, oracle, strict=True)):
            for name, x in due.items():
                if name in rule.kept:
                    own = truths.get(name, truth.faultless(x))
                    for where, judgement in _stored(rule, hyper, name, got, x, own):
                        yield (i, where), judgement
                elif name in got:
                    one = judge if isinstance(x, Bounded) else judge_sampled
                    yield (i, name), one(got[name], x, truths.get(name))

    try:
        kernel = moments(rule, hyper, slots, arithmetic)
        judged = truth.decided(
            found,
            [dict[str, Array]()] * len(kernel),
            lambda: moments(rule, hyper, slots, ORACLE),
            measured=truth.measured(arithmetic, slots[0].grad),
        )
    except (Undecided, np.linalg.LinAlgError):
        if not rule.FACTS.observables:
            raise
        judged = [((0, name), not_judged(x.size)) for name, x in given[0].items()]
    return ((i, name, judgement) for (i, name), judgement in judged)


def determined(rule: StoredRule, hyper: Hyper, state: State, p: Array) -> dict[str, Array]:
    """What is judged of a new state and parameter, by name."""
    arrays = {name: np.asarray(x) for name, x in state.items() if name != "t"}
    arrays |= {
        code: rule.quantizer(name).rank(arrays[code])
        for name, code in ((name, f"{name}_code") for name in rule.kept)
        if not isinstance(rule.quantizer(name), Split)
    }
    if not rule.FACTS.observables:
        return {"p": np.asarray(p), **arrays}

    def found(number: float) -> dict[str, Float]:
        # What a stored tensor enters, or is, shows when it is another.
        kept = {name: np.full(arrays[f"{name}_code"].shape, number) for name in rule.kept}
        plain = {name: x for name, x in state.items() if name in rule.plain_state}
        return sampling.observables(rule.plain, hyper, {**plain, **kept}, p)

    one, two = found(1.0), found(2.0)
    alike = [k for k, x in one.items() if np.array_equal(x, two[k], equal_nan=True)]
    out = {k: one[k] for k in alike if k not in rule.kept}
    for name in rule.kept:
        if name in one and np.all(one[name] == 1.0) and np.all(two[name] == 2.0):
            out |= {k: arrays[k] for k in (f"{name}_code", rule.scale_of(name))}
    return out


def _stored(
    rule: StoredRule,
    hyper: Hyper,
    name: str,
    got: Mapping[str, Array],
    due: Bounded,
    truth: Bounded,
) -> Iterator[tuple[str, Judgement]]:
    if f"{name}_code" not in got:
        return
    quantizer, how, arithmetic = rule.quantizer(name), hyper.storage[name], due.arithmetic
    scale = got[rule.scale_of(name)]
    if isinstance(quantizer, Split):
        yield from split.judgements(quantizer, how, name, got, scale, due, truth)
        return
    yield rule.scale_of(name), _scale_judged(rule, hyper, name, scale, due, truth)
    own = scale.astype(np.float64) if scale.dtype.kind == "f" else scale

    def admissible(x: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):
            ends: tuple[Array, Array] = quantizer.admissible(
                how,
                x,
                own,
                error=due.e + truth.e,
                division_ulps=arithmetic.ulps_division,
                flush_subnormals=arithmetic.subnormals == "flushed",
            )
        return ends

    low, high = admissible(due.v)
    if np.any(due.v == 0):
        # The sign of a zero that is computed follows from the order of evaluation.
        other = admissible(np.where(due.v == 0, -due.v, due.v))
        low, high = np.minimum(low, other[0]), np.maximum(high, other[1])
    # Where nothing is known of the number, every code is admissible.
    unknown = ~np.isfinite(due.e) | ~np.isfinite(due.v)
    count = quantizer.ranks(how)
    low, high = np.where(unknown, 0, low), np.where(unknown, count - 1, high)
    yield f"{name}_code", membership(got[f"{name}_code"], low, high, count)


def _scale_judged(
    rule: StoredRule, hyper: Hyper, name: str, scale: Array, due: Bounded, truth: Bounded
) -> Judgement:
    if hasattr(rule.quantizer(name), "block_absmax"):
        return judge(scale, *(block_absmax(rule, hyper, name, x) for x in (due, truth)))
    low, high, known = scales(rule, hyper, name, due, truth)
    # Of a scale about which nothing is known, it is itself what is due.
    return enclosure(scale, np.where(known, low, scale), np.where(known, high, scale))


def scales(
    rule: StoredRule, hyper: Hyper, name: str, due: Bounded, truth: Bounded
) -> tuple[Array, Array, Array]:
    """The least and the largest scale of the named tensor, as stored; where they are known."""
    quantizer, how = rule.quantizer(name), hyper.storage[name]
    x, e = due.v, np.broadcast_to(due.e + truth.e, due.shape)
    unknown = ~np.isfinite(x) | ~np.isfinite(e)
    x, e = np.where(unknown, 0.0, x), np.where(unknown, 0.0, e)
    least, most = np.maximum(np.abs(x) - e, 0.0), np.abs(x) + e
    # A block of zeros may have a scale of its own kind, and so may one whose scale underflows:
    # the least of the others is that of an extreme whose scale is the least number.
    sizes = [least, most]
    if not np.all(least > 0):
        underflow = np.minimum(most, _LEAST * quantizer.extreme(how))
        sizes.append(np.where(least > 0, least, underflow))
    ulps = due.arithmetic.ulps_division
    ends = [quantizer.scales(how, size, division_ulps=ulps) for size in sizes]
    low = np.minimum.reduce([low for low, _ in ends])
    high = np.maximum.reduce([high for _, high in ends])
    unsure = either_sign(quantizer, how, x, e) | (quantizer.extremes(how, 1.0 * unknown) != 0)
    if low.dtype.kind == "f":
        negative = quantizer.extremes(how, x) < 0
        low, high = np.where(negative, -high, low), np.where(negative, -low, high)
    return low, high, ~unsure


def moments(
    rule: StoredRule, hyper: Hyper, slots: Sequence[Slot], arithmetic: Arithmetic
) -> list[Outputs]:
    """The outputs of the plain rule's step from the decoded states, before they are encoded.

    Several slots are of an elementwise rule and agree on their count: one evaluation serves them.
    Of a rule that is judged by replicates, the rows of what it determines, and of the tensors that
    are stored the value with the replicates' error.
    """
    world = sampling.replicates(arithmetic)
    plain = sampled(world) if rule.FACTS.observables else bounded(arithmetic)
    lift = dataclasses.replace(
        plain,
        tensor=lambda x: x if isinstance(x, Bounded | Sampled) else plain.tensor(x),
        stored=lambda name, x: x if name in rule.kept else plain.stored(name, x),
    )
    whole = joined(slots)
    state = {name: x for name, x in whole.state.items() if name in rule.plain_state}
    state |= {name: _read(rule, hyper, name, slots, lift) for name in rule.kept}
    whole = dataclasses.replace(whole, state=state, param=state.pop("p", whole.param))
    outputs = stepped(rule.plain, hyper, whole, lift)
    if rule.FACTS.observables:
        kept = {name: _with_error(outputs[name], arithmetic) for name in rule.kept}
        return [sampling.in_rows(rule.plain, hyper, outputs, world) | kept]
    made = {k: _with_error(x, arithmetic) for k, x in outputs.items() if k != "t"}
    split = {name: parts(x, slots) for name, x in made.items()}
    return [{name: x[i] for name, x in split.items()} for i in range(len(slots))]


def _with_error(x: Array, arithmetic: Arithmetic) -> Bounded:
    """An output with what its error hardly ever exceeds, as far as that is known."""
    if isinstance(x, Bounded):
        return x
    if not isinstance(x, Sampled):
        # No number of the step has entered it, as a projection that is drawn: it is left open.
        drawn = np.asarray(x, dtype=np.float64)
        return Bounded(drawn, np.full(drawn.shape, np.inf), arithmetic, arithmetic.format)
    value, error = x.x[0], sampling.spread(x.x)
    scale = np.max(np.abs(value), where=np.isfinite(value), initial=0.0)
    return Bounded(value, np.where(error <= LINEAR * scale, error, np.inf), arithmetic, x.format)


def _read(rule: StoredRule, hyper: Hyper, name: str, slots: Sequence[Slot], lift: Lift) -> Array:
    """A stored tensor as the kernel reads it: the code's value times the scale of its block.

    Where values lie on a curve, by the format's own lines from the code and the scale.
    """
    quantizer, how = rule.quantizer(name), hyper.storage[name]
    codes = [np.asarray(slot.state[f"{name}_code"]) for slot in slots]
    if isinstance(quantizer, Split):
        of = rule.scale_of(name)
        highs = [slot.param if of == "p" else slot.state[of] for slot in slots]
        return split.read(quantizer, how, flat(codes), flat([np.asarray(x) for x in highs]), lift)
    curved = hasattr(quantizer, "expanded")
    held = [np.asarray(slot.state[rule.scale_of(name)]) for slot in slots]
    factors = [
        quantizer.per_element(
            how, scale.astype(np.float64) if curved else scale_value(quantizer, scale), x.shape
        )
        for scale, x in zip(held, codes, strict=True)
    ]
    if curved:
        counts = lift.tensor(quantizer.counted(flat(codes)))
        bent: Array = quantizer.expanded(counts, lift.tensor(flat(factors)))
        return bent
    read: Array = lift.tensor(quantizer.all_values(how)[flat(codes)]) * lift.tensor(flat(factors))
    if not hasattr(quantizer, "read_by"):
        return read
    factor, divisor = (lift.tensor(np.float64(x)) for x in quantizer.read_by(how))
    read = read * factor / divisor
    return read


def scale_value(quantizer: Quantizer, scale: Array) -> Array:
    """What a stored scale stands for, in float64, without what else a value is multiplied by."""
    if not hasattr(quantizer, "value"):
        return np.asarray(scale).astype(np.float64)
    value: Array = quantizer.value(_NO_LEVEL, np.asarray(scale))
    return value


def block_absmax(rule: StoredRule, hyper: Hyper, name: str, x: Bounded) -> Bounded:
    """The named tensor's absmax by the quantizer's own lines: choosing a number does not round."""
    quantizer, how = rule.quantizer(name), hyper.storage[name]
    v, e = np.abs(x.v), np.broadcast_to(x.e, x.shape)
    # An infinity or nan that is due for certain is due in its block's absmax too.
    due = ~np.isfinite(quantizer.block_absmax(how, np.where(e == 0, v, 0.0)))
    unknown = np.isinf(e) | (~np.isfinite(v) & (e > 0))
    with np.errstate(invalid="ignore"):
        value = quantizer.block_absmax(how, v)
        low = quantizer.block_absmax(how, np.where(unknown, 0.0, np.maximum(v - e, 0.0)))
        high = quantizer.block_absmax(how, np.where(unknown, np.inf, v + e))
        error = np.where(np.isfinite(value), np.maximum(high - value, value - low), np.inf)
    return Bounded(value, np.where(due, 0.0, error), x.arithmetic, x.format)
