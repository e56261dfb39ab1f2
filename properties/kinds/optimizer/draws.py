"""State tensors whose codes are drawn: how often each goes up, and that no draw repeats another.

Two equal tensors take the same step many times over. Of each element the definition says between
which two codes its number lies and, but for the kernel's rounding, how far: the probability of the
upper one. Weighted sums of what the elements did are held against it, by Bernstein's inequality:
over all elements, by their sign, by their probability and by what eight bits of it leave. Where a
code is certain, the other one is found at once.

A kernel may draw eight bits for a number, as hardware's conversions do. Its probabilities are then
multiples of 2^-8, below the number's or above it, in whichever direction it cuts. So each way of
drawing is a hypothesis, and a kernel fails where it agrees with none of them.

Draws are independent where the errors of two, code less probability, do not correlate: those of two
tensors, two calls, two steps, two states, or of elements at a distance in one tensor.

The probability that a faithful kernel fails is FALSE_ALARM for the check as a whole, shared equally
among what is tested (Bonferroni).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Group, OptimizerBackend, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.profiles import ORACLE, arithmetic_of
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged, Judgement, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.counts import Float, limit, within
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.step import Steps, begun, called, drawn_at
from truestep.properties.kinds.optimizer.storage import StoredRule, drawn_storage, draws, rule_of
from truestep.properties.kinds.optimizer.stored import moments
from truestep.reference.storages import STORAGES

NAME = "drawn_codes"
# Draws of each tensor: 2^22 in all with two tensors, so that where a probability is off by 2^-9 the
# weighted sum is by thirteen standard deviations, and a code that is certain is missed eight times.
_SHAPE = (128, 128)
_CALLS = 128
# A kernel that fails after a few calls is not called more often.
_FEW = 4
_TRIES = 64
# Distances at which a generator that is shared by lanes, warps, rows or blocks repeats itself.
_LAGS = tuple(2**k for k in range(13))
# What a probability may be off by where sixteen bits are drawn, as the definition's are.
_FINEST = 2.0**-16
_BITS = 2.0**8
# Of rests of so many bits a float32 number's last place is the last.
_BELOW = 16
# An element whose probability is less certain than this says little; if hardly any is, than that.
_VAGUE, _VAGUER = 2.0**-6, 2.0**-3
# Sums that _ways makes of a tensor's codes.
_SUMS = 4
_TOLD = ("how often a code goes up", "draws correlate")

Up = NDArray[np.bool_]


def applies(capability: OptimizerCapability) -> bool:
    """Whether chance decides the codes of some tensor, by more than float32's rounding does."""
    return any(
        draws(how) and getattr(STORAGES[how.quantizer], "bits", 0) < _BELOW
        for how in capability.storage.values()
    )


def case(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    """One group of two tensors with the same numbers, or of one; no drawn state stays zero."""
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        found = _drawn_case(capability, rng)
        if _moves(capability, found):  # not without momentum, say
            break
    return found


def _drawn_case(capability: OptimizerCapability, rng: np.random.Generator) -> OptimizerCase:
    number = int(rng.integers(2**32))
    slot = SlotCase(
        TensorSpec(_SHAPE, "normal", seed=number), TensorSpec(_SHAPE, "normal", seed=number ^ 1),
        t=9, history=3,
    )  # fmt: skip
    given = {**capability.dialect, **capability.fixed}
    hyper = continuous(rule_of(capability), given, rng) | drawn_storage(capability)
    return fitted(OptimizerCase((GroupCase(hyper, (slot, slot)),), steps=2), capability)


def _moves(capability: OptimizerCapability, case: OptimizerCase) -> bool:
    """Whether some number of every drawn state is not zero after the step."""
    rule = rule_of(capability)
    assert isinstance(rule, StoredRule)
    [group] = begun(rule, capability, case)
    [due] = moments(rule, group.hyper, group.slots[:1], ORACLE)
    names = [name for name in rule.kept if draws(group.hyper.storage[name])]
    return all(np.any(due[name].v != 0) for name in names)


def judged(
    backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> Steps:
    """The same step many times, and one that follows: what their codes have in common."""
    rule = rule_of(capability)
    assert isinstance(rule, StoredRule)
    [group] = begun(rule, capability, case)
    results = [called(rule, backend, capability, [group])[0] for _ in range(_FEW)]
    after = _after(rule, capability, group, case, results[0])
    later = called(rule, backend, capability, [after])[0]
    told, next_told = _Told(rule, capability, group), _Told(rule, capability, after)
    first, second = told.of(results), next_told.of([later])
    pairs = [(name, pair) for name in first for pair in _pairs(name, first, second)]
    level = FALSE_ALARM / (len(pairs) + 2 * _SUMS * len(first))
    found = [Judged(0, 0, 1, name, _correlated(*pair, level)) for name, pair in pairs]
    found += [Judged(0, 0, 0, name, _often(drawn, level)) for name, drawn in first.items()]
    if not any(each.judgement.judged and not each.judgement.passed for each in found):
        results += [called(rule, backend, capability, [group])[0] for _ in range(_CALLS - _FEW)]
        often = told.of(results).items()
        found += [Judged(0, 0, 0, name, _often(drawn, level)) for name, drawn in often]
    yield [group], found


def place(found: Judged) -> Place:
    """What was counted, in words."""
    return Place(
        f"of {found.judgement.judged} codes of {found.tensor}, {_TOLD[found.slot]} "
        f"(false-alarm probability of the check {FALSE_ALARM:g}): the sum",
        {"group": 0, "slot": 0},
    )


def _after(
    rule: StoredRule,
    capability: OptimizerCapability,
    group: Group,
    case: OptimizerCase,
    made: Sequence[Stepped],
) -> Group:
    """The group before the step that follows these results."""
    slots = []
    for spec, new in zip(case.groups[0].slots, made, strict=True):
        gradient, inputs = drawn_at(rule, capability, spec.grad, 1)
        slots.append(Slot(new.param, gradient, new.state, inputs))
    return replace(group, slots=slots)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One tensor's codes: which went up, by call and slot, and between which probabilities.

    open: the elements that are judged. away: the sign of each element's number.
    """

    up: Up
    least: Float
    most: Float
    open: Up
    away: Float


class _Told:
    """What is due of the draws of a group's first tensor, and of those equal to it."""

    def __init__(self, rule: StoredRule, capability: OptimizerCapability, group: Group) -> None:
        self.rule, self.storage = rule, group.hyper.storage
        self.arithmetic = arithmetic_of(capability.arithmetic)
        kinds = (self.arithmetic, ORACLE)
        [due], [truth] = (moments(rule, group.hyper, group.slots[:1], a) for a in kinds)
        self.numbers = {
            name: (due[name].v, due[name].e + truth[name].e)
            for name in rule.kept
            if draws(self.storage[name])
        }

    def of(self, results: Sequence[Sequence[Stepped]]) -> Mapping[str, Drawn]:
        """By state, what the elements did."""
        return {name: self._drawn(name, results) for name in self.numbers}

    def _drawn(self, name: str, results: Sequence[Sequence[Stepped]]) -> Drawn:
        quantizer, how = self.rule.quantizer(name), self.storage[name]
        x, error = self.numbers[name]
        known = np.isfinite(x) & np.isfinite(error)
        x, error = np.where(known, x, 0.0), np.where(known, error, 0.0)
        first, of = results[0][0], self.rule.scale_of(name)
        scale = np.asarray(first.param if of == "p" else first.state[of])
        wide = scale if scale.dtype.kind == "u" else scale.astype(np.float64)
        ulps = self.arithmetic.ulps_division
        least, most = quantizer.probability_up(how, x, wide, error=error, division_ulps=ulps)
        codes = np.array([[new.state[f"{name}_code"] for new in made] for made in results])
        up = quantizer.rank(codes) > quantizer.lower(how, x, wide)
        chance = known & (least < 1) & (most > 0)
        open_ = chance & (most - least < _VAGUE)
        if np.count_nonzero(open_) < chance.size / 16:
            open_ = chance & (most - least < _VAGUER)
        each = (y.reshape(-1) for y in (least, most, open_, np.sign(x)))
        return Drawn(up.reshape(*codes.shape[:2], -1), *each)


# How often.


def _often(drawn: Drawn, level: float) -> Judgement:
    """The judgement under the way of drawing that the kernel agrees with best."""
    at = drawn.open
    if not at.any():
        return not_judged(at.size)
    count = np.sum(drawn.up[:, :, at], axis=(0, 1)).astype(np.float64)
    calls = drawn.up.shape[0] * drawn.up.shape[1]
    least, most, away = (x[at] for x in (drawn.least, drawn.most, drawn.away))
    ways = _ways((least + most) / 2, away)
    found = [
        _under(between, count, calls, ways, level) for between in _hypotheses(least, most, away)
    ]
    return min(found, key=lambda judgement: judgement.utilisation or 0.0)


def _ways(p: Float, away: Float) -> list[Float]:
    """By what elements are weighted: all, by their sign, by their probability, by the rest of it.

    Rare events tell more, so that each is divided by the variance.
    """
    each = 1 / np.maximum(p * (1 - p), 1 / _BITS)
    return [each, each * away, each * (2 * p - 1), each * (p * _BITS % 1 - 0.5)]


def _hypotheses(least: Float, most: Float, away: Float) -> Iterator[tuple[Float, Float]]:
    """Between which probabilities elements go up, by each way to draw for them."""
    yield np.maximum(least - _FINEST, 0.0), np.minimum(most + _FINEST, 1.0)
    yield np.round(least * _BITS) / _BITS, np.round(most * _BITS) / _BITS
    down, up = (
        (cut(least * _BITS) / _BITS, cut(most * _BITS) / _BITS) for cut in (np.floor, np.ceil)
    )
    yield down
    yield up
    for positive, negative in ((down, up), (up, down)):
        yield (
            np.where(away > 0, positive[0], negative[0]),
            np.where(away > 0, positive[1], negative[1]),
        )


def _under(
    between: tuple[Float, Float], count: Float, calls: int, ways: Sequence[Float], level: float
) -> Judgement:
    """The worst of the weighted sums under one hypothesis."""
    least, most = between
    middle = np.clip(0.5, least, most)
    variance = calls * middle * (1 - middle)
    elements = count.size * calls
    impossible = ((most == 0) & (count > 0)) | ((least == 1) & (count < calls))
    found = [within(float(np.count_nonzero(impossible)), 0.0, 0.0, 0.5, elements)]
    for weight in ways:
        ends = weight * least, weight * most
        low, high = (calls * float(np.sum(end(*ends))) for end in (np.minimum, np.maximum))
        error = limit(float(np.sum(weight**2 * variance)), float(np.max(np.abs(weight))), level)
        found.append(within(float(np.sum(weight * count)), low, high, error, elements))
    return max(found, key=lambda judgement: judgement.utilisation or 0.0)


# Whether draws repeat.


@dataclass(frozen=True, slots=True)
class _Errors:
    """Codes less probabilities p, and how far these are uncertain."""

    error: Float
    unsure: Float
    open: Up
    p: Float
    away: Float

    def part(self, part: slice) -> "_Errors":
        """Those of some of the elements."""
        return _Errors(
            self.error[part], self.unsure[part], self.open[part], self.p[part], self.away[part]
        )


def _errors(drawn: Drawn, call: int = 0, slot: int = 0) -> _Errors:
    p = (drawn.least + drawn.most) / 2
    unsure = (drawn.most - drawn.least) / 2 + 1 / _BITS
    return _Errors(drawn.up[call, slot] - p, unsure, drawn.open, p, drawn.away)


def _pairs(
    name: str, first: Mapping[str, Drawn], later: Mapping[str, Drawn]
) -> Iterator[tuple[_Errors, _Errors, Float]]:
    """Every two sets of draws that have nothing to do with one another, and signs.

    A number may be drawn for going up or for going away from zero: errors are taken as they are,
    and toward the sign of what is rounded.
    """
    of = first[name]
    own = _errors(of)
    pairs = [(own, _errors(of, call=1)), (own, _errors(later[name]))]
    if of.up.shape[1] > 1:
        pairs += [(own, _errors(of, slot=1)), (own, _errors(of, call=1, slot=1))]
    pairs += [(own, _errors(drawn)) for other, drawn in first.items() if other > name]
    pairs += [(own.part(slice(None, -lag)), own.part(slice(lag, None))) for lag in _LAGS]
    for x, y in pairs:
        yield x, y, np.ones(x.p.shape)
        yield x, y, x.away * y.away


def _correlated(x: _Errors, y: _Errors, sign: Float, level: float) -> Judgement:
    """The signed sum of products of errors, of which each has mean zero given those before it."""
    both = x.open & y.open
    if not both.any():
        return not_judged(both.size)
    largest = np.maximum(x.p, 1 - x.p)
    variance = float(np.sum((largest**2 * y.p * (1 - y.p))[both]))
    unsure = float(np.sum((x.unsure * y.unsure)[both]))
    got = float(np.sum((sign * x.error * y.error)[both]))
    return within(got, -unsure, unsure, limit(variance, 1.0, level), int(both.sum()))
